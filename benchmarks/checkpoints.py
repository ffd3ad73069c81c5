"""How long a checkpoint holds a training up: in the background, and blocking; and how fast one is restored.

    python benchmarks/checkpoints.py --layers 12 --hidden 640

One process on the CPU, a model as the training builds it, AdamW's moments in fp32. Each save is one of a random state;
kinds take turns, and the shortest of `--rounds` counts. `write` is what the disk takes, in the background or not.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from chejil.training.config import Checkpoints as Settings
from chejil.training.loop.checkpoints import Checkpoints
from chejil.training.loop.training_state import state_of, weights_of
from chejil.training.modelling import llama as models
from chejil.training.modelling.model_sizes import ModelSize


def main() -> None:
    """Print one line of JSON."""
    asked = arguments()
    size = ModelSize(
        layers=asked.layers,
        hidden=asked.hidden,
        heads=8,
        ffn=4 * asked.hidden,
        vocab=asked.vocab,
        context_tokens=1024,
    )
    model = models.materialise(models.shape_of(size), 1, "cpu")
    optimiser = torch.optim.AdamW(models.parameter_groups(model, 0.1))
    state = state_of(model, optimiser)
    for of_weight in optimiser.state.values():
        of_weight["exp_avg"].normal_()
        of_weight["exp_avg_sq"].normal_()
    weights = sum(weight.numel() for weight in model.parameters())
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        seconds = measure(Path(folder), state, asked.rounds)
    print(json.dumps({"weights": weights, "threads": torch.get_num_threads(), "seconds": seconds}))


def measure(folder: Path, state: dict, rounds: int) -> dict[str, float]:
    """Shortest seconds of each part."""
    times: dict[str, list[float]] = {}

    def timed(name: str, act) -> None:
        begun = time.perf_counter()
        act()
        times.setdefault(name, []).append(time.perf_counter() - begun)

    background = Checkpoints(folder / "background", Settings(keep_last=1))
    blocking = Checkpoints(folder / "blocking", Settings(keep_last=1, in_background=False))
    for step in range(1, rounds + 1):
        name = "held up by the first" if step == 1 else "held up in the background"
        timed(name, lambda step=step: background.save(step, state, {}))
        timed("write in the background", background.finish)
        timed("held up by blocking", lambda step=step: blocking.save(step, state, {}))
    saved = background.newest()
    assert saved is not None
    for _ in range(2):
        timed("restore", lambda: background.restore(saved, state))
        timed("weights alone", lambda: weights_of(saved.folder))
    return {name: round(min(found), 3) for name, found in times.items()}


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("layers", 12), ("hidden", 640), ("vocab", 32_000), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", help="on the disk that is to be measured; default: for temporary files")
    return parser.parse_args()


if __name__ == "__main__":
    main()
