"""A sweep's folder, and `sweep.json`, which says what was proposed, what each proxy measured, and where that stands.

runs/NAME/
  sweep.yaml        the settings, every default written out
  sweep.json        law of the folder, written after every call; `complete` once every proxy is done
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
from chejil.curation.stage import Record
from chejil.errors import ChejilError
from chejil.eval.sweeping.sweep_plan import SUITE
from chejil.eval.sweeping.sweep_settings import SweepSettings
from chejil.tokenizer import held_folder

FORMAT = "chejil ablation 1"
SWEEP, SETTINGS, TRANSFER = "sweep.json", "sweep.yaml", "transfer"
NAMES = (SWEEP, SETTINGS, TRANSFER, SUITE, "pool", "held-out", "proxies", "arms", "work", "jobs")
REPORTS = ("report.json", "report.html", "mixture.yaml")


def held(out: str, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the folder while the block lasts.

    Raises:
        RunError: another process holds it, or it holds something else than a sweep.
    """
    if "://" in out:
        mend = "choose a folder of a disk for --out"
        raise ChejilError("trainings need a file system", where=out, mend=mend)
    return held_folder.held(out, say, _foreign)


def _foreign(names: set[str]) -> str | None:
    foreign = held_folder.but(names, (*NAMES, *REPORTS))
    if names and SETTINGS not in names and not any(name.startswith(SETTINGS) for name in names):
        foreign = sorted(names)
    return f"the folder holds something else than a sweep: {', '.join(foreign[:3])}" if foreign else None


def read(root: str) -> dict[str, Any]:
    """A sweep's `sweep.json`.

    Raises:
        ChejilError: there is none.
    """
    content = shards.read_json(shards.join(root, SWEEP))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ChejilError("no sweep", where=root, mend="`chejil ablate run` makes one")
    return content


def refuse_other_kind(root: str, arms: bool) -> None:
    """A folder is of mixtures or of arms: both would write the same files.

    Raises:
        ChejilError: it is of the other kind.
    """
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
