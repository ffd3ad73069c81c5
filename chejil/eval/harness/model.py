"""lm-eval's Hugging Face model, with what it lacks: polyglot's encoding, CPU processes, progress, counted cuts.

`harness` encodes context and continuation together and splits them, with the tokenizer's own special tokens, as
lm-eval does. `polyglot` encodes each apart and without any: no BOS, and a space at the end of BoolQ's context stays
there. A model with a SentencePiece tokenizer sees other tokens by it.

Batch `auto` on a GPU is lm-eval's search (it halves after running out of memory); on a CPU memory runs out by being
killed, so there it follows from the longest prompt: logits of a batch within 512 MiB, at most 64 rows.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from typing import Any, Literal

import torch
from lm_eval.models.huggingface import HFLM

from chejil.errors import ChejilError
from chejil.eval.harness import installed
from chejil.eval.harness.model_folder import ModelFolder, unusable
from chejil.eval.harness.tasks import Mode

BatchSize = int | Literal["auto"]
Request = tuple[tuple[str, str], list[int], list[int]]

_LOGITS_BYTES = 512 << 20
_MAX_ROWS = 64
_COPIES = 2
"""Logits and their log-softmax, 4 bytes a number."""


class _Answered:
    """lm-eval's cache hook, called at each answer: here progress."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told

    def add_partial(self, *answer: Any) -> None:
        self._told()


class HarnessModel(HFLM):
    """A model as lm-eval runs it.

    Attributes:
        cut: requests that lost their beginning, since they did not fit the context, since `watch`.
    """

    _model: Any

    def __init__(self, adapter: str | None, **options: Any) -> None:
        super().__init__(**options)
        self.cut = 0
        self._join()
        if adapter is not None:
            self._put_on(adapter)

    def _put_on(self, adapter: str) -> None:
        """Put an adapter on. lm-eval first cuts embeddings down to the tokenizer's tokens, and so changes every
        probability of a model whose vocabulary is padded: base, adapter and both merged would not be comparable."""
        from peft import PeftModel

        if len(self.tokenizer) > self._model.get_input_embeddings().num_embeddings:
            self._model.resize_token_embeddings(len(self.tokenizer))
        self._model = PeftModel.from_pretrained(self._model, adapter).eval()

    def _join(self) -> None:
        """Take a rank among processes; lm-eval does so on GPUs alone, and counts within one machine."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            self._rank = torch.distributed.get_rank()
            self._world_size = torch.distributed.get_world_size()
            self._device = self.accelerator.device

    def watch(self, told: Callable[[], None]) -> None:
        """Tell of each answer from now on, and count cuts anew."""
        self.cut = 0
        self.cache_hook = _Answered(told)

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """As lm-eval's, without its bar."""
        return super().loglikelihood(requests, disable_tqdm=True)

    def _loglikelihood_tokens(self, requests: list[Request], *args: Any, **options: Any) -> Any:
        if odd := self._of_all(len(ids) for _, _, ids in requests if not 0 < len(ids) <= self.max_length):
            raise ChejilError(
                f"a choice of {odd[0]} tokens, the context has {self.max_length}",
                mend="a model with a longer context, or leave the task out",
            )
        self.cut = sum(len(context) + len(ids) > self.max_length + 1 for _, context, ids in requests)
        return super()._loglikelihood_tokens(requests, *args, **options)

    def _of_all(self, lengths: Iterable[int]) -> list[int]:
        """Those of all processes: where one gives a task up, each must, or they wait for one another."""
        own = list(lengths)
        if self.world_size == 1:
            return own
        found: list[list[int]] = [[] for _ in range(self.world_size)]
        torch.distributed.all_gather_object(found, own)
        return [length for lengths in found for length in lengths]

    def _batch_scheduler(self, pos: int, n_reordered_requests: Sequence[Request]) -> int:
        if self.device.type != "cpu":
            with redirect_stdout(io.StringIO()):  # it prints, and stdout is for results
                return super()._batch_scheduler(pos, n_reordered_requests)
        _, context, ids = n_reordered_requests[0]
        tokens = min(len(context) + len(ids), self.max_length)
        row_bytes = tokens * self.model.config.vocab_size * 4 * _COPIES
        return max(1, min(_MAX_ROWS, _LOGITS_BYTES // row_bytes))


class PolyglotModel(HarnessModel):
    """A model as the published numbers were made."""

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        ids = (self.tok_encode(text, add_special_tokens=False) for text in (context, continuation))
        return next(ids), next(ids)


def load(
    folder: ModelFolder, mode: Mode, batch_size: BatchSize, device: str | None, dtype: str
) -> HarnessModel:
    """Load a model.

    Raises:
        ChejilError: it, its tokenizer or its adapter cannot be read, or the device is not there.
    """
    installed.require(*(["peft"] if folder.adapter else []))
    kind = PolyglotModel if mode == "polyglot" else HarnessModel
    device = _device(device)
    if device == "cpu":  # accelerate else takes processes without a GPU for single ones
        os.environ["ACCELERATE_USE_CPU"] = "true"
    try:
        return kind(
            pretrained=folder.pretrained,
            tokenizer=folder.tokenizer,
            adapter=folder.adapter,
            batch_size=str(batch_size),
            max_batch_size=_MAX_ROWS,
            device=device,
            dtype=dtype,
        )
    except ChejilError:
        raise
    except Exception as error:
        raise unusable("the model", error, folder.pretrained) from None


def _device(named: str | None) -> str:
    if named is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if named.startswith("cuda") and not torch.cuda.is_available():
        raise ChejilError(f"there is no device '{named}'", mend="--device cpu, or a torch for this GPU")
    return named
