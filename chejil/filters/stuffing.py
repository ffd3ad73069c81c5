"""Stuffing: one word over and over, lists of compound keywords, and sentences cut with one template.

What a search engine is fed: a list of towns times services (속초대출상담 강릉대출상담 강릉이삿짐), or one
advertisement in which town and service change. Repeated n-grams miss both, since no two lines are equal.

- **Template**: in a sentence, words that stand in fewer than 0.7 as many sentences of the document as the second
  most widespread of them are slots (the first may be a "you" of other sentences too); neighbouring slots are
  one. Sentences that are equal then, three times or more, are counted, if half of their words stay. The 95th
  percentile is 0.06 or less; of forms and schemas it is 0.2 to 0.4.
- **Keyword**: an eojeol of four syllables and more without particle or ending, whose first two syllables begin
  three other words of the document and whose last two end three others: each half is combined with others.

Sources: Ntoulas et al. 2006 (WWW), 4, for keyword stuffing; the rest is ours.
"""

from __future__ import annotations

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal
from chejil.filters.stuffing_counts import COUNTERS, MIN_WORDS, count_stuffing, frequent_words
from chejil.filters.suffixes import suffixes

_TABLES = (
    "codes", "flags", "word_keys", "word_kinds", "word_notes", "letter_begins", "letter_ends", "word_starts",
)  # fmt: skip


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    count_stuffing(*[*(shared[name] for name in _TABLES), frequent_words(), *suffixes(), counts])
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


def _top_word_share(counts: Counts) -> np.ndarray:
    return counts["top_word_times"] / np.maximum(counts["stuffing_words"], MIN_WORDS)


add_family(
    Family(
        name="stuffing",
        counters=COUNTERS,
        measure=measure,
        needs=("word_table",),
        about="One word over and over, lists of compound keywords, sentences of one template.",
    )
)

# Town and service change: "Worried about {a removal}? The first address in {Sokcho} will see to {it} at once."
_KOREAN_TEMPLATE = "{} 때문에 걱정이 많으십니까? {} 최고의 {} 전문점이 곧바로 찾아가서 해결해 드립니다! "
_ENGLISH_TEMPLATE = "Looking for {} near {}? Call the best {} experts today and get a quote. "
_SERVICES, _TOWNS = ("이사", "청소", "운동화", "도배", "가발"), ("속초", "강릉", "태백", "동해", "삼척")
_ENGLISH_SERVICES, _ENGLISH_TOWNS = ("roof", "dental", "towing", "wig"), ("Ely", "Bath", "York", "Hull")
_TEMPLATES = both(
    "".join(_KOREAN_TEMPLATE.format(*slots) for slots in zip(_SERVICES, _TOWNS, _SERVICES, strict=True)),
    "".join(
        _ENGLISH_TEMPLATE.format(*slots)
        for slots in zip(_ENGLISH_SERVICES, _ENGLISH_TOWNS, _ENGLISH_SERVICES, strict=True)
    ),
)
# Sokcho loans Sokcho removals Sokcho shoes, Gangneung loans …
_KEYWORDS = " ".join(
    town + service for town in _TOWNS for service in ("대출상담", "포장이사", "운동화할인", "가발매장")
)

add_signal(
    Signal(
        name="top_word_share",
        family="stuffing",
        unit="eojeol",
        kind="share",
        about="Words that are the most frequent one, words that any text repeats apart "
        "(`lexicons/frequent_words.yaml`), among all; a text of fewer than 20 words counts as 20.",
        source="Own; after the keyword stuffing of Ntoulas et al. 2006, 4.8. The 99.9th percentiles are "
        "0.18 (Korean web), 0.10 (statutes), 0.11 (The Pile); a puzzle written in one word reaches 0.29.",
        value=_top_word_share,
        kept=PROSE,
        dropped=both(
            "운동화 할인 운동화 매장 운동화 추천 " * 5, "wigs sale wigs store wigs cheap " * 5
        ),  # shoes
        bounds={"ko": Bound(high=0.35), "en": Bound(high=0.35)},
    )
)
add_signal(
    Signal(
        name="distinct_word_share",
        family="stuffing",
        unit="eojeol",
        kind="share",
        about="Different words among those of a window of 200, mean of whole windows, so that it does not "
        "fall with the length of a text; a shorter text is one window.",
        source="Own; type-token ratio over windows (MSTTR, Johnson 1944). Medians 0.82 (Korean web), 0.67 "
        "(statutes), 0.62 (English web); 0.1st percentiles 0.43, 0.37, 0.29; lines and templates that "
        "repeat have 0.1 to 0.2.",
        value=lambda counts: counts.ratio("window_distinct_words", "window_words"),
        kept=PROSE,
        # The notice is posted. Click the link below.
        dropped=both("공지를 올렸습니다 아래를 눌러 주세요 " * 9, "click the link below to read more " * 9),
        bounds={"ko": Bound(low=0.24), "en": Bound(low=0.22)},
    )
)
add_signal(
    Signal(
        name="template_share",
        family="stuffing",
        unit="eojeol",
        kind="share",
        about="Words of sentences that equal two others and more when their rare words are blanked.",
        source="Own. 99.9th percentiles: 0.43 (Korean web: exercises in a form), 0.30 (statutes: lists of "
        "amendments), 0.41 (English web: schemas), maximum 0.62 but for an index of links; spam from "
        "templates has 0.6 to 1.",
        value=lambda counts: counts.ratio("template_words", "stuffing_words"),
        kept=PROSE,
        dropped=_TEMPLATES,
        bounds={"ko": Bound(high=0.65), "en": Bound(high=0.65)},
    )
)
add_signal(
    Signal(
        name="keyword_share",
        family="stuffing",
        unit="eojeol",
        kind="share",
        about="Eojeol that look like keywords: no particle or ending, and both their first and their last "
        "two syllables are combined with three others and more in the text.",
        source="Own. 99.9th percentiles 0.009 (web), 0.07 (statutes), maximum 0.1 (a rule with names of "
        "qualifications); lists of keywords 0.96 to 1.",
        value=lambda counts: counts.ratio("keyword_words", "stuffing_words"),
        kept=PROSE,
        dropped=(("ko", _KEYWORDS),),
        bounds={"ko": Bound(high=0.3)},
    )
)
