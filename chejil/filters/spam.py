"""Spam: how much of a text is the vocabulary of advertising trades, and how much of that is in disguise.

Korean doorway pages sell some two hundred trades (gambling, adult services, loans, card cash-out, search ranking,
cosmetic surgery, removals …) and glue each to the names of towns ("포항이사견적"). A casino in the news is no
spam, so nothing here asks *whether* a trade is named: the share of characters that such names and the come-ons
around them cover is 0.57 to 0.77 in planted spam, and at most 0.04 in 143,829 real documents and sentences, bills on
casinos and complaints about betting sites among them. Two hits are free: a sentence names one casino.

With every trade of the planted set struck out of the lexicon, the generic ends of compounds ("+견적$") alone still
give Korean spam 0.11 to 0.18; English spam 0.04 and less. With half of them struck out: 0.14 to 0.56. The pass itself
stands in `lexicon_hits.py`.
"""

from __future__ import annotations

import numpy as np

from chejil.filters.lexicon_hits import num_categories
from chejil.filters.prose import both
from chejil.filters.registry import Bound, Counts, Signal, add_signal

FREE_HITS = 2

# News: a casino closed, the council also looks at betting sites; a shop of film dolls has nothing to do with it.
_NEWS = both(
    "제주의 외국인 전용 카지노가 문을 닫았다. 시는 불법 도박 사이트와 토토 광고도 함께 단속하기로 했다. "
    "서울토토로 가게는 만화 영화 인형을 파는 곳이라 단속과 관계가 없다.",
    "The only casino in the valley closed last week, and the council has asked the state to look at online "
    "poker as well. Nobody who worked there wants to talk about bonuses.",
)
# "Removal estimates, urgent cash, casino: handled today, first in the trade, ask by chat"
_SPAM = both(
    "강릉포장이사견적 속초급전 강릉카지노 속초누수탐지 당일처리 업계 1위 카톡 문의 강릉임플란트할인 동해토토사이트",
    "payday loans Dover casino bonus Dover free followers Hull diet pills DM me lowest price guaranteed click here now",
)


def _hit_share(counts: Counts) -> np.ndarray:
    hits = counts["spam_hits"]
    counted = np.maximum(hits - FREE_HITS, 0) / np.maximum(hits, 1)
    return counts.ratio("spam_chars", "word_chars") * counted


add_signal(
    Signal(
        name="spam_hit_share",
        family="lexicons",
        unit="char",
        kind="share",
        about="Visible characters within names of advertising trades and come-ons, two such phrases of mean "
        "length not counted.",
        source="Own; `lexicons/spam.yaml`. Real documents reach 0.04, planted spam begins at 0.57; spam of which "
        "half the trades are unknown, at 0.14.",
        value=_hit_share,
        kept=_NEWS,
        dropped=(
            *_SPAM,
            # Casino, baccarat and Toto with letters set apart
            ("ko", "카.지.노 바♥카♥라 토 토 ㅌㅗㅌㅗ 지금 바로 클릭 먹\u200b튀 없는 곳"),
        ),
        bounds={"ko": Bound(high=0.08), "en": Bound(high=0.08)},
    )
)
add_signal(
    Signal(
        name="spam_categories",
        family="lexicons",
        unit="document",
        kind="count",
        about="Kinds of spam vocabulary in the text: gambling, adult, loans, investing, marketing, beauty, and so "
        "on.",
        source="Own; the lists of `lexicons/spam.yaml`. No bound: a long blog post meets six. With "
        "spam_hit_share it tells a page of one trade from a link farm.",
        value=lambda counts: num_categories(counts, "spam"),
        kept=_NEWS,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="disguised_hits",
        family="lexicons",
        unit="eojeol",
        kind="count",
        about="Spam phrases written to pass a word filter: letters set apart by spaces or symbols, single jamo, "
        "full-width letters, zero-width characters within.",
        source="Own. None in 143,829 real documents. No bound: a text about spam may show one.",
        value=lambda counts: counts["spam_disguised"],
        kept=_NEWS,
        dropped=(),
    )
)
