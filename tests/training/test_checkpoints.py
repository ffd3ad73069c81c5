"""A checkpoint is whole or not there, comes back bit by bit on any number of ranks, and says what is wrong with it."""

import contextlib
import os
import resource
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

sys.path.insert(0, str(Path(__file__).parent))
from checkpoint_ranks import VOCABS, assert_same, train, training, whole  # noqa: E402

from chejil.errors import ChejilError  # noqa: E402
from chejil.training.config import Checkpoints as Settings  # noqa: E402
from chejil.training.loop import checkpoint_folders as folders  # noqa: E402
from chejil.training.loop.checkpoints import Checkpoints  # noqa: E402
from chejil.training.loop.training_state import state_of, weights_of  # noqa: E402

SCENARIOS = ("save-2", "restore-2", "restore-4", "fail-2", "kill_at_moments-0", "kill_at_random-0")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """What checkpoint_ranks.py leaves: checkpoints of two ranks, what they held, and errors by scenario."""
    folder = tmp_path_factory.mktemp("worlds")
    script = Path(__file__).with_name("checkpoint_ranks.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    ran = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert set(SCENARIOS) <= set(ran)
    return folder


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_worlds_of_processes(worlds, scenario):
    errors = sorted(worlds.glob(f"{scenario}.*.error"))

    assert not errors, "\n".join(f"{path.name}\n{path.read_text()}" for path in errors)


@pytest.mark.parametrize("name", VOCABS)
def test_saved_on_two_restored_on_one(worlds, name):
    model, optimiser = training(VOCABS[name], 8, sharded=False)
    checkpoints = Checkpoints(worlds / name, Settings())
    checkpoints.restore(checkpoints.newest(), state_of(model, optimiser))

    assert_same(whole(state_of(model, optimiser)), torch.load(worlds / f"{name}-2.pt"))
    train(model, optimiser, 3)
    assert_same(whole(state_of(model, optimiser)), torch.load(worlds / f"{name}-3.pt"))


@pytest.mark.parametrize("name", VOCABS)
def test_weights_are_read_without_a_process_group(worlds, name):
    weights = weights_of(worlds / name / "step-00000002")

    saved = torch.load(worlds / f"{name}-2.pt").items()
    assert_same(weights, {key[len("model.") :]: tensor for key, tensor in saved if key.startswith("model.")})


def begun(folder, last=2, **settings):
    """A training in one process with checkpoints of steps 1 to `last`."""
    model, optimiser = training(50, 1, sharded=False)
    checkpoints = Checkpoints(folder, Settings(**settings))
    for step in range(1, last + 1):
        train(model, optimiser, step)
        checkpoints.save(step, state_of(model, optimiser), {})
    checkpoints.finish()
    return checkpoints, model, optimiser


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_state_of_no_step_is_the_first(tmp_path):
    model, optimiser = training(50, 1, sharded=False)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    Checkpoints(tmp_path, Settings(in_background=False)).save(0, state_of(model, optimiser), {})
    assert_same(dict(model.named_parameters()), before)
    again, restored = training(50, 2, sharded=False)
    checkpoints = Checkpoints(tmp_path, Settings())
    checkpoints.restore(checkpoints.newest(), state_of(again, restored))
    plain, never_saved = training(50, 1, sharded=False)

    for model_, optimiser_ in ((again, restored), (plain, never_saved), (model, optimiser)):
        train(model_, optimiser_, 1)

    assert_same(whole(state_of(again, restored)), whole(state_of(plain, never_saved)))
    assert_same(whole(state_of(model, optimiser)), whole(state_of(plain, never_saved)))


def test_tied_weights(tmp_path):
    model, optimiser = training(50, 1, sharded=False, tied=True)
    Checkpoints(tmp_path, Settings(in_background=False)).save(1, state_of(model, optimiser), {})
    again, restored = training(50, 2, sharded=False, tied=True)
    checkpoints = Checkpoints(tmp_path, Settings())
    checkpoints.restore(checkpoints.newest(), state_of(again, restored))

    assert again.lm_head.weight is again.model.embed_tokens.weight
    assert_same(whole(state_of(again, restored)), whole(state_of(model, optimiser)))
    again.load_state_dict(weights_of(tmp_path / "step-00000001"))


def test_what_is_told_comes_back(tmp_path):
    model, optimiser = training(50, 1, sharded=False)
    told = {"loss": 0.1 + 0.2, "guard": [1e-320, inf], "name": "체질"}  # sifting
    checkpoints = Checkpoints(tmp_path, Settings())
    checkpoints.save(1, state_of(model, optimiser), told)
    told["guard"].append(3)

    assert checkpoints.newest().told == {"loss": 0.1 + 0.2, "guard": [1e-320, inf], "name": "체질"}
    with pytest.raises(TypeError, match=r"model\.lr is a float, no tensor"):
        checkpoints.save(2, {"model": {"lr": 0.1}}, {})


@pytest.mark.parametrize("background", [True, False])
def test_kept_are_the_last_and_the_multiples(tmp_path, background):
    model, optimiser = training(50, 1, sharded=False)
    settings = Settings(every_steps=2, keep_last=2, keep_every_steps=4, in_background=background)
    with Checkpoints(tmp_path, settings) as checkpoints:
        for step in range(2, 15, 2):
            checkpoints.save(step, state_of(model, optimiser), {})

    assert names(tmp_path) == [f"step-{step:08d}" for step in (4, 8, 12, 14)]


def test_what_was_just_saved_is_kept_beside_higher_steps(tmp_path):
    checkpoints, model, optimiser = begun(tmp_path, last=3, keep_last=2)
    checkpoints.save(1, state_of(model, optimiser), {})
    checkpoints.finish()

    assert names(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]


def test_a_step_that_is_there_is_replaced(tmp_path):
    checkpoints, model, optimiser = begun(tmp_path)
    train(model, optimiser, 5)
    checkpoints.save(2, state_of(model, optimiser), {"again": True})

    saved = checkpoints.newest()
    assert saved.told == {"again": True}
    assert torch.equal(weights_of(saved.folder)["lm_head.weight"], model.lm_head.weight)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


def test_a_start_mends_what_a_killed_run_left(tmp_path):
    begun(tmp_path, last=3)
    (tmp_path / "step-00000003").rename(tmp_path / "step-00000003.old")  # killed while 3 was replaced
    (tmp_path / "step-00000001").rename(tmp_path / "step-00000001.gone")  # killed while 1 was deleted
    (tmp_path / "step-00000003.part").mkdir()
    assert folders.steps(tmp_path) == [2]

    assert Checkpoints(tmp_path, Settings()).newest().step == 3
    assert names(tmp_path) == ["step-00000002", "step-00000003"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # in the middle of a tensor; torch reads it without complaint
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("__0_0.distcp", cut, "bytes where"),
        ("__0_0.distcp", flip, "not those that were written"),
        ("__0_0.distcp", Path.unlink, "missing"),
        (".metadata", flip, "not those that were written"),
        ("state.json", cut, "cannot be read"),
        ("state.json", Path.unlink, "no whole checkpoint"),
    ],
)
def test_damage_is_said_and_nothing_is_changed(tmp_path, name, damage, said):
    checkpoints, model, optimiser = begun(tmp_path)
    before = whole(state_of(model, optimiser))
    damage(tmp_path / "step-00000002" / name)

    with pytest.raises(ChejilError, match=said) as error:
        checkpoints.restore(checkpoints.newest(), state_of(model, optimiser))
    with pytest.raises(ChejilError, match=said):
        weights_of(tmp_path / "step-00000002")

    assert error.value.where == str(tmp_path / "step-00000002" / name)
    assert "to go on from step-00000001" in error.value.mend
    assert_same(whole(state_of(model, optimiser)), before)


