"""Writes a suite for trainings: items that a hash chooses, with lm-eval's prompts, encoded as lm-eval encodes them.

No model is loaded: an encoder that has a tokenizer alone goes through lm-eval's own code up to the ids. Items are
chosen by a hash of seed and id, in turn from each right answer, so that a constant answer scores as chance does,
however few there are; a larger limit has the items of a smaller one. Neither the order of a file nor another task
changes them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xxhash
from pydantic import ValidationError

from chejil.curation import shards
from chejil.curation.progress import Progress
from chejil.errors import ChejilError
from chejil.eval.harness import asking, installed, items, quiet, suites, task_files, tasks
from chejil.eval.harness.task_files import TaskData
from chejil.eval.harness.tasks import Mode
from chejil.tokenizer.files import byte_level
from chejil.training.suites import suite_file
from chejil.training.suites.candidates import begin_of
from chejil.training.suites.suite_file import Metric, SuiteHeader, SuiteItem, SuiteTask

NO_ACC = ("truthfulqa_mc2",)
"""Tasks without one answer: of them `gold_prob` is the table's number."""


@dataclass(frozen=True)
class Written:
    """A suite that was written.

    Args:
        header: line 1 of the file, see SuiteHeader.
        candidates, tokens: of all items.
    """

    path: str
    hash: str
    header: dict[str, Any]
    items: int
    candidates: int
    tokens: int


@dataclass(frozen=True)
class SuiteSettings:
    """What is chosen, and how it is encoded."""

    mode: Mode = "harness"
    limit: int = 100
    seed: int = 1
    skip_broken: bool = False


def write(
    suite: str, tokenizer: str, data: str | None, out: str, settings: SuiteSettings, progress: Progress
) -> Written:
    """Choose, encode and write.

    Args:
        suite: as --suite names it.
        tokenizer: folder of the tokenizer.
        data: folder of the tasks' files; None: from the hub.

    Raises:
        ChejilError: a task's items or the tokenizer cannot be had; nothing is written then.
    """
    installed.require()
    for path in (tokenizer, out, *([] if data is None else [data])):
        shards.refuse_empty(path)
    hashed = byte_level.read(tokenizer).hash
    with ExitStack() as stack:
        if data is not None:
            stack.enter_context(quiet.offline())
        stack.enter_context(quiet.quiet())
        encoder = _encoder(tokenizer, settings.mode)
        told: dict[str, SuiteTask] = {}
        found: list[SuiteItem] = []
        for name in suites.named(suite):
            progress.say(f"{name}: choosing and encoding")
            told[name], own = _task(name, data, encoder, settings)
            found += own
        header = SuiteHeader(
            suite=suite, mode=settings.mode, tokenizer=hashed, begin=begin_of(encoder.tokenizer),
            seed=settings.seed, limit=settings.limit, versions={"lm_eval": version("lm_eval")}, tasks=told,
        )  # fmt: skip
    suite_file.write(out, header, found)
    return _written(out)


def _written(out: str) -> Written:
    found = suite_file.read(out)
    lengths = [
        len(item.context(number)) + len(choice)
        for item in found.items
        for number, choice in enumerate(item.choices)
    ]
    header = found.header.model_dump(mode="json")
    return Written(out, found.hash, header, len(found.items), len(lengths), sum(lengths))


def _encoder(tokenizer: str, mode: Mode) -> Any:
    from transformers import AutoTokenizer

    from chejil.eval.harness.suite_encoder import HarnessEncoder, PolyglotEncoder

    mend = "give a folder as `chejil tokenizer train` or `chejil export` writes it"
    try:
        loaded = AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ChejilError(f"the tokenizer cannot be loaded: {first}", where=tokenizer, mend=mend) from None
    if loaded.bos_token_id is None and loaded.eos_token_id is None:
        raise ChejilError("the tokenizer has neither a BOS nor an EOS token", where=tokenizer, mend=mend)
    return (PolyglotEncoder if mode == "polyglot" else HarnessEncoder)(loaded)


