"""Signals that ask a training to stop: which one, and that all processes agree."""

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.training.loop import stopping

sys.path.insert(0, str(Path(__file__).parent))

EACH = st.sampled_from([None, *stopping.SIGNALS])


def asked(by):
    found = stopping.Asked()
    if by is not None:
        found.note(by, None)
    return found


def summed(processes, failed=False):
    """What they would add up; the last one may have to stop for another reason."""
    *others, last = processes
    flags = [*(one.flags() for one in others), last.flags(failed)]
    return [sum(column) for column in zip(*flags, strict=True)]


@given(st.lists(EACH, min_size=1, max_size=5), st.booleans())
def test_all_stop_together_and_say_the_same(signals, failed):
    """Whoever got a signal, each process names one of them, the same, and stops if anyone has to."""
    processes = [asked(one) for one in signals]
    flags = summed(processes, failed)
    came = {one.name for one in signals if one is not None}

    assert {one.heard(flags) for one in processes} == {bool(came) or failed}
    (name,) = {one.name for one in processes}
    assert name in (came or {None})


def test_a_signal_behind_the_flags_waits_for_the_next_step():
    """It is among no sums yet: this process would stop alone, and the others wait for it."""
    late, other = asked(None), asked(None)
    flags = summed([late, other])
    late.note(signal.SIGUSR1, None)

    assert not late.heard(flags)
    assert late.heard(summed([late, other]))
    assert late.name == "SIGUSR1"


def test_a_second_ctrl_c_does_not_wait():
    """One's own second: after another process's Ctrl-C the first of this one is none."""
    mine = asked(None)
    mine.heard(asked(signal.SIGINT).flags())
    mine.note(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        mine.note(signal.SIGINT, None)


def test_signals_are_noted_only_in_the_block():
    before = [signal.getsignal(one) for one in stopping.SIGNALS]
    with stopping.asked() as found:
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.sigpending()  # handlers run between two lines of Python
    assert found.name == "SIGUSR1"
    assert [signal.getsignal(one) for one in stopping.SIGNALS] == before


def test_fine_tuning_says_which_signal_another_process_got(tmp_path):
    pytest.importorskip("trl")
    import numpy as np
    import small_tunings
    from rich.console import Console

    from chejil.training.loop import metrics
    from chejil.training.loop.live_view import live_view
    from chejil.training.tuning.sft_journal import SftJournal

    config, mine = small_tunings.config("base", "data"), asked(None)
    view = live_view(Console(quiet=True), "small", 12)
    world = SimpleNamespace(
        device="cpu", reduce=lambda flags, _: flags + flags.new_tensor(asked(signal.SIGUSR1).flags())
    )
    control = SimpleNamespace(should_save=False, should_training_stop=False)
    with SftJournal(tmp_path, config, view, np.arange(13), 0, mine, True) as journal:
        journal.world = world
        journal.start(name="small", world=2)
        journal.on_step_end(None, SimpleNamespace(global_step=3), control)
        journal.end(3)

    assert control.should_save
    assert control.should_training_stop
    assert metrics.read(tmp_path, "end")[0]["reason"] == "stopped by SIGUSR1"
