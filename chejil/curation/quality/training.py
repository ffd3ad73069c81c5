"""Trains a quality classifier: fastText on examples of good and of other documents, with a card that says how good.

`model.ftz` (or `model.bin`), `card.json` and `card.html` are functions of the examples, the settings and the
versions: the same bytes every time. That takes one thread, since fastText's threads race, and memory that is zero:
fastText 0.9.3 fills a tenth of the input matrix for each thread and leaves the rest as malloc gives it, so trainings
end in NaN or, worse, do not. glibc is asked to hand out zeroed memory meanwhile; elsewhere a matrix above 32 MiB is
most probably mapped anew, and so zero (in a process that has freed much, glibc itself gives it dirty memory). Both
matrices are looked at afterwards.

The model is then quantised (Joulin et al. 2016, "FastText.zip"): 45 MB become 2 MB. It stays as it was
if that costs more than `MAX_AUC_LOSS`; the card has both numbers.

Korean gets the two and three syllables of each eojeol as features, which stand in for an analyser; English gets
words alone. Both get pairs of words.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from chejil import __version__
from chejil.curation import shards
from chejil.curation.progress import Progress, Silent
from chejil.curation.quality import card_page, metrics
from chejil.curation.quality.examples import SIDES, Example, Examples, gather, lines
from chejil.errors import ChejilError, did_you_mean
from chejil.filters.quality import QUALITY_LANGUAGES, Classifier, label_of
from chejil.filters.quality_text import PREPARATION

if TYPE_CHECKING:
    import fasttext

SUBWORDS: Mapping[str, tuple[int, int]] = MappingProxyType({"ko": (2, 3), "en": (0, 0)})
"""Shortest and longest character n-grams of a word that are features, by language; 0 for none."""

MIN_MATRIX_BYTES = 40 << 20  # glibc maps new pages from 32 MiB on, unless it has as much to give away
MAX_WEIGHT = 1e4  # of a trained matrix: they start below 1 / dim and end below 20
_M_PERTURB, _ZEROS = -6, 0xFF  # mallopt(3): new memory is filled with the complement of this byte
MAX_AUC_LOSS = 0.003
NUM_FEATURES = 25
NUM_ERRORS = 10
_END_OF_LINE = "</s>"
MODEL_FILES = ("model.ftz", "model.bin")


@dataclass(frozen=True)
class Training:
    """Settings; all of them stand in the card.

    Args:
        dim: numbers a word; 32 instead of 16 takes twice as long and told our examples apart no better.
        limit: most examples of a side.
        kept_rows: words and n-grams that the quantised model knows: 100,000 are about 2 MB.
    """

    lang: str
    seed: int = 1
    dim: int = 16
    epochs: int = 5
    held_out: float = 0.1
    limit: int = 100_000
    learning_rate: float = 0.3
    word_ngrams: int = 2
    min_count: int = 3
    kept_rows: int = 100_000

    def __post_init__(self) -> None:
        if self.lang not in QUALITY_LANGUAGES:
            raise ChejilError(
                f"no classifier can be for '{self.lang}'", mend=did_you_mean(self.lang, QUALITY_LANGUAGES)
            )
        if not 0 < self.held_out < 1:
            raise ChejilError(f"--held-out is a share between 0 and 1, not {self.held_out}", mend="e.g. 0.1")

    @property
    def buckets(self) -> int:
        """Rows of the matrix for n-grams, which share them by hash."""
        return -(-MIN_MATRIX_BYTES // (4 * self.dim))


def train(
    paths: Mapping[str, Sequence[str]], settings: Training, out: str, progress: Progress | None = None
) -> dict[str, Any]:
    """Train a classifier and write it with its card.

    Args:
        paths: of the documents, by side (`high`, `low`): files, globs, `FORMAT:PATH`, or runs' folders.
        out: folder or URL for the model and its card; what an earlier training left there is replaced.

    Returns:
        The card, as `card.json` holds it.

    Raises:
        ChejilError: no documents, too few, in another language; or a model with NaN in it.
    """
    progress = progress or Silent()
    examples = gather(dict(paths), settings.lang, settings.seed, settings.held_out, settings.limit, progress)
    labels = {side: label_of(settings.lang, side) for side in SIDES}
    with TemporaryDirectory(prefix="chejil-quality-") as folder, zeroed_memory():
        progress.start("train", 1, 0)
        model = _trained(examples.train, labels, settings, Path(folder))
        full = _judged(model, labels["high"], examples.held_out, Path(folder) / "model.bin")
        features = telling_words(model, labels)
        progress.advance("train", "model.bin")
        progress.finish("train")
        progress.start("quantise", 1, 0)
        model.quantize(cutoff=settings.kept_rows, qnorm=True)
        small = _judged(model, labels["high"], examples.held_out, Path(folder) / "model.ftz")
        progress.advance("quantise", "model.ftz")
        progress.finish("quantise")
        chosen = small if full.auc - small.auc <= MAX_AUC_LOSS else full
        card = _card(settings, examples, chosen, {"full": full, "quantised": small}, features)
        _write(out, chosen, card)
    return card


@contextmanager
def zeroed_memory() -> Iterator[None]:
    """While the block goes on, malloc hands out zeros, where the C library can (glibc)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: None)
    mallopt(_M_PERTURB, _ZEROS)
    try:
        yield
    finally:
        mallopt(_M_PERTURB, 0)


@dataclass(frozen=True)
class _Judged:
    """A saved model and its scores of the held-out examples."""

    path: Path
    scores: np.ndarray
    is_high: np.ndarray

    @property
    def auc(self) -> float:
        return metrics.roc_auc(self.scores, self.is_high)