def test_the_only_one_is_damaged(tmp_path):
    checkpoints, *_ = begun(tmp_path, last=1)
    cut(tmp_path / "step-00000001" / "state.json")

    with pytest.raises(ChejilError, match="to begin anew"):
        checkpoints.newest()


def test_another_model_is_refused(tmp_path):
    checkpoints, model, optimiser = begun(tmp_path)
    saved, state = checkpoints.newest(), state_of(model, optimiser)
    other = state_of(*training(64, 1, sharded=False))
    with pytest.raises(
        ChejilError, match=r"lm_head.weight is 50 × 16 \(float32\) in the checkpoint, 64 × 16"
    ):
        checkpoints.restore(saved, other)
    state["model"]["model.more"] = torch.zeros(2)
    with pytest.raises(ChejilError, match=r"more is missing in the checkpoint, 2 .* in the training"):
        checkpoints.restore(saved, state)
    del state["model"]["model.more"], state["model"]["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(ChejilError, match=r"up_proj.weight is 24 × 16 .* missing in the training"):
        checkpoints.restore(saved, state)


def test_a_checkpoint_without_weights(tmp_path):
    Checkpoints(tmp_path, Settings(in_background=False)).save(1, {"optimiser": {"a": torch.ones(2)}}, {})

    with pytest.raises(ChejilError, match="without weights"):
        weights_of(tmp_path / "step-00000001")
    with pytest.raises(ChejilError, match="no such checkpoint"):
        weights_of(tmp_path / "step-00000002")


@contextlib.contextmanager
def no_files_above(size):
    """Real errors of the system while files are written: EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("background", [True, False])
def test_a_save_that_finds_no_space(tmp_path, background):
    checkpoints, model, optimiser = begun(tmp_path, in_background=background)

    with no_files_above(60_000), pytest.raises(ChejilError, match="saving step 3: no space") as error:  # noqa: PT012
        checkpoints.save(3, state_of(model, optimiser), {})
        checkpoints.finish()

    assert "step-00000002 is whole" in error.value.mend
    assert names(tmp_path) == ["step-00000001", "step-00000002"]
    checkpoints.save(3, state_of(model, optimiser), {})
    checkpoints.restore(checkpoints.newest(), state_of(model, optimiser))


def test_what_fails_in_the_background_is_raised_by_the_next_save(tmp_path):
    checkpoints, model, optimiser = begun(tmp_path)
    with no_files_above(60_000):
        checkpoints.save(3, state_of(model, optimiser), {})
        checkpoints._running.exception()  # it has ended; nobody was told

    with pytest.raises(ChejilError, match="saving step 3: no space"):
        checkpoints.save(4, state_of(model, optimiser), {})
    assert folders.steps(tmp_path) == [1, 2]


def test_on_leaving_the_first_error_is_raised_and_the_save_is_a_note(tmp_path):
    checkpoints, model, optimiser = begun(tmp_path)

    with pytest.raises(ZeroDivisionError) as error, no_files_above(60_000), checkpoints:  # noqa: PT012
        checkpoints.save(3, state_of(model, optimiser), {})
        raise ZeroDivisionError
    assert "no space" in error.value.__notes__[0]


def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        checkpoints, model, optimiser = begun(disk, last=1)
        with pytest.raises(ChejilError, match=r"No space left on device \(0\.00 GB free"):  # noqa: PT012
            for step in range(2, 5):
                checkpoints.save(step, state_of(model, optimiser), {})
        last = folders.steps(disk)[-1]
        assert names(disk) == [f"step-{step:08d}" for step in range(1, last + 1)]
        checkpoints.restore(checkpoints.newest(), state_of(model, optimiser))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ChejilError, match="cannot be written here: Not a directory") as error:
        Checkpoints(tmp_path / "file" / "checkpoints", Settings())
    assert "--out" in error.value.mend


def test_what_cannot_be_deleted_is_a_warning(tmp_path, monkeypatch):
    begun(tmp_path, last=3)

    def busy(path):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(folders.shutil, "rmtree", busy)
    with pytest.warns(UserWarning, match="the next start tries again"):
        folders.retire(tmp_path, Settings(keep_last=2), 3)
    assert folders.steps(tmp_path) == [2, 3]
