"""Toxicity: words of abuse, in the spellings that comment boards use.

Korean attaches particles and endings to a word ("새끼는"), so a list matched only between non-letters misses most
(datatrove's C4 filter, Korean list); matched anywhere, it hits "시발점" (starting point), "감염병" (epidemic) and
"병신년" (a year). Here Hangul phrases have no right edge, some a left one, and harmless words that hold one stand
in a list of their own (`lexicons/toxic.yaml`).

A word list sees words. Of comments that annotators called hateful it knows a word in 29 % (Kocohub, entertainment
news, where most hate is phrased politely) and in 55 % (UnSmile); of harmless ones in 1 % and 4 %. The bound is for
threads of abuse: of documents of twelve such comments it drops 28 % and 94 %, of twelve harmless ones 0 and
0.3 %. Film reviews, which swear at bad films, stay: the worst of 2,086 pages has 0.03. Of 143,829 real documents
and sentences none reaches the bound.
"""

from __future__ import annotations

import numpy as np

from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Counts, Signal, add_signal

FREE_WORDS = 1  # a sentence quotes one; a thread goes on

# The starting point; a little finger; the year of the fire monkey; do not look; without sleeping.
_HARMLESS = both(
    "이 역은 옛 철도의 시발점이다. 새끼손가락을 다친 아이가 병신년 이야기를 읽었다. 보지 마라, 자지 않고 읽었다.",
    "The class of assessors from Scunthorpe read Dickens and passed.",
)


def _word_share(counts: Counts) -> np.ndarray:
    return np.maximum(counts["toxic_eojeol"] - FREE_WORDS, 0) / np.where(
        counts["words"], counts["words"], np.nan
    )


add_signal(
    Signal(
        name="toxic_words",
        family="lexicons",
        unit="eojeol",
        kind="count",
        about="Words of abuse: profanity, slurs against groups, sexual harassment.",
        source="Own lists; `lexicons/toxic.yaml`. No bound: novels, reports and reviews quote some.",
        value=lambda counts: counts["toxic_hits"],
        kept=_HARMLESS,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="toxic_word_share",
        family="lexicons",
        unit="eojeol",
        kind="share",
        about="Words in which a word of abuse begins, the first not counted, among all words.",
        source="Own. Above every real Korean document (highest: 0.034, a complaint that quotes a slur). Korean "
        "only: there was no labelled English to measure on.",
        value=_word_share,
        kept=(("ko", PROSE[0][1]), _HARMLESS[0]),
        # insults, one of them with a digit in it
        dropped=(("ko", "야 이 병신새끼야 꺼져라 ㅅㅂ 진짜 시1발놈들이 지랄하고 있네"),),
        bounds={"ko": Bound(high=0.04)},
    )
)
