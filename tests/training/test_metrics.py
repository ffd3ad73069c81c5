"""metrics.jsonl tells each step once, whatever happened to the training; TensorBoard's files say the same."""

import errno
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.training.config import Logging
from chejil.training.loop import metrics
from chejil.training.loop.metrics import Metrics
from chejil.training.loop.text_loss import TextLoss, by_language, total

QUIET = Logging(tensorboard=False, every_steps=10)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "pretraining.md"


def write(folder, steps, resumed_from=0, settings=QUIET, **options):
    """A training that has a record of each step, an evaluation and a checkpoint every tenth."""
    with Metrics(folder, settings, resumed_from=resumed_from, **options) as found:
        found.begin(tokens=resumed_from * 8, name="small")
        for step in range(resumed_from + 1, steps + 1):
            found.write("train", step, step * 8, loss=10 / step, learning_rate=0.1)
            if step % 10 == 0:
                found.write("evaluation", step, step * 8, bits_per_byte=1.0)
                found.write("checkpoint", step, step * 8, path=f"checkpoints/{step}")


def steps_of(folder, kind):
    return [record["step"] for record in metrics.read(folder, kind)]


def test_a_record_a_line_with_kind_step_tokens_and_time(tmp_path):
    """Each line is JSON of its own."""
    write(tmp_path, 1, clock=lambda: 1234.5678)

    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text("utf-8").splitlines())

    assert first == {"kind": "start", "step": 0, "tokens": 0, "time": 1234.568, "name": "small"}
    assert second == {
        "kind": "train", "step": 1, "tokens": 8, "time": 1234.568, "loss": 10.0, "learning_rate": 0.1,
    }  # fmt: skip


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path):
    """A kill loses nothing of what was told."""
    found = Metrics(tmp_path, QUIET)
    found.write("train", 1, 8, loss=2.0)

    assert steps_of(tmp_path, "train") == [1]
    found.close()


def test_a_training_that_goes_on_tells_each_step_once(tmp_path):
    """Killed after step 37, resumed from the checkpoint of step 30: 31 to 37 are told anew."""
    write(tmp_path, 37)
    write(tmp_path, 50, resumed_from=30)

    assert steps_of(tmp_path, "train") == list(range(1, 51))
    assert steps_of(tmp_path, "checkpoint") == [10, 20, 30, 40, 50]
    (resumed,) = metrics.read(tmp_path, "resume")
    assert (resumed["step"], resumed["cut_records"], resumed["torn_lines"]) == (30, 7, 0)


def test_what_was_told_at_the_step_of_the_checkpoint_stays(tmp_path):
    """It belongs to what was done; told once more by the resumed training, it is not doubled."""
    write(tmp_path, 30)
    with Metrics(tmp_path, QUIET, resumed_from=30) as found:
        found.write("evaluation", 30, 240, bits_per_byte=9.0)
        found.write("evaluation", 40, 320, bits_per_byte=2.0)

    assert [(r["step"], r["bits_per_byte"]) for r in metrics.read(tmp_path, "evaluation")][-2:] == [
        (30, 1.0),
        (40, 2.0),
    ]


def test_a_training_without_a_checkpoint_begins_a_new_file(tmp_path):
    """Nothing of the broken run is left."""
    write(tmp_path, 9)
    write(tmp_path, 3)

    assert [record["kind"] for record in metrics.read(tmp_path)] == ["start", "train", "train", "train"]


@given(kept=st.integers(0, 60), torn=st.integers(1, 200), resumed_from=st.sampled_from([10, 20, 30]))
def test_a_kill_at_any_byte_leaves_a_file_that_goes_on(tmp_path_factory, kept, torn, resumed_from):
    """Cut anywhere in its last line, it is read, repaired and continued without a step missing or doubled."""
    folder = tmp_path_factory.mktemp("run")
    write(folder, 33 + kept)
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][: min(torn, len(lines[-1]))])

    assert len(metrics.read(folder)) in (len(lines) - 1, len(lines))
    write(folder, 40, resumed_from=resumed_from)

    assert steps_of(folder, "train") == list(range(1, 41))
    assert all(line.endswith(b"}\n") for line in path.read_bytes().splitlines(keepends=True))


