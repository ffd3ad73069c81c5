"""`chejil export`: a checkpoint as a folder of Hugging Face, with its lineage. It appears whole or not at all.

Written beside its name and renamed. A folder that holds anything is left alone, but an export of the same checkpoint is
made again and takes its place (another --dtype, a licence): `lineage.json` says what it is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from chejil import __version__
from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.training.exporting import (
    exported_tokenizer,
    hugging_face_weights,
    lineage,
    model_card,
    seen_mixture,
    trained_checkpoint,
    whole_folder,
)
from chejil.training.exporting.hugging_face_weights import Dtype
from chejil.training.exporting.model_card import Card
from chejil.training.exporting.trained_checkpoint import TrainedCheckpoint
from chejil.training.loop import metrics

CARD = "README.md"
_PACKAGES = ("torch", "transformers", "safetensors")
OTHER = "choose another --out, or remove the folder"


@dataclass(frozen=True)
class Exported:
    """What was written: parameters by name, files with bytes and hash; `warnings` say what is not known."""

    out: str
    checkpoint: str
    training: str
    step: int
    dtype: str
    parameters: dict[str, int]
    begins_with: str | None
    ends_with: str | None
    unused_rows: int
    files: dict[str, dict[str, Any]]
    warnings: list[str]


def export(
    checkpoint: str,
    out: str,
    dtype: Dtype = "fp32",
    *,
    tokenizer: str | None = None,
    runs: Sequence[str] = (),
    license: str | None = None,
) -> Exported:
    """Write a checkpoint as a folder that transformers loads.

    Args:
        checkpoint: a training's folder, whose newest checkpoint is taken, or one of its checkpoints.
        out: the new folder, on a local disk.
        tokenizer: its folder, for a chat template and roles that token shards do not keep.
        runs: curated runs that the tokens are of, for the lineage; those beside the token shards and in
            runs/ are found.
        license: for the model card, as the hub names it.

    Raises:
        ChejilError: no checkpoint, a damaged one, no tokenizer or another, or an `out` that holds something else.
    """
    trained = trained_checkpoint.find(checkpoint)
    _refuse_place(out, trained)
    files = exported_tokenizer.of(trained, tokenizer)
    told = lineage.of(trained, files.hash, runs)
    folder = Path(out).expanduser().absolute()
    _refuse_other(folder, out, told)
    with whole_folder.in_one_piece(folder, out) as part:
        hugging_face_weights.write(part, trained, files, dtype)
        for name, content in files.files.items():
            shards.write_bytes(str(part), name, content)
        card = _card(trained, files, dtype, told, license)
        shards.write_bytes(str(part), CARD, model_card.markdown(card).encode())
        written = {
            path.name: {"bytes": path.stat().st_size, "hash": shards.file_hash(str(path))}
            for path in sorted(part.iterdir())
        }
        said = {**told, "exported_with": card.versions, "dtype": dtype, "seen": card.seen, "files": written}
        shards.write_json(str(part), lineage.FILE, said)
    return _exported(out, card, written)


def _exported(out: str, card: Card, files: dict[str, dict[str, Any]]) -> Exported:
    trained, end = card.trained, card.tokenizer.end
    return Exported(
        out, trained.saved.folder.name, trained.name, trained.step, card.dtype, trained.size.counts(),
        end[0] if end and card.tokenizer.begins else None, end[0] if end else None, len(card.tokenizer.unused),
        files, list(_warnings(card)),
    )  # fmt: skip


def _warnings(card: Card) -> Iterator[str]:
    """What the card does not know."""
    if card.unseen:
        yield f"what was read is not known: {card.unseen}"
    if not card.evaluation:
        yield "no evaluation up to this step could be read from metrics.jsonl"
    for one in (*card.lineage["token_shards"], *card.lineage["runs"]):
        if not one["found"]:
            yield f"lineage ends at {one['name']}: {one['why']}"


def _card(
    trained: TrainedCheckpoint,
    files: exported_tokenizer.ExportedTokenizer,
    dtype: str,
    told: dict[str, Any],
    license: str | None,
) -> Card:
    seen, unseen = seen_mixture.seen(trained)
    versions = {"chejil": __version__, **{name: metadata.version(name) for name in _PACKAGES}}
    return Card(trained, files, dtype, told, seen, unseen, _evaluation(trained), versions, license)


def _evaluation(trained: TrainedCheckpoint) -> dict[str, Any] | None:
    """The last evaluation up to the checkpoint."""
    if not (trained.training / metrics.FILE).is_file():
        return None
    try:
        found = metrics.read(trained.training, "evaluation")
    except ChejilError:  # a damaged line is no reason against an export
        return None
    return next((one for one in reversed(found) if one["step"] <= trained.step), None)


def _refuse_place(out: str, trained: TrainedCheckpoint) -> None:
    shards.refuse_empty(out)
    if "://" in out:
        raise ChejilError(
            "an export is written to a local disk", where=out, mend="give a folder, and copy it then"
        )
    folder = Path(out).expanduser().resolve()
    kept = trained.saved.folder.parent.resolve()
    if folder == trained.training.resolve() or folder == kept or kept in folder.parents:
        what = "the export would stand among the checkpoints of the training"
        raise ChejilError(what, where=out, mend=f"choose another --out, e.g. models/{trained.name}")
    if folder.exists() and not folder.is_dir():
        raise ChejilError("this is a file, not a folder", where=out, mend="choose another --out")


def _refuse_other(folder: Path, out: str, told: dict[str, Any]) -> None:
    """Only what the same checkpoint gave is replaced."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    before = shards.read_json(str(folder / lineage.FILE))
    if not isinstance(before, dict) or before.get("format") != lineage.FORMAT:
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:3])
        raise ChejilError(f"the folder holds something else than an export: {names}", where=out, mend=OTHER)
    own = {*before["files"], lineage.FILE}
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in own)
    if foreign:
        what = f"the folder holds more than an export, which would be lost: {', '.join(foreign[:3])}"
        raise ChejilError(what, where=out, mend=OTHER)
    then = before["checkpoint"]
    if then["hash"] != told["checkpoint"]["hash"]:
        what = f"the folder holds the export of another checkpoint: {then['training']}, step {then['step']:,}"
        raise ChejilError(what, where=out, mend=OTHER)
