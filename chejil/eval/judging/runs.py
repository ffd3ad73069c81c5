"""Runs of generating and of judging: files in, calls, files out.

    OUT/transcripts.jsonl   every request and reply, as they come
    OUT/MODEL.jsonl         generate: a model's answers, in the order of the prompts
    OUT/scores.jsonl        score: a line an answer, or an order of a pair
    OUT/summary.json        score: means, intervals, who judged and how

All but the transcripts appear when they are whole and depend on the replies alone. The same command goes on where it
stopped, or makes the same files again without a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from chejil import __version__
from chejil.curation import shards
from chejil.curation.progress import Progress
from chejil.errors import ChejilError
from chejil.eval.judging import agreement, answers, asking, cost, summary
from chejil.eval.judging import prompts as prompt_files
from chejil.eval.judging.agreement import Agreement
from chejil.eval.judging.answers import Answer, Answerer, EndpointAnswerer
from chejil.eval.judging.cost import Estimate, Price
from chejil.eval.judging.endpoint import Endpoint, EndpointSettings, NoReply
from chejil.eval.judging.prompts import PromptSet
from chejil.eval.judging.scoring import Judge, JudgeSettings, questions
from chejil.eval.judging.summary import Summary
from chejil.eval.judging.transcripts import Transcripts

TRANSCRIPTS = "transcripts.jsonl"
SCORES = "scores.jsonl"
SUMMARY = "summary.json"
_EXPECTED_ANSWER_TOKENS = 300


@dataclass(frozen=True)
class Spending:
    """What may be spent: prices, a limit, and who is told the estimate before the first call."""

    price: Price = field(default_factory=Price)
    limit: float | None = None
    told: Callable[[Estimate], None] = lambda estimate: None
    dry: bool = False

    def begin(self, found: Estimate) -> bool:
        """Tell, and say whether to go on.

        Raises:
            ChejilError: it would be too much.
        """
        self.told(found)
        cost.refuse_above(self.limit, found)
        return not self.dry


@dataclass(frozen=True)
class Folders:
    """How models in folders run; see chatting/loading.py."""

    device: str = "auto"
    template: str | None = None


@dataclass(frozen=True)
class Generated:
    """A model's answers in a file, and prompts without one."""

    model: str
    path: str
    answers: int
    cut_off: int
    unanswered: Mapping[str, str]


def generate(
    models: Sequence[str],
    prompts_path: str,
    endpoint: EndpointSettings | None,
    out: str,
    options: Mapping[str, Any],
    system: str | None,
    concurrency: int,
    spending: Spending,
    progress: Progress,
    folders: Folders | None = None,
) -> list[Generated]:
    """Let models answer prompts.

    Args:
        endpoint: where models are that are no folders.
        options: fields of each request: temperature, max_tokens …
        folders: how models in folders run.

    Raises:
        ChejilError: a file is bad, or the endpoint refuses or is down; what came before is kept.
    """
    prompts = prompt_files.load(prompts_path)
    paths = [answers.file_of(out, model) for model in models]
    if len(set(paths)) < len(paths):
        raise ChejilError(
            "two models have one file", mend="name each once, with another --out for a namesake"
        )
    found = []
    for model, path in zip(models, paths, strict=True):
        if Path(model).is_dir():
            found += _of_folder(
                model, prompts, path, options, system, spending, progress, folders or Folders()
            )
            continue
        if endpoint is None:
            mend = "--endpoint http://HOST/v1 for the name of a model, or a folder that is there"
            raise ChejilError(f"'{model[:80]}' is no folder, and there is no endpoint", mend=mend)
        with _kept(out, spending) as kept, Endpoint(endpoint, model) as client:
            answerer = EndpointAnswerer(client, kept, options, system)
            if spending.begin(_estimate(answerer, kept, prompts, spending.price)):
                found.append(_answered(answerer, client, prompts, path, concurrency, progress))
    return found


def _kept(out: str, spending: Spending) -> Transcripts:
    return Transcripts(Path(out) / TRANSCRIPTS, writable=not spending.dry)


def _of_folder(
    model: str,
    prompts: PromptSet,
    path: str,
    options: Mapping[str, Any],
    system: str | None,
    spending: Spending,
    progress: Progress,
    folders: Folders,
) -> list[Generated]:
    """A model's answers, one after the other; nothing of a dry run, which would load it."""
    from chejil.eval.judging.folder_answers import FolderAnswerer

    if spending.dry:
        return []
    with Transcripts(Path(path).parent / TRANSCRIPTS) as kept:
        answerer = FolderAnswerer(model, kept, options, system, folders.device, folders.template)
        return [_said(answerer, prompts, path, progress)]


