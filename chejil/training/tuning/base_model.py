"""The model that an adapter is for: a Hugging Face folder, told by what its weights are.

Its identity is a hash over the tensors, sorted by name: type, shape and bytes of each. A copy that was split into
other files is the same base; one that was rounded to bf16, or trained on for a step, is not, and an adapter merged into
it is another model. Files are only read through their headers and in blocks, without torch: a 7B in bf16 (14 GB) takes
as long as reading it, 1.5 GB/s of one core here.

Only safetensors: a pickle (pytorch_model.bin) runs what is in it.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import xxhash

from chejil.curation import shards
from chejil.errors import ChejilError

CONFIG, TOKENIZER, INDEX = "config.json", "tokenizer.json", "model.safetensors.index.json"
_BLOCK_BYTES = 4 << 20
_MAX_HEADER_BYTES = 100 << 20
"""What the format allows; more is no header."""

DTYPES = {"F32": "fp32", "BF16": "bf16", "F16": "fp16"}
TORCH = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""What torch calls them."""

CONVERT = (
    "AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW) of transformers writes safetensors"
)


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: bytes `begin` to `end` of a file; `dtype` as safetensors calls it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    begin: int
    end: int


@dataclass(frozen=True)
class BaseModel:
    """A model's folder: its config.json and its tensors by name."""

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def kind(self) -> str:
        """`model_type`."""
        return str(self.config.get("model_type"))

    @property
    def dtype(self) -> str:
        """What most of the weights are stored as: fp32, bf16 or fp16."""
        sizes: Counter[str] = Counter()
        for one in self.tensors.values():
            if one.dtype in DTYPES:
                sizes[DTYPES[one.dtype]] += one.end - one.begin
        return sizes.most_common(1)[0][0] if sizes else "fp32"


def read(folder: str | Path) -> BaseModel:
    """A folder with config.json and safetensors.

    Raises:
        ChejilError: there is none, it is damaged or incomplete, or its weights are quantised.
    """
    path = Path(folder).expanduser()
    if not (path / CONFIG).is_file():
        mend = "give a folder with config.json and *.safetensors, such as `chejil export` writes"
        raise ChejilError("no model's folder", where=str(folder), mend=mend)
    config = _object(path / CONFIG)
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method", "?") if isinstance(quantised, dict) else quantised
        mend = "give the folder of the unquantised model that it was made from"
        raise ChejilError(
            f"the base is quantised ({method}): nothing can be merged exactly", where=str(folder), mend=mend
        )
    tensors: dict[str, Tensor] = {}
    for file in _files(path):
        tensors.update(tensors_of(file))
    return BaseModel(path, config, tensors)


def hashes(base: BaseModel) -> dict[str, str | None]:
    """What tells a base from others: hashes of its weights, config.json and tokenizer.json (None: it has none)."""
    tokenizer = base.folder / TOKENIZER
    return {
        "weights": _kept_hash(base),
        "config": shards.file_hash(str(base.folder / CONFIG)),
        "tokenizer": shards.file_hash(str(tokenizer)) if tokenizer.is_file() else None,
    }


_KNOWN: dict[tuple[tuple[str, int, int], ...], str] = {}


def _kept_hash(base: BaseModel) -> str:
    """Once a process and state of the files: a training writes many adapters of one base."""
    files = sorted({one.file for one in base.tensors.values()})
    stamp = tuple((str(file.resolve()), (of := file.stat()).st_size, of.st_mtime_ns) for file in files)
    if stamp not in _KNOWN:
        _KNOWN[stamp] = weights_hash(base.tensors)
    return _KNOWN[stamp]


def weights_hash(tensors: dict[str, Tensor]) -> str:
    """xxh3-128 over all tensors, whatever files they lie in."""
    state = xxhash.xxh3_128()
    for name in sorted(tensors):
        one = tensors[name]
        state.update(orjson.dumps([name, one.dtype, one.shape]))
        with one.file.open("rb") as stream:
            stream.seek(one.begin)
            left = one.end - one.begin
            while left and (block := stream.read(min(left, _BLOCK_BYTES))):
                state.update(block)
                left -= len(block)
    return state.hexdigest()


def tensors_of(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, from its header; the file has to be as long as that says.

    Raises:
        ChejilError: it is damaged or cut off.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        first = stream.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
        header = stream.read(length) if 0 < length <= min(_MAX_HEADER_BYTES, size) else b""
    start = 8 + length
    try:
        rows = {name: row for name, row in orjson.loads(header).items() if name != "__metadata__"}
        found = {
            name: Tensor(
                name, row["dtype"], tuple(row["shape"]), file, *(start + at for at in row["data_offsets"])
            )
            for name, row in rows.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(file, "it has no header of safetensors") from None
    end = max((one.end for one in found.values()), default=start)
    if end != size:
        what = "is cut off" if end > size else "goes on behind its last tensor"
        raise _damaged(file, f"it {what}: {size:,} bytes, its header tells of {end:,}")
    return found


def _damaged(file: Path, why: str) -> ChejilError:
    mend = "copy it again from where it was written; of a training, take another checkpoint"
    return ChejilError(f"damaged weights: {why}", where=str(file), mend=mend)


def _object(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ChejilError(f"not JSON: {error}", where=str(file), mend="restore it from its origin") from None
    if not isinstance(content, dict):
        raise ChejilError("no JSON object", where=str(file), mend="restore it from its origin")
    return content


def _files(folder: Path) -> list[Path]:
    """All files of the weights; the index names those that have to be there."""
    if (folder / INDEX).is_file():
        named = sorted(set((_object(folder / INDEX).get("weight_map") or {}).values()))
        missing = [name for name in named if not (folder / name).is_file()]
        if missing:
            what = (
                f"{len(missing)} of {len(named)} files of the weights are missing: {', '.join(missing[:3])}"
            )
            raise ChejilError(what, where=str(folder), mend="copy them again from where the model is from")
        return [folder / name for name in named]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if (folder / "adapter_config.json").is_file():
        raise ChejilError("an adapter, not a model", where=str(folder), mend="give the model it is for")
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    what = f"weights are not safetensors but {pickles[0]}" if pickles else "no weights (model.safetensors)"
    raise ChejilError(
        what, where=str(folder), mend=CONVERT if pickles else "give a complete folder of a model"
    )
