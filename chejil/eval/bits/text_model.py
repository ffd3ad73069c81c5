"""A causal model of Hugging Face that scores texts: nats of each document, whatever its tokenizer.

What a document begins with is what the tokenizer puts before a text itself (BOS), else its BOS, else its EOS: models of
`chejil pretrain` read END t1 … tn, so every token has a probability, the first one too. A document's end (EOS) is no
byte of the text and not every model was taught it, so its nats are apart; pretraining's own bits per byte hold them.
Special tokens written in a text are text, as in pretraining.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from chejil.errors import ChejilError
from chejil.eval.bits.bits_settings import MOST_CONTEXT, BitsSettings
from chejil.eval.bits.windows import Window, batches, windows
from chejil.eval.harness.model_folder import ModelFolder, unusable

_CPU_BYTES, _GPU_SHARE = 512 << 20, 0.25
_COPIES = 3
"""Logits as the model gives them, in fp32, and their log-softmax."""
_NEEDS = "float32, or mend the weights"


class TextModel:
    """A loaded model.

    Attributes:
        begin: ids that every document begins with.
        end: ids that end a document: EOS, or nothing.
        context, stride: of windows, tokens.
    """

    def __init__(self, folder: ModelFolder, settings: BitsSettings) -> None:
        self.device = _device(settings.device)
        self.tokenizer = _tokenizer(folder)
        self.model = _model(folder, settings.dtype, self.device)
        self.begin = _begin(self.tokenizer, folder.tokenizer)
        eos = self.tokenizer.eos_token_id
        self.end = [] if eos is None else [eos]
        self.context = _context(self.model.config, settings.context, folder.pretrained)
        self.stride = settings.stride or max(1, self.context // 2)
        if self.stride > self.context:
            what = f"stride {self.stride} is longer than the context {self.context}"
            raise ChejilError(what, mend="give a smaller --stride")

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of texts, without any special ones."""
        if not texts:
            return []
        found = self.tokenizer(
            list(texts), add_special_tokens=False, split_special_tokens=True, return_attention_mask=False,
            verbose=False,
        )  # fmt: skip
        return found["input_ids"]

    def nats(
        self, ids: Sequence[Sequence[int]], told: Callable[[int], None] | None = None
    ) -> list[tuple[float, float]]:
        """Nats of texts, each the sum over its tokens; and of the end behind each.

        Args:
            ids: as `ids` gives them.
            told: is told of every batch's scored tokens.

        Raises:
            ChejilError: a probability is no number.
        """
        sequences = [[*self.begin, *one, *self.end] for one in ids]
        sums = torch.zeros(len(ids), 2, dtype=torch.float64)
        found = windows([len(one) for one in sequences], len(self.begin), self.context, self.stride)
        for batch in batches(list(found), self._tokens()):
            values = self._of(batch, sequences)
            sums.index_add_(0, torch.tensor([one.sequence for one in batch]), values)
            if told:
                told(sum(one.end - one.first for one in batch))
        if not bool(torch.isfinite(sums).all()):
            raise ChejilError("probabilities of the model are no numbers", mend=f"--dtype {_NEEDS}")
        return [(nats, end) for nats, end in sums.tolist()]

    def _tokens(self) -> int:
        """Inputs of a batch whose logits have room."""
        limit = _CPU_BYTES
        if self.device.type == "cuda":
            limit = int(torch.cuda.mem_get_info(self.device)[0] * _GPU_SHARE)
        return max(1, limit // (4 * _COPIES * self._num_ids()))

    def _num_ids(self) -> int:
        return int(self.model.get_output_embeddings().weight.shape[0])

    @torch.inference_mode()
    def _of(self, batch: Sequence[Window], sequences: Sequence[Sequence[int]]) -> torch.Tensor:
        """Nats of each window's targets, of texts and of ends, (num_windows, 2) float64 on the CPU.

        Padding stands at the right, where a causal model's earlier places cannot see it: no mask is needed.
        """
        width = batch[0].inputs
        ids_BT = torch.full((len(batch), width), self.begin[0])
        labels_BT = torch.full((len(batch), width), -100)
        ends_BT = torch.zeros((len(batch), width), dtype=torch.bool)
        for row, one in enumerate(batch):
            whole = torch.tensor(sequences[one.sequence][one.begin : one.end])
            ids_BT[row, : one.inputs] = whole[:-1]
            skipped = one.first - one.begin - 1
            labels_BT[row, skipped : one.inputs] = whole[1 + skipped :]
            ends_BT[row, one.inputs - 1] = bool(self.end) and one.end == len(sequences[one.sequence])
        logits_BTV = self.model(input_ids=ids_BT.to(self.device), use_cache=False).logits
        losses = cross_entropy(
            logits_BTV.flatten(0, 1).float(), labels_BT.flatten().to(self.device), reduction="none"
        )
        losses_BT = losses.view(len(batch), width).double().cpu()
        return torch.stack([losses_BT.masked_fill(part, 0).sum(dim=1) for part in (ends_BT, ~ends_BT)], dim=1)


def _tokenizer(folder: ModelFolder) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder.tokenizer)
    except Exception as error:  # tokenizers raises bare ones
        raise unusable("the tokenizer", error, folder.tokenizer) from None


def _model(folder: ModelFolder, dtype: str, device: torch.device) -> Any:
    from transformers import AutoModelForCausalLM

    try:
        model: Any = AutoModelForCausalLM.from_pretrained(folder.pretrained, dtype=dtype)
        if folder.adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, folder.adapter)
    except Exception as error:  # each library raises its own: SafetensorError, OSError, …
        raise unusable("the model", error, folder.pretrained) from None
    return model.to(device).eval()


def _begin(tokenizer: Any, where: str) -> list[int]:
    """What documents begin with."""
    whole, plain = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
    for place in range(len(whole) - len(plain), 0, -1):
        if whole[place : place + len(plain)] == plain:
            return list(whole[:place])
    for number in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if number is not None:
            return [number]
    what = "the tokenizer has neither a begin nor an end token: a document's first token has no probability"
    raise ChejilError(what, where=where, mend="set eos_token in its tokenizer_config.json")


def _context(config: Any, wanted: int | None, where: str) -> int:
    known = [
        getattr(config, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len")
    ]
    most = next((one for one in known if one), None)
    if wanted is not None and most is not None and wanted > most:
        what = f"--context {wanted:,} is longer than the model's {most:,} positions"
        raise ChejilError(what, where=where, mend=f"give --context {most} or less")
    return wanted or min(most or MOST_CONTEXT, MOST_CONTEXT)


def _device(named: str | None) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if named is not None and named.startswith("cuda") and not has_gpu:
        raise ChejilError(
            f"there is no device '{named}'", mend="--device cpu, or a torch that was built for this GPU"
        )
    if named in (None, "cuda") and has_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(named or "cpu")
