"""Filter: blocklists of URLs, bounds by language and rules in SQL, judged on columns. Text is not touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import polars as pl
import pyarrow as pa
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue

from chejil.curation import blocklists, preset_files, shards
from chejil.curation.blocklists import Blocklist
from chejil.curation.place import Place, verdicts_of
from chejil.curation.stage import Stage, Tally, Unit
from chejil.filters import bounds, preset_bounds
from chejil.filters.bounds import Policy
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound, Language
from chejil.filters.rules import Rule

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
    own_keys: ClassVar[type[BaseModel]] = Limits  # for a near name of what is wrong inside

    preset: str | None = Field(
        None,
        description="A preset's name, the path of a YAML file of the same form (from where the command runs), "
        "`drop` (nothing passes) or `keep` (all does).",
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
        merged = dict(preset_files.find(self.preset).languages.get(language, {})) if self.preset else {}
        for name, limits in self.own.items():
            merged.pop(name, None)
            if limits is not None:
                merged[name] = Bound(limits.low, limits.high)
        return merged

    def written_out(self, language: Language) -> LanguageLimits:
        """The same with the content of its preset, which may change with its file or with the version of Chejil."""
        if self.preset in (None, "drop", "keep"):
            return self
        limits = self.resolve(language)
        assert not isinstance(limits, str)
        own = {
            name: Limits(low=bound.low, high=bound.high, unit=SIGNALS[name].unit)
            for name, bound in limits.items()
        }
        return LanguageLimits(**own)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        limits = schema.pop("additionalProperties")
        schema["properties"] |= {name: {**limits, "description": SIGNALS[name].about} for name in SIGNALS}
        schema["additionalProperties"] = False
        words = ["drop", "keep", *preset_bounds.presets()]
        path = {"type": "string", "pattern": preset_files.PATTERN}
        return {"anyOf": [{"type": "string", "enum": words}, path, schema]}


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


ListName = Annotated[str, Field(pattern=r"^[\w-]+$", max_length=80)]
"""What a blocklist holds, as its reason says: `url:adult`."""


class Filter(BaseModel):
    """Drop documents outside the bounds of their language, on blocklists, or by rules."""

    model_config = ConfigDict(extra="forbid")

    bounds: dict[Language, LanguageLimits] = Field(description="By language; each of the five must be named.")
    by_source: dict[str, dict[Language, LanguageLimits]] = Field(
        default_factory=dict,
        description="Bounds that replace those of a language for the documents of one source.",
    )
    rules: dict[str, RuleText] = Field(default_factory=dict, description="Conditions in SQL syntax, by name.")
    blocklists: dict[ListName, str] = Field(
        default_factory=dict,
        description="Lists of domains and URLs by what they hold: files, or folders as UT1 lays them out, "
        "below the recipe's data root, or URLs.",
    )

    @model_serializer(mode="wrap")
    def _with_presets_written_out(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = {
            "bounds": _written_out(self.bounds),
            "by_source": {source: _written_out(choice) for source, choice in self.by_source.items()},
        }
        copy = self.model_copy(update={name: value for name, value in whole.items() if value})
        copy.__pydantic_fields_set__.intersection_update(self.model_fields_set)
        return write(copy)

    def policy(self, source: str) -> Policy:
        """What passes of a source, blocklists apart."""
        chosen = {**self.bounds, **self.by_source.get(source, {})}
        languages = {lang: chosen[lang].resolve(lang) for lang in LANGUAGES if lang in chosen}
        return Policy(languages, tuple(rule.named(name) for name, rule in self.rules.items()))


def _written_out(choice: Mapping[Language, LanguageLimits]) -> dict[Language, LanguageLimits]:
    return {lang: limits.written_out(lang) for lang, limits in choice.items()}


def stages(settings: Filter, place: Place) -> list[Stage]:
    """The stage that judges; where the blocklists lie is in no key, their content is."""
    urls = list_urls(settings, place.data)
    own = place.for_every_shard({"list_urls": urls}) if urls else {}
    key, reads = resolved(settings, place.data), ("documents", "signals")
    return [Stage(verdicts_of("filter"), "map", filter_shard, key, reads, own_settings=own)]


def resolved(settings: Filter, data_root: str = ".") -> dict[str, Any]:
    """Settings for the stage key: presets written out, so that a changed preset is a changed filter.

    Of a blocklist its content counts and not its place: `blocklists` holds hashes, and `list_urls` where they lie.

    Raises:
        ChejilError: a blocklist is not there.
    """
    key: dict[str, Any] = {}
    if settings.blocklists:
        urls = list_urls(settings, data_root)
        key["blocklists"] = {name: blocklists.content_hash(url, name) for name, url in urls.items()}

    def written(choice: Mapping[Language, LanguageLimits]) -> dict[str, Any]:
        return {lang: _plain(limits.resolve(lang)) for lang, limits in choice.items()}

    return {
        "bounds": written(settings.bounds),
        "by_source": {source: written(choice) for source, choice in settings.by_source.items()},
        "rules": {name: rule.model_dump(exclude_none=True) for name, rule in settings.rules.items()},
        **key,
    }


def list_urls(settings: Filter, data_root: str) -> dict[str, str]:
    """Where the blocklists lie, by name; a setting of the stage that is in no key."""
    return {name: shards.address(path, data_root) for name, path in sorted(settings.blocklists.items())}


def _plain(limits: bounds.LanguageBounds) -> Any:
    if isinstance(limits, str):
        return {"preset": limits}
    # As floats: a preset says 50 where the same bound, written out into recipe.yaml and read again, is 50.0.
    return {name: {"low": _float(bound.low), "high": _float(bound.high)} for name, bound in limits.items()}


def _float(edge: float | None) -> float | None:
    return None if edge is None else float(edge)


def filter_shard(unit: Unit) -> Tally:
    """Map: signals/ → work/filter/verdicts/, every reason of every document."""
    judged = {key: unit.settings[key] for key in ("bounds", "by_source", "rules")}
    policy = Filter.model_validate(judged).policy(unit.shard.split("/")[0])
    hashes, urls = unit.settings.get("blocklists", {}), unit.settings.get("list_urls", {})
    lists = {name: blocklists.kept(urls[name], name, hashes[name]) for name in hashes}
    documents = shards.row_groups(unit.url("documents"), ["source", "url", "timestamp", "license"])
    signals = shards.row_groups(unit.url("signals"))
    pairs = zip(signals, documents, strict=True)
    tables = (_judged(*pair, policy, lists) for pair in pairs)
    return Tally([shards.write_shard(unit.root, unit.path("work/filter/verdicts"), tables, VERDICTS)])


def _judged(
    signals: pa.Table, documents: pa.Table, policy: Policy, lists: Mapping[str, Blocklist]
) -> pa.Table:
    rows = pl.DataFrame(pl.from_arrow(signals)).hstack(pl.DataFrame(pl.from_arrow(documents)))
    return bounds.judge(rows, policy, blocklists.listed(rows["url"], lists)).to_frame().to_arrow()
