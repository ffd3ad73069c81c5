"""Tokens a second, MFU, shares and time left, against sums done by hand on a clock that the test moves."""

import re
import subprocess
import sys
from contextlib import suppress

import pytest

from chejil.training import config
from chejil.training.loop import throughput
from chejil.training.loop.throughput import MeasuredModel, Meter

A100 = throughput.peak("NVIDIA A100-SXM4-80GB")


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0


@pytest.fixture
def clock():
    return Clock()


def meter(clock, num_steps=100, devices=4, flops=6_000_000_000):
    return Meter(MeasuredModel("6n", flops, A100, devices), num_steps, clock=lambda: clock.now)


def test_the_published_run_is_at_19_8_percent():
    """1.3 B parameters, 1.4 T tokens, 49,152 hours of 256 A100: 6·N·D over hours times peak."""
    published = config.load("pretrain-1b3")
    model = throughput.measured(published, "NVIDIA A100-SXM4-80GB", 256)
    hours = 49_152 / 256
    by_hand = 6 * 1.3e9 * 1.4e12 / (49_152 * 3600 * 312e12)

    found = model.mfu(1.4e12 / (hours * 3600))

    assert found == pytest.approx(by_hand)
    assert round(found, 3) == 0.198


def test_an_interval_through_the_meter_gives_the_published_mfu(clock):
    """A step of 4 Mi tokens takes 2.07 s there."""
    named = Meter(MeasuredModel("6n-named", 6 * 1_300_000_000, A100, 256), 333_787, clock=lambda: clock.now)
    clock.now += 8 * 24 * 3600 / (1.4e12 / 2**22)
    named.add(2**22)

    found = named.interval(1)

    assert found["mfu"] == pytest.approx(0.198, abs=0.0005)
    assert found["tokens_per_second_device"] == pytest.approx(7_912, rel=0.001)


@pytest.mark.parametrize(
    ("driver", "precision", "why"),
    [
        (None, "bf16", "CPU"),
        ("NVIDIA GeForce GTX 1080", "bf16", "GTX 1080"),
        ("NVIDIA A100-SXM4-80GB", "fp32", "fp32"),
    ],
)
def test_what_has_no_known_peak_has_no_mfu_and_says_why(driver, precision, why):
    """Nothing is guessed: not for a CPU, an unknown GPU, or another precision than the peak's."""
    model = MeasuredModel("6n", 10**9, throughput.peak(driver, precision), 8)

    assert model.mfu(1e6) is None
    assert model.about()["peak_tflops"] is None
    assert model.sentence().startswith("no MFU: ")
    assert why in model.about()["mfu_says"]


def test_mfu_can_be_computed_again_from_what_is_said_of_it(clock):
    """FLOPs of a token times tokens a second, over devices times peak."""
    measured = meter(clock)
    clock.now += 2.0
    measured.add(10_000)
    about, found = measured.model.about(), measured.interval(1)

    again = about["flops_per_token"] * found["tokens_per_second"]
    assert found["mfu"] == pytest.approx(again / (about["num_devices"] * about["peak_tflops"] * 1e12))
    assert re.search(
        r"6 GFLOP a token \(6n\), of 4 × 312 TFLOP/s \(NVIDIA A100 data sheet\)", about["mfu_says"]
    )


def test_evaluation_and_checkpoints_are_no_part_of_tokens_a_second(clock):
    """Ten steps of a second each, of which a fifth is waiting, beside thirty seconds of other things."""
    measured = meter(clock)
    for _ in range(10):
        with measured.waiting():
            clock.now += 0.2
        clock.now += 0.8
        measured.add(1000)
    with measured.aside("evaluation"):
        with measured.waiting():
            clock.now += 5
        with measured.aside("checkpoint"):
            clock.now += 15
    with measured.aside("checkpoint"):
        clock.now += 10

    found = measured.interval(10)

    assert found["seconds"] == pytest.approx(40)
    assert found["tokens_per_second"] == pytest.approx(1000)
    assert found["data_wait_share"] == pytest.approx(0.2)
    assert found["evaluation_share"] == pytest.approx(0.5)
    assert found["checkpoint_share"] == pytest.approx(0.25)


def test_an_interval_begins_where_the_last_one_ended(clock):
    """Nothing of the interval before stands in the next one."""
    measured = meter(clock)
    with measured.aside("evaluation"):
        clock.now += 7
    measured.add(100)
    measured.interval(1)
    clock.now += 2
    measured.add(500)

    found = measured.interval(2)

    assert (found["seconds"], found["tokens_per_second"], found["evaluation_share"]) == (2, 250, 0)


def test_the_time_left_forgets_compilation_and_counts_evaluations(clock):
    """The first step takes a minute; later ones a second, with an evaluation of 10 s in ten steps."""
    measured, left = meter(clock), None
    clock.now += 60
    measured.add(1)
    assert measured.interval(1)["seconds_left"] == pytest.approx(99 * 60)
    for step in range(2, 52):
        clock.now += 1
        measured.add(1)
        if step % 10 == 0:
            with measured.aside("evaluation"):
                clock.now += 10
            left = measured.interval(step)["seconds_left"]

    assert left == pytest.approx(50 * (1 + 50 / 50), rel=0.05)


def test_an_interval_without_a_step_is_no_error(clock):
    """A training that is interrupted in its first step."""
    found = meter(clock).interval(0)

    assert found["tokens_per_second"] == 0
    assert found["seconds_left"] is None


def test_time_in_a_block_that_fails_is_counted(clock):
    """An evaluation that raises leaves the meter as it should be."""
    measured = meter(clock)
    with suppress(RuntimeError), measured.aside("evaluation"):
        clock.now += 4
        raise RuntimeError
    with measured.waiting():
        clock.now += 4
    found = measured.interval(0)

    assert found["evaluation_share"] == 0.5
    assert found["data_wait_share"] == 1.0


def test_the_memory_of_a_process_is_its_peak():
    """What was allocated and given back counts, and it is said whose memory it is."""
    code = (
        "from chejil.training.loop import throughput\n"
        "before = throughput.memory()['memory_bytes']\n"
        "held = bytes(b'x' * 300_000_000); del held\n"
        "found = throughput.memory()\n"
        "print(found['memory_of'], found['memory_reserved_bytes'], (found['memory_bytes'] - before) // 10**8)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.split() in (["process", "None", "2"], ["process", "None", "3"])


@pytest.mark.parametrize("module", ["throughput", "metrics", "live_view", "text_loss"])
def test_reading_metrics_does_not_load_torch(module):
    """Plots and ablations read them on machines that train nothing."""
    code = f"import chejil.training.loop.{module}, sys; print('torch' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "False"


def test_a_gpu_is_measured_where_there_is_one():
    """Memory of its allocator, its driver's name."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    device = torch.device("cuda", 0)
    held = torch.zeros(50_000_000, device=device)
    found = throughput.memory(device)

    assert found["memory_of"] == "device"
    assert found["memory_reserved_bytes"] >= found["memory_bytes"] >= held.nbytes
    assert throughput.driver_name(device) == torch.cuda.get_device_name(0)
