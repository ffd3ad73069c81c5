"""A sweep's folder, and `sweep.json`, which says what was proposed, what each proxy measured, and where that stands.

runs/NAME/
  sweep.yaml        the settings, every default written out
  sweep.json        what there is, removed while proxies are trained; `complete` once every proxy is done
  pool/ held-out/   token shards: what proxies read, and what they are measured on (sequence_pool.py)
  proxies/NAME/     see proxy_training.py
  transfer/         the next size: a folder of the same kind
  work/             records of finished proxies, and what the tokens were cut by
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import yaml

from chejil.curation import settings_file, shards
from chejil.curation.executors.scheduled import absolute
from chejil.curation.stage import Record
from chejil.errors import ChejilError, RunError
from chejil.eval.ablation_reports.sweep_file import FORMAT, SETTINGS
from chejil.eval.ablation_reports.sweep_file import NAME as SWEEP
from chejil.eval.sweeping import sequence_pool
from chejil.eval.sweeping.sequence_pool import EXCERPTS
from chejil.eval.sweeping.sweep_plan import SUITE
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.eval.sweeping.sweep_sources import Named
from chejil.tokenizer import held_folder
from chejil.tokenizer.encoding.token_shards import TokenShards

LEAST_EXCERPTS = 4
"""Documents of a domain: fewer say nothing of how much a difference owes to the choice of text."""

TRANSFER = "transfer"
NAMES = (SWEEP, SETTINGS, TRANSFER, SUITE, "pool", "held-out", "proxies", "arms", "work", "jobs")
REPORTS = ("report.json", "report.html", "mixture.yaml", "candidate.yaml")


def held(out: str, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the folder while the block lasts.

    Raises:
        RunError: another process holds it, or it holds something else than a sweep.
    """
    _refuse_remote(out)
    return held_folder.held(out, say, _foreign)


def refuse(out: str, name: str, arms: bool) -> None:
    """Refuse what a training would refuse, without touching the folder.

    Raises:
        ChejilError: no folder of a disk, one that holds something else, or another sweep.
    """
    _refuse_remote(out)
    held_folder.refuse(out, _foreign)
    refuse_other(absolute(out), name, arms)


def _refuse_remote(out: str) -> None:
    if "://" in out:
        mend = "choose a folder of a disk for --out"
        raise ChejilError("trainings need a file system", where=out, mend=mend)


def _foreign(names: set[str]) -> str | None:
    foreign = held_folder.but(names, (*NAMES, *REPORTS))
    if names and SETTINGS not in names and not any(name.startswith(SETTINGS) for name in names):
        foreign = sorted(names)
    return f"the folder holds something else than a sweep: {', '.join(foreign[:3])}" if foreign else None


def remove_results(root: str) -> None:
    """Remove `sweep.json` and what was decided by it: proxies are trained, and a training could take the mixture."""
    for name in (SWEEP, *REPORTS):
        shards.remove(shards.join(root, name))


def is_cut(root: str, file: str, key: str, folders: Sequence[str]) -> bool:
    """Whether what was cut by this key lies there whole; what is torn or lost is cut again to the same bytes.

    Args:
        file: that names the key.
        folders: of token shards, within the sweep's.
    """
    try:
        before = shards.read_json(shards.join(root, file))
    except RunError:  # torn
        return False
    return before == {"key": key} and all(sequence_pool.is_whole(shards.join(root, one)) for one in folders)


def refuse_unmeasured(root: str, domains: Sequence[Named]) -> None:
    """Refuse a domain without enough held-out text, before anything is trained.

    Raises:
        ChejilError: fewer than LEAST_EXCERPTS documents of a domain are held out.
    """
    for name, there in unmeasured(root, domains).items():
        what = f"{there} documents of {name} are held out, fewer than {LEAST_EXCERPTS}"
        raise ChejilError(what, where="domains", mend="raise held_out.share, join domains, or leave it out")


def unmeasured(root: str, domains: Sequence[Named]) -> dict[str, int]:
    """Held-out documents of the domains that have too few."""
    groups = TokenShards(shards.join(root, EXCERPTS)).groups
    there = {
        one.name: sum(group.num_documents for group in groups if one.means(f"{group.source}/{group.lang}"))
        for one in domains
    }
    return {name: count for name, count in there.items() if count < LEAST_EXCERPTS}


def cost(planned: dict[str, Any], records: Mapping[str, Record]) -> dict[str, Any]:
    """What was planned, with the seconds that processes have trained."""
    known = {name: planned[name] for name in ("proxies", "tokens", "flops", "share_of_target", "a100_hours")}
    return {
        **known,
        "process_seconds": round(sum(one.counts.get("seconds", 0.0) for one in records.values()), 1),
    }


def refuse_other(root: str, name: str, arms: bool) -> None:
    """A folder is of one sweep, and of mixtures or of arms: another would write over its files.

    Raises:
        ChejilError: it is of another sweep, or of the other kind.
    """
    if shards.size(shards.join(root, SETTINGS)) is not None:
        before = yaml.safe_load(settings_file.text_of(shards.join(root, SETTINGS))) or {}
        if before.get("name") != name:
            what = f"the folder holds the sweep '{before.get('name')}', this is '{name}'"
            raise ChejilError(what, where=root, mend="choose another --out")
    other = "pool" if arms else "arms"
    if shards.is_folder(shards.join(root, other)):
        what = f"the folder holds a sweep of {'mixtures' if arms else 'arms'}"
        raise ChejilError(what, where=root, mend="choose another --out")


def write_settings(root: str, settings: SweepSettings) -> None:
    """Write `sweep.yaml`: first, since by it the folder is known as a sweep's."""
    said = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    shards.write_bytes(root, SETTINGS, said.encode())
    if settings.proxy.suite is not None:  # beside the proxies, so that the folder stands on its own
        text = settings_file.text_of(settings.proxy.suite, "suite")
        shards.write_bytes(root, SUITE, text.encode())


def write(root: str, settings: SweepSettings, complete: bool, content: Mapping[str, Any]) -> dict[str, Any]:
    """Write `sweep.json`; returns it."""
    said = {
        "format": FORMAT,
        "name": settings.name,
        "about": settings.about,
        "complete": complete,
        "objective": settings.objective.model_dump(),
        **content,
    }
    shards.write_json(root, SWEEP, said)
    return said


def proxy_rows(
    names: Sequence[tuple[str, str, int]], records: Mapping[str, Record], tokens: int
) -> list[dict[str, Any]]:
    """Rows of the proxies that are done.

    Args:
        names: name, proposal and seed of each.
    """
    return [
        {
            "name": name, "proposal": proposal, "seed": seed, "tokens": tokens,
            **{key: records[name].counts[key] for key in ("bits_per_byte", "scores", "error")},
            "files": [file.as_dict() for file in records[name].files],
        }
        for name, proposal, seed in names if name in records
    ]  # fmt: skip
