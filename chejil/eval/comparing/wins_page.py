"""The win table as HTML: numbers, intervals as bars, and in words what they decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chejil.curation.exploring.marked_text import escaped
from chejil.eval.comparing.labels import Say
from chejil.eval.comparing.strengths import Strength
from chejil.eval.comparing.wins import PairWins, WinTable


def table(found: WinTable, say: Say) -> str:
    """Pairs, and strengths where there are three models or more."""
    if not found.pairs:
        return f"<p>{say('No votes yet.')}{_faults(found, say)}</p>"
    about = say(
        "Votes: {votes} · of them blind: {blind} · questions: {questions}",
        votes=found.votes, questions=found.questions, blind=found.blind,
    )  # fmt: skip
    notes = f"<p>{escaped(' · '.join(found.notes))}</p>" if found.notes else ""
    return f"<p>{about}{_faults(found, say)}</p>{_pairs(found.pairs, say)}{_strengths(found.strengths, say)}{notes}"


def _faults(found: WinTable, say: Say) -> str:
    said = []
    if found.replaced:
        said.append(say("{count} votes were replaced by later ones", count=found.replaced))
    if found.broken:
        said.append(say("{count} lines are no votes", count=len(found.broken)))
    if found.torn:
        said.append(say("{count} torn votes were set aside", count=found.torn))
    return "".join(f" · {one}" for one in said)


def _pairs(pairs: Sequence[PairWins], say: Say) -> str:
    heads = [(say("Pair"), True), (say("wins"), False), (say("ties"), False), (say("all bad"), False),
             (say("losses"), False), (say("win rate"), False), (say("95 % interval"), False), ("", False),
             (say("verdict"), True)]  # fmt: skip
    rows = (_pair(pair, say) for pair in pairs)
    return _table(say("The first of each pair against the second"), heads, rows)


def _pair(pair: PairWins, say: Say) -> list[str]:
    name = f"{escaped(pair.first)} : {escaped(pair.second)}"
    counts = [f"{count:,}" for count in (pair.wins, pair.ties, pair.all_bad, pair.losses)]
    ends = f"{pair.low:.0%} – {pair.high:.0%}"
    bar = (
        f'<div class="cj-bar" aria-hidden="true"><i style="left:{100 * pair.low:.1f}%;'
        f'width:{100 * (pair.high - pair.low):.1f}%"></i><b style="left:{100 * pair.rate:.1f}%"></b></div>'
    )
    return [name, *counts, f"{pair.rate:.0%}", ends, bar, verdict(pair, say, escaped)]


def verdict(pair: PairWins, say: Say, plain: object = str) -> str:
    """In words: who is better, or how many votes are missing."""
    if pair.verdict != "not decided":
        name = pair.first if pair.verdict == "first" else pair.second
        return say("{name} is better", name=plain(name))  # type: ignore[operator]
    if pair.more_votes is not None:
        return say("not decided: about {count} more votes", count=f"{pair.more_votes:,}")
    return say(
        "not decided: less apart than {points} points would not show",
        points=f"{100 * min(0.5, pair.detectable):.0f}",
    )


def _strengths(strengths: Sequence[Strength], say: Say) -> str:
    if not strengths:
        return ""
    heads = [
        (say("Model"), True),
        (say("votes"), False),
        (say("Elo points"), False),
        (say("95 % interval"), False),
    ]
    rows = (
        [escaped(one.model), f"{one.votes:,}", f"{one.points:+.0f}", f"{one.low:+.0f} – {one.high:+.0f}"]
        for one in strengths
    )
    return _table(say("Strengths by Bradley and Terry, around 0"), heads, rows)


def _table(caption: str, heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> str:
    kinds = [' class="cj-word"' if is_word else "" for _, is_word in heads]
    first = "".join(
        f'<th scope="col"{kind}>{name}</th>' if name else "<td></td>"
        for (name, _), kind in zip(heads, kinds, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="cj-wide" tabindex="0" role="region" aria-label="{caption}"><table class="cj-wins">'
        f"<caption>{caption}</caption><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>"
    )
