"""Quotas: what a sample takes of each stratum, in documents or in bytes.

A stratum is a source in a language. Without quotas the strata share the sample by their sizes to the power of one over
the temperature (1: in proportion; 5: small ones much larger than their share, as multilingual BERT and XLM-R sample
with an exponent of 0.7 and 0.3; infinite: all alike; Conneau et al. 2020, section 3). A quota gives some strata an
amount or a share, which they divide in the same way. Whole numbers are found by the largest remainder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chejil.errors import ChejilError

Amount = Annotated[int, Field(ge=0)]
Total = Annotated[int, Field(ge=1)]


class Stratum(NamedTuple):
    """A source in a language; a document whose language nobody said is in `unknown`."""

    source: str
    lang: str

    def __str__(self) -> str:
        return f"{self.source}/{self.lang}"


class Quota(BaseModel):
    """What the strata that match take together; a stratum belongs to the first quota that it matches."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field("*", description="Sources, as a shell pattern: `mc4-*`.")
    lang: str = Field("*", description="Languages, as a shell pattern: `ko`; `unknown` where nobody said it.")
    amount: Amount | None = Field(None, description="Documents, or bytes where the sample is in bytes.")
    share: float | None = Field(None, ge=0, le=1, description="Of the whole sample, instead of an amount.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Quota:
        if (self.amount is None) == (self.share is None):
            raise ValueError("a quota has an `amount` or a `share`")
        return self

    def takes(self, stratum: Stratum) -> bool:
        """Whether a stratum matches."""
        return fnmatchcase(stratum.source, self.source) and fnmatchcase(stratum.lang, self.lang)


class SampleSettings(BaseModel):
    """What to sample. Exactly one of `docs` and `bytes` says in which unit; quotas with amounts may stand for it."""

    model_config = ConfigDict(extra="forbid")

    docs: Total | None = Field(None, description="Documents of the sample.")
    bytes: Total | None = Field(
        None, description="Bytes of text of the sample, at most, instead of documents."
    )
    unit: Literal["docs", "bytes"] = Field("docs", description="Of the quotas, where neither total is given.")
    quotas: list[Quota] = Field(
        default_factory=list, description="Amounts or shares of strata; the others share the rest."
    )
    temperature: float = Field(
        1.0, gt=0, allow_inf_nan=True, description="1 takes strata in proportion, .inf takes them all alike."
    )
    shortfall: Literal["spread", "fewer", "refuse"] = Field(
        "spread",
        description="A stratum is smaller than its quota: the others of its quota, then all others, take "
        "more; or the sample is smaller; or it is refused.",
    )
    max_chars: int = Field(10_000, ge=1, description="A document is cut after so many characters.")
    seed: int = Field(1, ge=0, lt=2**63, description="Decides which documents are taken.")

    @model_validator(mode="after")
    def _one_unit(self) -> SampleSettings:
        if self.docs is not None and self.bytes is not None:
            raise ValueError("`docs` and `bytes` exclude each other")
        if self.bytes is not None:
            self.unit = "bytes"
        if self.total is None and (not self.quotas or any(quota.amount is None for quota in self.quotas)):
            raise ValueError("give `docs`, `bytes`, or quotas that all have an `amount`")
        return self

    @property
    def total(self) -> int | None:
        """Documents or bytes; None where the quotas say it."""
        return self.docs if self.bytes is None else self.bytes


class Allotment(NamedTuple):
    """Of a stratum: what is there, what its quota asks for, and what it gives; in the sample's unit."""

    available: int
    asked: int
    given: int


def allot(sizes: Mapping[Stratum, int], settings: SampleSettings) -> dict[Stratum, Allotment]:
    """What each stratum gives.

    Args:
        sizes: what there is of each stratum, in the sample's unit.

    Raises:
        ChejilError: a quota that no stratum matches; quotas above or below the total; a stratum too small where that
            is refused; a corpus smaller than the sample.
    """
    groups = _groups(sizes, settings)
    asked: dict[Stratum, int] = {}
    for amount, strata in groups:
        asked |= _apportioned(amount, _weights(sizes, strata, settings.temperature))
    given = {stratum: min(asked[stratum], size) for stratum, size in sizes.items()}
    if settings.shortfall == "refuse" and given != asked:
        raise _too_small(sizes, asked, settings)
    if settings.shortfall == "spread":
        wanted = [stratum for amount, strata in groups if amount for stratum in strata]
        for amount, strata in [*groups, (sum(asked.values()), wanted)]:
            _spread(given, amount, strata, sizes, settings.temperature)
        if sum(given.values()) < sum(asked.values()):
            raise _corpus_too_small(sizes, asked, settings)
    return {stratum: Allotment(sizes[stratum], asked[stratum], given[stratum]) for stratum in sorted(sizes)}


def _groups(sizes: Mapping[Stratum, int], settings: SampleSettings) -> list[tuple[int, list[Stratum]]]:
    """What each quota takes, with its strata; the last group is that of the strata without a quota."""
    of: dict[int, list[Stratum]] = {number: [] for number in range(len(settings.quotas) + 1)}
    for stratum in sorted(sizes):
        of[next((n for n, quota in enumerate(settings.quotas) if quota.takes(stratum)), len(of) - 1)].append(
            stratum
        )
    total = settings.total
    amounts = [
        quota.amount if quota.amount is not None else round(quota.share * (total or 0))  # type: ignore[operator]
        for quota in settings.quotas
    ]
    for quota, strata in zip(settings.quotas, of.values(), strict=False):
        if not strata and (quota.amount or quota.share):
            there = ", ".join(map(str, sorted(sizes)))
            mend = f"the strata are: {there}"
            raise ChejilError(f"a quota for {quota.source}/{quota.lang} that takes no stratum", mend=mend)
    rest = 0 if total is None else total - sum(amounts)
    if rest < 0:
        mend = f"lower a quota, or raise `{settings.unit}` to {sum(amounts):,}"
        raise ChejilError(f"the quotas ask for {sum(amounts):,} of {total:,} {settings.unit}", mend=mend)
    if rest and not of[len(settings.quotas)]:
        mend = "raise a quota, or lower the total: every stratum has a quota"
        raise ChejilError(f"the quotas ask for {sum(amounts):,} of {total:,} {settings.unit}", mend=mend)
    return [(amount, strata) for amount, strata in zip([*amounts, rest], of.values(), strict=True) if strata]


def _weights(
    sizes: Mapping[Stratum, int], strata: Iterable[Stratum], temperature: float
) -> dict[Stratum, float]:
    power = 0.0 if math.isinf(temperature) else 1 / temperature
    return {stratum: float(sizes[stratum]) ** power if sizes[stratum] else 0.0 for stratum in strata}


def _apportioned(amount: int, weights: Mapping[Stratum, float]) -> dict[Stratum, int]:
    """Whole numbers in proportion to the weights that add up to the amount, by the largest remainder."""
    whole = sum(weights.values()) or 1.0
    exact = {stratum: amount * (weight / whole) for stratum, weight in weights.items()}
    parts = {stratum: math.floor(value) for stratum, value in exact.items()}
    order = sorted(
        (s for s in parts if weights[s]), key=lambda stratum: (parts[stratum] - exact[stratum], stratum)
    )
    for stratum in order[: amount - sum(parts.values())]:
        parts[stratum] += 1
    return parts


def _spread(
    given: dict[Stratum, int],
    amount: int,
    strata: Iterable[Stratum],
    sizes: Mapping[Stratum, int],
    temperature: float,
) -> None:
    """Let strata that have more give what others lack; `given` changes."""
    strata = list(strata)
    while missing := amount - sum(given[stratum] for stratum in strata):
        spare = [stratum for stratum in strata if given[stratum] < sizes[stratum]]
        if not spare or missing < 0:
            return
        for stratum, more in _apportioned(missing, _weights(sizes, spare, temperature)).items():
            given[stratum] = min(sizes[stratum], given[stratum] + more)


def _too_small(
    sizes: Mapping[Stratum, int], asked: Mapping[Stratum, int], settings: SampleSettings
) -> ChejilError:
    small = [stratum for stratum in sorted(sizes) if asked[stratum] > sizes[stratum]]
    told = "; ".join(f"{s} has {sizes[s]:,} of {asked[s]:,} {settings.unit}" for s in small)
    mend = "lower these quotas, or set `shortfall` to `spread` or `fewer`"
    return ChejilError(f"strata smaller than their quotas: {told}", mend=mend)


def _corpus_too_small(
    sizes: Mapping[Stratum, int], asked: Mapping[Stratum, int], settings: SampleSettings
) -> ChejilError:
    what = (
        f"the corpus has {sum(sizes.values()):,} {settings.unit}, the sample asks for {sum(asked.values()):,}"
    )
    mend = "ask for fewer, or set `shortfall` to `fewer` to take what there is"
    return ChejilError(what, mend=mend)
