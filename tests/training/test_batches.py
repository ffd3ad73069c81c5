"""Batches: every token once an epoch, from any step, on any number of ranks; labels, bytes and refusals."""

import gzip
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.training.data.batches import Batches
from chejil.training.data.data_settings import DataSettings
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.rows import IGNORED
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.data.token_streams import Mapped

sys.path.insert(0, str(Path(__file__).parent))
import small_token_shards as small

END = small.END
GROUPS = {
    ("web", "ko"): small.documents(1, 900, 90),
    ("web", "en"): small.documents(2, 40),
    ("law", "ko"): small.documents(3, 60, 300, 1),
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """Shards of three streams, one of them of several windows, not to be changed."""
    return small.write(tmp_path_factory.mktemp("tokens"), GROUPS, per_shard=300)


def batches(root, rows=8, steps=None, kept=None, **said):
    said = {"row_tokens": 64, "packing": {"window_tokens": 8000}, **said}
    return Batches(DataSettings.model_validate(said), TokenCorpus([root]), rows, steps, kept)


def documents_of(rows, row):
    """What a row says: for each document its inputs, labels and positions; the padding is checked."""
    numbers, found = rows.documents_BT[row], []
    for number in range(numbers.max() + 1):
        here = numbers == number
        ids, labels, positions = (
            getattr(rows, name)[row][here].tolist() for name in ("ids_BT", "labels_BT", "positions_BT")
        )
        assert positions == list(range(len(ids)))
        found.append((ids, labels))
    assert (np.diff(numbers) >= 0).all()
    if found[-1] == ([END] * len(found[-1][0]), [IGNORED] * len(found[-1][0])):
        found.pop()  # padding
    return found


@pytest.mark.parametrize("policy", ["best-fit", "concat"])
@given(
    sizes=st.lists(st.integers(0, 150), min_size=5, max_size=400),
    row_tokens=st.integers(2, 80),
    window=st.integers(50, 20_000),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=15, deadline=None)
def test_each_training_token_is_learnt_once_an_epoch(
    policy, sizes, row_tokens, window, seed, tmp_path_factory
):
    """Whatever the lengths, rows and windows; in two epochs twice, each epoch in another order; held-out ones never."""
    texts = [[(7 * number + place) % 256 for place in range(size)] for number, size in enumerate(sizes)]
    root = small.write(tmp_path_factory.mktemp("any"), {("a", "ko"): [*texts, [1] * 90]}, per_shard=100)
    packing = {"policy": policy, "window_tokens": window}
    all_rows = batches(root, 1, row_tokens=row_tokens, packing=packing, seed=seed, held_out={"share": 0.1})
    held = set(all_rows.held.get("a/ko", ([],))[0])
    expected = Counter(
        token for number, one in enumerate([*texts, [1] * 90]) if number not in held for token in [*one, END]
    )
    num = all_rows.windows[0].num_rows

    for epoch in range(2):
        seen = Counter()
        for step in range(epoch * num, (epoch + 1) * num):
            seen += Counter(all_rows.batch(step).labels_BT[0].tolist())
        assert seen.pop(IGNORED, 0) == num * row_tokens - expected.total()
        assert seen == expected


def test_documents_are_whole_but_for_those_longer_than_a_row(tokens):
    """Best-fit: each document of at most a row stands in one piece, read from its start token to its end."""
    found = batches(tokens, 1, held_out={"share": 0}, mixture={"stages": [{"weights": {"law": 1}}]})
    pieces = []
    for step in range(found.windows[0].num_rows):
        for ids, labels in documents_of(found.batch(step), 0):
            assert ids[1:] == labels[:-1]
            pieces.append(labels)
    whole = Counter(tuple(labels) for labels in pieces)
    short = [(*one, END) for one in GROUPS["law", "ko"] if len(one) < 64]

    assert len(short) > 5
    assert all(whole[one] == 1 for one in short)


def test_without_a_start_token_the_first_one_is_not_predicted(tokens):
    """And at the end of a document there is nothing to learn; where it goes on in another row there is."""
    packing = {"start_token": False, "window_tokens": 8000}
    found = batches(
        tokens, 1, packing=packing, held_out={"share": 0}, mixture={"stages": [{"weights": {"law": 1}}]}
    )
    inputs, labels = Counter(), Counter()
    for step in range(found.windows[0].num_rows):
        for ids, predicted in documents_of(found.batch(step), 0):
            assert ids[1:] == predicted[:-1]
            assert (predicted[-1] == IGNORED) == (ids[-1] == END)
            inputs.update(ids)
            labels.update(predicted)
    whole = [[*one, END] for one in GROUPS["law", "ko"]]

    assert inputs == Counter(token for one in whole for token in one)
    assert labels == Counter([token for one in whole for token in one[1:]] + [IGNORED] * len(whole))


@given(st.integers(0, 500), st.integers(0, 2**30))
@settings(max_examples=25, deadline=None)
def test_a_resume_from_any_step_gives_the_same_batch(tokens, step, seed):
    """A process that begins there, and one that has come from elsewhere; another seed gives another batch."""
    fresh, used = batches(tokens, seed=seed), batches(tokens, seed=seed)
    for other in (step + 90, 3, step + 1):
        used.batch(other)

    assert fresh.batch(step).hash == used.batch(step).hash
    assert fresh.batch(step).hash != batches(tokens, seed=seed + 1).batch(step).hash


@pytest.mark.parametrize("world", [1, 2, 4, 8])
def test_any_number_of_ranks_takes_parts_of_the_same_batch(tokens, world):
    """Rank r has rows r, r + world, …."""
    found = batches(tokens)
    for step in (0, 17, 300):
        whole = found.batch(step)
        for rank in range(world):
            assert found.batch(step, rank, world).hash == whole.of(slice(rank, None, world)).hash


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("best-fit", "3dbd9eab8609651474f480a59c97a41e"), ("concat", "07bc49dd0774438fa05e8f3c34a883fb")],
)
def test_batches_never_change(policy, expected, tmp_path):
    """The order of rows is part of the format: a change needs another VERSION, for checkpoints rest on it."""
    texts = [[(7 * number + place) % 256 for place in range(number * 37 % 101)] for number in range(900)]
    root = small.write(tmp_path, {("a", "ko"): texts, ("b", "en"): texts[:99]}, per_shard=400)
    found = batches(root, packing={"policy": policy, "window_tokens": 9000})

    assert found.batch(1000).hash == expected