def _trained(
    examples: Sequence[Example], labels: Mapping[str, str], settings: Training, folder: Path
) -> fasttext.FastText._FastText:
    import fasttext

    text = folder / "train.txt"
    with text.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(lines(examples, dict(labels)))
    shortest, longest = SUBWORDS[settings.lang]
    model = fasttext.train_supervised(
        input=str(text),
        lr=settings.learning_rate,
        dim=settings.dim,
        epoch=settings.epochs,
        wordNgrams=settings.word_ngrams,
        minCount=settings.min_count,
        minn=shortest,
        maxn=longest,
        bucket=settings.buckets,
        loss="softmax",
        thread=1,
        seed=settings.seed,
        verbose=0,
    )
    for matrix in (model.get_input_matrix(), model.get_output_matrix()):
        if not (np.isfinite(matrix).all() and np.abs(matrix).max() < MAX_WEIGHT):
            what = "the model has NaN in it, or numbers that no training gives"
            raise ChejilError(what, mend="run it again, with another --seed if it stays")
    return model


def _judged(
    model: fasttext.FastText._FastText, high: str, held_out: Sequence[Example], path: Path
) -> _Judged:
    model.save_model(str(path))
    # A fastText score is NaN where it knows nothing of a line: no reason to call it good.
    scores = np.nan_to_num(Classifier(model, high).scores([example.line for example in held_out]), nan=0.5)
    return _Judged(path, scores, np.array([example.side == "high" for example in held_out], bool))


def telling_words(
    model: fasttext.FastText._FastText, labels: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """The words that speak most for either side: dot product of a word's vector and the labels' difference.

    Of the words the more frequent half: one that was seen three times says more of its document.
    """
    words, counts = model.get_words(include_freq=True)
    known = [(word, count) for word, count in zip(words, counts, strict=True) if word != _END_OF_LINE]
    words, counts = zip(*known[: -(-len(known) // 2)], strict=True)
    rows = dict(zip(model.get_labels(), model.get_output_matrix(), strict=True))
    direction = rows[labels["high"]] - rows[labels["low"]]
    weights = np.array([model.get_word_vector(word) @ direction for word in words])
    order = np.argsort(weights, kind="stable")

    def rows_of(places: np.ndarray) -> list[dict[str, Any]]:
        return [
            {"word": words[i], "count": int(counts[i]), "weight": round(float(weights[i]), 3)} for i in places
        ]

    return {"high": rows_of(order[::-1][:NUM_FEATURES]), "low": rows_of(order[:NUM_FEATURES])}


def _card(
    settings: Training,
    examples: Examples,
    chosen: _Judged,
    models: Mapping[str, _Judged],
    features: dict[str, Any],
) -> dict[str, Any]:
    """What `card.json` holds: no time and no path of the machine, so that the same training gives the same card."""
    scores, is_high = chosen.scores, chosen.is_high
    bins = metrics.reliability(scores, is_high)
    content = chosen.path.read_bytes()
    return {
        "slot": f"quality_{settings.lang}",
        "model": {
            "file": chosen.path.name,
            "bytes": len(content),
            "hash": xxhash.xxh3_128_hexdigest(content),
        },
        "settings": {
            **asdict(settings),
            "subwords": list(SUBWORDS[settings.lang]),
            "buckets": settings.buckets,
        },
        "versions": {
            "chejil": __version__,
            "fasttext": metadata.version("fasttext"),
            "preparation": PREPARATION,
        },
        "data": {
            side.name: {**side.counts(), "files": sorted(side.files, key=lambda f: str(f["name"]))}
            for side in examples.sides
        },
        "both_sides": examples.both,
        "train": len(examples.train),
        "held_out": len(examples.held_out),
        "auc": chosen.auc,
        "models": {
            name: {"auc": model.auc, "bytes": model.path.stat().st_size} for name, model in models.items()
        },
        "thresholds": metrics.at_thresholds(scores, is_high),
        "reliability": bins,
        "calibration_error": metrics.calibration_error(bins),
        "features": features,
        "errors": _errors(examples.held_out, scores),
        "histogram": {
            side: np.histogram(scores[is_high == (side == "high")], 20, (0, 1))[0].tolist() for side in SIDES
        },
        "roc": [
            [round(float(x), 4), round(float(y), 4)]
            for x, y in zip(*_thinned(*metrics.roc_curve(scores, is_high)), strict=True)
        ],
    }


def _thinned(x: np.ndarray, y: np.ndarray, most: int = 200) -> tuple[np.ndarray, np.ndarray]:
    places = np.unique(np.linspace(0, len(x) - 1, min(most, len(x))).astype(int))
    return x[places], y[places]


def _errors(held_out: Sequence[Example], scores: np.ndarray) -> dict[str, list[dict[str, Any]]]:
    """The good documents with the lowest scores and the others with the highest."""
    found: dict[str, list[dict[str, Any]]] = {}
    for side, sign in (("high", 1), ("low", -1)):
        own = [i for i, example in enumerate(held_out) if example.side == side]
        own.sort(key=lambda i: (sign * scores[i], held_out[i].id))
        wrong = [i for i in own if (scores[i] < 0.5) == (side == "high")]
        found[side] = [
            {"id": held_out[i].id, "score": round(float(scores[i]), 4), "snippet": held_out[i].snippet}
            for i in wrong[:NUM_ERRORS]
        ]
    return found


def _write(out: str, chosen: _Judged, card: dict[str, Any]) -> None:
    """The card last: where it is, its model is."""
    for name in (*MODEL_FILES, "card.json", "card.html"):
        shards.remove(shards.join(out, name))
    shards.write_bytes(out, chosen.path.name, chosen.path.read_bytes())
    shards.write_bytes(out, "card.html", card_page.page(card).encode())
    shards.write_json(out, "card.json", card)
