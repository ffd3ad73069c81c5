"""The live view, drawn on a recorded console and in a pseudo-terminal; the lines of a log."""

import errno
import io
import json
import math
import os
import pty
import re
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from chejil.training.loop import loss_curve, record_lines
from chejil.training.loop.live_view import JsonLines, Lines, Picture, live_view
from chejil.training.loop.loss_curve import LossCurve

TRAIN = {
    "kind": "train", "step": 120, "tokens": 245_760, "time": 0.0, "loss": 5.4321, "bits_per_byte": 1.9812,
    "grad_norm": 0.912, "learning_rate": 3e-3, "tokens_per_second": 12_300.4, "mfu": 0.412, "data_wait_share": 0.004,
    "memory_of": "device", "memory_bytes": 61_200_000_000, "seconds_left": 75.0,
}  # fmt: skip

EVALUATION = {
    "kind": "evaluation", "step": 100, "tokens": 0, "time": 0.0, "loss": 5.1, "bits_per_byte": 1.9,
    # "encyclopedia", "statutes"
    "sources": {
        "위키백과/ko": {"loss": 5.2, "bits_per_byte": 2.0},
        "법령/ko": {"loss": 4.9, "bits_per_byte": 1.5},
        "web/en": {"loss": 5.2, "bits_per_byte": 2.2},
    },
}  # fmt: skip


def drawn(records, width=80, height=40, num_steps=200, clock=lambda: 0.0, encoding="utf-8"):
    """What the picture shows."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    console = Console(file=file, force_terminal=True, width=width, height=height, color_system=None)
    view = Picture(console, "debug", num_steps, clock)
    for record in records:
        view.show(record)
    console.print(view.draw())
    file.seek(0)
    return file.read()


def curve_records(steps):
    return [TRAIN | {"step": step, "loss": 2 + 7 / step} for step in range(1, steps + 1)]


@pytest.mark.parametrize("width", [80, 120])
def test_all_that_matters_is_shown_within_the_width(width):
    """Values, curve, evaluation, checkpoint, skipped steps; no line is broken or cut."""
    records = [
        {
            "kind": "start",
            "step": 0,
            "device": "NVIDIA A100-SXM4-80GB",
            "num_devices": 256,
            "mfu_says": "MFU: 6n",
        },
        *curve_records(119),
        TRAIN,
        EVALUATION,
        {"kind": "checkpoint", "step": 100, "path": "checkpoints/step-00000100"},
        {"kind": "skip", "step": 87, "loss": 9.0},
    ]
    said = drawn(records, width)

    assert max(map(cell_len, said.splitlines())) <= width
    for part in (
        "debug  256 × NVIDIA A100-SXM4-80GB", "step 120/200", "60.0 %", "1:15 min left", "5.432", "1.981", "0.91",
        "3.00e-3", "12,300", "41.2 %", "0.4 %", "61.2 GB", "evaluation at step 100", "위키백과/ko",
        "checkpoints/step-00000100", "skipped: 1 step, the last one 87",
    ):  # fmt: skip
        assert part in said
    assert "…" not in said
    assert sum(set(line) & set("▁▂▃▄▅▆▇█") != set() for line in said.splitlines()) == 5


def test_korean_names_keep_the_columns_in_line():
    """Hangul is two columns wide: bits per byte end in the same column in all rows."""
    lines = [line for line in drawn([EVALUATION]).splitlines() if re.match(r"(위키백과|법령|web)/", line)]

    ends = {cell_len(line[: re.search(r"\d\.\d{3}", line).end()]) for line in lines}
    assert len(lines) == 3
    assert len(ends) == 1


def test_an_evaluation_says_what_changed():
    """Against the one before, by source and over all."""
    later = EVALUATION | {
        "step": 150, "bits_per_byte": 1.85, "sources": {"web/en": {"loss": 5.0, "bits_per_byte": 2.3}},
    }  # fmt: skip
    said = drawn([EVALUATION, later])

    assert re.search(r"web/en +2\.300 +\+0\.100 +5\.000", said)
    assert re.search(r"all +1\.850 +-0\.050", said)


def test_many_sources_do_not_push_the_rest_away():
    """Twelve are shown, the others counted."""
    sources = {f"s{number}/ko": {"bits_per_byte": 1.0} for number in range(40)}

    assert "… and 28 more" in drawn([EVALUATION | {"sources": sources}])


def test_names_cannot_steer_the_terminal():
    """Neither a source, a device nor the training's name; square brackets are no markup."""
    bad = "a\x1b[2Jb\x9bc[red]"
    evil = [
        {"kind": "start", "step": 0, "device": bad, "num_devices": 1, "mfu_says": bad},
        EVALUATION | {"sources": {bad: {"bits_per_byte": 1.0}}},
        {"kind": "checkpoint", "step": 1, "path": bad},
        {"kind": "end", "step": 1, "reason": bad},
    ]
    said = drawn(evil)
    log = io.StringIO()
    lines = Lines(Console(file=log, width=80), 200)
    for record in evil:
        lines.show(record)

    assert "\x1b[2J" not in said + log.getvalue()
    assert "\x9b" not in said + log.getvalue()
    assert "[red]" in said
    assert "[red]" in log.getvalue()


