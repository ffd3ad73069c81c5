"""Cross-entropy as sums, in chunks, and by row.

A sum and not a mean: the mean of micro-batches' means weighs tokens of a short one more. The loop knows the labels of
its whole batch before the first forward pass, so it divides by the count over all micro-batches and ranks:

    sums = loss_sums(hidden_BTD, head_VD, labels_BT)
    (sums.total / learnt_in_the_whole_batch).backward()        # · ranks, where gradients are averaged over ranks

Logits of a batch in fp32 are the largest tensor of a small model's training (8 rows of 4,096 tokens and 50,304 ids:
6.6 GB, and as much again for their gradient). They exist for one chunk of places at a time: made, reduced to a number a
token and to gradients of hidden states and head, and thrown away. Only the sum is learnt from, so its gradient is known
in the forward pass but for one factor, and nothing is made again: three products in any number of chunks (as
Liger-Kernel's fused linear cross-entropy, Hsu et al. 2024, arXiv:2410.10989). Products are in the precision of the
weights; softmax, sums, and the head's gradient over chunks are fp32.

z-loss is log²Z a token, times its weight (Chowdhery et al. 2022, PaLM, section 5). It is trained on, but not part of
`cross_entropy_B`, which bits per byte are made of.

    B rows   T places   D width   V ids
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers import LlamaForCausalLM

from chejil.training.config import Loss
from chejil.training.data.rows import IGNORED
from chejil.training.modelling import attention
from chejil.training.modelling.attention import hidden_states
from chejil.training.modelling.model_sizes import loss_places


@dataclass(frozen=True)
class LossSums:
    """Sums over the learnt tokens of a micro-batch.

    Args:
        total: scalar fp32 with a gradient: cross-entropy and weighted z-loss; nats.
        cross_entropy_B: (B) fp32, of each row, without z-loss; nats, no gradient.
        log_z_squared_B: (B) fp32, sum of log²Z, not weighted, no gradient.
        num_learnt_B: (B) int64, labels that are not IGNORED.
        cross_entropy_BT: (B, T) fp32, of each place, 0 where nothing is learnt; no gradient.
    """

    total: torch.Tensor
    cross_entropy_B: torch.Tensor
    log_z_squared_B: torch.Tensor
    num_learnt_B: torch.Tensor
    cross_entropy_BT: torch.Tensor


def loss_sums(
    hidden_BTD: torch.Tensor,
    head_VD: torch.Tensor,
    labels_BT: torch.Tensor,
    *,
    z_loss: float = 0.0,
    places: int | None = None,
) -> LossSums:
    """Sums of the loss over the labels that are not IGNORED.

    Args:
        head_VD: weights of the output head; logits are hidden · headᵀ.
        z_loss: weight of log²Z.
        places: of a chunk; None: `model_sizes.loss_places`.
    """
    hidden_ND, labels_N = hidden_BTD.flatten(0, 1), labels_BT.flatten()
    places = places or loss_places(*head_VD.shape)
    total, *of_token = _HeadLoss.apply(hidden_ND, head_VD, labels_N, z_loss, places, torch.is_grad_enabled())
    entropy_BT, square_BT = (one_N.view(labels_BT.shape) for one_N in of_token)
    learnt_B = (labels_BT != IGNORED).sum(1)
    return LossSums(total, entropy_BT.sum(1), square_BT.sum(1), learnt_B, entropy_BT)


class _HeadLoss(torch.autograd.Function):
    """(total, (N) cross-entropy, (N) log²Z) in fp32; the total alone has a gradient, made in the forward pass.

    It is scaled where it lies: a graph can be gone back through only once.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: torch.Tensor,
        head_VD: torch.Tensor,
        labels_N: torch.Tensor,
        z_loss: float,
        places: int,
        learns: bool,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        of_head_VD = torch.zeros_like(head_VD, dtype=torch.float32) if learns else None
        parts = [
            _chunk(hidden, head_VD, labels, z_loss, of_head_VD)
            for hidden, labels in zip(hidden_ND.split(places), labels_N.split(places), strict=True)
        ]
        entropy_N, square_N, of_hidden_ND = (torch.cat(part) for part in zip(*parts, strict=True))
        ctx.mark_non_differentiable(entropy_N, square_N)
        ctx.save_for_backward(of_hidden_ND, of_head_VD)
        ctx.dtype = head_VD.dtype
        return entropy_N.sum() + z_loss * square_N.sum(), entropy_N, square_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
        of_hidden_ND, of_head_VD = ctx.saved_tensors
        return of_hidden_ND.mul_(factor), of_head_VD.mul_(factor).to(ctx.dtype), None, None, None, None


