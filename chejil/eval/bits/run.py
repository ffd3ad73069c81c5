"""A measurement: unit after unit, each kept when it is scored, and one result with every document.

    OUT/parts/KEY.json   nats of a unit's documents, under what their numbers depend on
    OUT/result.json      a task a domain, an item a document: `chejil eval compare` pairs them

A unit is scored again where weights, tokenizer, context, stride or precision are others. Of several processes
(torchrun, accelerate) each scores every so many-th document of a unit, and the first one writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

import chejil
from chejil.curation import shards
from chejil.curation.progress import Progress, Work
from chejil.errors import ChejilError
from chejil.eval import results
from chejil.eval.bits import documents, ranks
from chejil.eval.bits.bits_settings import BitsSettings
from chejil.eval.bits.documents import Document, Unit
from chejil.eval.harness import model_folder
from chejil.eval.harness.model_folder import ModelFolder
from chejil.eval.results import BITS, BYTES, NATS, Item, Result, TaskResult
from chejil.tokenizer import corpus
from chejil.training import installed

if TYPE_CHECKING:
    from chejil.eval.bits.text_model import TextModel

_STAGE = "bits"
_PACKAGES = ("transformers", "tokenizers", "torch")


@dataclass(frozen=True)
class Measured:
    """What a measurement came to.

    Args:
        path: of the result; both are None in all processes but the first.
        kept, units: units that were done before, and all.
        rejected: records that are no documents, by reason.
        unknown: tokens that stand for text the tokenizer does not know, by domain.
    """

    path: str | None
    result: Result | None
    kept: int
    units: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)


def run(model: str, paths: Sequence[str], out: str, settings: BitsSettings, progress: Progress) -> Measured:
    """Measure bits per byte.

    Args:
        model: a folder, an adapter's folder, or a name on the hub.
        paths: documents, see corpus.pieces.
        out: folder of the result.
        settings: how.
        progress: is told of units, weighed by bytes.

    Raises:
        ChejilError: the model cannot be used, there are no documents, or `out` holds the result of another model.
    """
    installed.require_torch()
    for path in (model, out, *paths):
        shards.refuse_empty(path)
    folder = model_folder.find(model, local_only=False)
    _refuse_other(folder, out)
    rejected: Counter[str] = Counter()
    plan = {
        unit.key: unit.num_bytes
        for unit in documents.units(paths, settings.by, settings.limit_bytes, rejected)
    }
    if not sum(plan.values()):
        raise corpus.nothing(paths, rejected)
    with ExitStack() as stack:
        stack.enter_context(ranks.joined())
        return _Measurement(folder, out, settings, progress).of(paths, plan, rejected)


class _Measurement:
    """A model on documents."""

    def __init__(self, folder: ModelFolder, out: str, settings: BitsSettings, progress: Progress) -> None:
        from chejil.eval.bits.text_model import TextModel

        self.folder, self.out, self.settings, self.progress = folder, out, settings, progress
        self.model: TextModel = TextModel(folder, settings)

    def of(self, paths: Sequence[str], plan: Mapping[str, int], rejected: Mapping[str, int]) -> Measured:
        """Score what is not scored yet."""
        done = [key for key in plan if self._kept(key) is not None]
        todo = {key: size for key, size in plan.items() if key not in set(done)}
        if ranks.rank() == 0:
            self.progress.start(_STAGE, len(plan), len(done), todo)
        items: dict[str, list[Item]] = {}
        unknown: Counter[str] = Counter()
        for unit in documents.units(paths, self.settings.by, self.settings.limit_bytes):
            rows = self._kept(unit.key) if unit.key not in todo else self._score(unit)
            for one, (nats, end, tokens, strange) in zip(unit.documents, rows or (), strict=rows is not None):
                items.setdefault(one.group, []).append(_item(one, nats, end, tokens))
                unknown[one.group] += strange
        if ranks.rank() != 0:
            return Measured(None, None, len(done), len(plan))
        self.progress.finish(_STAGE)
        result = self._result(items)
        place = shards.join(self.out, results.FILE)
        results.write(place, result)
        return Measured(place, result, len(done), len(plan), rejected, +unknown)

    def _score(self, unit: Unit) -> list[list[Any]] | None:
        """Nats, nats of the end, tokens and unknown tokens of each document; None in all processes but the first."""
        mine = unit.documents[ranks.rank() :: ranks.size()]
        ids = self.model.ids([one.text for one in mine])
        strange = self.model.tokenizer.unk_token_id
        own = [
            [nats, end, len(one), 0 if strange is None else one.count(strange)]
            for (nats, end), one in zip(self.model.nats(ids), ids, strict=True)
        ]
        rows = ranks.interleaved(own, len(unit.documents))
        if ranks.rank() == 0:
            shards.write_json(
                self.out, f"parts/{unit.key}.json", {"key": self._key(), "unit": unit.key, "rows": rows}
            )
            work = Work(len(unit.documents), unit.num_bytes)
            self.progress.advance(_STAGE, unit.key, work=work)
        return rows if ranks.rank() == 0 else None

    def _kept(self, unit: str) -> list[list[Any]] | None:
        place = shards.join(self.out, "parts", f"{unit}.json")
        content = shards.read_json(place) if Path(place).is_file() else None
        if not isinstance(content, dict) or content.get("key") != self._key():
            return None
        return content.get("rows")

    def _key(self) -> dict[str, Any]:
        folder, model = self.folder, self.model
        return {
            "model": folder.identity.hash or folder.identity.name,
            "tokenizer": model_folder.tokenizer_hash(folder) or folder.tokenizer,
            "begin": model.begin,
            "end": model.end,
            "context": model.context,
            "stride": model.stride,
            "dtype": self.settings.dtype,
        }

    def _result(self, items: Mapping[str, Sequence[Item]]) -> Result:
        found = {name: mine for name, mine in sorted(items.items()) if any(one.scores[BYTES] for one in mine)}
        return Result(
            model=self.folder.identity,
            mode="text",
            versions={"chejil": chejil.__version__, **{name: version(name) for name in _PACKAGES}},
            settings={
                "context": self.model.context,
                "stride": self.model.stride,
                "begin": " ".join(self.model.tokenizer.convert_ids_to_tokens(self.model.begin)),
                "by": ",".join(self.settings.by),
                "limit_bytes": self.settings.limit_bytes,
                "dtype": self.settings.dtype,
            },
            tasks=tuple(_task(name, mine) for name, mine in found.items()),
        )


def _item(one: Document, nats: float, end: float, tokens: int) -> Item:
    scores = {NATS: nats, "end_nats": end, BYTES: float(one.num_bytes), "tokens": float(tokens)}
    return Item(id=one.id, gold=one.hash, predicted=None, correct=None, scores=scores)


def _task(name: str, items: Sequence[Item]) -> TaskResult:
    texts = xxhash.xxh3_128_hexdigest("\n".join(str(one.gold) for one in items).encode())
    return TaskResult(task=name, metrics=(BITS,), inputs={"texts": texts}, items=tuple(items))


def _refuse_other(folder: ModelFolder, out: str) -> None:
    place = shards.join(out, results.FILE)
    if not Path(place).is_file():
        return
    before, model = results.read(place), folder.identity
    if before.mode == "text" and (before.model.hash or before.model.name) == (model.hash or model.name):
        return
    what = f"a result of {before.model.name}, mode {before.mode}"
    raise ChejilError(f"the folder holds {what}", where=out, mend="give another --out")
