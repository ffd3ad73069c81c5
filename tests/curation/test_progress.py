"""Progress: what it says of a run is what the run has done, in a terminal, in a log and for a program."""

import io
import json
import time
from collections import defaultdict

import pytest
from rich.console import Console

from chejil.curation import progress
from chejil.curation.progress import Pace, Work
from chejil.curation.progress_display import Bars, JsonLines, Lines, display
from chejil.curation.run import run


def console(**options):
    return Console(file=io.StringIO(), width=160, **options)


def events(shown):
    return [json.loads(line) for line in shown.file.getvalue().splitlines()]


@pytest.fixture(scope="module")
def told(small_recipe, tmp_path_factory):
    """The events of a run and of the same one again, and its manifest."""
    root, first, again = str(tmp_path_factory.mktemp("progress") / "run"), console(), console()
    found = run(small_recipe(), root, progress=JsonLines(first))
    run(small_recipe(), root, progress=JsonLines(again))
    return events(first), events(again), found


def test_each_stage_ends_with_all_documents_and_bytes(told):
    """As the manifest counts them; a gather stage has units alone."""
    first, _, found = told
    ended = {event["stage"]: event for event in first if event["event"] == "stage"}

    assert ended["documents"]["documents"] == ended["decisions"]["documents"] == found.documents
    assert ended["decisions"]["text_bytes"] == sum(row["bytes"] for row in found.funnel)
    assert ended["near_dedup/clusters"]["documents"] == 0
    assert all(event["units"] == event["units_done"] for event in ended.values())


def test_the_time_left_runs_out(told):
    """At the last unit of every stage."""
    by_stage = defaultdict(list)
    for event in told[0]:
        if event["event"] == "unit":
            by_stage[event["stage"]].append(event["seconds_left"])

    assert by_stage
    assert all(left[-1] == 0 and left[0] >= 0 for left in by_stage.values())


def test_what_was_done_before_is_no_pace(told):
    """A run that has nothing to do has no documents a second."""
    ended = [event for event in told[1] if event["event"] == "stage"]

    assert ended
    for event in ended:
        assert event["units_as_before"] == event["units"]
        assert (event["documents"], event["documents_per_second"], event["mb_per_second"]) == (0, None, None)


def test_the_time_left_follows_the_weights():
    """A shard of nine megabytes, of ten in all: a ninth of the time so far is left."""
    pace = Pace("signals", 2, 0, {"large": 9_000_000, "small": 1_000_000}, started=time.monotonic() - 90)
    assert pace.seconds_left is None

    pace.add("large", Work(1, 9_000_000))

    assert pace.seconds_left == pytest.approx(10, abs=0.5)


def test_a_log_gets_a_line_a_stage_and_one_now_and_then():
    """With units, pace and the time left."""
    shown = console()
    lines = Lines(shown, every_seconds=0)
    lines.start("signals", 3, 1, {"a": 50, "b": 50})
    lines.advance("signals", "a", work=Work(1000, 4_000_000))
    lines.advance("signals", "b", "no such file", Work())
    lines.finish("signals")

    middle, stopped, last = shown.file.getvalue().splitlines()
    assert middle.startswith("signals: 2 of 3, ")
    assert all(said in middle for said in (" documents/s, ", " MB/s, "))
    assert middle.endswith(" left")
    assert stopped == "stopped: no such file"
    assert last.startswith("signals: 3 units, 1 as before, ")


def test_a_terminal_has_bars_that_end_full():
    """A stage without anything to do, too."""
    shown = console(force_terminal=True)
    with Bars(shown) as bars:
        bars.start("documents", 2, 0, {"a": 1, "b": 2})
        bars.advance("documents", "a", work=Work(10, 10))
        bars.advance("documents", "b", work=Work(10, 10))
        bars.finish("documents")
        bars.start("signals", 2, 2)
        bars.finish("signals")
        assert [task.finished for task in bars._bars.tasks] == [True, True]

    assert "2 of 2" in shown.file.getvalue()


def test_the_display_fits_where_it_is_shown():
    """A person, a file, a program."""
    assert isinstance(display(console(force_terminal=True)), Bars)
    assert isinstance(display(console()), Lines)
    assert isinstance(display(console(force_terminal=True), json=True), JsonLines)


def test_memory_grows_with_what_is_held():
    """As the system sees it."""
    before = progress.resident_bytes()
    if before is None:
        pytest.skip("no /proc here")
    held = bytearray(b"x") * (64 << 20)

    assert progress.resident_bytes() - before > 0.9 * len(held)
