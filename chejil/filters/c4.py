"""C4: which lines of a page it would keep, and why it would not keep the others.

C4 removes lines and then judges what is left. These signals give the same verdict and change nothing: the text
stays whole, a threshold can be moved afterwards, and how much C4 would have removed is a number of its own
(`c4_kept_char_share`), by which pages can be chosen that need no cutting. Each line has one fate, that of the
first rule that takes it, so the shares of a page add up to 1.

FineWeb used these rules without that of the end mark, which alone took about 30 % of its tokens (Penedo et al.
2024, section 3.5): `fineweb_sentences` and its like count so.

Raffel et al. 2020, section 2.2. Rules for English: Korean lines often end without a mark (`lines.py`). A sentence
ends at . ? ! and any closing quotes before white space, if no small letter follows. Abbreviations are not known
("Dr. Kim" is two): the verdict on 439 English pages was spaCy's on all for C4 and on 438 for FineWeb's form.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.c4_lines import COUNTERS, count_c4, phrases
from chejil.filters.line_counts import mark_table
from chejil.filters.prose import PROSE
from chejil.filters.registry import Counts, Family, Signal, add_family, add_signal

_TABLES = (
    "codes", "flags", "char_starts", "word_begins", "word_ends", "line_words", "line_starts",
)  # fmt: skip


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    tables = [shared[name] for name in _TABLES]
    count_c4(*[texts.data, texts.offsets, *tables, mark_table(), *phrases(), counts])
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


def _counter(counts: Counts, name: str) -> np.ndarray:
    return counts[name]


add_family(
    Family(
        name="c4",
        counters=COUNTERS,
        measure=measure,
        needs=("word_table",),
        about="What C4's rules would do to each line that is not blank. No text is changed.",
    )
)

_PAPER = "C4 (Raffel et al. 2020, section 2.2)"
for _name, _about, _source in (
    ("c4_sentences", "Sentences in the lines that C4 keeps.", f"{_PAPER}: at least 5 a page."),
    (
        "fineweb_sentences",
        "Sentences in the lines that C4 keeps if no mark is asked for at their end.",
        "FineWeb (Penedo et al. 2024, section 3.5): C4's rules but for the end mark; at least 5.",
    ),
):
    add_signal(
        Signal(
            name=_name,
            family="c4",
            unit="document",
            kind="count",
            about=_about,
            source=f"{_source} No default bound: a short page may be good.",
            value=partial(_counter, name=_name),
            kept=PROSE,
            dropped=(),
        )
    )
add_signal(
    Signal(
        name="c4_kept_char_share",
        family="c4",
        unit="char",
        kind="share",
        about="Characters of the lines that C4 keeps, among those of all lines that are not blank.",
        source=f"Own, from {_PAPER}. A low share is a page that C4 cuts to pieces.",
        value=lambda counts: counts.ratio("c4_kept_chars", "c4_line_chars"),
        kept=PROSE,
        dropped=(),
    )
)

for _name, _about in (
    ("c4_long_word", "Lines with a word over 1,000 characters"),
    ("c4_unmarked", "Lines that end neither with . ? ! nor with a straight quote, or that end with ..."),
    ("c4_few_word", "Lines of one or two words"),
    ("c4_javascript", 'Lines with "javascript"'),
    ("c4_policy", "Lines with a phrase of cookie notices and terms (`lexicons/c4.yaml`)"),
):
    add_signal(
        Signal(
            name=f"{_name}_line_share",
            family="c4",
            unit="line",
            kind="share",
            about=f"{_about}, among all lines, if no rule before this one takes them.",
            source=f"{_PAPER}: removed. No default bound: C4 drops no page for them.",
            value=partial(Counts.ratio, part=f"{_name}_lines", whole="c4_lines"),
            kept=PROSE,
            dropped=(),
        )
    )

for _prefix, _which in (("c4", "that end with a mark"), ("fineweb", "whatever their end")):
    for _rule, _about in (("lorem", '"lorem ipsum"'), ("bracket", "a curly bracket")):
        add_signal(
            Signal(
                name=f"{_prefix}_{_rule}_lines",
                family="c4",
                unit="line",
                kind="count",
                about=f"Lines of three words or more with {_about}, {_which}.",
                source=f"{_PAPER}: such a page is dropped; its code, which we follow, looks at the lines only "
                "that passed the rules before. No default bound: pages on programming have both.",
                value=partial(_counter, name=f"{_prefix}_{_rule}_lines"),
                kept=PROSE,
                dropped=(),
            )
        )
