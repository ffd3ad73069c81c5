"""Shares of bytes: of languages, of sources within them, by numbers and by size; whole numbers that add up.

Without numbers, sources share by their bytes to the power of 1/temperature (multilingual BERT 0.7, XLM-R 0.3;
Conneau et al. 2020, section 3). Numbers name each source once; `natural` takes what no number names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from chejil.errors import ChejilError, did_you_mean
from chejil.training.mixing.mix_settings import Shares
from chejil.training.planning.epochs import Stream

SUM_TOLERANCE = 1e-6
"""Shares with six digits that were rounded add up to 1 within this."""


def of_stage(shares: Shares, found: Sequence[Stream]) -> list[float]:
    """The share of bytes of each stream, adding up to 1.

    Raises:
        ChejilError: an unknown source or language, one named twice, shares that do not add up to 1, a language without
            a source, or a size that nobody knows where it decides.
    """
    numbers, natural = _named(shares, found)
    given = [0.0] * len(found)
    for lang, share, members in _groups(shares, found):
        of_lang = f" of language '{lang}'" if lang else ""
        parts = {pattern: [at for at in ats if at in members] for pattern, ats in numbers.items()}
        parts = {pattern: ats for pattern, ats in parts.items() if ats}
        rest = [at for at in natural if at in members]
        weights = _closed({p: float(shares.weights[p]) for p in parts}, bool(rest), shares.normalise, of_lang)
        if rest:
            parts["natural"], weights["natural"] = rest, 1 - math.fsum(weights.values())
        for pattern, ats in parts.items():
            for at, part in zip(ats, _by_size([found[at] for at in ats], shares.temperature), strict=True):
                given[at] = share * weights[pattern] * part
    return given


def whole_parts(weights: Sequence[float], total: int, least: int = 0) -> list[int]:
    """Whole numbers in proportion to weights that add up to `total`, by the largest remainder.

    Args:
        least: what a weight above 0 gets at least, where its part is smaller: it never rounds to nothing.

    >>> whole_parts([2, 1, 1], 10), whole_parts([1, 1e-9], 1000, least=1)
    ([5, 3, 2], [999, 1])
    """
    used = [at for at, weight in enumerate(weights) if weight > 0]
    if not used or total < least * len(used):
        raise ChejilError(f"{total} cannot be given to {len(used)} weights, {least} each at least")
    small: set[int] = set()
    while True:  # those that get the least leave less for the others, which may bring more of them below it
        left, whole = total - least * len(small), math.fsum(weights[at] for at in used if at not in small)
        exact = {at: left * (weights[at] / whole) for at in used if at not in small}
        under = {at for at, part in exact.items() if part < least}
        if not under:
            break
        small |= under
    parts = [least if at in small else math.floor(exact.get(at, 0)) for at in range(len(weights))]
    order = sorted(exact, key=lambda at: (parts[at] - exact[at], at))
    for at in order[: total - sum(parts)]:
        parts[at] += 1
    return parts


def _named(shares: Shares, found: Sequence[Stream]) -> tuple[dict[str, list[int]], list[int]]:
    """Streams of each pattern with a number, and those that are natural."""
    numbers: dict[str, list[int]] = {}
    owner: dict[int, str] = {}
    natural: set[int] = set() if shares.weights else set(range(len(found)))
    for pattern, weight in shares.weights.items():
        ats = members(pattern, found)
        if weight == "natural":
            natural.update(ats)
            continue
        numbers[pattern] = ats
        for at in ats:
            if at in owner:
                what = f"'{found[at].name}' is meant by '{owner[at]}' and by '{pattern}'"
                raise ChejilError(what, mend="give each source one number")
            owner[at] = pattern
    return numbers, sorted(natural - owner.keys())


def members(pattern: str, found: Sequence[Stream]) -> list[int]:
    """The streams that a name means.

    Raises:
        ChejilError: there is none.
    """
    ats = [at for at, one in enumerate(found) if one.matches(pattern)]
    if not ats:
        names = {name for one in found for name in (one.source, one.name)}
        raise ChejilError(f"no source '{pattern}'", mend=did_you_mean(pattern, names))
    return ats


def _groups(shares: Shares, found: Sequence[Stream]) -> Iterable[tuple[str, float, set[int]]]:
    """Language, its share, its streams; all streams as one group where no languages are given."""
    if not shares.languages:
        yield "", 1.0, set(range(len(found)))
        return
    known = {one.lang for one in found if one.lang}
    languages = _closed(dict(shares.languages), False, shares.normalise, " of `languages`")
    for lang, share in languages.items():
        ats = {at for at, one in enumerate(found) if one.lang == lang}
        if not ats and not known:
            mend = f"name sources with their language: `{found[0].name}/{lang}`" if found else "name some"
            raise ChejilError("nobody says which language a source is in", mend=mend)
        if not ats:
            raise ChejilError(f"no source is in language '{lang}'", mend=did_you_mean(lang, known))
        if share:
            yield lang, share, ats


def _closed(weights: dict[str, float], has_rest: bool, normalise: bool, where: str) -> dict[str, float]:
    """Weights that add up to 1, or to less where others share the rest."""
    whole = math.fsum(weights.values())
    if has_rest:
        if whole >= 1 - SUM_TOLERANCE:
            mend = "lower a number, or take `natural` out"
            raise ChejilError(
                f"shares{where} add up to {whole:.6g}: nothing is left for `natural`", mend=mend
            )
        return weights
    if whole == 0:
        mend = "give one of its sources a share above 0, or `'*': natural` for all that have none"
        raise ChejilError(f"shares{where} add up to 0", mend=mend)
    if abs(whole - 1) <= SUM_TOLERANCE or normalise:
        return {name: weight / whole for name, weight in weights.items()}
    told = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    mend = "make them add up to 1, give the others `natural`, or set `normalise: true`"
    raise ChejilError(f"shares{where} add up to {whole:.6g}, not 1: {told}", mend=mend)


def _by_size(streams: Sequence[Stream], temperature: float) -> list[float]:
    """How streams share what they were given together."""
    if len(streams) == 1:
        return [1.0]
    unknown = [one.name for one in streams if not one.tokens or not one.bytes_per_token]
    if unknown:
        what = f"nobody says how much there is of {', '.join(unknown)}, so it has no natural share"
        raise ChejilError(what, mend="give it a number, or expected.SOURCE.tokens and bytes_per_token")
    power = 0.0 if math.isinf(temperature) else 1 / temperature
    logs = [power * math.log((one.tokens or 1) * (one.bytes_per_token or 1.0)) for one in streams]
    parts = [math.exp(log - max(logs)) for log in logs]  # of the largest: no power of 1e15 overflows
    return [part / math.fsum(parts) for part in parts]
