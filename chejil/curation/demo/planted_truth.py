"""The truth about a sample corpus, and how much of it a run has found.

`truth.jsonl` has a row for every row of the corpus:

    file, line       where: relative to the folder, counted from 0
    op, kind         what was planted (`clean`, `original`: nothing), and of which kind
    lang             what a language filter should say
    expect           kept, dropped, repaired, one_of_group or quarantined
    group, parent    documents with the same origin; the untouched one
    sha256, chars    of the text as it stands in the file; `restored_sha256` of what repair should give
    spans            personal data: type, start, end (characters), value, decoy
    jaccard_word5    of a word edit with its original

Scoring looks at decisions and texts alone, never at reasons: a defect is caught if the right thing became of
the document, whichever stage did it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import orjson
import polars as pl
import pyarrow as pa

from chejil.errors import ChejilError

TRUTH_FILE = "truth.jsonl"

Frame: TypeAlias = pl.DataFrame | pa.Table
Place: TypeAlias = tuple[str, int]
"""Name of the file without its folders, and the row: names are unique in a sample corpus."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A sample corpus: its folder, and a row for every row of it (see the module)."""

    folder: Path
    rows: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: str | Path) -> Truth:
        """Read the truth of a corpus that has been written.

        Raises:
            ChejilError: there is none.
        """
        path = Path(folder) / TRUTH_FILE
        if not path.is_file():
            raise ChejilError(
                f"no {TRUTH_FILE}", where=str(folder), mend="chejil demo writes a sample corpus"
            )
        # Split at line feeds alone: damaged text holds U+2028 and the like.
        return cls(Path(folder), [orjson.loads(line) for line in path.read_bytes().split(b"\n") if line])


