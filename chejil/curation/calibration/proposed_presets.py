"""The preset that a calibration proposes, as YAML: each bound with its unit and where it comes from."""

from __future__ import annotations

import json

import numpy as np

from chejil.curation import shards
from chejil.curation.calibration.calibrate import Calibrated, Calibration, Proposal


def presets(found: Calibration) -> dict[str | None, str]:
    """A preset's YAML by source (None: for all sources), each line with where its bound comes from."""
    sources = list(dict.fromkeys(group.source for group in found.groups))
    return {source: _preset(found, source) for source in sources}


def _preset(found: Calibration, source: str | None) -> str:
    groups = [group for group in found.groups if group.source == source]
    of = f" of {source}" if source else ""
    # JSON strings are YAML strings, whatever a name holds.
    about = json.dumps(f"Bounds that {found.share:.4g} of {found.reference} pass{of}", ensure_ascii=False)
    lines = [f"about: {about}"]
    lines += [f"# {_one_line(warning)}" for group in groups for warning in group.warnings]
    lines.append("bounds:")
    for group in groups:
        lines.append(
            f"  {group.lang}:   # {group.passes:.2%} of {group.reference_documents:,} documents pass all"
        )
        lines += [_line(one, group, found.reference) for one in group.proposals]
    return "\n".join(lines) + "\n"


def _line(one: Proposal, group: Calibrated, reference: str) -> str:
    edges = [
        f"{side}: {_number(edge)}"
        for side, edge in (("low", one.low), ("high", one.high))
        if edge is not None
    ]
    entry = f"    {one.signal}: {{{', '.join([*edges, f'unit: {one.unit}'])}}}"
    quantiles = [f"{q:.2%}" for q in (one.low_quantile, one.high_quantile) if q is not None]
    origin = f"at {' and '.join(quantiles)} of {reference}, n = {group.reference_documents:,}"
    return f"{entry:<70}  # {_one_line(origin)}"


def _number(edge: float) -> str:
    """To YAML 1.1 what Python writes as 1e-05 is a word.

    >>> _number(0.00001), _number(110.0)
    ('0.00001', '110')
    """
    return np.format_float_positional(edge, trim="-")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def write_presets(found: Calibration, out: str) -> list[str]:
    """Write the presets: one file, or by source a file SOURCE.yaml each in a folder; returns their paths."""
    texts = presets(found)
    if found.by == "lang":
        return [_written(out, texts[None])]
    return [_written(shards.join(out, f"{source}.yaml"), text) for source, text in texts.items()]


def _written(path: str, text: str) -> str:
    folder, _, name = path.rpartition("/")
    shards.write_bytes(folder or ("/" if path.startswith("/") else "."), name, text.encode())
    return path
