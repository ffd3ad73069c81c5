"""The folder of a small training, from a curated run on: tokenizer, token shards, a checkpoint, metrics."""

import json
import shutil
from pathlib import Path

import torch

from chejil.tokenizer.encoding import encoding
from chejil.tokenizer.files import tokenizer_file, tokenizer_folder
from chejil.tokenizer.pretokens import patterns
from chejil.training.config import PretrainConfig
from chejil.training.data.batches import Batches
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.loop.checkpoints import Checkpoints
from chejil.training.loop.training_state import state_of
from chejil.training.modelling import llama

MODEL = {"layers": 2, "hidden": 32, "heads": 4, "kv_heads": 2, "ffn": 48, "vocab": 320, "context_tokens": 64}
STEP = 3


def tokenizer(folder, special=("<|endoftext|>", "<|pad|>"), roles=None):
    """A byte-level tokenizer with a few merges, as `chejil tokenizer train` writes it."""
    merges = [
        (b"t", b"h"),
        (b"th", b"e"),
        (b" ", b"the"),
        (b"\xed", b"\x9a"),
    ]  # the last: two thirds of a syllable
    content = tokenizer_file.document(special, merges, patterns.pattern("koen").regex)
    settings = tokenizer_folder.FolderSettings(
        special_tokens=special, roles=roles or {"eos": special[0], "pad": "<|pad|>"}, chat_template="none"
    )
    tokenizer_folder.write(str(folder), content, settings, {"words": {"hash": "0" * 32}})
    return str(folder)


def tokens(root, paths, of, end="<|endoftext|>"):
    """Token shards of some documents."""
    encoding.encode(paths, of, str(root), encoding.Settings(end_of_document=end))
    return str(root)


def config(of_tokens, **fields):
    """A training of a few steps."""
    return PretrainConfig(
        **{
            "name": "small", "about": "A small one", "model": MODEL, "tokens": of_tokens, "batch_tokens": 256,
            "total_tokens": 2560, "schedule": {"learning_rate": 1e-2}, "device": "cpu", "precision": "fp32",
            "held_out": {"share": 0.05}, **fields,
        }
    )  # fmt: skip


def train(folder, made, model=None, told=None):
    """A checkpoint after three steps of no schedule in particular; the model as it then is."""
    folder = Path(folder)
    torch.manual_seed(1)
    model = model or llama.build(made)
    batches = Batches(made.data(), TokenCorpus(made.tokens), made.batch_rows, made.steps)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for step in range(STEP):
        rows = batches.batch(step)
        ids = torch.from_numpy(rows.ids_BT).long()
        optimiser.zero_grad()
        model(
            ids, position_ids=torch.from_numpy(rows.positions_BT).long(), labels=ids, use_cache=False
        ).loss.backward()
        optimiser.step()
    told = told or {
        "config": made.model_dump(mode="json"),
        "rows": batches.identity,
        "versions": {"chejil": "0.1.0"},
    }
    with Checkpoints(folder / "checkpoints", made.checkpoints) as checkpoints:
        checkpoints.save(STEP, state_of(model, optimiser), json.loads(json.dumps(told)))
    shutil.copy(Path(made.tokens[0]) / "tokenizer.json", folder / "tokenizer.json")
    source = {"loss": 2.0, "bits_per_byte": 1.25, "num_tokens": 10, "num_bytes": 20}
    lines = [
        {"kind": "evaluation", "step": step, "tokens": 256 * step, "time": 0.0, "bits_per_byte": bits, "num_bytes": 20,
         "sources": {"mc4-ko/ko": {**source, "bits_per_byte": bits}}}
        for step, bits in ((1, 3.5), (STEP, 1.25), (STEP + 1, 0.5))
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return model.eval()
