"""Cross-entropy as sums, in chunks, and by row.

A sum and not a mean: the mean of micro-batches' means weighs tokens of a short one more. The loop knows the labels of
its whole batch before the first forward pass, so it divides by the count over all micro-batches and ranks:

    sums = loss_sums(hidden_BTD, head_VD, labels_BT, chunks=8)
    (sums.total / learnt_in_the_whole_batch).backward()        # · ranks, where gradients are averaged over ranks

Logits of a batch in fp32 are the largest tensor of a small model's training (8 rows of 4,096 tokens and 50,304 ids:
6.6 GB, and as much again for their gradient). With `chunks` they exist for one chunk at a time: made, reduced to a
number a token, thrown away, and made again in the backward pass. That is a fourth product beside the head's three:
0.51 s instead of 0.28 s for head and loss of 512 tokens, width 256 and 16,000 ids (CPU, fp32, one thread). Products
are in the precision of autocast or of the weights; softmax and sums are fp32.

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
from torch.utils.checkpoint import checkpoint
from transformers import LlamaForCausalLM

from chejil.training.config import Loss
from chejil.training.data.rows import IGNORED
from chejil.training.modelling import attention
from chejil.training.modelling.attention import hidden_states


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
    chunks: int = 1,
) -> LossSums:
    """Sums of the loss over the labels that are not IGNORED.

    Args:
        head_VD: weights of the output head; logits are hidden · headᵀ.
        z_loss: weight of log²Z.
        chunks: into which the places are divided; more than there are places are as many as there are.
    """
    hidden_ND, labels_N = hidden_BTD.flatten(0, 1), labels_BT.flatten()
    parts = [
        _chunk(hidden, head_VD, labels, chunks)
        for hidden, labels in zip(hidden_ND.chunk(chunks), labels_N.chunk(chunks), strict=True)
    ]
    entropy_BT, square_BT = (torch.cat(part).view(labels_BT.shape) for part in zip(*parts, strict=True))
    total = entropy_BT.sum()
    if z_loss:
        total = total + z_loss * square_BT.sum()
    learnt_B = (labels_BT != IGNORED).sum(1)
    entropies_BT = entropy_BT.detach()
    return LossSums(total, entropies_BT.sum(1), square_BT.detach().sum(1), learnt_B, entropies_BT)


def _chunk(
    hidden_ND: torch.Tensor, head_VD: torch.Tensor, labels_N: torch.Tensor, chunks: int
) -> tuple[torch.Tensor, torch.Tensor]:
    if chunks == 1 or not torch.is_grad_enabled():
        return _token_losses(hidden_ND, head_VD, labels_N)
    # No random numbers in here, so their state need not be kept.
    return checkpoint(
        _token_losses, hidden_ND, head_VD, labels_N, use_reentrant=False, preserve_rng_state=False
    )


def _token_losses(
    hidden_ND: torch.Tensor, head_VD: torch.Tensor, labels_N: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(N) cross-entropy and (N) log²Z, fp32; 0 where nothing is learnt."""
    return _TokenLosses.apply(functional.linear(hidden_ND, head_VD), labels_N)


class _TokenLosses(torch.autograd.Function):
    """Both losses from logits; fp32 log-probabilities are kept, and become the gradient in their place.

    torch's own would make two or three more tensors of N·V numbers, one of them filled with zeros: head and loss of
    2,048 tokens, width 256 and 50,304 ids take 2.8 s of a CPU core with this, 4.2 with logsumexp and
    gather, 3.3 with torch's cross_entropy. So a graph can be gone back through only once.
    """

    @staticmethod
    def forward(
        ctx: Any, logits_NV: torch.Tensor, labels_N: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        learnt_N = labels_N != IGNORED
        index_N1 = labels_N.long().clamp(min=0)[:, None]
        log_p_NV = functional.log_softmax(logits_NV, 1, dtype=torch.float32)
        entropy_N = -log_p_NV.gather(1, index_N1)[:, 0]
        log_z_N = logits_NV.gather(1, index_N1)[:, 0].float() + entropy_N
        ctx.save_for_backward(log_p_NV, index_N1, learnt_N, log_z_N)
        ctx.dtype = logits_NV.dtype
        zero = log_z_N.new_zeros(())
        return torch.where(learnt_N, entropy_N, zero), torch.where(learnt_N, log_z_N.square(), zero)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients_N: torch.Tensor) -> tuple[torch.Tensor, None]:
        log_p_NV, index_N1, learnt_N, log_z_N = ctx.saved_tensors
        entropy_N, square_N = (one * learnt_N for one in gradients_N)
        # d entropy = p - 1 at the label, d log²Z = 2 log Z p.
        gradient_NV = log_p_NV.exp_().mul_((entropy_N + 2 * log_z_N * square_N)[:, None])
        gradient_NV.scatter_add_(1, index_N1, -entropy_N[:, None])
        return gradient_NV.to(ctx.dtype), None


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
        return loss_sums(
            hidden_BTD, head_VD, labels_BT, z_loss=self.settings.z_loss, chunks=self.settings.chunks
        )

    def sums(self, ids_BT: torch.Tensor, positions_BT: torch.Tensor, labels_BT: torch.Tensor) -> LossSums:
        """Sums of the loss of a micro-batch; arrays as `Rows` has them."""
        return self(ids_BT, positions_BT, labels_BT)

    def refuse_leaks(self) -> None:
        """See attention.refuse_leaks; all ranks have to call it, at start, with the precision that trains."""
        # Flex has another kernel for queries of less than a block; documents shall begin within blocks.
        half = 80 if next(self.parameters()).device.type == "cuda" else 8
        attention.refuse_leaks(self.model, lambda _, ids_BT, positions_BT: self(ids_BT, positions_BT), half)
