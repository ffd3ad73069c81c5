"""Filter: bounds by language and rules in SQL, judged on the signal columns. Text is not touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue

from chejil.curation import shards
from chejil.curation.stage import Tally, Unit
from chejil.filters import bounds
from chejil.filters.bounds import Policy, Rule
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound, Language

VERDICTS = pa.schema([("reasons", pa.list_(pa.string()))])


class Limits(BaseModel):
    """A closed interval; what is left out is open."""

    model_config = ConfigDict(extra="forbid")

    low: float | None = Field(None, allow_inf_nan=False, description="The smallest value that passes.")
    high: float | None = Field(None, allow_inf_nan=False, description="The largest value that passes.")
    unit: str | None = Field(
        None, description="The unit the numbers were found in; refused if not the signal's."
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Limits:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}: nothing would pass")
        return self


class LanguageLimits(BaseModel):
    """Bounds for one language: a preset, and signals that differ from it (`null` lifts the preset's bound)."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Limits | None]

    preset: str | None = Field(
        None, description="A preset's name, `drop` (nothing passes) or `keep` (all does)."
    )

    @model_validator(mode="before")
    @classmethod
    def _of_word(cls, value: Any) -> Any:
        return {"preset": value} if isinstance(value, str) else value

    @property
    def own(self) -> Mapping[str, Limits | None]:
        """The signals that this recipe sets itself."""
        return self.__pydantic_extra__

    def resolve(self, language: Language) -> bounds.LanguageBounds:
        """Preset and own limits laid together."""
        if self.preset in ("drop", "keep"):
            return "drop" if self.preset == "drop" else "keep"
        merged = dict(bounds.preset(self.preset).languages.get(language, {})) if self.preset else {}
        for name, limits in self.own.items():
            merged.pop(name, None)
            if limits is not None:
                merged[name] = Bound(limits.low, limits.high)
        return merged

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        limits = schema.pop("additionalProperties")
        schema["properties"] |= {name: {**limits, "description": SIGNALS[name].about} for name in SIGNALS}
        schema["additionalProperties"] = False
        words = ["drop", "keep", *bounds.presets()]
        return {"anyOf": [{"type": "string", "enum": words}, schema]}


class RuleText(BaseModel):
    """One condition in SQL syntax over signals, id, source, url, timestamp and license: `keep` or `drop`."""

    model_config = ConfigDict(extra="forbid")

    keep: str | None = Field(None, description="Documents for which this does not hold are dropped.")
    drop: str | None = Field(None, description="Documents for which this holds are dropped.")

    @model_validator(mode="after")
    def _one(self) -> RuleText:
        if (self.keep is None) == (self.drop is None):
            raise ValueError("a rule has either 'keep' or 'drop'")
        return self

    def named(self, name: str) -> Rule:
        """The rule as the judge takes it."""
        return Rule(name, "keep", self.keep) if self.keep is not None else Rule(name, "drop", str(self.drop))


class Filter(BaseModel):
    """Drop documents outside the bounds of their language, or by rules."""

    model_config = ConfigDict(extra="forbid")

    bounds: dict[Language, LanguageLimits] = Field(description="By language; each of the five must be named.")
    by_source: dict[str, dict[Language, LanguageLimits]] = Field(
        default_factory=dict,
        description="Bounds that replace those of a language for the documents of one source.",
    )
    rules: dict[str, RuleText] = Field(default_factory=dict, description="Conditions in SQL syntax, by name.")

    def policy(self, source: str) -> Policy:
        """What passes of a source."""
        chosen = {**self.bounds, **self.by_source.get(source, {})}
        languages = {lang: chosen[lang].resolve(lang) for lang in LANGUAGES if lang in chosen}
        return Policy(languages, tuple(rule.named(name) for name, rule in self.rules.items()))


def resolved(settings: Filter) -> dict[str, Any]:
    """Settings for the stage key: presets written out, so that a changed preset is a changed filter."""

    def written(choice: Mapping[Language, LanguageLimits]) -> dict[str, Any]:
        return {lang: _plain(limits.resolve(lang)) for lang, limits in choice.items()}

    return {
        "bounds": written(settings.bounds),
        "by_source": {source: written(choice) for source, choice in settings.by_source.items()},
        "rules": {name: rule.model_dump(exclude_none=True) for name, rule in settings.rules.items()},
    }


def _plain(limits: bounds.LanguageBounds) -> Any:
    if isinstance(limits, str):
        return {"preset": limits}
    return {name: {"low": bound.low, "high": bound.high} for name, bound in limits.items()}


def filter_shard(unit: Unit) -> Tally:
    """Map: signals/ → work/filter/verdicts/, every reason of every document."""
    policy = Filter.model_validate(unit.settings).policy(unit.shard.split("/")[0])
    documents = shards.row_groups(unit.url("documents"), ["source", "url", "timestamp", "license"])
    signals = shards.row_groups(unit.url("signals"))
    tables = (_judged(*pair, policy) for pair in zip(signals, documents, strict=True))
    return Tally([shards.write_shard(unit.root, unit.path("work/filter/verdicts"), tables, VERDICTS)])


def _judged(signals: pa.Table, documents: pa.Table, policy: Policy) -> pa.Table:
    rows = pl.DataFrame(pl.from_arrow(signals)).hstack(pl.DataFrame(pl.from_arrow(documents)))
    return bounds.judge(rows, policy).to_frame().to_arrow()
