"""A fine-tuning that is killed, stopped, damaged or changed goes on as if nothing had been, or says why not."""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")
pytest.importorskip("peft")


from chejil.errors import ChejilError
from chejil.training.tuning import (
    sft_checkpoints,
)

sys.path.insert(0, str(Path(__file__).parent))
import small_tunings as small

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.mark.parametrize("lora", [None, {"rank": 4, "dropout": 0.3}])
def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path, base, data, lora):
    """kill -9 behind step 6: the same command repeats steps 5 and 6 and ends with the same losses, dropout too."""
    small.tune(tmp_path / "whole", base, data, lora=lora)
    process = small.start(tmp_path / "killed", base, data, lora=lora)
    for line in process.stderr:
        if '"kind":"train"' in line and '"step":6' in line:
            process.kill()
            break
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    done = small.tune(tmp_path / "killed", base, data, lora=lora)
    assert done["from_step"] in (4, 8)  # a signal takes its time
    assert small.losses(tmp_path / "killed") == small.losses(tmp_path / "whole")
    names = ("model", "model.safetensors") if lora is None else ("adapter", "adapter_model.safetensors")
    files = [tmp_path / run / names[0] / names[1] for run in ("killed", "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_sigterm_saves_and_the_same_command_goes_on(tmp_path, base, data):
    """The exit code is the signal's; nothing looks finished."""
    process = small.start(tmp_path / "run", base, data, epochs=3)
    for line in process.stderr:
        if '"kind":"train"' in line and '"step":2,' in line:
            process.send_signal(signal.SIGTERM)
            break
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, out
    assert not (tmp_path / "run" / "model").exists()
    step = sft_checkpoints.last(tmp_path / "run" / "checkpoints", told_of(tmp_path / "run"))[1]
    done = small.tune(tmp_path / "run", base, data, epochs=3)
    assert done["from_step"] == step > 0
    assert (tmp_path / "run" / "model" / "config.json").exists()


def told_of(folder):
    place = sorted((folder / "checkpoints").glob("checkpoint-*/complete.json"))[0]
    return json.loads(place.read_text())


def test_an_interrupted_save_leaves_the_one_before(tmp_path, whole, base, data):
    """Half a checkpoint, as a kill leaves it, is none: it is removed, and the training goes on from the one before."""
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    shutil.rmtree(folder / "model")
    last = folder / "checkpoints" / f"checkpoint-{whole[1]['num_steps']}"
    (last / "complete.json").unlink()
    (last / "optimizer.pt").unlink()
    done = small.tune(folder, base, data)
    assert 0 < done["from_step"] < done["num_steps"]
    assert (last / "complete.json").exists()
    assert small.losses(folder) == small.losses(whole[0])


def test_a_damaged_checkpoint_and_a_changed_training_are_refused(tmp_path, whole, base, data):
    """A file that is cut, other conversations, another learning rate, another base: each is named."""
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    with pytest.raises(ChejilError, match="another config: schedule"):
        small.tune(folder, base, data, schedule={"learning_rate": 1e-3})
    more = small.conversations(tmp_path / "more.jsonl", 60)
    with pytest.raises(ChejilError, match="other conversations"):
        small.tune(folder, base, more)
    other = small.model(tmp_path / "other", rope_theta=500.0, initializer_range=0.5)
    with pytest.raises(ChejilError, match="another model"):
        small.tune(folder, other, data)
    with pytest.raises(ChejilError, match="other held-out"):
        small.tune(
            folder,
            base,
            data,
            conversations={"paths": [data], "held_out": {"share": 0.2, "max_conversations": 2}},
        )
    last = folder / "checkpoints" / f"checkpoint-{whole[1]['num_steps']}" / "optimizer.pt"
    told = json.loads((last.parent / "complete.json").read_text())
    (last.parent / "complete.json").write_text(json.dumps({**told, "is_sharded": True}))
    with pytest.raises(ChejilError, match="sharded"):
        small.tune(folder, base, data)
    (last.parent / "complete.json").write_text(json.dumps(told))
    last.write_bytes(last.read_bytes()[:100])
    with pytest.raises(ChejilError, match=r"damaged: optimizer\.pt"):
        small.tune(folder, base, data)


def test_a_finished_training_says_so(whole, base, data):
    """Nothing is trained again, and what it left stays."""
    folder, first = whole
    before = (folder / "model" / "model.safetensors").read_bytes()
    again = small.tune(folder, base, data)
    assert again["from_step"] == again["step"] == first["step"]
    assert (folder / "model" / "model.safetensors").read_bytes() == before
