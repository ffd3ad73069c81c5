"""What is mixed and what is measured on: names of a sweep, each a pattern over streams `source/language`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import yaml

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.ablating.mixtures import Source
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.training.data import token_sizes
from chejil.training.data.token_sizes import TokenSize


@dataclass(frozen=True)
class Named:
    """A name of the sweep: the pattern it stands for, its language, and what the token shards hold of it."""

    name: str
    pattern: str
    language: str
    size: TokenSize

    def means(self, stream: str) -> bool:
        """Whether a stream `source/language` is of it."""
        return fnmatchcase(stream, self.pattern)

    def as_dict(self) -> dict[str, str]:
        """As sweep.json and `--json` have it."""
        return {"name": self.name, "pattern": self.pattern, "language": self.language}


@dataclass(frozen=True)
class SweepText:
    """Sources and domains; `sources` are sized as the large run has them, `here` as the token shards do.

    not_mixed: streams that no source takes, and their tokens.
    """

    sources: tuple[Source, ...]
    here: tuple[Named, ...]
    domains: tuple[Named, ...]
    not_mixed: Mapping[str, int]

    def pool_shares(self, part: float | None) -> dict[str, float]:
        """Part of each source's tokens that proxies may read, by pattern: `part` of what the large run has."""
        if part is None:
            return {one.pattern: 1.0 for one in self.here}
        pairs = zip(self.sources, self.here, strict=True)
        return {
            here.pattern: min(1.0, part * source.unique_tokens / here.size.tokens) for source, here in pairs
        }


def of(settings: SweepSettings) -> SweepText:
    """The text of a sweep, from the manifests of its token shards.

    Raises:
        ChejilError: no shards, a name that means nothing or two languages, a stream in two sources.
    """
    streams = streams_of(settings.tokens)
    here = named(settings.sources, streams, "sources")
    domains = named(settings.domains or settings.sources, streams, "domains")
    _refuse_shared(here, streams, "sources")
    _refuse_shared(domains, streams, "domains")
    refuse_one_language(domains, streams, "domains")
    left = {name: size.tokens for name, size in streams.items() if not any(one.means(name) for one in here)}
    return SweepText(_sources(settings, here), here, domains, left)


def streams_of(folders: Sequence[str]) -> dict[str, TokenSize]:
    """What folders of token shards hold, by `source/language`.

    Raises:
        ChejilError: a folder without token shards.
    """
    sizes = token_sizes.read(folders)
    if sizes.absent:
        raise ChejilError("no token shards", where=sizes.absent[0], mend="`chejil encode` writes them")
    return {f"{source}/{lang}": size for (source, lang), size in sizes.groups.items() if size.tokens}


def refuse_one_language(domains: Sequence[Named], streams: Iterable[str], where: str) -> None:
    """Refuse domains of Korean or of English alone: a mixture is judged in both.

    Args:
        streams: what there is to measure on.

    Raises:
        ChejilError: no domain is of the other language.
    """
    for language, called in (("ko", "a Korean"), ("en", "an English")):
        if all(one.language != language for one in domains):
            mend = _other_language(domains, streams, language, called)
            raise ChejilError(f"no held-out domain is {language}", where=where, mend=mend)


def _other_language(domains: Sequence[Named], streams: Iterable[str], language: str, called: str) -> str:
    there = next((name for name in streams if name.rpartition("/")[2] == language), None)
    if there is None:
        return f"a mixture is judged in both languages: add token shards of {called} text to measure on"
    asked = {one.name: one.pattern for one in domains} | {there.replace("/", "-"): there}
    said = yaml.safe_dump(asked, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return f"name {called} domain, `domains: {said.strip()}`: it may be measured without being mixed"


def named(asked: Mapping[str, str], streams: Mapping[str, TokenSize], where: str) -> tuple[Named, ...]:
    """Names with what they mean; of every stream in Korean or English where none is asked for.

    Raises:
        ChejilError: a name that means nothing, or two languages.
    """
    patterns = asked or {name: name for name in streams if name.rpartition("/")[2] in ("ko", "en")}
    return tuple(_one(name, pattern, streams, where) for name, pattern in patterns.items())


def _one(name: str, pattern: str, streams: Mapping[str, TokenSize], where: str) -> Named:
    found = [stream for stream in streams if fnmatchcase(stream, pattern)]
    if not found:
        raise ChejilError(
            f"no text of '{pattern}'", where=f"{where}.{name}", mend=did_you_mean(pattern, streams)
        )
    languages = sorted({stream.rpartition("/")[2] for stream in found})
    if languages not in (["ko"], ["en"]):
        what = f"'{pattern}' is of {' and '.join(languages)}: {', '.join(found[:4])}"
        raise ChejilError(what, where=f"{where}.{name}", mend=f"name one language, e.g. {found[0]}")
    return Named(name, pattern, languages[0], token_sizes.total(streams[one] for one in found))


def _refuse_shared(here: tuple[Named, ...], streams: dict[str, TokenSize], where: str) -> None:
    for stream in streams:
        owners = [one.name for one in here if one.means(stream)]
        if len(owners) > 1:
            what = f"'{stream}' is in {' and in '.join(owners)}"
            raise ChejilError(what, where=where, mend="let each text be in one of them")


def _sources(settings: SweepSettings, here: tuple[Named, ...]) -> tuple[Source, ...]:
    expected = settings.target.expected if settings.target else {}
    known = [one.name for one in here]
    for name in expected:
        if name not in known:
            raise ChejilError(f"no source '{name}'", where="target.expected", mend=did_you_mean(name, known))
    found = []
    for one in here:
        hope = expected.get(one.name)
        ratio = (hope and hope.bytes_per_token) or one.size.bytes_per_token or 1.0
        tokens = (hope and hope.tokens) or one.size.tokens
        found.append(
            Source(
                name=one.name,
                language=one.language,
                unique_bytes=round(tokens * ratio),
                bytes_per_token=ratio,
            )
        )
    return tuple(found)
