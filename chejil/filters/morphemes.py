"""Morphemes, by Kiwi: how many, how many of them no dictionary knows, and how probable the sequence is.

Kiwi's model (`cong`, Kiwi 0.24) scores the sequence of morphemes as a language model does, so its score for a
morpheme stands in for a perplexity: web prose has 0.005 to 0.03, keyboard mash next to nothing. The price is 0.2 MB/s a
core where everything else here runs at 20 to 300, so these signals are measured only where a recipe names
them, and `score.slow` in it says on which documents. Of a document above 32 KiB eight windows of 4 KiB
are analysed, spread evenly; that bounds the one line of 16 MB, which would take six minutes.

Nothing is removed from a text before it is analysed: a peer that takes long numbers out first finds every
later morpheme in the wrong place. Kiwi names the stem and the ending of 했 (하 + 었) over the same character;
`surface` cuts such a text without overlaps.

Kiwi: Lee 2024, "Kiwi: Developing a Korean Morphological Analyzer", Korean Journal of Digital Humanities 1(1).
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.filters.prose import PROSE
from chejil.filters.registry import Counts, Family, Signal, add_family, add_signal

if TYPE_CHECKING:
    import kiwipiepy

COUNTERS = ("morphemes", "analysed_morphemes", "unknown_morphemes", "morpheme_log_probability")
PACKAGES = ("kiwipiepy", "kiwipiepy_model")
WINDOWS, WINDOW_BYTES = 8, 4 << 10
MAX_BYTES = WINDOWS * WINDOW_BYTES
ANALYSED = ("ko", "mixed")


@cache
def kiwi() -> kiwipiepy.Kiwi:
    """The analyser, loaded once a process: 1 s, 340 MB.

    Raises:
        ChejilError: the package is not installed.
    """
    try:
        from kiwipiepy import Kiwi
    except ImportError:
        raise _absent() from None
    # One thread a worker. The titles of songs and films in the multi-word dictionary cost 190 MB.
    return Kiwi(num_workers=1, load_multi_dict=False)


def kiwi_versions() -> dict[str, str]:
    """Versions of Kiwi and of its model, which decide what these signals say.

    Raises:
        ChejilError: one of the packages is not installed.
    """
    try:
        return {name: metadata.version(name) for name in PACKAGES}
    except metadata.PackageNotFoundError:
        raise _absent() from None


def _absent() -> ChejilError:
    return ChejilError("morpheme signals need Kiwi", mend="pip install 'chejil[kiwi]'")


def surface(text: str) -> list[str]:
    """The text cut where a morpheme begins: without overlaps, and the pieces together are the text.

    White space stays at the end of a piece, so that a piece is as long as it is in the text. Of morphemes
    that begin at the same character (하 + 었 in 했) there is one piece.

    >>> surface("새로운 정책을 시행했다.")
    ['새로', '운 ', '정책', '을 ', '시행', '했', '다', '.']
    """
    begins = sorted({token.start for token in kiwi().tokenize(text)} - {0})
    return [text[start:end] for start, end in zip([0, *begins], [*begins, len(text)], strict=True)]


def measure(texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text, (num_docs) float64; NaN in languages other than ANALYSED."""
    found = np.full((len(COUNTERS), len(texts)), np.nan)
    for doc in np.flatnonzero(np.isin(counts["lang"], ANALYSED)).tolist():
        found[:, doc] = analyse(texts.data[texts.offsets[doc] : texts.offsets[doc + 1]])
    return dict(zip(COUNTERS, found, strict=True))


def analyse(data: np.ndarray) -> tuple[float, int, int, float]:
    """COUNTERS of one text, given as its bytes."""
    parts = windows(data)
    analysed = unknown = 0
    log_probability = 0.0
    for ((tokens, score),) in kiwi().analyze(parts):
        analysed += len(tokens)
        unknown += sum(token.oov for token in tokens)
        log_probability += score
    num_bytes = sum(len(part.encode()) for part in parts)
    scale = len(data) / num_bytes if len(data) > MAX_BYTES else 1.0
    return round(analysed * scale), analysed, unknown, log_probability


def windows(data: np.ndarray) -> list[str]:
    """What is analysed of a text: all of it, or eojeol from WINDOWS places of it."""
    if len(data) <= MAX_BYTES:
        return [data.tobytes().decode()]
    starts = [len(data) * number // WINDOWS for number in range(WINDOWS)]
    parts = [data[at : at + WINDOW_BYTES].tobytes().decode("utf-8", "ignore") for at in starts]
    return [_whole_eojeol(part) for part in parts]


def _whole_eojeol(part: str) -> str:
    # The window may have cut its first and its last eojeol.
    eojeol = part.split()
    return " ".join(eojeol[1:-1]) if len(eojeol) > 2 else part


def _morpheme_score(counts: Counts) -> np.ndarray:
    return np.minimum(np.exp(counts.ratio("morpheme_log_probability", "analysed_morphemes")), 1)


add_family(
    Family(
        name="morphemes",
        counters=COUNTERS,
        measure=measure,
        needs=("language",),
        about="Kiwi's morphemes of Korean and mixed documents; 0.2 MB/s, so only where a recipe names them.",
        default=False,
    )
)

add_signal(
    Signal(
        name="num_morphemes",
        family="morphemes",
        unit="morpheme",
        kind="count",
        about="Morphemes by Kiwi, marks and numbers among them; above 32 KiB estimated from eight windows.",
        source="FineWeb-2 (Penedo et al. 2025) asks 50 of Korean, which is about 22 eojeol: `num_words` says it "
        "a thousand times faster.",
        value=lambda counts: counts["morphemes"],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="unknown_morpheme_share",
        family="morphemes",
        unit="morpheme",
        kind="share",
        about="Morphemes that no dictionary of Kiwi's knows, among all.",
        source="Own. Web prose 0.003 to 0.02, since names are unknown, too; mash and lost Hangul 0.2 and more.",
        value=lambda counts: counts.ratio("unknown_morphemes", "analysed_morphemes"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="morpheme_score",
        family="morphemes",
        unit="morpheme",
        kind="score",
        about="Probability of a morpheme among its neighbours, geometric mean: the higher, the more usual.",
        source="Stands in for the KenLM perplexity of CCNet (Wenzek et al. 2020, 3.2), which is its inverse, by "
        "Kiwi's own model. No default bound: lists and laws are as improbable as some spam.",
        value=_morpheme_score,
        kept=PROSE,
        dropped=(),
    )
)