def test_a_torn_line_is_said_in_the_record_of_the_resume(tmp_path):
    """And a whole last line that lacks its line end is kept."""
    write(tmp_path, 30)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + b'{"kind":"train","step":31,"lo')
    write(tmp_path, 31, resumed_from=30)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    write(tmp_path, 32, resumed_from=31)

    assert [record["torn_lines"] for record in metrics.read(tmp_path, "resume")] == [1, 0]
    assert steps_of(tmp_path, "train") == list(range(1, 33))


def test_a_damaged_line_within_is_an_error_that_names_it(tmp_path):
    """Only the last line can be torn by a kill; anything else is said."""
    write(tmp_path, 3)
    path = tmp_path / "metrics.jsonl"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([lines[0], "\0\0\0", *lines[2:]]) + "\n", "utf-8")

    with pytest.raises(ChejilError, match=r"metrics\.jsonl:2: a damaged line"):
        metrics.read(tmp_path)


def test_a_folder_without_metrics_is_an_error(tmp_path):
    """With its path, and what to give instead."""
    with pytest.raises(ChejilError, match=r"metrics\.jsonl: cannot read"):
        metrics.read(tmp_path)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")])
def test_what_is_no_number_is_null(tmp_path, value):
    """A loss of NaN is valid JSON, within sources too."""
    with Metrics(tmp_path, QUIET) as found:
        found.write("train", 1, 8, loss=value, sources={"law/ko": {"loss": value}})

    (record,) = metrics.read(tmp_path)
    assert record["loss"] is None
    assert record["sources"]["law/ko"]["loss"] is None
    assert not re.search("NaN|Infinity", (tmp_path / "metrics.jsonl").read_text("utf-8"))


def test_numbers_of_numpy_and_torch_are_numbers(tmp_path):
    """A 0-dimensional tensor is read with `item`."""
    torch = pytest.importorskip("torch")
    with Metrics(tmp_path, QUIET) as found:
        found.write("train", 1, np.int64(8), loss=torch.tensor(2.5), grad_norm=np.float32(0.5))

    (record,) = metrics.read(tmp_path)
    assert (record["tokens"], record["loss"], record["grad_norm"]) == (8, 2.5, 0.5)


def test_a_key_that_is_not_in_the_table_is_refused(tmp_path):
    """Neither a misspelt one nor one of another kind of record."""
    with Metrics(tmp_path, QUIET) as found:
        with pytest.raises(AssertionError, match="lozz"):
            found.write("train", 1, 8, lozz=2.0)
        with pytest.raises(AssertionError, match="seconds_left"):
            found.write("skip", 1, 8, seconds_left=2.0)


def test_other_ranks_write_nothing(tmp_path):
    """Not even a file; and nobody hears of it."""
    heard = []
    write(tmp_path, 20, is_main=False, listeners=[heard.append], settings=Logging())

    assert not list(tmp_path.iterdir())
    assert heard == []


def test_listeners_get_what_is_written(tmp_path):
    """The same values as in the file."""
    heard = []
    write(tmp_path, 12, listeners=[heard.append])

    assert heard == metrics.read(tmp_path)


def test_the_first_step_and_every_tenth_are_due(tmp_path):
    """As `logging.every_steps` says."""
    found = Metrics(tmp_path, QUIET)

    assert [step for step in range(1, 31) if found.due(step)] == [1, 10, 20, 30]
    found.close()


