"""Legal profile: is this a statute, a decree or a judgment?

Such texts break rules made for prose: their lines end in "한다." or in nothing, articles repeat the same words,
sentences run over a page. A recipe spares them with a rule (`legal_score > 0.5`) instead of loosening the rules for
all. Two kinds of evidence: marks that only law has (articles, amendment notes, parties and rulings), and the
verbs of duty and delegation, which documentation shares ("할 수 있다", "에 따라") and which therefore count only as
far as the marks do.
"""

from __future__ import annotations

import numpy as np

from chejil.filters.prose import PROSE
from chejil.filters.registry import Counts, Signal, add_signal

FULL_SCORE = 0.1  # marks a word; 95 of 100 statutes and decrees have as many


def _legal_score(counts: Counts) -> np.ndarray:
    marks = sum(counts.ratio(f"legal_{kind}", "words") for kind in ("provisions", "enactment", "judgment"))
    drafting = counts.ratio("legal_drafting", "words")
    return np.minimum((marks + np.minimum(marks, drafting)) / FULL_SCORE, 1)


add_signal(
    Signal(
        name="legal_score",
        family="lexicons",
        unit="eojeol",
        kind="score",
        about="How much a text is written like a Korean statute, decree or judgment: marks of law a word, 1 from "
        "one mark in ten words.",
        source="Own; `lexicons/legal.yaml`. Of 1,587 statutes and decrees all have 0.63 or more, 95 of 100 "
        "have 1; web pages have 0.1 at the 99th percentile, petitions 0.33; bills' reasons lie between (median 0.37).",
        value=_legal_score,
        kept=(
            ("ko", PROSE[0][1]),
            # Article 3 (Fees): whoever applies under paragraph 1 shall pay a fee set by decree.
            ("ko", "제3조(수수료) ① 제2조제1항에 따라 신청하는 자는 대통령령으로 정하는 수수료를 내야 한다."),
        ),
        dropped=(),
    )
)
