"""How counted conversations and an audit are drawn in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import RenderableType
from rich.text import Text

from chejil import terminal
from chejil.training.conversations.audit_findings import Audit
from chejil.training.conversations.conversation import REASONS
from chejil.training.conversations.conversation_counts import MANY_ANSWERS, ConversationCounts, FileCounts

_VERDICTS = {"ok": "green", "note": "yellow", "refused": "bold red"}
_EXCERPT_CHARS = 100


def counts(found: ConversationCounts) -> Iterator[RenderableType]:
    """Tables of files, kinds, lengths and quarantined records, and the audit."""
    yield _files(found)
    if found.conversations:
        yield _kinds(found)
        yield f"lengths in {found.unit}" + (
            "" if found.audit is None else f", template {found.audit.template}"
        )
        columns = next(iter(found.lengths.values()))
        rows = [(name, *(int(value) for value in row.values())) for name, row in found.lengths.items()]
        yield terminal.table(["of", *(f"{name}>" for name in columns)], rows)
    if found.reasons:
        yield from _quarantined(found)
    if found.audit is not None:
        yield from audit(found.audit)


def _files(found: ConversationCounts) -> RenderableType:
    rows = [
        (
            file.file,
            ", ".join(file.layouts),
            *_numbers(file),
            file.failed or ("not to its end" if file.is_torn else ""),
        )
        for file in found.files
    ]
    if len(rows) > 1:
        sums = map(sum, zip(*map(_numbers, found.files), strict=True))
        rows.append(("all", "", *sums, ""))
    names = ["file", "layouts", "records>", "conversations>", "quarantined>", "left out>", "unread"]
    return terminal.table(names, rows)


def _numbers(file: FileCounts) -> tuple[int, ...]:
    return file.records, file.conversations, file.quarantined, file.left_out


def _kinds(found: ConversationCounts) -> RenderableType:
    answers = {
        f"{key}{'+' if key == MANY_ANSWERS else ''}": count
        for key, count in sorted(found.num_answers.items())
    }
    rows = [
        ("languages", _shares(dict(found.languages.most_common()), found.conversations)),
        ("answers", _shares(answers, found.conversations)),
        ("with a system message", f"{found.with_system:,}"),
        ("with an input", f"{found.with_input:,}"),
        ("exact duplicates", f"{found.duplicates:,}"),
        ("prompts again, other answer", f"{found.prompts_again:,}"),
    ]
    return terminal.table(["conversations", ""], rows)


def _shares(numbers: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{name} {count:,} ({count / total:.1%})" for name, count in numbers.items())


def _quarantined(found: ConversationCounts) -> Iterator[RenderableType]:
    rows = [(reason, number, REASONS[reason]) for reason, number in found.reasons.most_common()]
    yield terminal.table(["quarantined", "count>", "what it is"], rows)
    first = [
        (
            f"{fault.file}:{fault.line}",
            reason,
            fault.detail,
            fault.excerpt.replace("\n", " ")[:_EXCERPT_CHARS],
        )
        for reason, _ in found.reasons.most_common()
        for fault in found.first[reason]
    ]
    yield terminal.table(["first", "reason", "detail", "record"], first)


def audit(found: Audit) -> Iterable[RenderableType]:
    """The checks, what mends them, and the sample: what is learnt in green."""
    rows = [
        (finding.name, Text(finding.verdict, _VERDICTS[finding.verdict]), finding.said)
        for finding in found.findings
    ]
    table = terminal.table(["audit", "", ""], [])
    for name, verdict, said in rows:
        table.add_row(name, verdict, Text(terminal.visible(said)))
    yield table
    for finding in found.findings:
        if finding.mend:
            yield f"  {finding.name}: {finding.mend}"
    yield f"the first conversation; what is learnt is green, between ⟦ and ⟧ ({found.tokenizer})"
    yield sample(found)


def sample(found: Audit) -> Text:
    """The sample, what is learnt in green and in brackets, which a pipe keeps."""
    text = Text()
    for piece in found.sample:
        shown = terminal.visible(piece["text"])
        text.append(f"⟦{shown}⟧" if piece["learnt"] else shown, "bold green" if piece["learnt"] else "dim")
    return text