def _task(
    name: str, data: str | None, encoder: Any, settings: SuiteSettings
) -> tuple[SuiteTask, list[SuiteItem]]:
    task = suites.tasks()[name]
    loaded = (
        TaskData((), (), {}, "hub")
        if data is None
        else task_files.load(data, name, task, settings.skip_broken)
    )
    with tempfile.TemporaryDirectory() as folder:
        config = tasks.config(Path(folder), name, task, settings.mode, loaded.documents or None)
        asked = asking.task_of(config, name)
        documents = list(asked.eval_docs)
        keys = loaded.ids or asking.hub_ids(task, [{"doc": document} for document in documents])
        right = [items.right_choices(name, asked, document) for document in documents]
        chosen = choose(keys, right, settings.limit, settings.seed)
        asked.build_all_requests(samples=chosen, rank=0, world_size=1)
        numbers = [number for number in range(len(documents)) if number in set(chosen)]
        requests = _by_document(asked.instances, len(numbers))
    found = [
        _item(name, keys[number], asked, documents[number], right[number], own, encoder)
        for number, own in zip(numbers, requests, strict=True)
    ]
    metrics: tuple[Metric, ...] = (
        *(("acc",) if name not in NO_ACC else ()),
        *(("acc_norm",) if "acc_norm" in task.metrics else ()),
        "gold_prob",
        "gold_prob_bytes",
    )
    told = SuiteTask(metrics=metrics, items=len(found), of=len(documents), inputs=dict(loaded.inputs))
    return told, sorted(found, key=lambda item: item.id)


def choose(keys: Sequence[str], right: Sequence[Sequence[int]], limit: int, seed: int) -> list[int]:
    """Numbers of the items that are taken, in order: those with the smallest hashes, in turn from each right answer.

    >>> choose(["a", "b", "c", "d", "e"], [[0], [0], [0], [0], [1]], 2, 1)
    [3, 4]
    """
    by_answer: dict[tuple[int, ...], list[tuple[int, str, int]]] = {}
    for number, (key, gold) in enumerate(zip(keys, right, strict=True)):
        answer = tuple(gold) if len(gold) == 1 else ()
        by_answer.setdefault(answer, []).append(
            (xxhash.xxh3_64_intdigest(f"{seed} {key}".encode()), key, number)
        )
    ranked = [
        (place, order, number)
        for order, answer in enumerate(sorted(by_answer))
        for place, (_, _, number) in enumerate(sorted(by_answer[answer]))
    ]
    return sorted(number for _, _, number in sorted(ranked)[:limit])


def _by_document(instances: Sequence[Any], count: int) -> list[list[Any]]:
    """lm-eval numbers chosen items anew, in the order of the file."""
    found: list[list[Any]] = [[] for _ in range(count)]
    for instance in instances:
        found[instance.doc_id].append(instance)
    return [sorted(own, key=lambda one: one.idx) for own in found]


def _item(
    name: str,
    key: str,
    task: Any,
    document: Mapping[str, Any],
    right: Sequence[int],
    requests: Sequence[Any],
    encoder: Any,
) -> SuiteItem:
    encoded = encoder.loglikelihood(requests)
    contexts = [tuple(context) for _, context, _ in encoded]
    sample = {"arguments": [request.args for request in requests]}
    try:
        return SuiteItem(
            task=name,
            id=key,
            gold=tuple(right),
            contexts=tuple(contexts if len(set(contexts)) > 1 else contexts[:1]),
            choices=tuple(tuple(choice) for _, _, choice in encoded),
            num_chars=tuple(map(len, items.choices(task, document, sample))),
            num_bytes=items.choice_bytes(task, document, sample),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = f"{name}: item {key} cannot be scored: {first['msg']} ({first['loc']})"
        raise ChejilError(what, mend="leave the item out of the file, or the task out of the suite") from None
