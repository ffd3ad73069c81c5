"""The 5-gram floor: probabilities beside a plain reference, that they sum to 1, and what of a training is counted."""

import json
import runpy
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chejil.training import kneser_ney
from chejil.training.data.batches import Batches
from chejil.training.data.data_settings import DataSettings
from chejil.training.data.first_readings import FirstReadings
from chejil.training.data.rows import IGNORED, Rows
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.kneser_ney import Events, KneserNey

sys.path.insert(0, str(Path(__file__).parent))
import small_token_shards

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "ngrams.py"


class Plain:
    """Chen and Goodman's formulas over dictionaries. A context is a tuple, the nearest token first."""

    def __init__(self, pairs, vocabulary):
        self.vocabulary, order = vocabulary, len(pairs[0][0]) + 1
        self.counts = {order: Counter(pairs)}
        for n in range(order - 1, 0, -1):
            left = defaultdict(set)
            for context, token in self.counts[n + 1]:
                left[context[: n - 1], token].add(context[n - 1])
            self.counts[n] = Counter({ngram: len(found) for ngram, found in left.items()})
        self.discounts = {n: self._discounts(Counter(counts.values())) for n, counts in self.counts.items()}

    @staticmethod
    def _discounts(types):
        if not types[1] * types[2] * types[3]:
            return kneser_ney.UNUSUAL
        y = types[1] / (types[1] + 2 * types[2])
        found = tuple(n - (n + 1) * y * types[n + 1] / types[n] for n in (1, 2, 3))
        return found if all(0 < d < n for n, d in enumerate(found, 1)) else kneser_ney.UNUSUAL

    def probability(self, context, token):
        """Interpolated, from the longest context down to 1/V."""
        if len(context) == 0:
            lower = 1 / self.vocabulary
        else:
            lower = self.probability(context[:-1], token)
        n = len(context) + 1
        of_context = {w: c for (h, w), c in self.counts[n].items() if h == context}
        if not of_context:
            return lower
        total = sum(of_context.values())
        left = sum(self.discounts[n][min(c, 3) - 1] for c in of_context.values())
        count = of_context.get(token, 0)
        own = count - self.discounts[n][min(count, 3) - 1] if count else 0
        return own / total + left / total * lower


def model_of(pairs, vocabulary):
    contexts, tokens = zip(*pairs, strict=True)
    return KneserNey(Events(np.array(contexts, np.int32), np.array(tokens, np.int32)), vocabulary)


def pairs_of(documents, vocabulary, order):
    """(context, token) of each token; a context is filled up with the vocabulary's size."""
    found = []
    for document in documents:
        before = [vocabulary] * (order - 1)
        for token in document:
            found.append((tuple(before[::-1][: order - 1]), token))
            before.append(token)
    return found


def asked_of(contexts, vocabulary):
    """All next tokens of some contexts."""
    contexts = np.repeat(np.array(contexts, np.int32), vocabulary, axis=0)
    return Events(contexts, np.tile(np.arange(vocabulary, dtype=np.int32), len(contexts) // vocabulary))


texts = st.lists(st.lists(st.integers(0, 4), max_size=30), min_size=1, max_size=8).filter(any)


@settings(deadline=None, max_examples=100)
@given(texts, st.integers(2, 5), st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), max_size=5))
@example([[0]], 5, [])
@example([[0, 1, 0, 1, 2] * 5, [3], [0, 0, 0, 0, 1, 1, 2, 2, 2, 3]], 3, [[4, 5, 5, 5]])
def test_probabilities_are_those_of_the_formulas_and_sum_to_one(documents, order, others):
    """In contexts that were seen, and in any others; also where no discounts can be counted."""
    pairs = pairs_of(documents, 5, order)
    ours, plain = model_of(pairs, 5), Plain(pairs, 5)
    contexts = sorted({context for context, _ in pairs} | {tuple(one[: order - 1]) for one in others})

    found = ours.probabilities(asked_of(contexts, 5)).reshape(-1, 5)

    assert [level.discounts for level in ours.levels] == [
        pytest.approx(plain.discounts[n]) for n in range(1, order + 1)
    ]
    expected = [[plain.probability(context, token) for token in range(5)] for context in contexts]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-9)
    assert (found > 0).all()


def test_discounts_are_counted_where_there_is_enough_text():
    """The property above would hold as well if every order took the discounts of too little text."""
    random = np.random.default_rng(1)
    pairs = pairs_of([(random.zipf(1.3, 4000) % 200).tolist()], 200, 3)
    found = model_of(pairs, 200)

    for level in found.levels[1:]:
        assert level.discounts != kneser_ney.UNUSUAL
    types = np.bincount(np.unique([hash(p) for p in pairs], return_counts=True)[1], minlength=5)
    share = types[1] / (types[1] + 2 * types[2])
    assert found.levels[-1].discounts[0] == pytest.approx(1 - 2 * share * types[2] / types[1])