def score(
    truth: Truth, decisions: Frame, documents: Frame, final: Frame, quarantine: Frame | None = None
) -> list[dict[str, Any]]:
    """Count what was caught of what was planted, by operation and kind.

    Args:
        decisions: a row a document: id, file, line, kept, lang, exact_cluster, near_cluster.
        documents: id and text after normalisation.
        final: the same after every transform, as it would be trained on; of dropped documents, too.
        quarantine: file and line of the rows that are no documents; without it, a row that has no decision
            counts as quarantined.

    Returns:
        Rows of kind, planted, caught and note, by name; then the rows that are no documents; then personal data
        by type, in spans; last, `clean documents kept`, whose note names the reasons that dropped most.
    """
    scene = _Scene.of(decisions, documents, final, quarantine)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in truth.rows:
        groups.setdefault(_label(row), []).append(row)
    groups.pop("original", None)
    clean, personal = groups.pop("clean", []), groups.pop("planted_pii", [])
    order = sorted(groups, key=lambda label: (label.startswith("quarantine"), label))
    scored = [_scored(label, groups[label], scene) for label in order]
    return [*scored, *_personal(personal, scene), _clean(clean, scene)]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a run made of the corpus, by place."""

    decisions: Mapping[Place, dict[str, Any]]
    texts: Mapping[str, str]
    final: Mapping[str, str]
    quarantined: frozenset[Place] | None

    @classmethod
    def of(cls, decisions: Frame, documents: Frame, final: Frame, quarantine: Frame | None) -> _Scene:
        columns = ["id", "file", "line", "kept", "reason", "lang", "exact_cluster", "near_cluster"]
        rows = _polars(decisions).select(columns).to_dicts()
        texts, finals = (dict(_polars(table).select("id", "text").rows()) for table in (documents, final))
        places = None if quarantine is None else frozenset(map(_place, _polars(quarantine).to_dicts()))
        return cls({_place(row): row for row in rows}, texts, finals, places)


def _polars(frame: Frame) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(frame)) if isinstance(frame, pa.Table) else frame


def _place(row: Mapping[str, Any]) -> Place:
    return Path(row["file"]).name, row["line"]


def _label(row: Mapping[str, Any]) -> str:
    return f"{row['op']}: {row['kind']}" if row["kind"] else row["op"]


def _scored(label: str, rows: list[dict[str, Any]], scene: _Scene) -> dict[str, Any]:
    caught = sum(_CAUGHT[rows[0]["expect"]](row, scene) for row in rows)
    return {"kind": label, "planted": len(rows), "caught": caught, "note": _note(rows)}


def _note(rows: list[dict[str, Any]]) -> str:
    if "jaccard_word5" in rows[0]:
        return f"word 5-gram Jaccard {fmean(row['jaccard_word5'] for row in rows):.2f} on average"
    return _EXPECTED[rows[0]["expect"]] if rows[0]["lang"] != "mixed" else "called mixed"


def _personal(rows: list[dict[str, Any]], scene: _Scene) -> list[dict[str, Any]]:
    """Spans by type: personal data must be gone from the text, its look-alikes must stand there untouched."""
    planted: Counter[tuple[bool, str]] = Counter()
    right: Counter[tuple[bool, str]] = Counter()
    for row in rows:
        decision = _decision(row, scene)
        text = scene.final.get(decision["id"], "") if decision else ""
        for span in row["spans"]:
            key = (span["decoy"], span["type"])
            planted[key] += 1
            right[key] += (span["value"] in text) == span["decoy"]
    return [
        {
            "kind": f"look-alike: {kind}" if decoy else f"personal data: {kind}",
            "planted": planted[decoy, kind],
            "caught": right[decoy, kind],
            "note": "spans left as they are" if decoy else "spans gone from the text",
        }
        for decoy, kind in sorted(planted)
    ]


def _clean(rows: list[dict[str, Any]], scene: _Scene) -> dict[str, Any]:
    lost = [_decision(row, scene) for row in rows if not _kept(row, scene)]
    reasons = Counter(decision["reason"] for decision in lost if decision).most_common(3)
    note = ", ".join(f"{reason} dropped {number}" for reason, number in reasons)
    kept = len(rows) - len(lost)
    return {"kind": "clean documents kept", "planted": len(rows), "caught": kept, "note": note}


def _decision(row: Mapping[str, Any], scene: _Scene) -> dict[str, Any] | None:
    return scene.decisions.get(_place(row))


def _kept(row: Mapping[str, Any], scene: _Scene) -> bool:
    decision = _decision(row, scene)
    return decision is not None and bool(decision["kept"])


def _dropped(row: Mapping[str, Any], scene: _Scene) -> bool:
    decision = _decision(row, scene)
    return decision is not None and not decision["kept"]


def _right_language(row: Mapping[str, Any], scene: _Scene) -> bool:
    decision = _decision(row, scene)
    return decision is not None and decision["lang"] == row["lang"]


def _repaired(row: Mapping[str, Any], scene: _Scene) -> bool:
    decision = _decision(row, scene)
    if decision is None:
        return False
    text = scene.texts.get(decision["id"], "")
    return hashlib.sha256(text.encode()).hexdigest() == row["restored_sha256"]


def _one_of_group(row: Mapping[str, Any], scene: _Scene) -> bool:
    copy, original = _decision(row, scene), _decision(row["parent"], scene)
    if copy is None or original is None:
        return False
    together = any(copy[name] is not None and copy[name] == original[name] for name in _CLUSTERS)
    return together or bool(copy["kept"]) != bool(original["kept"])


_CLUSTERS = ("exact_cluster", "near_cluster")


def _quarantined(row: Mapping[str, Any], scene: _Scene) -> bool:
    if scene.quarantined is None:
        return _decision(row, scene) is None
    return _place(row) in scene.quarantined


_CAUGHT: dict[str, Callable[[Mapping[str, Any], _Scene], bool]] = {
    "kept": _right_language,
    "dropped": _dropped,
    "repaired": _repaired,
    "one_of_group": _one_of_group,
    "quarantined": _quarantined,
}
"""When a planted row is caught, by what was expected; where that is `kept`, the question is the language."""

_EXPECTED = {
    "kept": "called English",
    "dropped": "dropped",
    "repaired": "restored exactly",
    "one_of_group": "one of the two kept, or both in one cluster",
    "quarantined": "set aside with a reason",
}
