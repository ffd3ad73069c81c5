"""The folder of a sweep: `sweep.json` with what was proposed and measured, and a folder of files for each proxy.

`rows.parquet` of a proxy has a row for each held-out sequence (domain, nats, bytes), the same sequences in the same
order in every proxy. Two runs can then be compared on text that is drawn anew. Keys that are not known here are
ignored, so that a later version may add some; a missing or wrong one is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.ablating.limits import Limits, limits
from chejil.eval.ablating.mixtures import Mixture, Source, mixture, names

FORMAT = "chejil ablation 1"
NAME, SETTINGS, REPORT = "sweep.json", "sweep.yaml", "report.json"
ROWS = "rows.parquet"
_MEND = "`chejil ablate run` writes it; run the sweep again with the same folder"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SweptSource(Source):
    """A source and the names of the streams of text that it stands for in a training."""

    patterns: list[str] = Field(default=[], description="streams of a mixture file [default: its name]")
    pattern_bytes: dict[str, int] = Field(default={}, description="bytes by pattern, where there are several")

    @model_validator(mode="after")
    def _sizes(self) -> SweptSource:
        if len(self.patterns) > 1 and min(self.pattern_bytes.get(one, 0) for one in self.patterns) <= 0:
            raise ValueError(
                f"source {self.name} has several patterns: pattern_bytes must give each its bytes"
            )
        return self

    def shares(self) -> dict[str, float]:
        """Share of the source's bytes by pattern."""
        if len(self.patterns) < 2:
            return {(self.patterns or [self.name])[0]: 1.0}
        total = sum(self.pattern_bytes[one] for one in self.patterns)
        return {one: self.pattern_bytes[one] / total for one in self.patterns}


class Domain(_Part):
    """A held-out domain; `pattern` names its streams in the evaluations of a training [default: its name]."""

    name: str
    language: Literal["ko", "en"]
    pattern: str | None = None

    def means(self, stream: str) -> bool:
        """Whether a stream `source/language` is of it."""
        if self.pattern is not None:
            return fnmatchcase(stream, self.pattern)
        return self.name in (stream, stream.rpartition("/")[0])


class Bounds(_Part):
    """What mixtures had to keep; arguments of `ablating.limits.limits`."""

    low: dict[str, float] = {}
    high: dict[str, float] = {}
    horizon_tokens: float | None = None
    max_epochs: float = 4.0
    proxy_tokens: float | None = None
    least_tokens: float = 0.0


class StatedObjective(_Part):
    """What "best" meant when the sweep was planned."""

    weights: dict[str, float] = {}
    english_worse_percent: float | None = None
    tether: float = 0.005


class Proposed(_Part):
    """A mixture to train, or a curation arm (no weights), and its seeds."""

    name: str
    kind: Literal["natural", "worst", "written", "random", "arm"]
    weights: dict[str, float] = {}
    seeds: list[int] = [0]


class ProxyFile(_Part):
    """A file of a proxy: path below the sweep, xxh3-128 of its bytes."""

    path: str
    rows: int = 0
    bytes: int
    hash: str


class Proxy(_Part):
    """A proxy that was trained, or that failed (`error`). bits_per_byte: by domain; null where it is no number."""

    name: str
    proposal: str
    seed: int
    bits_per_byte: dict[str, float | None] = {}
    scores: dict[str, float | None] = {}
    tokens: int = 0
    error: str | None = None
    files: list[ProxyFile] = []

    @property
    def folder(self) -> str:
        """Below the sweep's."""
        return str(PurePosixPath(self.files[0].path).parent) if self.files else f"proxies/{self.name}"

    def file(self, name: str) -> ProxyFile | None:
        """The record of one of its files."""
        return next((one for one in self.files if PurePosixPath(one.path).name == name), None)


class NextSize(_Part):
    """The same mixtures at the next size."""

    about: str
    proxies: list[Proxy]


class PoolGroup(_Part):
    """What the pool holds of a stream; its documents are the sequences that were cut for it."""

    source: str
    lang: str
    num_documents: int
    num_tokens: int
    num_bytes: int


class ArmText(_Part):
    """What an arm holds, the part of it that its proxies draw from, and how often one reads that."""

    name: str
    documents: int
    tokens: int
    bytes: int
    pool_tokens: int
    proxy_epochs: float


class Arms(_Part):
    """The curation arms that are compared."""

    names: list[str]
    text: list[ArmText] = []


