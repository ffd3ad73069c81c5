"""The sense of a recipe's stages: names of signals, presets and sources, units, rules, languages that are forgotten.

The form is right by then (`check` sees to that); here is asked whether what is named exists and is measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from chejil.curation import blocklists, preset_files, scoring
from chejil.curation.decontamination.decontaminate import Decontaminate, files_against
from chejil.curation.dedup import text_dedup_settings
from chejil.curation.dedup.exact_dedup import ExactDedup
from chejil.curation.dedup.index import text_before
from chejil.curation.dedup.near_dedup import NearDedup
from chejil.curation.dedup.survivors import Keep
from chejil.curation.filtering import Filter, LanguageLimits, Limits, RuleText, list_urls
from chejil.curation.marked_yaml import MarkedYaml, Path
from chejil.curation.place import MAKING_TEXT
from chejil.curation.scoring import Score
from chejil.curation.writing import Write
from chejil.errors import ChejilError, RecipeError, did_you_mean
from chejil.filters import preset_bounds, rules
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound, Language


@dataclass(frozen=True)
class Sense:
    """What the stages of one recipe may name: its sources, and the signals that it scores.

    `faulty` are the preset files that were found wrong so far.
    """

    marked: MarkedYaml
    sources: Collection[str]
    scored: Collection[str]
    data: str = "."
    stages: Sequence[Mapping[str, Any]] = ()
    faulty: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, marked: MarkedYaml, stages: Sequence[tuple[Path, BaseModel]], sources: Collection[str]
    ) -> Sense:
        """From the stages whose form is right, each with its place; without a score stage nothing is scored."""
        names = next((settings.names for _, settings in stages if isinstance(settings, Score)), [])
        data = marked.data.get("data", ".") if isinstance(marked.data, dict) else "."
        plain = [
            {str(path[-1]): settings.model_dump(mode="json") if path[-1] in MAKING_TEXT else {}}
            for path, settings in stages
        ]
        return cls(marked, sources, names, str(data), plain)

    def stage(self, path: Path, settings: BaseModel) -> Iterator[ChejilError]:
        """Problems of one stage."""
        if isinstance(settings, Score):
            yield from self._score(path, settings)
        elif isinstance(settings, Filter):
            yield from self._filter(path, settings)
        elif isinstance(settings, Decontaminate):
            yield from self._decontaminate(path, settings)
        elif isinstance(settings, Write):
            yield from self._write(path, settings)
        elif isinstance(getattr(settings, "keep", None), Keep):
            yield from self._keep((*path, "keep"), settings.keep)  # type: ignore[attr-defined]
            yield from self._earlier((*path, "against"), settings)
            yield from self._engine((*path, "engine"), settings)

    def _score(self, path: Path, settings: Score) -> Iterator[ChejilError]:
        for place, error in scoring.problems(settings, self.data):
            what = f"{error.where}: {error.what}" if error.where else error.what
            yield self._problem((*path, *place), what, error.mend)

    def _earlier(self, path: Path, settings: BaseModel) -> Iterator[ChejilError]:
        """Runs that a deduplication is against: each must be there, and comparable."""
        assert isinstance(settings, ExactDedup | NearDedup)
        text = text_before(self.stages, str(path[-2]))
        seen: dict[str, str] = {}
        for number, run in enumerate(settings.against):
            try:
                content = settings.earlier(run, self.data, text).content
            except ChejilError as error:
                yield self._problem((*path, number), f"{error.where}: {error.what}", error.mend)
                continue
            if content in seen:
                what = f"{run}: the same run as {seen[content]}; its documents would count twice"
                yield self._problem((*path, number), what, "remove one of the two")
            seen.setdefault(content, run)

    def _decontaminate(self, path: Path, settings: Decontaminate) -> Iterator[ChejilError]:
        for name, wanted in settings.against.items():
            try:
                files_against(settings.model_copy(update={"against": {name: wanted}}), self.data)
            except ChejilError as error:
                what = f"{error.where}: {error.what}" if error.where else error.what
                yield self._problem((*path, "against", name), what, error.mend)

    def _write(self, path: Path, settings: Write) -> Iterator[ChejilError]:
        clustered = {"exact_dedup", "near_dedup"} & {name for stage in self.stages for name in stage}
        if settings.weights is not None and not clustered:
            what = (
                "'weights' has no effect here: without a deduplication each document is a cluster of its own"
            )
            yield self._problem((*path, "weights"), what, "add exact_dedup or near_dedup, or remove it")

    def _engine(self, path: Path, settings: BaseModel) -> Iterator[ChejilError]:
        """An engine that is not installed."""
        method = settings.method if isinstance(settings, NearDedup) else None
        error = text_dedup_settings.missing(method) if method is not None else None
        if error is not None:
            yield self._problem(path, error.what, error.mend)

    def _keep(self, path: Path, keep: Keep) -> Iterator[ChejilError]:
        if keep.signal is not None:
            yield from self._unknown((*path, "signal"), keep.signal, self.scored, "signal that is scored")
        if keep.signal in SIGNALS and SIGNALS[keep.signal].kind == "label":
            yield self._problem(
                (*path, "signal"), f"'{keep.signal}' is a label, it has no order", "name a number"
            )
        for number, source in enumerate(keep.sources or []):
            yield from self._unknown((*path, "sources", number), source, self.sources, "source")

    def _filter(self, path: Path, settings: Filter) -> Iterator[ChejilError]:
        for lang in LANGUAGES:
            if lang not in settings.bounds and (*path, "bounds", lang) not in self.marked.places:
                mend = f"add {lang}: drop, keep or a preset"
                yield self._problem((*path, "bounds"), f"no bounds for language '{lang}'", mend)
        yield from self._choice((*path, "bounds"), settings.bounds)
        for source, choice in settings.by_source.items():
            yield from self._unknown((*path, "by_source", source), source, self.sources, "source")
            yield from self._choice((*path, "by_source", source), choice)
        for name, rule in settings.rules.items():
            yield from self._rule((*path, "rules", name), name, rule)
        for name, url in list_urls(settings, self.data).items():
            try:
                blocklists.read(url, name)
            except ChejilError as error:
                what = f"{error.where}: {error.what}"
                yield self._problem((*path, "blocklists", name), what, error.mend)

    def _choice(self, path: Path, choice: dict[Language, LanguageLimits]) -> Iterator[ChejilError]:
        for lang, limits in choice.items():
            yield from self._preset((*path, lang, "preset"), lang, limits)
            for name, own in limits.own.items():
                yield from self._limits((*path, lang, name), name, own)

    def _preset(self, path: Path, lang: Language, limits: LanguageLimits) -> Iterator[ChejilError]:
        name = limits.preset
        if name in ("drop", "keep") and limits.own:
            first = next(iter(limits.own))
            yield self._problem(
                (*path[:-1], first), f"'{first}' has no effect beside {name}", "remove one of the two"
            )
        if name is None or name in ("drop", "keep"):
            return
        try:
            languages = self._languages(name)
        except RecipeError as error:
            yield from error.problems
            return
        except ChejilError as error:
            yield self._problem(path, error.what, error.mend)
            return
        if lang not in languages:
            what = f"preset '{name}' has no bounds for '{lang}', only for {', '.join(languages)}"
            yield self._problem(path, what, "choose another preset, drop or keep")
        for signal in languages.get(lang, {}):
            if signal not in limits.own:
                yield from self._unscored(path, signal)

    def _languages(self, name: str) -> Mapping[str, Mapping[str, Bound]]:
        """What a preset bounds; of a file, what is wrong with it is said once for all that name it."""
        if not preset_files.is_path(name) and name not in preset_bounds.presets():
            raise ChejilError(
                f"no preset is called '{name}'",
                mend=did_you_mean(name, ["drop", "keep", *preset_bounds.presets()]),
            )
        if name in self.faulty:
            raise RecipeError([])
        try:
            return preset_files.find(name).languages
        except ChejilError:
            self.faulty.add(name)
            raise

    def _written(self, path: Path) -> bool:
        """Whether something stands there, right or wrong."""
        value = self.marked.data
        for step in path:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return False
        return value is not None

    def _limits(self, path: Path, name: str, limits: Limits | None) -> Iterator[ChejilError]:
        yield from self._unknown(path, name, SIGNALS, "signal")
        yield from self._unscored(path, name)
        if limits is None or name not in SIGNALS:
            return
        if SIGNALS[name].kind == "label":
            yield self._problem(path, f"'{name}' is a label, it has no interval", "write a rule")
        elif (limits.low, limits.high) == (None, None):
            # An end that is written but wrong is said to be wrong already.
            if not any(self._written((*path, end)) for end in ("low", "high")):
                mend = f"give one, or leave it out; '{name}: null' lifts the bound of a preset"
                yield self._problem(path, f"'{name}' has neither low nor high", mend)
        else:
            try:
                preset_bounds.check_range(name, limits.low, limits.high)
            except ChejilError as error:
                yield self._problem(path, error.what, error.mend)
        if limits.unit is not None:
            try:
                preset_bounds.check_unit(name, limits.unit)
            except ChejilError as error:
                yield self._problem((*path, "unit"), error.what, error.mend)

    def _rule(self, path: Path, name: str, text: RuleText) -> Iterator[ChejilError]:
        rule = text.named(name)
        try:
            rules.check_rule(rule)
        except ChejilError as error:
            yield self._problem(path, error.what, error.mend)
            return
        for column in rules.columns_of(rule.condition):
            yield from self._unscored(path, column)

    def _unscored(self, path: Path, name: str) -> Iterator[ChejilError]:
        """A signal that exists but that this recipe does not measure."""
        if name in SIGNALS and name not in self.scored:
            yield self._problem(path, f"'{name}' is not scored", "add it to score.signals")

    def _unknown(self, path: Path, name: str, known: Collection[str], kind: str) -> Iterator[ChejilError]:
        if name not in known:
            yield self._problem(path, f"no {kind} is called '{name}'", did_you_mean(name, known))

    def _problem(self, path: Path, what: str, mend: str | None) -> ChejilError:
        return ChejilError(what, where=self.marked.where(path), mend=mend)
