"""What stands around a number: the label before it, the unit after it, the marks that glue it to something longer.

A number is told by its label as often as by its shape: 10 digits after 입금 are an account, after 접수 a receipt. The
label is looked for in the MAX_GAP characters before the number that hold no digit, and the nearest one decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from chejil.filters.pii_labels import OTHERS, Labels, banks_after, banks_before, units

MAX_GAP = 40
BYTES_BEFORE, BYTES_AFTER = 240, 90

_WIDE = str.maketrans("０１２３４５６７８９", "0123456789")
_GAP = re.compile(r"[^0-9０-９]*\Z")
_PHONE_GLUE = re.compile(
    r"(?:^|[^a-z0-9])(?:[tmhcfp]|tel|hp|h\.p|c\.p|fax|mobile|phone|cell)[.:\-]?\Z", re.IGNORECASE
)
_GLUED = re.compile(r"(?:[A-Za-z0-9_]|[A-Za-z0-9_][-_.]|[0-9],|[$₩￦€£#%@\\])\Z", re.ASCII)
_GLUED_AFTER = re.compile(r"[A-Za-z_]|[-_][A-Za-z0-9]|@[A-Za-z]|,\d{3}(?!\d)", re.ASCII)
_ADDRESS_OF_PAGE = re.compile(
    r"(?:://|www\.)\S*\Z|[?&]\S*=\Z|(?:^|\s)(?!tel|fax|phone|mobile|hp)(?:\.{0,2}|[\w.-]*[a-z][\w.-]*)/[\w./-]*\Z",
    re.ASCII | re.IGNORECASE,
)
_TOKEN_CHARS = 100  # of an address: the last ones tell


@dataclass(frozen=True)
class Window:
    """A value as it stands in the text, with what stands before and after it."""

    before: str
    value: str
    after: str

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Its digit groups, in ASCII."""
        return tuple(re.findall("[0-9]+", self.value.translate(_WIDE)))

    @cached_property
    def digits(self) -> str:
        """All its digits, in ASCII."""
        return "".join(self.groups)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its groups."""
        return tuple(map(len, self.groups))

    @cached_property
    def joints(self) -> tuple[str, ...]:
        """What stands between its groups, spaces around a mark left out."""
        return tuple(joint.strip() or " " for joint in re.split("[0-9]+", self.value.translate(_WIDE))[1:-1])

    @cached_property
    def is_spaced(self) -> bool:
        """Whether spaces alone join its groups."""
        return set(self.joints) == {" "}

    @cached_property
    def is_one_run(self) -> bool:
        """Whether it is digits in a row."""
        return len(self.groups) == 1

    @cached_property
    def gap(self) -> str:
        """What stands before it, back to a digit, a blank line, or MAX_GAP characters."""
        near = self.before[-MAX_GAP:]
        return near[_GAP.search(near).start() :].rpartition("\n\n")[2]  # type: ignore[union-attr]

    @cached_property
    def labels(self) -> Labels:
        """What the words before it call it."""
        return Labels.of(self.gap)

    def has(self, kind: str) -> bool:
        """Whether a label before it names this kind."""
        return kind in self.labels.kinds

    @cached_property
    def is_other(self) -> bool:
        """Whether the nearest label names something that is no personal data, or it is a part of something longer."""
        if self.labels.other == OTHERS or self.is_glued:
            return True
        near = self.before[-_TOKEN_CHARS:].rpartition("\n")[2]
        return ("/" in near or "=" in near or "www." in near) and _ADDRESS_OF_PAGE.search(near) is not None

    @cached_property
    def is_weak_other(self) -> bool:
        """The same for a number whose shape says little: also by a unit after it or a general word before it."""
        is_amount = self.is_one_run and units().match(self.after) is not None
        return self.is_other or self.labels.other is not None or is_amount

    @cached_property
    def is_glued(self) -> bool:
        """Whether letters or digits touch it, apart from the T of a telephone."""
        before = _GLUED.search(self.before[-2:]) is not None and _PHONE_GLUE.search(self.before[-8:]) is None
        return before or _GLUED_AFTER.match(self.after) is not None

    @cached_property
    def bank(self) -> bool:
        """Whether the name of a bank stands right before or after it."""
        return banks_before().search(self.gap) is not None or banks_after().match(self.after) is not None

    def label_after(self, kind: str) -> bool:
        """Whether a label stands right after it, no digit between."""
        return kind in Labels.of(re.match(r"[^0-9\n]{0,12}", self.after).group()).kinds  # type: ignore[union-attr]
