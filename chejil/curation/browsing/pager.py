"""A pager of documents: what is on the screen, and what each key does to it. It knows no terminal, so it is tested
without one; `show` lends it one.

Documents come one at a time. Those that were seen are held up to 64 MB of text, so one can go back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.text import Text

from chejil.curation.browsing.document_page import page
from chejil.curation.browsing.keys import keyboard
from chejil.curation.browsing.readings import Reading
from chejil.terminal import visible

HELD_CHARS = 64_000_000
MAX_DRAWN_CHARS = 200_000
"""Of one document; wrapping takes 1 s for a million."""

HELP = (
    "n → next document   p ← the one before   j ↓ k ↑ a line   space b a screen   g G top, end   "
    "/ search   c changes   q quit"
)


class Pager:
    """Documents on a screen of so many columns and lines."""

    def __init__(self, documents: Iterator[Reading], width: int, height: int, changes: bool = True) -> None:
        self._coming = documents
        self._held: list[Reading] = []
        self._gone = 0  # documents before `_held`
        self.number = -1
        self.top = 0
        self.changes = changes
        self.message = ""
        self.query = ""
        self.typing: str | None = None
        self.resize(width, height)
        self.go(0)

    @property
    def reading(self) -> Reading | None:
        """The document on the screen; None if there is none at all."""
        return self._held[self.number - self._gone] if self.number >= 0 else None

    def resize(self, width: int, height: int) -> None:
        """The screen has another size."""
        self.width, self.height = max(width, 8), max(height, 3)
        self._draw()

    def _draw(self) -> None:
        """Wrap the document; a Hangul syllable takes two columns, and none is cut in half."""
        self.lines: list[Text] = []
        if self.number >= 0 and self.reading is not None:
            console = Console(width=self.width, color_system=None)
            for line in page(self.reading, self.changes, MAX_DRAWN_CHARS):
                self.lines += line.wrap(console, self.width, tab_size=4) or [Text()]

    def go(self, number: int) -> bool:
        """Show a document, by its number from 0; False if there is none."""
        while number >= self._gone + len(self._held):
            coming = next(self._coming, None)
            if coming is None:
                self.message = "no more documents" if self.number >= 0 else "no document is like that"
                return False
            self._held.append(coming)
            self._forget()
        if number < self._gone:
            self.message = "no document before this one" + (" is held any more" if self._gone else "")
            return False
        self.number, self.top = number, 0
        self._draw()
        return True

    def _forget(self) -> None:
        chars = sum(len(piece) for reading in self._held for piece in reading.pieces)
        while chars > HELD_CHARS and len(self._held) > 1:
            chars -= sum(map(len, self._held.pop(0).pieces))
            self._gone += 1

    def press(self, key: str) -> bool:
        """Do what a key stands for; False if that is to end."""
        self.message = ""
        if self.typing is not None:
            self._type(key)
        elif key in ("q", "Q", "escape", "interrupt"):
            return False
        elif key in ("n", "right"):
            self.go(self.number + 1)
        elif key in ("p", "left"):
            self.go(self.number - 1)
        elif key == "/":
            self.typing = ""
        elif key == "c":
            self.changes = not self.changes
            self._draw()
            self._scroll(self.top)
        elif key in ("h", "?"):
            self.message = HELP
        else:
            self._move(key)
        return True

    def _move(self, key: str) -> None:
        screen = self.height - 1
        steps = {"j": 1, "down": 1, "enter": 1, "k": -1, "up": -1, " ": screen, "page down": screen, "f": screen,
                 "b": -screen, "page up": -screen, "g": -len(self.lines), "home": -len(self.lines),
                 "G": len(self.lines), "end": len(self.lines)}  # fmt: skip
        if key not in steps:
            self.message = HELP
        elif key == " " and self.top + screen >= len(self.lines):
            self.go(self.number + 1)
        else:
            self._scroll(self.top + steps[key])

    def _scroll(self, top: int) -> None:
        self.top = max(0, min(top, len(self.lines) - (self.height - 1)))

    def _type(self, key: str) -> None:
        assert self.typing is not None
        if key == "enter":
            self.query, self.typing = self.typing or self.query, None
            self._search()
        elif key in ("escape", "interrupt") or (key == "backspace" and not self.typing):
            self.typing = None
        elif key == "backspace":
            self.typing = self.typing[:-1]
        elif len(key) == 1 and key.isprintable():
            self.typing += key

    def _search(self) -> None:
        """Go to the next line that holds what was searched for, in this document or one behind it."""
        if not self.query:
            return
        number, top, first = self.number, self.top, self.top + 1
        while True:
            found = next(
                (at for at in range(first, len(self.lines)) if self._matches(self.lines[at].plain)), None
            )
            if found is not None:
                self._scroll(found)
                return
            if not self._go_to_match():
                break
            first = 0
        self.go(number)
        self.top, self.message = top, f"not found below: {visible(self.query)}"

    def _go_to_match(self) -> bool:
        while self.go(self.number + 1):
            if any(self._matches(line.plain) for line in self.lines):
                return True
        return False

    def _matches(self, line: str) -> bool:
        return self.query.casefold() in line.casefold()

    def screen(self) -> RenderableType:
        """What is to be seen: the lines of the document, and the line at the bottom."""
        shown = self.lines[self.top : self.top + self.height - 1]
        shown = [self._highlighted(line) for line in shown]
        shown += [Text("~", "bright_black")] * (self.height - 1 - len(shown))
        return Group(*shown, self._status())

    def _highlighted(self, line: Text) -> Text:
        if not self.query:
            return line
        line = line.copy()
        line.highlight_words([visible(self.query)], "reverse", case_sensitive=False)
        return line

    def _status(self) -> Text:
        if self.typing is not None:
            said = f"/{visible(self.typing)}"
        elif self.message:
            said = self.message
        else:
            last = min(len(self.lines), self.top + self.height - 1)
            place = f"lines {self.top + 1}–{last} of {len(self.lines)}"
            said = f"document {self.number + 1}   {place}   n p j k / c q, h help"
        status = Text(said, "reverse", no_wrap=True)
        status.truncate(self.width, overflow="ellipsis")
        return status


def show(documents: Iterator[Reading], console: Console, changes: bool = True) -> None:
    """Page through documents on a terminal until the reader quits."""
    with suppress(KeyboardInterrupt), keyboard() as keys:
        with console.status("reading"):
            pager = Pager(documents, *console.size, changes=changes)
        with console.screen() as screen:
            screen.update(pager.screen())
            for key in keys:
                if not pager.press(key):
                    return
                if (pager.width, pager.height) != tuple(console.size):
                    pager.resize(*console.size)
                screen.update(pager.screen())
