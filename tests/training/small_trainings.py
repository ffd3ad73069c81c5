"""Trainings that last seconds: a config over a few documents, run in this process or as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import yaml
from rich.console import Console

from chejil.training import config as configs
from chejil.training.loop.live_view import live_view
from chejil.training.pretrain import pretrain

sys.path.insert(0, str(Path(__file__).parent))
import small_token_shards as token_shards

COMMAND = [sys.executable, "-m", "chejil", "pretrain"]


def tokens(folder):
    """Token shards of two sources."""
    korean, english = token_shards.documents(1, 200, 60, 20), token_shards.documents(2, 200, 60, 20)
    return token_shards.write(folder, {("web", "ko"): korean, ("books", "en"): english})


def settings(shards, **more):
    """A training of 12 steps of 8 rows, a checkpoint at every fourth."""
    return {
        "name": "small",
        "model": {
            "layers": 2, "hidden": 32, "heads": 2, "ffn": 48, "vocab": 272, "context_tokens": 64, "init_std": 0.05,
        },
        "tokens": [str(shards)],
        "batch_tokens": 512,
        "micro_batch_rows": 2,
        "total_tokens": 6144,
        "schedule": {"learning_rate": 3e-3, "warmup_steps": 2},
        "held_out": {"share": 0.05},
        "device": "cpu",
        "precision": "fp32",
        "compile": False,
        "checkpoints": {"every_steps": 4},
        "evaluation": {"every_steps": 6},
        "logging": {"every_steps": 1, "tensorboard": False},
        **more,
    }  # fmt: skip


def train(folder, shards, **more):
    """A training in this process; what it returns."""
    config = configs.PretrainConfig.model_validate(settings(shards, **more))
    return pretrain(config, Path(folder), lambda world: live_view(Console(quiet=True), "small", config.steps))


def start(folder, shards, processes=1, **more):
    """A training as a user starts it; torchrun for several processes."""
    file = Path(f"{folder}.yaml")
    file.write_text(yaml.safe_dump(settings(shards, **more)), "utf-8")
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    command = [*(launcher if processes > 1 else ()), *COMMAND[0 if processes == 1 else 1 :]]
    return subprocess.Popen(
        [*command, str(file), "--out", str(folder), "--log-json"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(folder, kind):
    """Records of a training by step."""
    lines = (Path(folder) / "metrics.jsonl").read_bytes().splitlines()
    return {one["step"]: one for one in map(orjson.loads, lines) if one["kind"] == kind}


def losses(folder):
    """(loss, gradient norm) by step: whole floats, so that equal means bit-identical."""
    return {step: (one["loss"], one["grad_norm"]) for step, one in records(folder, "train").items()}


def read(folder):
    """What each step read: learnt tokens and bytes by source."""
    return {
        step: {name: (part["num_tokens"], part["num_bytes"]) for name, part in one["sources"].items()}
        for step, one in records(folder, "train").items()
    }
