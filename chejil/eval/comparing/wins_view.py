"""The win table in a terminal, and every answer for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType

from chejil.eval.chatting.speaker import Spoken
from chejil.eval.comparing.rounds import Round
from chejil.eval.comparing.wins import PairWins, WinTable
from chejil.terminal import table


def wins(found: WinTable) -> Iterator[RenderableType]:
    """Pairs, strengths, and what was wrong with the file."""
    if not found.pairs:
        yield "no votes yet"
    else:
        heads = (
            "first",
            "second",
            "wins>",
            "ties>",
            "all bad>",
            "losses>",
            "win rate>",
            "95 %>",
            "p (Holm)>",
            "verdict",
        )
        yield table(heads, map(_pair, found.pairs))
    if found.strengths:
        rows = (
            (one.model, one.votes, f"{one.points:+.0f}", f"{one.low:+.0f} – {one.high:+.0f}")
            for one in found.strengths
        )
        yield table(("model", "votes>", "Elo points>", "95 %>"), rows)
    yield f"{found.votes:,} votes ({found.blind:,} blind) on {found.questions:,} questions by {found.voters:,} voters"
    yield from found.notes
    if found.replaced:
        yield f"{found.replaced:,} votes were replaced: their voter voted again on the same answers"
    if found.broken:
        yield f"{len(found.broken):,} lines are no votes, the first is line {found.broken[0]:,}"
    if found.torn:
        yield f"{found.torn:,} torn votes were set aside"


def _pair(pair: PairWins) -> tuple[Any, ...]:
    return (
        pair.first, pair.second, pair.wins, pair.ties, pair.all_bad, pair.losses, f"{pair.rate:.0%}",
        f"{pair.low:.0%} – {pair.high:.0%}", f"{pair.p_holm:.3g}", verdict(pair),
    )  # fmt: skip


def verdict(pair: PairWins) -> str:
    """In words: who is better, or how many votes are missing."""
    if pair.verdict != "not decided":
        return f"{pair.first if pair.verdict == 'first' else pair.second} is better"
    if pair.more_votes is not None:
        return f"not decided: about {pair.more_votes:,} more votes"
    return f"not decided: less apart than {100 * min(0.5, pair.detectable):.0f} points would not show"


def answered(current: Round) -> Mapping[str, Any]:
    """A round as JSON: each model's answer with its speed, or why there is none."""
    answers = []
    for name, answer in zip(current.models, current.answers, strict=True):
        end = answer.end
        if isinstance(end, Spoken):
            facts = {field: getattr(end, field) for field in Spoken.__dataclass_fields__ if field != "text"}
            answers.append({"model": name, "text": answer.text, "failed": None, **facts})
        else:
            answers.append({"model": name, "text": answer.text, "failed": end.what if end else "stopped"})
    return {"question_id": current.question_id, "question": current.question, "answers": answers}