def _chunk(
    hidden_ND: torch.Tensor,
    head_VD: torch.Tensor,
    labels_N: torch.Tensor,
    z_loss: float,
    of_head_VD: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(N) cross-entropy, (N) log²Z, 0 where nothing is learnt, and (N, D) the gradient of their sum.

    Args:
        of_head_VD: the head's gradient is added to it; None: nothing is learnt, and the other one is empty.
    """
    learnt_N = labels_N != IGNORED
    index_N1 = labels_N.long().clamp(min=0)[:, None]
    logits_NV = functional.linear(hidden_ND, head_VD)
    label_N = logits_NV.gather(1, index_N1)[:, 0].float()
    exp_NV = logits_NV.float()
    largest_N1 = exp_NV.amax(1, keepdim=True)
    exp_NV = exp_NV.sub_(largest_N1).exp_()  # the gradient is made in its place
    sum_N1 = exp_NV.sum(1, keepdim=True)
    log_z_N = (largest_N1 + sum_N1.log())[:, 0]
    zero = log_z_N.new_zeros(())
    losses = torch.where(learnt_N, log_z_N - label_N, zero), torch.where(learnt_N, log_z_N.square(), zero)
    if of_head_VD is None:
        return *losses, hidden_ND[:0]
    # d entropy = p - 1 at the label, d log²Z = 2 log Z p.
    of_p_N1 = (learnt_N * (1 + 2 * z_loss * log_z_N))[:, None] / sum_N1
    gradient_NV = exp_NV.mul_(of_p_N1).scatter_add_(1, index_N1, -learnt_N.float()[:, None]).to(head_VD.dtype)
    of_head_VD += gradient_NV.T @ hidden_ND
    return *losses, gradient_NV @ head_VD


def by_source(row_B: torch.Tensor, source_B: torch.Tensor, num_sources: int) -> torch.Tensor:
    """(num_sources) fp64 sums of rows by their source; to be added up over steps and ranks."""
    sums = torch.zeros(num_sources, dtype=torch.float64, device=row_B.device)
    return sums.index_add_(0, source_B.long(), row_B.double())


class ModelWithLoss(nn.Module):
    """A model that returns its loss: what is sharded, and what a step calls.

    The head is applied in chunks, so not by the model's own forward. FSDP gathers the weights of embedding, last norm
    and head before the forward pass of the module that it was applied to, and of none else: apply it to the layers
    and then to this.
    """

    def __init__(self, model: LlamaForCausalLM, settings: Loss) -> None:
        super().__init__()
        self.model, self.settings = model, settings

    def forward(
        self, ids_BT: torch.Tensor, positions_BT: torch.Tensor, labels_BT: torch.Tensor | None = None
    ) -> LossSums | torch.Tensor:
        """See `sums`; without labels (B, T, D) hidden states. One method, as FSDP hooks into no other."""
        hidden_BTD = hidden_states(self.model, ids_BT, positions_BT)
        if labels_BT is None:
            return hidden_BTD
        head_VD = self.model.lm_head.weight
        return loss_sums(hidden_BTD, head_VD, labels_BT, z_loss=self.settings.z_loss)

    def sums(self, ids_BT: torch.Tensor, positions_BT: torch.Tensor, labels_BT: torch.Tensor) -> LossSums:
        """Sums of the loss of a micro-batch; arrays as `Rows` has them."""
        return self(ids_BT, positions_BT, labels_BT)

    def refuse_leaks(self) -> None:
        """See attention.refuse_leaks; all ranks have to call it, at start, with the precision that trains."""
        # Flex has another kernel for queries of less than a block; documents shall begin within blocks.
        half = 80 if next(self.parameters()).device.type == "cuda" else 8
        attention.refuse_leaks(self.model, lambda _, ids_BT, positions_BT: self(ids_BT, positions_BT), half)