class Sweep(_Part):
    """The content of sweep.json."""

    format: Literal["chejil ablation 1"]
    name: str
    about: str = ""
    complete: bool
    sources: list[SweptSource] = []
    domains: list[Domain] = Field(min_length=1)
    limits: Bounds = Bounds()
    objective: StatedObjective = StatedObjective()
    proposals: list[Proposed] = Field(min_length=1)
    proxies: list[Proxy]
    transfer: NextSize | None = None
    arms: Arms | None = None
    cost: dict[str, Any] = {}
    excerpts: str | None = Field(default=None, description="fingerprint of the held-out text")
    pool: list[PoolGroup] | None = None
    warnings: list[str] = []

    @property
    def domain_names(self) -> list[str]:
        """In order."""
        return [one.name for one in self.domains]

    @property
    def languages(self) -> dict[str, str]:
        """Language by domain."""
        return {one.name: one.language for one in self.domains}

    def proposal(self, name: str) -> Proposed:
        """By its name."""
        return next(one for one in self.proposals if one.name == name)

    def of_kind(self, kind: str) -> str | None:
        """Name of the first proposal of a kind."""
        return next((one.name for one in self.proposals if one.kind == kind), None)

    def mixture(self, name: str) -> Mixture:
        """Byte shares of a proposal."""
        return mixture(self.proposal(name).weights, names(self.sources), f"{NAME}: proposal {name}")

    def pool_sequences(self) -> dict[str, int]:
        """Sequences of the pool by source; nothing where sweep.json does not say."""
        if not self.pool:
            return {}
        return {
            source.name: sum(
                one.num_documents
                for one in self.pool
                if any(fnmatchcase(f"{one.source}/{one.lang}", pattern) for pattern in source.shares())
            )
            for source in self.sources
        }

    def bounds(self) -> Limits:
        """The limits of the search."""
        return limits([Source(**one.model_dump(include=set(Source.model_fields))) for one in self.sources],
                      **self.limits.model_dump())  # fmt: skip


def is_one(root: str) -> bool:
    """Whether a folder holds a sweep, finished or not, or the report of one: `read` says what is amiss."""
    if any(shards.size(shards.join(root, name)) is not None for name in (NAME, SETTINGS)):
        return True
    return _reported(root) is not None


def is_closed(root: str) -> bool:
    """Whether a sweep has its sweep.json: what it measured can be read."""
    return shards.size(shards.join(root, NAME)) is not None


def _reported(root: str) -> str | None:
    """The name of the sweep that a folder has a report of; None if it has none."""
    try:
        said = shards.read_json(shards.join(root, REPORT))
    except ChejilError:
        return None
    found = said if isinstance(said, dict) else {}
    is_report = str(found.get("format", "")).startswith("chejil ablation report")
    return str(found.get("name")) if is_report else None


def _absent(root: str) -> ChejilError:
    """Why a folder has no sweep.json, and what to do."""
    if shards.size(shards.join(root, SETTINGS)) is not None:
        files, records = shards.file_system(shards.join(root, "work", "proxy"))
        done = len(files.glob(f"{records}/*.json"))
        what = f"the sweep is not finished: {done} {'proxy is' if done == 1 else 'proxies are'} trained"
        return ChejilError(what, where=root, mend="the same `chejil ablate run` again finishes it")
    if (name := _reported(root)) is not None:
        mend = f"name the folder of the sweep '{name}', which holds {NAME}"
        return ChejilError("a report alone, without its sweep", where=root, mend=mend)
    place = shards.join(root, NAME)
    return ChejilError("no sweep", where=place, mend="name a folder that `chejil ablate run` wrote")


def read(root: str) -> Sweep:
    """A sweep's content, checked.

    Raises:
        ChejilError: no sweep, a damaged one, or one that contradicts itself.
    """
    place = shards.join(root, NAME)
    content = shards.read_json(place)
    if content is None:
        raise _absent(root)
    try:
        found = Sweep.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise ChejilError(f"{at}: {first['msg']}" if at else first["msg"], where=place, mend=_MEND) from None
    _check(found, place)
    return found


def _check(found: Sweep, place: str) -> None:
    groups: dict[str, Sequence[str]] = {
        "source": [one.name for one in found.sources],
        "domain": found.domain_names,
        "proposal": [one.name for one in found.proposals],
        "proxy": [one.name for one in found.proxies],
        "proxy of the next size": [one.name for one in found.transfer.proxies] if found.transfer else [],
        "proposal and seed": [f"{one.proposal}, {one.seed}" for one in found.proxies],
    }
    for kind, given in groups.items():
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise ChejilError(f"two of one {kind}: {twice[0]}", where=place, mend=_MEND)
    known = set(groups["proposal"])
    for one in [*found.proxies, *(found.transfer.proxies if found.transfer else [])]:
        if one.proposal not in known:
            what = f"proxy {one.name} is of an unknown proposal '{one.proposal}'"
            raise ChejilError(what, where=place, mend=_MEND)
        if any(".." in PurePosixPath(file.path).parts or file.path.startswith("/") for file in one.files):
            raise ChejilError(f"proxy {one.name} has a file outside of the sweep", where=place, mend=_MEND)
    if found.arms is None:
        for proposal in found.proposals:
            found.mixture(proposal.name)
