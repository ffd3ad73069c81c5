"""Fine-tunings that last seconds: a model of two layers, conversations of ours; here, or as a user starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
import transformers
import yaml
from rich.console import Console

from chejil.training.loop import metrics
from chejil.training.loop.live_view import live_view
from chejil.training.tuning.sft import sft
from chejil.training.tuning.sft_config import SftConfig

sys.path.insert(0, str(Path(__file__).parent))
import chat_tokenizer


def model(folder, **more):
    """A random Llama with a tokenizer that has a chat template; the folder's path."""
    path = chat_tokenizer.write(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=640, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=None, eos_token_id=0, pad_token_id=1, **more,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def conversations(file, count=48, turns=1):
    """Questions with a number, answered by its double; a system message on every fifth."""
    rows = []
    for number in range(count):
        messages = (
            [{"role": "system", "content": "짧게 답하세요."}] if number % 5 == 0 else []
        )  # answer briefly
        for turn in range(turns):
            asked = (
                f"{number} 곱하기 {turn + 2}는?" if number % 2 else f"double {number}?"
            )  # what is n times k
            messages += [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": f"{number * 2}."},
            ]
        rows.append({"messages": messages})
    return write(file, rows)


def write(file, rows):
    Path(file).write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return str(file)


def settings(base, data, **more):
    """12 steps of 4 rows; measured and saved at every fourth."""
    return {
        "name": "small",
        "model": str(base),
        "conversations": {"paths": [str(data)], "held_out": {"share": 0.2}},
        "context_tokens": 64,
        "packing": "padded",
        "batch_rows": 4,
        "micro_batch_rows": 2,
        "epochs": 1.2,
        "schedule": {"learning_rate": 1e-2},
        "device": "cpu",
        "precision": "fp32",
        "checkpoints": {"every_steps": 4},
        "logging": {"every_steps": 1, "tensorboard": False},
        **more,
    }


def config(base, data, **more):
    return SftConfig.model_validate(settings(base, data, **more))


def tune(folder, base, data, **more):
    """In this process: what it returns."""
    config = SftConfig.model_validate(settings(base, data, **more))
    quiet = Console(quiet=True)
    return sft(
        config, Path(folder), lambda world, steps: live_view(quiet, "small", steps), lambda found: None
    )


def start(folder, base, data, processes=1, **more):
    """As a user starts it; torchrun for several processes."""
    file = Path(f"{folder}.yaml")
    file.write_text(yaml.safe_dump(settings(base, data, **more)), "utf-8")
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(several if processes > 1 else ()), "-m", "chejil", "sft"]
    return subprocess.Popen(
        [*command, str(file), "--out", str(folder), "--log-json"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def losses(folder):
    """Loss and gradient norm by step."""
    return {one["step"]: (one["loss"], one["grad_norm"]) for one in metrics.read(folder, "train")}
