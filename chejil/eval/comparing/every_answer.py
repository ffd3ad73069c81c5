"""All answers to all prompts, without anybody who votes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from chejil.curation.progress import Progress
from chejil.eval.chatting.speaker import Speaker
from chejil.eval.comparing import asking, rounds, votes, wins_view
from chejil.eval.comparing.asked_models import Asked
from chejil.eval.comparing.asking import Failed
from chejil.eval.comparing.wins import as_json, table
from chejil.eval.judging.prompts import PromptSet


def of(asked: Asked, speakers: Sequence[Speaker], prompts: PromptSet, bars: Progress) -> dict[str, Any]:
    """`rounds` in the order of the prompts, `failed` answers, `wins` if there are votes.

    Args:
        bars: where progress is told, a step a question.
    """
    found, failed = [], 0
    bars.start("questions", len(prompts.prompts), 0)
    for prompt in prompts.prompts:
        current = rounds.begun(prompt, asked.names, False, asked.seed, asked.sampling)
        with closing(asking.ask(speakers, current.messages(), current.sampling)) as events:
            for event in events:
                current.take(event)
        wrong = [answer.end.what for answer in current.answers if isinstance(answer.end, Failed)]
        failed += len(wrong)
        found.append(wins_view.answered(current))
        bars.advance("questions", prompt.id, wrong[0] if wrong else None)
    bars.finish("questions")
    box = votes.read(asked.votes)
    wins = as_json(table(box, asked.names)) if box.votes else None
    sampling = asked.sampling.model_dump()
    return {"models": asked.names, "sampling": sampling, "failed": failed, "rounds": found, "wins": wins}
