"""A document as pieces: what stood there before the transforms, what stands there now, and which rules made it so.

The edits of a transform have offsets in the text that this transform read, so those of two transforms cannot be laid
side by side. Here they are laid over one another: each piece knows its text before all transforms and after them, so
the pieces joined are the document before, or the document after, and what lies between is drawn where it belongs. An
edit that reaches into a piece that an earlier one made takes that piece whole. One pass from the end over pieces and
edits, about 6 µs an edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """What was done to a piece, or found in it: the stage, and its rule (of an evaluation hit its task)."""

    stage: str
    rule: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a document, in bytes that are whole characters; unchanged if `before` is `after`.

    A changed piece has marks; an unchanged one has them where something was found and left.
    """

    before: bytes
    after: bytes
    marks: tuple[Mark, ...] = ()

    @property
    def changed(self) -> bool:
        """True if a transform wrote here."""
        return self.before is not self.after

    def __len__(self) -> int:
        return len(self.after)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end` of the text that the stage read; `after` stands there now, None: it was only found."""

    start: int
    end: int
    mark: Mark
    after: bytes | None


def pieces(text: str, layers: Iterable[Sequence[Span]]) -> list[Piece]:
    """A text and the spans of stage after stage, each sorted and without overlaps.

    >>> [(p.before, p.after) for p in pieces("abcd", [[Span(1, 3, Mark("mask_pii", "phone"), b"#")]])]
    [(b'a', b'a'), (b'bc', b'#'), (b'd', b'd')]
    """
    # A view is cut without a copy: a line of 16 MB with a hundred thousand spans is not copied as often.
    whole: Any = memoryview(text.encode())
    found = [Piece(whole, whole)] if whole else []
    for spans in layers:
        found = _laid_over(found, spans)
    return [_held(piece) for piece in found]


def _held(piece: Piece) -> Piece:
    if piece.changed:
        return piece
    own = bytes(piece.after)
    return Piece(own, own, piece.marks)


def before(found: Iterable[Piece]) -> str:
    """The text before the transforms."""
    return b"".join(piece.before for piece in found).decode()


def after(found: Iterable[Piece]) -> str:
    """The text after them."""
    return b"".join(piece.after for piece in found).decode()


def _laid_over(found: list[Piece], spans: Sequence[Span]) -> list[Piece]:
    left, done = list(found), list[Piece]()
    end = sum(map(len, left))  # where the last piece of `left` ends, in the text that the stage read
    for span in reversed(spans):
        while left and end - len(left[-1]) >= span.end:
            end -= len(left[-1])
            done.append(left.pop())
        covered = list[Piece]()
        if left and end > span.end and not left[-1].changed:
            piece, rest = _cut(left.pop(), span.end - end)
            done.append(rest)
            left.append(piece)
            end = span.end
        covered_end = end
        while left and end > span.start:
            piece = left.pop()
            end -= len(piece)
            if end < span.start and not piece.changed:
                rest, piece = _cut(piece, span.start - end)
                left.append(rest)
                end = span.start
            covered.append(piece)
        covered.reverse()
        made = _made(covered, span, span.start - end, covered_end - span.end)
        left += made
        end += sum(map(len, made))
    return left + done[::-1]


def _cut(piece: Piece, at: int) -> tuple[Piece, Piece]:
    first, second = piece.after[:at], piece.after[at:]
    return Piece(first, first, piece.marks), Piece(second, second, piece.marks)


def _made(covered: list[Piece], span: Span, num_before: int, num_behind: int) -> list[Piece]:
    """What a span makes of the pieces it covers; so many bytes of them stand before it and behind it, and stay."""
    if span.after is None:
        return [
            Piece(p.before, p.after, (*p.marks, span.mark)) if p.changed else _marked(p, span)
            for p in covered
        ]
    was = b"".join(piece.before for piece in covered)
    now = b"".join(piece.after for piece in covered)
    now = now[:num_before] + span.after + now[len(now) - num_behind :]
    marks = dict.fromkeys(mark for piece in covered for mark in piece.marks)
    return [Piece(was, now, (*marks, span.mark))]


def _marked(piece: Piece, span: Span) -> Piece:
    return Piece(piece.after, piece.after, (*piece.marks, span.mark))