def test_the_index_that_was_kept_gives_the_same(tokens, tmp_path):
    """A second call reads it, a torn one is made again, and a folder that cannot be written to is no harm."""
    first = batches(tokens, kept=str(tmp_path)).batch(5).hash
    files = sorted((tmp_path / "rows").iterdir())
    assert [file.name.rsplit("-", 1)[0] for file in files] == ["held-out", "windows"]
    assert batches(tokens, kept=str(tmp_path)).batch(5).hash == first
    for file in files:
        file.write_bytes(file.read_bytes()[:50])
    assert batches(tokens, kept=str(tmp_path)).batch(5).hash == first
    (tmp_path / "file").write_text("")
    assert batches(tokens, kept=str(tmp_path / "file")).batch(5).hash == first


def test_bytes_of_rows_are_those_of_their_text(tokens):
    """A byte a token here, but for the token that ends a document."""
    rows = batches(tokens).batch(3)

    assert rows.num_bytes_B.tolist() == ((rows.labels_BT >= 0) & (rows.labels_BT != END)).sum(axis=1).tolist()
    assert rows.num_learnt_B.tolist() == (rows.labels_BT != IGNORED).sum(axis=1).tolist()


def test_32_bit_tokens_and_several_folders(tmp_path):
    """Both count as one corpus; the same source in both is one stream; bytes are those of the tokens' characters."""
    groups = {("a", "ko"): [[70_000, 66_000, 3] * 20] * 3}
    roots = [small.write(tmp_path / name, groups, dtype="uint32", ids=70_001) for name in ("one", "two")]
    corpus = TokenCorpus(roots)
    found = Batches(DataSettings(row_tokens=61, held_out={"share": 0}), corpus, 6, kept=None)
    rows = found.batch(0)

    assert found.names == ["a/ko"]
    assert (rows.labels_BT == np.array([*[70_000, 66_000, 3] * 20, END])).all()
    assert rows.num_bytes_B.tolist() == [20 * (5 + 5 + 1)] * 6
    assert corpus.fingerprint != TokenCorpus(roots[:1]).fingerprint


def test_a_source_named_by_weight_fills_its_share_of_bytes(tokens):
    """Over a stage the bytes trained on are as the weights say, counted in the batches."""
    weights = {"web": 1, "law": 3}
    found = batches(tokens, 8, 60, mixture={"stages": [{"weights": weights}]})
    num_bytes = Counter()
    for step in range(60):
        rows = found.batch(step)
        for stream, num in zip(rows.source_B, rows.num_bytes_B, strict=True):
            num_bytes[found.names[stream].split("/")[0]] += int(num)

    assert num_bytes["law"] / num_bytes["web"] == pytest.approx(3, rel=0.05)


def test_another_tokenizer_is_refused(tokens, tmp_path):
    """That of the config, of another folder, and a file beside the shards that has changed."""
    other = small.write(tmp_path / "other", GROUPS, ids=300)
    with pytest.raises(ChejilError, match="another tokenizer"):
        TokenCorpus([tokens], tokenizer_hash="0" * 32)
    with pytest.raises(ChejilError, match="another tokenizer"):
        TokenCorpus([tokens, other])
    (Path(other) / "tokenizer.json").write_text(json.dumps(small.tokenizer(301)))
    with pytest.raises(ChejilError, match="another tokenizer than that of the shards"):
        batches(other)


