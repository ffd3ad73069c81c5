"""Sums of the loss against torch's cross_entropy; chunks, micro-batches and shards change nothing."""

import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch.nn import functional  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from chejil.training.config import Loss  # noqa: E402
from chejil.training.modelling import llama as models  # noqa: E402
from chejil.training.modelling import losses  # noqa: E402
from chejil.training.modelling.losses import ModelWithLoss, loss_sums  # noqa: E402
from chejil.training.modelling.model_sizes import ModelSize  # noqa: E402

B, T, D, V = 3, 10, 8, 50


pytestmark = pytest.mark.usefixtures("one_thread")


def example(seed=0):
    random = torch.Generator().manual_seed(seed)
    hidden = torch.randn(B, T, D, generator=random).requires_grad_()
    head = torch.randn(V, D, generator=random).requires_grad_()
    labels = torch.randint(0, V, (B, T), generator=random, dtype=torch.int32)
    labels[0, 0] = labels[1, 5:] = labels[2, 9] = -100
    return hidden, head, labels


def plain(hidden, head, labels, z_loss=0.0):
    logits = (hidden @ head.T).view(-1, V)
    flat = labels.view(-1).long()
    z = logits[flat != -100].exp().sum(1).log().square().sum()
    return functional.cross_entropy(logits, flat, ignore_index=-100, reduction="sum") + z_loss * z


def gradients(loss, *of):
    return torch.autograd.grad(loss, of)


@pytest.mark.parametrize("places", [None, 1, 2, 3, 7, 29, 30, 1000])
@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
def test_it_is_the_cross_entropy_of_torch_in_chunks_of_any_size(places, z_loss):
    hidden, head, labels = example()
    expected = plain(hidden, head, labels, z_loss)

    sums = loss_sums(hidden, head, labels, z_loss=z_loss, places=places)

    torch.testing.assert_close(sums.total, expected)
    for ours, theirs in zip(
        gradients(sums.total, hidden, head), gradients(expected, hidden, head), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_sums_by_row_are_without_z_loss():
    hidden, head, labels = example()

    sums = loss_sums(hidden, head, labels, z_loss=0.5, places=8)

    assert sums.num_learnt_B.tolist() == [9, 5, 9]
    for row in range(B):
        expected = plain(hidden[row : row + 1], head, labels[row : row + 1])
        torch.testing.assert_close(sums.cross_entropy_B[row], expected.detach())
    torch.testing.assert_close(
        sums.total.detach(), sums.cross_entropy_B.sum() + 0.5 * sums.log_z_squared_B.sum()
    )
    assert not sums.cross_entropy_B.requires_grad


def test_micro_batches_are_the_big_batch():
    """Rows with 9, 5 and 9 learnt tokens: a mean of means would be another loss and another gradient."""
    hidden, head, labels = example()
    learnt = (labels != -100).sum()
    expected = gradients(loss_sums(hidden, head, labels, z_loss=1e-3).total / learnt, hidden, head)

    for row in range(B):
        part = loss_sums(hidden[row : row + 1], head, labels[row : row + 1], z_loss=1e-3, places=5)
        (part.total / learnt).backward()

    torch.testing.assert_close(hidden.grad, expected[0])
    torch.testing.assert_close(head.grad, expected[1])


def test_a_batch_without_labels_has_loss_and_gradient_zero():
    hidden, head, labels = example()

    sums = loss_sums(hidden, head, torch.full_like(labels, -100), z_loss=1.0, places=11)

    assert sums.total.item() == 0
    assert all((gradient == 0).all() for gradient in gradients(sums.total, hidden, head))


def test_large_logits_are_no_trouble():
    hidden, head, labels = example()

    total = loss_sums(hidden * 1e4, head, labels, z_loss=1e-4, places=15).total

    assert math.isfinite(total.item())


def test_bf16_products_are_summed_in_fp32():
    hidden, head, labels = example()

    sums = loss_sums(hidden.bfloat16(), head.bfloat16(), labels, places=15)

    assert sums.total.dtype == torch.float32
    assert sums.total.item() == pytest.approx(plain(hidden, head, labels).item(), rel=0.02)


class Largest(TorchDispatchMode):
    """Remembers the most elements of a tensor that any operation made."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return made


@pytest.mark.parametrize("places", [B * T, B * T // 3, B * T // 5])
def test_logits_exist_for_one_chunk_at_a_time(places):
    hidden, head, labels = example()
    head = head.detach()  # its gradient would be larger than a chunk's logits here

    with Largest() as seen:
        loss_sums(hidden, head, labels, places=places, z_loss=1e-4).total.backward()

    assert seen.elements == max(places * V, V * D)


@pytest.mark.parametrize("tied", [False, True])
def test_a_model_with_loss_is_the_model_and_its_loss(tied):
    size = ModelSize(layers=1, hidden=16, heads=2, ffn=24, vocab=V, context_tokens=T, tied=tied)
    model = models.materialise(models.shape_of(size), 1, "cpu")
    ids, labels = torch.randint(0, V, (B, T)), example()[2]
    positions = torch.cat([torch.arange(6), torch.arange(4)]).expand(B, T)
    logits = model(ids, position_ids=positions, use_cache=False).logits
    expected = functional.cross_entropy(
        logits.view(-1, V), labels.view(-1).long(), ignore_index=-100, reduction="sum"
    )

    sums = ModelWithLoss(model, Loss()).sums(ids, positions, labels)

    torch.testing.assert_close(sums.total, expected)
    weights = list(model.parameters())
    for ours, theirs in zip(gradients(sums.total, *weights), gradients(expected, *weights), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_sums_by_source():
    rows, source = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([2, 0, 2, 0], dtype=torch.int32)

    assert losses.by_source(rows, source, 4).tolist() == [10.0, 0.0, 5.0, 0.0]