def test_large_numbers_of_ids_do_not_collide():
    """Five tokens of 100,000 ids do not fit into 64 bits, a context's number and a token do."""
    random = np.random.default_rng(2)
    documents = random.integers(0, 100_000, (50, 20)).tolist()
    pairs = pairs_of(documents, 100_000, 5)
    found = model_of(pairs, 100_000)

    assert found.num_ngrams[-1] == len(set(pairs))
    context, token = pairs[7]
    plain = Plain(pairs, 100_000)
    ours = found.probabilities(Events(np.array([context], np.int32), np.array([token], np.int32)))
    assert ours[0] == pytest.approx(plain.probability(context, token))


def test_events_stay_in_their_document():
    """Two documents and padding in a row; the second begins in the middle of its text, so with a token before it."""
    ids = np.array([[9, 1, 2, 7, 8, 9]], np.int32)
    labels = np.array([[1, 2, 9, 8, 3, IGNORED]], np.int32)
    positions = np.array([[0, 1, 2, 0, 1, 0]], np.int32)
    zero = np.zeros((1, 6), np.int32)
    rows = Rows(ids, labels, positions, zero, zero[:, 0], zero[:, 0])

    found = kneser_ney.events(rows, nothing=10, order=4)

    assert found.tokens_N.tolist() == [1, 2, 9, 8, 3]
    assert found.contexts_NK.tolist() == [
        [9, 10, 10], [1, 9, 10], [2, 1, 9], [7, 10, 10], [8, 7, 10],
    ]  # fmt: skip
    chosen = np.array([[False, True, False, False, True, True]])
    assert kneser_ney.events(rows, 10, chosen, 4).tokens_N.tolist() == [2, 3]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    groups = {
        ("web", "ko"): small_token_shards.documents(1, 30),
        ("web", "en"): small_token_shards.documents(2, 20),
    }
    return small_token_shards.write(tmp_path_factory.mktemp("tokens"), groups)


@pytest.mark.parametrize("policy", ["best-fit", "concat"])
@pytest.mark.parametrize("start", [True, False])
def test_a_text_that_is_read_again_is_counted_once(tokens, policy, start):
    """Over five epochs that cut the documents elsewhere: as many tokens as there are, and each once."""
    packing = {"policy": policy, "start_token": start}
    batches = Batches(
        DataSettings(row_tokens=16, held_out={"share": 0.2}, packing=packing), TokenCorpus([tokens]), 4
    )
    steps = 5 * sum(size.num_rows for size in batches.sizes) // 4
    first, places, counted = FirstReadings(batches), Counter(), Counter()
    for step in range(steps):
        rows, chosen = batches.batch(step), first.of(step)
        assert chosen.shape == rows.ids_BT.shape
        counted.update(rows.labels_BT[chosen].tolist())
        places[step] = int(chosen.sum())

    train = Counter()
    for stream in batches.streams:
        held = set(batches.held[stream.name][0].tolist())
        number = 0
        for shard in stream.shards:
            for begin, end in zip(shard.offsets[:-1], shard.offsets[1:], strict=True):
                if number not in held:
                    train.update(np.asarray(shard.tokens[begin:end]).tolist())
                number += 1
    assert sum(places.values()) == sum(train.values())
    assert places[0] > 0 == places[steps - 1]
    if start:  # then every token of a document is a label once an epoch
        assert counted == train


def test_the_script_compares_a_run_with_the_floor(tokens, tmp_path, monkeypatch, capsys):
    """The config and last evaluation of a training's folder, without a line in the making; other bytes are refused."""
    (tmp_path / "config.yaml").write_text(
        f"name: small\nmodel: {{size: debug}}\ntokens: {json.dumps(tokens)}\nbatch_tokens: 1024\ncontext_tokens: 64\n"
        "total_tokens: 8192\nschedule: {learning_rate: 1.0e-3}\nheld_out: {share: 0.2}\n"
    )
    monkeypatch.syspath_prepend(SCRIPT.parent)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments), "--json"])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return json.loads(capsys.readouterr().out)

    alone = call(tmp_path / "config.yaml")
    floor = {row["case"]: row for row in alone["rows"]}

    assert list(floor) == ["web/en", "web/ko", "en", "ko", "all"]
    assert floor["all"]["bytes"] == floor["web/ko"]["bytes"] + floor["web/en"]["bytes"]
    assert floor["ko"]["ours"] == floor["web/ko"]["ours"]
    assert 6 < floor["all"]["ours"] < 10  # random bytes: 8 bits, and documents' ends
    assert alone["tokens"] < 8192 / 4

    def record(step, bits, more=0):
        part = {
            name: {"bits_per_byte": bits, "num_bytes": row["bytes"] + more} for name, row in floor.items()
        }
        sources = {name: one for name, one in part.items() if "/" in name}
        languages = {name: part[name] for name in ("ko", "en")}
        return json.dumps(
            {"kind": "evaluation", "step": step, **part["all"], "sources": sources, "languages": languages}
        )

    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(f'{record(4, 9.0)}\n{record(8, 4.0)}\n{{"kind": "train"}}\n{{"kind": "evalu')
    beside = call("--run", tmp_path)
    assert [(row["ours"], row["peer"], row["ratio"]) for row in beside["rows"]] == [
        (4.0, row["ours"], 4.0 / row["ours"]) for row in floor.values()
    ]

    metrics.write_text(record(8, 4.0, more=1) + "\n")
    with pytest.raises(SystemExit, match="other rows"):
        call("--run", tmp_path)
