"""Schedules against those of transformers, against sums by hand, and at their ends."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.training.config import Schedule
from chejil.training.schedules import decay_begin, learning_rate, share


def wsd(**settings):
    return Schedule(kind="wsd", learning_rate=1e-3, **settings)


def cosine(**settings):
    return Schedule(kind="cosine", learning_rate=1e-3, **settings)


def test_wsd_by_hand():
    schedule = wsd(warmup_steps=4, decay_share=0.4, decay_shape="linear", final_share=0.2)

    shares = [share(schedule, step, 10) for step in range(11)]

    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_one_minus_sqrt_by_hand():
    schedule = wsd(decay_share=0.4, decay_shape="1-sqrt")

    shares = [share(schedule, step, 10) for step in range(6, 11)]

    assert shares == pytest.approx([1, 1 - math.sqrt(1 / 4), 1 - math.sqrt(2 / 4), 1 - math.sqrt(3 / 4), 0])


def test_they_fall_as_those_of_transformers_do():
    """Theirs warm up from a first step at rate 0; from the end of the warm-up on they are the same."""
    optimization, torch = pytest.importorskip("transformers.optimization"), pytest.importorskip("torch")
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    steps = range(10, 101)

    peer = optimization.get_cosine_schedule_with_warmup(optimiser, 10, 100).lr_lambdas[0]
    assert [share(cosine(warmup_steps=10), step, 100) for step in steps] == pytest.approx(
        list(map(peer, steps)), abs=1e-12
    )
    peer = optimization.get_wsd_schedule(
        optimiser, 10, 30, num_training_steps=100, decay_type="linear", min_lr_ratio=0.1
    ).lr_lambdas[0]
    linear = wsd(warmup_steps=10, decay_share=0.3, decay_shape="linear", final_share=0.1)
    assert [share(linear, step, 100) for step in steps] == pytest.approx(list(map(peer, steps)), abs=1e-12)


SCHEDULES = st.builds(
    Schedule,
    kind=st.sampled_from(["wsd", "cosine"]),
    learning_rate=st.just(3e-4),
    warmup_steps=st.integers(0, 30),
    decay_share=st.floats(0.01, 0.7),
    decay_shape=st.sampled_from(["linear", "1-sqrt"]),
    final_share=st.floats(0, 1),
)


@given(SCHEDULES, st.integers(100, 300))
def test_it_rises_stays_and_falls_and_no_step_is_at_zero(schedule, num_steps):
    shares = [share(schedule, step, num_steps) for step in range(num_steps)]
    top, begin = schedule.warmup_steps, decay_begin(schedule, num_steps)

    assert shares[: max(top, 1)] == sorted(shares[: max(top, 1)])
    assert set(shares[max(top - 1, 0) : begin + 1]) <= {1.0}
    assert all(a >= b for a, b in zip(shares[begin:], shares[begin + 1 :], strict=False))
    assert min(shares) > 0
    assert share(schedule, num_steps, num_steps) == pytest.approx(
        1.0 if begin == num_steps else schedule.final_share, abs=1e-12
    )


def test_the_stable_part_does_not_know_the_end():
    assert share(wsd(warmup_steps=10), 500, 1_000) == share(wsd(warmup_steps=10), 500, 10_000) == 1


def test_behind_the_end_it_stays():
    assert learning_rate(cosine(final_share=0.1), 5_000, 100) == pytest.approx(1e-4)


def test_a_step_below_zero_is_refused():
    with pytest.raises(ValueError, match="-1"):
        learning_rate(cosine(), -1, 100)


def test_a_warm_up_alone_reaches_the_top():
    schedule = cosine(warmup_steps=5)

    assert [share(schedule, step, 5) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