def test_a_step_that_hangs_is_said():
    """After ten seconds, with the time since the last one."""
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    view = Picture(console, "debug", 200, lambda: now[0])
    view.advance(3)
    now[0] = 125.0
    console.print(view.draw())

    assert "last step 2:05 min ago" in console.file.getvalue()


def test_a_terminal_without_unicode_gets_a_curve_of_letters():
    """An ASCII terminal is not sent blocks."""
    said = drawn(curve_records(50), encoding="ascii")

    assert "####" in said
    assert not set("▁▂▃▄▅▆▇█") & set(said)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            TRAIN,
            "step 120/200  loss 5.432  1.981 bits/byte  grad 0.91  lr 3.00e-3  12,300 tokens/s  MFU 41.2 %  "
            "1:15 min left",
        ),
        (TRAIN | {"loss": None, "mfu": None, "seconds_left": None, "tokens_per_second": None},
         "step 120/200  loss –  1.981 bits/byte  grad 0.91  lr 3.00e-3"),
        (EVALUATION, "step 100/200  evaluation  1.900 bits/byte (위키백과/ko 2.000, 법령/ko 1.500, web/en 2.200)"),
        ({"kind": "skip", "step": 87, "loss": 9.5, "grad_norm": None, "reason": "loss above 3.2"},
         "step 87/200  skipped  loss 9.500  grad –  loss above 3.2"),
        ({"kind": "checkpoint", "step": 100, "path": "checkpoints/step-00000100", "bytes": 14_000_000_000},
         "step 100/200  checkpoint  checkpoints/step-00000100  14.0 GB"),
        ({"kind": "resume", "step": 50, "name": "debug", "num_devices": 1, "device": "CPU", "cut_records": 7,
          "mfu_says": "no MFU: the peak of a CPU is not known"},
         "step 50/200  goes on, 7 records behind it cut off  debug  1 × CPU  no MFU: the peak of a CPU is not known"),
        ({"kind": "end", "step": 200, "reason": "done", "seconds": 7322.0}, "step 200/200  done  after 2:02 h"),
    ],
)  # fmt: skip
def test_a_log_gets_a_line_a_record(record, said):
    """However long it is, on one line, and without colour."""
    log = io.StringIO()
    with live_view(Console(file=log, width=40), "debug", 200) as view:
        view.advance(3)
        view.show(record)

    assert log.getvalue() == said + "\n"


def test_a_resumed_training_shows_what_was_before():
    """The curve is whole, and that it was interrupted is no longer true; a log does not say it all again."""
    before = [*curve_records(100), EVALUATION, {"kind": "end", "step": 100, "reason": "interrupted"}]
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    view = Picture(console, "debug", 200)
    view.recall(before)
    view.show({"kind": "resume", "step": 100, "name": "debug"})
    console.print(view.draw())
    log = io.StringIO()
    Lines(Console(file=log), 200).recall(before)

    assert len(view.curve.means) == 100
    assert "step 100/200" in console.file.getvalue()
    assert "interrupted" not in console.file.getvalue()
    assert log.getvalue() == ""


def test_json_for_a_program():
    """The records as they are, and notes."""
    log = io.StringIO()
    with live_view(Console(file=log, width=40), "debug", 200, json=True) as view:
        view.show(TRAIN)
        view.say("a warning")

    first, second = map(json.loads, log.getvalue().splitlines())
    assert isinstance(view, JsonLines)
    assert first == TRAIN
    assert (second["kind"], second["text"]) == ("note", "a warning")