def _said(answerer: Answerer, prompts: PromptSet, path: str, progress: Progress) -> Generated:
    stage = f"answer {answerer.name}"
    progress.start(stage, len(prompts.prompts), 0)
    found: list[Answer] = []
    failed: dict[str, str] = {}
    for prompt in prompts.prompts:
        try:
            found.append(answerer.answer(prompt))
        except NoReply as error:
            failed[prompt.id] = str(error)
        progress.advance(stage, prompt.id, error=failed.get(prompt.id))
    progress.finish(stage)
    return _written(answerer.name, path, found, failed)


def _written(model: str, path: str, found: list[Answer], failed: Mapping[str, str]) -> Generated:
    answers.write(path, found)
    cut = sum(one.finish == "length" for one in found)
    return Generated(model, path, len(found), cut, failed)


def _estimate(answerer: EndpointAnswerer, kept: Transcripts, prompts: PromptSet, price: Price) -> Estimate:
    bodies = [answerer.body(prompt) for prompt in prompts.prompts]
    new = [body for body in bodies if kept.get(body) is None]
    return cost.estimate(new, len(bodies) - len(new), _EXPECTED_ANSWER_TOKENS, price)


def _answered(
    answerer: Answerer, client: Endpoint, prompts: PromptSet, path: str, concurrency: int, progress: Progress
) -> Generated:
    asked = {prompt.id: prompt for prompt in prompts.prompts}
    found, failed = asking.ask_all(
        f"answer {answerer.name}", asked, answerer.answer, client, concurrency, progress
    )
    return _written(answerer.name, path, list(found.values()), failed)


def score(
    answer_paths: Sequence[str],
    prompts_path: str,
    endpoint: EndpointSettings,
    judge_model: str,
    settings: JudgeSettings,
    out: str,
    reference: str | None,
    spending: Spending,
    progress: Progress,
) -> Summary | None:
    """Judge answers; None of a dry run.

    Raises:
        ChejilError: a file is bad, or the endpoint refuses or is down; what came before is kept.
    """
    prompts = prompt_files.load(prompts_path)
    by_model = _by_model(answer_paths, prompts)
    if reference is not None and reference not in by_model:
        raise ChejilError(f"no answers of '{reference}'", mend=f"models: {', '.join(by_model)}")
    asked = questions(prompts, by_model, settings.rubric)
    if not asked:
        raise ChejilError(
            "nothing can be compared", mend="pairwise needs two files with answers to the same prompts"
        )
    with _kept(out, spending) as kept, Endpoint(endpoint, judge_model) as client:
        judge = Judge(client, kept, settings)
        if not spending.begin(judge.estimate(asked, spending.price)):
            return None
        found = judge.score(asked, progress)
    about = {
        "judge": judge_model,
        "settings": settings.model_dump(),
        "body": endpoint.body,
        "rubric_hash": judge.rubric.hash,
        "prompts": prompts.name,
        "prompts_hash": _hash([prompt.hash for prompt in prompts.prompts]),
        "answers": {model: len(mine) for model, mine in by_model.items()},
        "num_prompts": len(prompts.prompts),
        "chejil": __version__,
    }
    made = summary.summary(found, judge.rubric, about, reference)
    lines = b"".join(orjson.dumps(summary.row(one)) + b"\n" for one in found.judged)
    shards.write_bytes(out, SCORES, lines)
    shards.write_json(out, SUMMARY, summary.as_json(made))
    return made


def _hash(parts: Sequence[str]) -> str:
    import xxhash

    return xxhash.xxh3_64_hexdigest(" ".join(parts).encode())


def _by_model(paths: Sequence[str], prompts: PromptSet) -> dict[str, dict[str, Answer]]:
    found: dict[str, dict[str, Answer]] = {}
    for path in paths:
        mine = answers.read(path, prompts)
        names = {one.model for one in mine.values()}
        if len(names) > 1:
            raise ChejilError("answers of several models in one file", where=path, mend="a file a model")
        (name,) = names
        if name in found:
            raise ChejilError(f"a second file of the model '{name}'", where=path, mend="name each model once")
        found[name] = mine
    return found


def agree(first: str, second: str) -> list[Agreement]:
    """How far two judges agree, by criterion.

    Args:
        first: a folder that `score` has written.

    Raises:
        ChejilError: it is none, or they have nothing in common.
    """
    return agreement.of_rows(_rows(first), _rows(second))


def _rows(folder: str) -> list[dict[str, Any]]:
    path = Path(folder) / SCORES
    if not path.is_file():
        raise ChejilError(
            "there are no scores", where=str(path), mend="name a folder that judge score has written"
        )
    try:
        return [orjson.loads(line) for line in path.read_bytes().splitlines()]
    except orjson.JSONDecodeError as error:
        mend = "run judge score again: replies are kept, nothing is paid twice"
        raise ChejilError(f"damaged: {error}", where=str(path), mend=mend) from None