def test_shards_without_text_are_refused(tmp_path):
    """And no folder at all."""
    root = small.write(tmp_path, {("a", "ko"): []})
    with pytest.raises(ChejilError, match="without a token"):
        TokenCorpus([root])
    with pytest.raises(ChejilError, match="no token shards"):
        TokenCorpus([])


def test_a_checkpoint_of_other_rows_is_refused(tokens, tmp_path):
    """With what differs; a later stage, and what JSON makes of the identity, are no difference."""
    found = batches(tokens, 8, 50)
    saved = json.loads(json.dumps(found.identity))
    later = MixtureStages.of([(0, {}), (64 * 8 * 30, {"law": 1})], {})

    found.refuse_another(saved, 20)
    batches(tokens, 8, 90, mixture=later.model_dump()).refuse_another(saved, 30)
    for said, told in (
        (batches(tokens, 8, 90, mixture=later.model_dump()), "the mixture up to this step"),
        (batches(tokens, 4, 50), r"rows a batch \(8 then, 4 now\)"),
        (batches(tokens, 8, 50, seed=2), r"the seed \(1 then, 2 now\)"),
        (batches(tokens, 8, 50, held_out={"seed": 2}), "the held-out documents"),
        (batches(tokens, 8, 50, packing={"policy": "concat"}), "policy"),
        (batches(small.write(tmp_path, {("web", "ko"): small.documents(9, 50)}), 8, 5), "the token shards"),
    ):
        with pytest.raises(ChejilError, match=told):
            said.refuse_another(saved, 40)


def test_a_world_that_does_not_divide_the_batch_is_refused(tokens):
    """And a step behind the end."""
    with pytest.raises(ChejilError, match="8 rows a batch cannot be divided among 3 ranks"):
        batches(tokens).batch(0, 0, 3)
    with pytest.raises(ChejilError, match="the training ends at 5"):
        batches(tokens, 8, 5).batch(5)


def test_shards_without_an_end_token(tmp_path):
    """Documents are read as they stand, which is said; each token is there once."""
    texts = [[number % 256] * (number % 9) for number in range(200)]
    root = small.write(tmp_path, {("a", "ko"): texts}, end=None)
    found = batches(root, 1, held_out={"share": 0})
    seen = Counter()
    for step in range(found.windows[0].num_rows):
        rows = found.batch(step)
        row_tokens = int((np.diff(rows.documents_BT[0]) > 0).sum())
        assert (rows.labels_BT == IGNORED).sum() > row_tokens
        seen += Counter(rows.ids_BT[0].tolist())
    seen[0] -= found.packed()[0]["padded"]

    assert found.warnings() == [
        "the shards have no end-of-document token: documents begin without a start token"
    ]
    assert +seen == Counter(token for one in texts for token in one)


def test_mapped_files_are_let_go(tokens):
    """Two at a time; what is asked for again is mapped again."""
    shards = TokenCorpus([tokens]).groups["web", "ko"]
    mapped = Mapped("tokens", most=2)
    for shard in [*shards, *shards]:
        assert mapped(shard)[:3].tolist() == shard.read(0, 3).tolist()

    assert len(shards) == 3
    assert ["tokens" in vars(shard) for shard in shards] == [False, True, True]


def texts_of(path):
    with gzip.open(path) as lines:
        yield from (list(json.loads(line)["text"].encode()) for line in lines)


@pytest.mark.corpus
def test_real_documents(corpus, tmp_path):
    """Korean and English web: each token once, bytes of tokens are bytes of text, hardly any padding."""
    paths = {
        "ko": "mc4-ko/c4-ko.tfrecord-00010-of-00030.json.gz",
        "en": "c4-en/c4-train.00008-of-00010.json.gz",
    }
    texts = {("web", lang): list(texts_of(corpus / path)) for lang, path in paths.items()}
    root = small.write(tmp_path, texts, per_shard=100)
    said = {"row_tokens": 2048, "packing": {}, "held_out": {"share": 0}}

    for number, group in enumerate(TokenCorpus([root]).folders[0].groups):
        mixture = {"stages": [{"weights": {f"web/{group.lang}": 1}}]}
        row = batches(root, **said).packed()[number]
        epoch = batches(root, row["rows"], **said, mixture=mixture).batch(0)
        assert int(epoch.num_bytes_B.sum()) == group.num_bytes
        assert int(epoch.num_learnt_B.sum()) == group.num_tokens == row["tokens"]
        assert row["padded_share"] < 0.03  # some hundred documents, longer than a row
        assert row["cropped"] == 0