class Gone(io.StringIO):
    """Where nobody reads any more: `tee` was ended, the connection broke."""

    def write(self, text):  # noqa: D102
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(errno.EIO, "Input/output error")])
@pytest.mark.parametrize("json", [False, True])
def test_a_training_goes_on_when_nobody_listens(error, json):
    """A closed pipe is no reason to end it."""
    gone = Gone()
    gone.error = error
    with live_view(Console(file=gone), "debug", 200, json) as view:
        view.show(TRAIN)
        view.say("a note")


@given(
    st.lists(st.floats(0, 1e5) | st.just(math.nan) | st.none(), max_size=2000),
    st.integers(0, 200),
    st.integers(2, 8),
)
def test_a_curve_of_any_losses_fits(losses, width, height):
    """As many lines and columns as were asked for, points bounded, NaN left out."""
    curve = LossCurve()
    for loss in losses:
        curve.add(loss)

    lines = curve.lines(width, height)

    assert len(curve.means) < loss_curve.MAX_POINTS
    assert {len(line) for line in lines} <= {width}
    assert len(lines) in (0, height)


def test_a_curve_keeps_means_of_all_losses():
    """10,000 of them are some hundred points, each the mean of as many."""
    curve = LossCurve()
    for loss in range(10_240):
        curve.add(float(loss))

    each = 10_240 // len(curve.means)
    plain = [sum(range(at, at + each)) / each for at in range(0, 10_240, each)]
    assert 256 <= len(curve.means) < 512
    assert curve.means == pytest.approx(plain)


def test_every_kind_of_record_has_its_line():
    """None is forgotten when a kind is added."""
    from chejil.training.loop import metrics

    assert set(record_lines._SAID) == set(metrics.KINDS)


SCRIPT = """
import os, signal, sys, time
from chejil import terminal
from chejil.training.loop.live_view import live_view
try:
    with live_view(terminal.STDERR, "debug", 200) as view:
        for step in range(1, 101):
            view.advance(step)
            view.show({"kind": "train", "step": step, "loss": 1 + 9 / step})
            time.sleep(0.01)
        if sys.argv[1] == "ctrl-c":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        raise RuntimeError("a rank has died")
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(("how", "code"), [("ctrl-c", 130), ("error", 1)])
def test_in_a_terminal_it_ends_cleanly(how, code):
    """Few drawings, the cursor given back, the last state standing, the error below it."""
    mine, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30"}
    running = subprocess.Popen([sys.executable, "-c", SCRIPT, how], stderr=theirs, stdout=theirs, env=env)
    os.close(theirs)
    said = bytearray()
    reader = threading.Thread(target=_drain, args=(mine, said))
    reader.start()
    ended = running.wait(timeout=60)
    reader.join()
    os.close(mine)
    text = said.decode()

    assert ended == code
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert "step 100/200" in text.rpartition("\x1b[2K")[2]
    assert text.count("step ") <= 4 + 2 * 4  # first, last, and two a second
    assert ("a rank has died" in text.rpartition("\x1b[?25h")[2]) == (how == "error")


def _drain(descriptor, said):
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux says so when the other side is closed
            return
        if not part:
            return
        said += part


def test_a_suite_stands_below_the_evaluation_with_what_it_changed():
    """Tasks and their mean; what changed is told of the suite before, not of the evaluation between."""
    task = {"acc": 0.55, "gold_prob": 0.512, "num_items": 100}
    first = {
        "kind": "suite", "step": 50, "tokens": 0, "time": 0.0, "suite": "kobest", "num_items": 100,
        "acc": 0.55, "gold_prob": 0.512, "tasks": {"kobest_copa": task},
    }  # fmt: skip
    second = {**first, "step": 100, "tasks": {"kobest_copa": {**task, "gold_prob": 0.53}}}

    found = drawn([first, EVALUATION, second])

    assert "kobest at step 100" in found
    assert found.index("evaluation at step") < found.index("kobest at step")
    (line,) = [line for line in found.splitlines() if "kobest_copa" in line]
    assert line.split() == ["kobest_copa", "0.530", "+0.018", "0.550", "100"]
