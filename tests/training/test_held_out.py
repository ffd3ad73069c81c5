"""Held-out documents: by their ids alone, never trained on, read in fixed order."""

import sys
from pathlib import Path

import pytest

from chejil.errors import ChejilError
from chejil.training.data.batches import Batches
from chejil.training.data.data_settings import DataSettings
from chejil.training.data.rows import IGNORED
from chejil.training.data.token_corpus import TokenCorpus

sys.path.insert(0, str(Path(__file__).parent))
import small_token_shards as small


def words(begin, num):
    """Documents each of which holds a token that no other has."""
    return [[257 + number, *range(number % 30)] for number in range(begin, begin + num)]


GROUPS = {("web", "ko"): words(0, 2000), ("web", "en"): words(2000, 10), ("law", "ko"): words(2010, 1)}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """Shards of two sources."""
    return small.write(tmp_path_factory.mktemp("tokens"), GROUPS, per_shard=300, ids=3000)


def batches(root, rows=1, **said):
    settings = DataSettings.model_validate({"row_tokens": 64, **said})
    return Batches(settings, TokenCorpus([root]), rows, kept=None)


def names(tokens):
    """The tokens that name documents."""
    return set(tokens[tokens > small.END].tolist())


def evaluated(found, rows=16):
    return [name for batch in found.evaluation(rows) for name in names(batch.labels_BT)]


def test_no_document_is_both_trained_on_and_held_out(tokens):
    """Together they are all; a stream of one document is trained on, of ten at least one is held out."""
    found = batches(tokens, held_out={"share": 0.05})
    trained = set()
    for step in range(3 * sum(windows.num_rows for windows in found.windows)):
        trained |= names(found.batch(step).labels_BT)
    held = set(evaluated(found))

    assert not trained & held
    assert trained | held == set(range(257, 257 + 2011))
    assert 60 < len(held) < 140
    assert sum(1 for name in held if 2257 <= name < 2267) >= 1
    assert 2267 in trained


def test_what_is_held_out_follows_from_ids(tokens, tmp_path):
    """A corpus in other shards, which has grown, holds out the same and some more; the training's seed has no say."""
    groups = {
        ("web", "ko"): [*words(0, 2000), *words(2500, 400)],
        **{k: v for k, v in GROUPS.items() if k[0] == "law"},
    }
    grown = small.write(tmp_path, groups, per_shard=111, ids=3200)
    settings = {"held_out": {"share": 0.05, "shares": {"web/en": 0.0}}}
    before, after = (
        set(evaluated(batches(tokens, **settings))),
        set(evaluated(batches(grown, held_out={"share": 0.05}))),
    )

    assert before == {name for name in after if name < 2257}
    assert before == set(evaluated(batches(tokens, seed=9, **settings)))
    assert before != set(evaluated(batches(tokens, held_out={"share": 0.05, "seed": 2})))


def test_evaluation_is_the_same_whatever_the_training(tokens):
    """Seed, rows of a batch: the same documents and the same sums of bytes."""
    settings = {"held_out": {"share": 0.1, "eval_tokens": 700}}
    one, other = batches(tokens, **settings), batches(tokens, 8, seed=3, **settings)
    sums = []
    for parts in (
        [one.evaluation(16)],
        [other.evaluation(3)],
        [one.evaluation(4).of(number) for number in range(len(one.names))],
    ):
        rows = [
            row
            for part in parts
            for batch in part
            for row in zip(batch.source_B, batch.num_bytes_B, strict=True)
        ]
        sums.append((len(rows), sum(int(num) for _, num in rows)))
        assert len(set(sums)) == 1
    assert [batch.hash for batch in one.evaluation(16)] == [batch.hash for batch in one.evaluation(16)]
    learnt = sum(
        int((batch.labels_BT != IGNORED).sum()) for batch in one.evaluation(16) if batch.source_B[0] == 2
    )
    assert 700 <= learnt < 700 + 32


def test_none_is_held_out_where_the_share_is_0(tokens):
    """And there is nothing to evaluate."""
    assert evaluated(batches(tokens, held_out={"share": 0})) == []


def test_a_share_of_an_unknown_source_is_refused(tokens):
    """With the near name."""
    with pytest.raises(ChejilError, match="no source 'wob'") as error:
        batches(tokens, held_out={"shares": {"wob": 0.1}})
    assert "web" in error.value.mend
