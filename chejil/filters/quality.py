"""Quality: how much a document resembles the good documents that a classifier was shown.

The classifier is fastText (Joulin et al. 2017), one for each language, as in DCLM (Li et al. 2024, 4.4), where
this one step was worth more than all heuristics together. It is a matter of taste which documents are good, so
no weights ship: `chejil quality train` makes a model from your own examples (docs/quality.md), and a recipe
names it under `score.models`. Without a model there is no such signal.

Where we differ: a model knows the language and the preparation of its text, in the names of its labels, so that
it cannot be asked about another language or after our preparation has changed. A model's word is bounded by its
examples: the model card shows on what it errs. It reads 8 KiB of a document at most; see `quality_text.py`.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.filters.prose import PROSE
from chejil.filters.quality_text import PREPARATION, prepared
from chejil.filters.registry import Counts, Family, Signal, add_family, add_signal

if TYPE_CHECKING:
    import fasttext

QUALITY_LANGUAGES = ("ko", "en")
"""Languages that a classifier can be trained for; the model of each has the slot `quality_<language>`."""


class Classifier(NamedTuple):
    """A loaded model, and its label of good documents."""

    model: fasttext.FastText._FastText
    high: str

    def scores(self, lines: list[str]) -> np.ndarray:
        """Probability of the good label, (num_lines) float64; NaN for a line in which nothing is known."""
        labels, probabilities = self.model.predict(lines)
        best = np.array([found[0] if len(found) else np.nan for found in probabilities])
        is_high = np.array([bool(found) and found[0] == self.high for found in labels])
        # Rounding in fastText gives up to 1.00005.
        return np.clip(np.where(is_high, best, 1 - best), 0, 1)


def slot_of(lang: str) -> str:
    """The slot of a language's model, as recipes name it."""
    return f"quality_{lang}"


def label_of(lang: str, side: str) -> str:
    """The label of a side (`high` or `low`) in a model of this language and of the present preparation."""
    return f"__label__{side}-{lang}-{PREPARATION}"


def classifier(path: str, lang: str) -> Classifier:
    """The model in a file, loaded once a process as long as the file stays the same.

    Raises:
        ChejilError: no such file, no fastText model, or not one of this language and preparation.
    """
    try:
        state = Path(path).stat()
    except OSError as error:
        raise ChejilError(f"cannot read the model: {error.strerror}", where=path, mend=_TRAIN) from None
    return _loaded(path, lang, state.st_mtime_ns, state.st_size)


_TRAIN = "make one with: chejil quality train"


@lru_cache(maxsize=4)
def _loaded(path: str, lang: str, *_: int) -> Classifier:
    import fasttext  # only where a model is given

    try:
        model = fasttext.load_model(path)
    except ValueError:
        raise ChejilError("not a fastText model", where=path, mend=_TRAIN) from None
    wanted = {label_of(lang, side) for side in ("high", "low")}
    found = sorted(model.get_labels())
    if set(found) != wanted:
        names = ", ".join(label.removeprefix("__label__") for label in found[:4])
        what = f"not a quality classifier for '{lang}' of preparation {PREPARATION}: its labels are {names}"
        raise ChejilError(what, where=path, mend=_TRAIN)
    return Classifier(model, label_of(lang, "high"))


def _measure(lang: str, texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """Scores of the documents in this language, NaN for all others and where no model is given."""
    scores = np.full(len(texts), np.nan)
    path = counts.models.get(slot_of(lang))
    rows = np.flatnonzero(counts["lang"] == lang)
    if path is not None and len(rows):
        scores[rows] = classifier(path, lang).scores(prepared(texts, rows))
    return {slot_of(lang): scores}


def _either(_: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    first, *others = (counts[slot_of(lang)] for lang in QUALITY_LANGUAGES)
    for other in others:
        first = np.where(np.isnan(first), other, first)
    return {"quality": first}


for _lang in QUALITY_LANGUAGES:
    add_family(
        Family(
            name=slot_of(_lang),
            counters=(slot_of(_lang),),
            measure=partial(_measure, _lang),
            needs=("language",),
            version=PREPARATION,
            about=f"A fastText classifier's word on documents whose `lang` is {_lang}.",
            model=slot_of(_lang),
        )
    )

add_family(
    Family(
        name="quality",
        counters=("quality",),
        measure=_either,
        needs=tuple(map(slot_of, QUALITY_LANGUAGES)),
        about="The word of the classifier of the document's language.",
    )
)

add_signal(
    Signal(
        name="quality",
        family="quality",
        unit="document",
        kind="score",
        about="Probability of a good document by the classifier of its language; null in other languages "
        "and where no model is given.",
        source="DCLM (Li et al. 2024, 4.4) keeps the best tenth. Models come from `chejil quality train`; each "
        "has its own scale, which its card shows, so there is no default bound.",
        value=lambda counts: counts["quality"],
        kept=PROSE,
        dropped=(),
    )
)
