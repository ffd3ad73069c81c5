"""README.md of an exported model: a model card of Hugging Face's form, of what is known and nothing else.

Every number is read or counted: sizes from the model, tokens and epochs from the shards, bits per byte from the
training's own evaluation, hashes from the lineage. A licence is the user's to give. Mitchell et al. 2019, "Model
Cards for Model Reporting"; the head is what the hub reads (library_name, language, tags).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from chejil.training.exporting.exported_tokenizer import ExportedTokenizer
from chejil.training.exporting.trained_checkpoint import TrainedCheckpoint

MAX_ROWS = 50
"""Rows of a table; a corpus of thousands of files is told in lineage.json."""

LANGUAGES = {"ko": ("ko",), "en": ("en",), "mixed": ("ko", "en")}
"""What the hub calls the languages of documents."""


@dataclass(frozen=True)
class Card:
    """What a card tells.

    Args:
        seen: of seen_mixture; `unseen` says why there is none.
        evaluation: the last record of that kind in metrics.jsonl up to the step, or None.
        versions: of what exported it.
    """

    trained: TrainedCheckpoint
    tokenizer: ExportedTokenizer
    dtype: str
    lineage: Mapping[str, Any]
    seen: Sequence[Mapping[str, Any]]
    unseen: str | None
    evaluation: Mapping[str, Any] | None
    versions: Mapping[str, str]
    license: str | None = None


def markdown(card: Card) -> str:
    """The page."""
    parts = [
        _head(card), _title(card), _use(card), _sizes(card), _training(card), _evaluated(card), _mixture(card),
        _lineage(card), _config(card),
    ]  # fmt: skip
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def languages(card: Card) -> list[str]:
    """Languages that the model has seen, or was measured in."""
    kinds = {row["lang"] for row in card.seen if row["rows"]}
    if not kinds and card.evaluation:
        kinds = {name.rpartition("/")[2] for name in card.evaluation.get("sources") or {}}
    return sorted({one for kind in kinds for one in LANGUAGES.get(kind, ())}, reverse=True)


def _head(card: Card) -> Iterator[str]:
    told: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if languages(card):
        told["language"] = languages(card)
    if card.license:
        told["license"] = card.license
    told["tags"] = ["llama", "chejil", "pretrained"]
    yield "---"
    yield yaml.safe_dump(told, sort_keys=False, allow_unicode=True).rstrip()
    yield "---"


def _title(card: Card) -> Iterator[str]:
    yield f"# {card.trained.name}, step {card.trained.step:,}"
    about = str(card.trained.settings.get("about") or "").strip()
    if about:
        yield ""
        yield about
    yield ""
    yield (
        "A base language model: it continues text. It has not been taught to follow instructions, nor to refuse; "
        "what it writes may be wrong or offensive."
    )


def _use(card: Card) -> Iterator[str]:
    yield "## Use"
    yield ""
    yield "```python"
    yield "from transformers import pipeline"
    yield ""
    yield 'write = pipeline("text-generation", model=".")  # this folder'
    yield 'print(write("The ferry", max_new_tokens=40)[0]["generated_text"])'
    yield "```"
    yield ""
    end = card.tokenizer.end
    if end is None:
        yield "No token begins or ends a text: documents stood in training as they are."
    elif card.tokenizer.begins:
        yield (
            f"In training each document began and ended with `{end[0]}` (id {end[1]}). The tokenizer puts it in front "
            "of a text by itself; `add_special_tokens=False` leaves it out, and gives the ids of the text alone. "
            "Generation ends with the same token."
        )
    else:
        yield (
            f"In training each document ended with `{end[0]}` (id {end[1]}); nothing stood in front, so the tokenizer "
            "adds nothing."
        )
    if card.tokenizer.unused:
        yield ""
        yield (
            f"{len(card.tokenizer.unused):,} rows of the vocabulary belong to no token. `generation_config.json` keeps "
            "them from being generated; an engine that does not read `suppress_tokens` there has to be told."
        )


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows[:MAX_ROWS]:
        yield f"| {' | '.join(_cell(value) for value in row)} |"
    if len(rows) > MAX_ROWS:
        yield ""
        yield f"And {len(rows) - MAX_ROWS:,} more: see `lineage.json`."


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _sizes(card: Card) -> Iterator[str]:
    size = card.trained.size
    yield "## Model"
    yield ""
    yield (
        f"Llama decoder: {size.layers} layers of {size.hidden:,}, {size.heads} heads of {size.head_width} "
        f"({size.kv_heads or size.heads} for keys and values), feed-forward {size.ffn:,}, vocabulary {size.vocab:,} "
        f"({card.tokenizer.num_ids:,} ids of the tokenizer), context {size.context_tokens:,} tokens, "
        f"{'tied' if size.tied else 'untied'} output head. Weights in {card.dtype}."
    )
    yield ""
    yield from _table(
        ("parameters", "number"), [(name, f"{count:,}") for name, count in size.counts().items()]
    )


def _training(card: Card) -> Iterator[str]:
    settings, trained = card.trained.settings, card.trained
    schedule = settings.get("schedule") or {}
    rows = {
        "steps": f"{trained.step:,}",
        "tokens": f"{trained.tokens:,} (places of rows, padding too)",
        "tokens a step": f"{int(settings.get('batch_tokens', 0)):,}",
        "row": f"{trained.row_tokens:,} tokens; documents of a row do not see one another",
        "learning rate": f"{schedule.get('learning_rate')} ({schedule.get('kind')})",
        "precision": settings.get("precision"),
        "seed": settings.get("seed"),
    }
    yield "## Training"
    yield ""
    yield from _table(("", ""), list(rows.items()))


def _evaluated(card: Card) -> Iterator[str]:
    yield "## Evaluation"
    yield ""
    if not card.evaluation:
        yield "No evaluation up to this step stands in the training's metrics."
        return
    yield (
        f"Bits per byte on held-out documents at step {card.evaluation['step']:,}, from the training's `metrics.jsonl`."
    )
    yield ""
    rows = [
        (name, _number(one.get("bits_per_byte")), f"{one.get('num_bytes') or 0:,}")
        for name, one in sorted((card.evaluation.get("sources") or {}).items())
    ]
    total = (
        "all",
        _number(card.evaluation.get("bits_per_byte")),
        f"{card.evaluation.get('num_bytes') or 0:,}",
    )
    yield from _table(("source", "bits per byte", "bytes of text"), [*rows, total])


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4f}"


def _mixture(card: Card) -> Iterator[str]:
    yield "## What it has read"
    yield ""
    if not card.seen:
        yield f"Not known: {card.unseen}."
        return
    yield "Counted from the token shards, up to this step."
    yield ""
    rows = [
        (
            f"{row['source']}/{row['lang']}",
            f"{row['tokens']:,}",
            f"{row['share']:.1%}",
            f"{row['epochs']:.3g}",
        )
        for row in card.seen
        if row["rows"]
    ]
    yield from _table(("source", "tokens", "share", "epochs"), rows)


def _lineage(card: Card) -> Iterator[str]:
    yield "## Lineage"
    yield ""
    yield "Each is named by a hash (xxh3-128) of its content; `lineage.json` has all of them, for programs."
    yield ""
    yield from _table(("what", "name", "hash", "made from"), list(_steps(card.lineage)))


def _steps(lineage: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """From the model to raw files."""
    point = lineage["checkpoint"]
    shown = ", ".join(one["name"] for one in lineage["token_shards"])
    yield "checkpoint", f"{point['training']}, step {point['step']:,}", _hash(point["hash"]), shown
    start = lineage["start_from"]
    if start:
        yield (
            "model it went on from",
            start["name"],
            _hash(*sorted(start["files"].values())),
            "its own lineage",
        )
    for one in lineage["token_shards"]:
        inputs = ", ".join(sorted({row["name"] for row in one["inputs"] if row["kind"] == "run"}))
        loose = sum(row["kind"] == "file" for row in one["inputs"])
        files = f"{loose:,} input files" if loose else ""
        yield "token shards", one["name"], _hash(one["fingerprint"]), ", ".join(filter(None, (inputs, files)))
    words = lineage["tokenizer"].get("words") or {}
    yield "tokenizer", "", _hash(lineage["tokenizer"]["hash"]), f"words {_hash(words.get('hash'))}"
    for one in lineage["token_shards"]:
        for row in one["inputs"]:
            if row["kind"] == "file":
                yield "input file", row["name"], _hash(row["hash"]), ""
    for run in lineage["runs"]:
        made = f"{len(run['inputs']):,} raw files" if run["found"] else "not found here"
        yield "curated run", run["name"], _hash(run["hash"]), made
        for row in run.get("inputs", ()):
            yield "raw file", f"{row['shard'].split('/')[0]}: {row['name']}", _hash(row["hash"]), ""


def _hash(*values: str | None) -> str:
    return ", ".join(f"`{value}`" for value in values if value) or "not known"


def _config(card: Card) -> Iterator[str]:
    yield "## Settings and versions"
    yield ""
    said = {"trained with": card.lineage["checkpoint"]["versions"], "exported with": card.versions}
    for when, versions in said.items():
        shown = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        yield f"- {when}: {shown or 'not known'}"
    yield ""
    yield "```yaml"
    yield yaml.safe_dump(dict(card.trained.settings), sort_keys=False, allow_unicode=True).rstrip()
    yield "```"
