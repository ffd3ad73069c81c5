"""Records of a training in words: a line a record, for logs, and the parts that the live view is made of."""

from __future__ import annotations

from typing import Any

from chejil.curation.progress_display import duration
from chejil.terminal import visible

Record = dict[str, Any]

MAX_SOURCES = 8
"""Sources in a line of an evaluation."""


def line(record: Record, num_steps: int) -> str:
    """A record in one line, safe to print.

    >>> line({"kind": "train", "step": 120, "loss": 5.4321, "bits_per_byte": 1.98, "mfu": None}, 200)
    'step 120/200  loss 5.432  1.980 bits/byte'
    """
    said = _SAID[record["kind"]](record)
    return visible(f"step {record['step']:,}/{num_steps:,}  {said}").replace("\n", " ")


def number(value: float | None, digits: int = 3) -> str:
    """A value with so many digits behind the point; a dash where there is none.

    >>> number(1.23456), number(None)
    ('1.235', '–')
    """
    return "–" if value is None else f"{value:,.{digits}f}"


def rate(value: float | None) -> str:
    """A learning rate.

    >>> rate(0.003), rate(1.25e-05)
    ('3.00e-3', '1.25e-5')
    """
    if value is None:
        return "–"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def share(value: float | None) -> str:
    """Percent.

    >>> share(0.198), share(None)
    ('19.8 %', '–')
    """
    return "–" if value is None else f"{value:.1%}".replace("%", " %")


def gigabytes(value: float | None) -> str:
    """Bytes, as 1e9.

    >>> gigabytes(61_240_000_000), gigabytes(3_200_000)
    ('61.2 GB', '0.0032 GB')
    """
    if value is None:
        return "–"
    return f"{value / 1e9:,.1f} GB" if value >= 1e9 else f"{value / 1e9:.2g} GB"


def _start(record: Record) -> str:
    cut = record.get("cut_records")
    again = f"goes on, {cut:,} records behind it cut off  " if cut else "goes on  "
    devices = f"{record.get('num_devices', 1):,} × {record.get('device', 'device')}"
    begun = again if record["kind"] == "resume" else "begins  "
    return f"{begun}{record.get('name', '')}  {devices}  {record.get('mfu_says', '')}".rstrip()


def _train(record: Record) -> str:
    said = {
        "loss": f"loss {number(record.get('loss'))}",
        "bits_per_byte": f"{number(record.get('bits_per_byte'))} bits/byte",
        "grad_norm": f"grad {number(record.get('grad_norm'), 2)}",
        "learning_rate": f"lr {rate(record.get('learning_rate'))}",
        "tokens_per_second": f"{number(record.get('tokens_per_second'), 0)} tokens/s",
        "mfu": f"MFU {share(record.get('mfu'))}",
        "seconds_left": f"{duration(record.get('seconds_left'))} left",
    }
    # A loss that is no number is news; an MFU that is none has been said at the beginning.
    return "  ".join(text for key, text in said.items() if key == "loss" or record.get(key) is not None)


def _evaluation(record: Record) -> str:
    sources = record.get("sources") or {}
    named = [f"{name} {number(part.get('bits_per_byte'))}" for name, part in sources.items()]
    more = [f"{len(named) - MAX_SOURCES} more"] if len(named) > MAX_SOURCES else []
    by_source = f" ({', '.join(named[:MAX_SOURCES] + more)})" if named else ""
    return f"evaluation  {number(record.get('bits_per_byte'))} bits/byte{by_source}"


def _suite(record: Record) -> str:
    tasks = {name: part.get("gold_prob") for name, part in (record.get("tasks") or {}).items()}
    named = [f"{name} {number(value)}" for name, value in tasks.items()]
    more = [f"{len(named) - MAX_SOURCES} more"] if len(named) > MAX_SOURCES else []
    shown = ", ".join(named[:MAX_SOURCES] + more)
    return (
        f"suite {record.get('suite', '')}  acc {number(record.get('acc'))}  "
        f"p(right) {number(record.get('gold_prob'))} ({shown})"
    )


def _skip(record: Record) -> str:
    loss, norm = number(record.get("loss")), number(record.get("grad_norm"), 2)
    return f"skipped  loss {loss}  grad {norm}  {record.get('reason', '')}".rstrip()


def _checkpoint(record: Record) -> str:
    size = f"  {gigabytes(record['bytes'])}" if record.get("bytes") else ""
    return f"checkpoint  {record.get('path', '')}{size}"


def _end(record: Record) -> str:
    seconds = record.get("seconds")
    return f"{record.get('reason', 'done')}{f'  after {duration(seconds)}' if seconds is not None else ''}"


_SAID = {
    "start": _start,
    "resume": _start,
    "train": _train,
    "evaluation": _evaluation,
    "suite": _suite,
    "skip": _skip,
    "checkpoint": _checkpoint,
    "end": _end,
}