def test_a_full_disk_is_said_with_the_file(tmp_path):
    """As an error that says how to mend it; closing does not hide it behind another."""

    class Full:
        def write(self, line):
            raise OSError(errno.ENOSPC, "No space left on device")

        close = flush = lambda self: self.write(b"")

    found = Metrics(tmp_path, QUIET)
    found._stream.close()
    found._stream = Full()
    with found, pytest.raises(ChejilError, match=r"metrics\.jsonl: cannot write: No space left"):
        found.write("train", 1, 8, loss=2.0)


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    """At the start, not after the first steps."""
    with pytest.raises(ChejilError, match="cannot write"):
        Metrics(tmp_path / "absent", QUIET)


def curves(folder):
    """TensorBoard's curves: name -> [(step, value)]."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    names = events.Tags()["scalars"]
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in names}


def test_tensorboard_has_the_same_numbers(tmp_path):
    """Also of a source with a Korean name ("encyclopedia"); null is a gap."""
    pytest.importorskip("torch")
    with Metrics(tmp_path, Logging()) as found:
        for step in (1, 2):
            found.write("train", step, step * 8, loss=2.0 / step, mfu=None)
        parts = {"백과/ko": TextLoss(math.log(2) * 30, 10, 20), "web/en": TextLoss(math.log(2) * 10, 10, 20)}
        found.write(
            "evaluation", 2, 16, **total(parts).as_dict(),
            sources={name: part.as_dict() for name, part in parts.items()},
            languages={name: part.as_dict() for name, part in by_language(parts).items()},
        )  # fmt: skip

    drawn = curves(tmp_path)

    assert drawn["train/loss"] == [(1, 2.0), (2, 1.0)]
    assert drawn["evaluation/bits_per_byte"] == [(2, 1.0)]
    assert drawn["evaluation/백과/ko/bits_per_byte"] == drawn["evaluation/ko/bits_per_byte"] == [(2, 1.5)]
    assert drawn["evaluation/en/bits_per_byte"] == [(2, 0.5)]
    assert not [name for name in drawn if "mfu" in name or "num_" in name]


def test_tensorboard_shows_each_step_once_after_a_resume(tmp_path):
    """Steps 31 to 37 of the broken run are hidden; a training that begins anew hides all."""
    pytest.importorskip("torch")
    write(tmp_path, 37, settings=Logging())
    write(tmp_path, 50, resumed_from=30, settings=Logging())

    assert [step for step, _ in curves(tmp_path)["train/loss"]] == list(range(1, 51))
    write(tmp_path, 3, settings=Logging())
    assert [step for step, _ in curves(tmp_path)["train/loss"]] == [1, 2, 3]


def test_tensorboard_that_is_not_installed_is_said(tmp_path, monkeypatch):
    """With what to install, and how to go without."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    with pytest.raises(
        ChejilError, match=r"pip install 'chejil\[train\]', or set logging.tensorboard: false"
    ):
        Metrics(tmp_path, Logging())


def test_the_page_tells_the_table_of_keys():
    """Every key with kinds, unit and meaning, and none that there is not."""
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", PAGE.read_text("utf-8").split("## Metrics")[1], re.M
    )
    told = {
        key: ("all" if of["in"] == "all" else ", ".join(of["in"]), of["unit"], of["means"])
        for key, of in metrics.keys().items()
    }

    assert {
        key: tuple(part.replace("–", "") if part == "–" else part for part in rest) for key, *rest in rows
    } == told


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    """It reads the records of a training."""
    with Metrics(tmp_path, QUIET) as found:
        found.write("train", 10, 80, loss=2.5, mfu=0.4)
        found.write("evaluation", 10, 80, bits_per_byte=1.5, sources={"law/ko": {"bits_per_byte": 1.25}})
    runs = tmp_path / "elsewhere" / "runs"
    runs.mkdir(parents=True)
    (runs / "pretrain-debug").symlink_to(tmp_path)
    monkeypatch.chdir(runs.parent)
    (code,) = re.findall(
        r"```python\n(.*?)```", PAGE.read_text("utf-8").split("## Metrics")[1].split("\n## ")[0], re.DOTALL
    )

    exec(code, {})

    assert capsys.readouterr().out == "10 2.5 0.4\n10 {'law/ko': 1.25}\n"
