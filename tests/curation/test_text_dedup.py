"""`engine: text-dedup`: the peer's fingerprints, our clusters; what does not need the package is tested without it."""

import importlib.util
import itertools
import json
import math
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import check, marked_yaml
from chejil.curation.dedup import text_dedup_settings
from chejil.curation.dedup.near_dedup import NearDedup
from chejil.curation.dedup.sketches import equal_lanes, similarity, sketches
from chejil.curation.dedup.text_dedup_sketches import PLANES, block_keys, sides
from chejil.curation.explain import explain
from chejil.curation.run import run
from chejil.errors import ChejilError, RecipeError

RECIPE = """\
name: peer
data: {data}
sources: {{w: {{format: jsonl, paths: "*.jsonl"}}}}
stages: [normalise, {{near_dedup: {{engine: text-dedup, method: {method}}}}}, write]
"""

installed = pytest.mark.skipif(
    importlib.util.find_spec("text_dedup") is None,
    reason="text-dedup is not installed: pip install 'chejil[text-dedup]' in an environment of its own",
)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"engine": "text-dedup"}, "'method' names the method"),
        ({"method": "simhash"}, "'method' names the method"),
        ({"engine": "text-dedup", "method": "simhash", "bloom": {}}, "'bloom' has no effect"),
        ({"engine": "text-dedup", "method": "simhash", "threshold": 0.8}, "'threshold' has no effect"),
        ({"engine": "text-dedup", "method": "unisim", "shingle": {"size": 3}}, "'shingle' has no effect"),
        ({"engine": "text-dedup", "method": "bloom", "against": ["x"]}, "'against' has no effect"),
        ({"engine": "text-dedup", "method": "simhash", "simhash": {"blocks": 3}}, "3 blocks"),
        ({"engine": "text-dedup", "method": "simhash", "simhash": {"blocks": 32}}, "256 keys"),
    ],
)
def test_settings_that_have_no_effect_are_refused(settings, said):
    """Nothing that a recipe says is silently ignored."""
    with pytest.raises(ValueError, match=said):
        NearDedup.model_validate(settings)


@pytest.mark.parametrize("method", ["simhash", "bloom", "unisim"])
def test_defaults_written_out_give_the_same_settings(method):
    """A resolved recipe is a recipe."""
    settings = NearDedup(engine="text-dedup", method=method)

    assert NearDedup.model_validate(settings.model_dump(mode="json")) == settings


def test_a_package_that_is_absent_is_said_at_check_time(monkeypatch, tmp_path):
    """With what to install; nothing has run by then."""
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    monkeypatch.setattr(text_dedup_settings.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(RecipeError) as caught:
        check.check(marked_yaml.read(RECIPE.format(data=tmp_path, method="bloom"), "peer.yaml"))

    assert "peer.yaml:4:" in str(caught.value)
    assert "text_dedup, pybloom_live" in str(caught.value)
    assert "pip install 'chejil[text-dedup]'" in str(caught.value)


@pytest.mark.parametrize("method", ["simhash", "bloom", "unisim"])
def test_another_version_is_another_program(monkeypatch, method):
    """0.4.1 has the same name and other functions."""
    monkeypatch.setattr(text_dedup_settings.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(text_dedup_settings.metadata, "version", lambda name: "0.4.1")

    error = text_dedup_settings.missing(method)

    assert isinstance(error, ChejilError)
    assert "0.4.1" in error.what


@given(
    st.lists(st.booleans(), min_size=64, max_size=64),
    st.sets(st.integers(0, 63), max_size=3),
    st.integers(4, 9),
)
def test_fingerprints_that_differ_in_few_bits_share_a_key(bits, flipped, blocks):
    """Whatever bits differ: they lie in at most so many blocks, and one choice leaves these out."""
    one = np.array(bits, np.uint64).reshape(1, -1)
    other = one.copy()
    other[0, list(flipped)] ^= np.uint64(1)

    keys = block_keys(np.concatenate([one, other]), blocks, 3)

    assert keys.shape == (2, math.comb(blocks, 3))
    assert (keys[0] == keys[1]).any()
    assert equal_lanes(sketches(one)[0], sketches(other)[0]) == 64 - len(flipped)


def test_equal_sides_of_planes_give_the_cosine():
    """Mean error of 200 pairs of vectors at cosines around 0.9: within 0.02."""
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(200):
        one = rng.standard_normal(256)
        other = one + 0.48 * rng.standard_normal(256)
        true = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        equal = np.array([(sides(one) == sides(other)).sum()])
        errors.append(float(similarity(equal, PLANES, "cosine")[0]) - true)

    assert np.abs(errors).mean() < 0.02
    assert abs(np.mean(errors)) < 0.005


def documents():
    """Random words; exact copies, copies with other spaces, with one word more, with 3 % of the words replaced."""
    rng = random.Random(1)
    words = [
        "".join(chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(rng.randrange(2, 5))) for _ in range(3000)
    ]
    made = [" ".join(rng.choices(words, k=rng.randrange(60, 200))) for _ in range(120)]
    made += made[:15]
    made += [f"{text} 끝" for text in made[15:30]]  # "end"
    made += [
        " ".join(rng.choice(words) if rng.random() < 0.03 else word for word in text.split())
        for text in made[30:60]
    ]
    return made


def run_of(folder, method, texts, workers=1):
    data = folder / "data"
    for number in () if data.exists() else range(2):  # a file that is written again is another one to a run
        data.mkdir(exist_ok=True)
        lines = [json.dumps({"text": text, "id": f"d{i:04}"}) for i, text in enumerate(texts)][number::2]
        (data / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    root = str(folder / f"{method}-{workers}")
    run(check.check(marked_yaml.read(RECIPE.format(data=data, method=method), "peer.yaml")), root, workers)
    return root, pl.concat(
        [pl.read_parquet(path) for path in sorted(Path(root, "decisions").rglob("*.parquet"))]
    ).sort("id")


def partition(labels):
    """Sets of places that have one label."""
    groups = {}
    for place, label in enumerate(labels):
        groups.setdefault(label, set()).add(place)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def peer_main(module, folder, texts, *more):
    """The peer's own program on the same documents, and how many it keeps."""
    import datasets

    from chejil.curation.dedup.text_dedup_sketches import _borrowed

    path = folder / "peer.parquet"
    pl.DataFrame({"text": texts}).write_parquet(path)
    with _borrowed():
        module.main(
            args=["--path", "parquet", "--data_files", str(path), "--split", "train", "--cache_dir",
                  str(folder / "cache"), "--output", str(folder / "out"), "--column", "text",
                  "--use_auth_token", "false", "--num_proc", "1", *more],
            standalone_mode=False,
        )  # fmt: skip
    return datasets.load_from_disk(str(folder / "out"))["text"]


@installed
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the peer's and its dependencies'
def test_simhash_finds_the_clusters_that_the_peer_finds(tmp_path):
    """The same partition as `python -m text_dedup.simhash` with its defaults, by fewer keys."""
    texts = documents()

    _, found = run_of(tmp_path, "simhash", texts)
    from text_dedup import simhash

    peer_main(simhash, tmp_path, texts)
    theirs = partition([simhash.uf.find(place) for place in range(len(texts))])
    ours = partition([cluster or f"alone {i}" for i, cluster in enumerate(found["near_cluster"])])

    assert len(theirs) >= 25
    assert ours == theirs
    assert (found["similarity"].drop_nulls() >= 61 / 64).all()


@installed
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_bloom_keeps_the_texts_that_the_peer_keeps(tmp_path):
    """One of each text, and no unique one is lost to the filter."""
    texts = [*documents(), "", "", "짧다", "짧다"]  # "short"

    _, found = run_of(tmp_path, "bloom", texts)
    from text_dedup import bloom_filter

    theirs = peer_main(bloom_filter, tmp_path, [text for text in texts if text])
    kept = [texts[int(name[1:])] for name in found.filter("kept", id=pl.col("id"))["id"]]

    assert sorted(text for text in kept if text) == sorted(theirs) == sorted({text for text in texts if text})


@installed
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_unisim_drops_a_document_for_one_of_a_near_embedding(tmp_path):
    """Cosines of the peer's own embeddings: what is dropped is near its survivor, what is nearer than 0.94 is found."""
    from chejil.curation.dedup.text_dedup_sketches import embedder

    texts = documents()
    _, found = run_of(tmp_path, "unisim", texts)
    embed = embedder()
    vectors = np.stack([embed(text) for text in texts])
    cosines = vectors @ vectors.T
    rows = found.to_dicts()
    dropped = [
        (i, int(row["duplicate_of"][1:]), row["similarity"]) for i, row in enumerate(rows) if not row["kept"]
    ]

    assert len(dropped) >= 55
    assert all(cosines[one, other] > 0.87 for one, other, _ in dropped)
    assert all(abs(cosines[one, other] - said) < 0.06 for one, other, said in dropped)
    near = [(i, j) for i, j in itertools.combinations(range(len(texts)), 2) if cosines[i, j] > 0.94]
    assert all(rows[i]["near_cluster"] == rows[j]["near_cluster"] is not None for i, j in near)


@installed
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["simhash", "bloom", "unisim"])
def test_bytes_do_not_depend_on_workers_and_explain_knows_the_mates(tmp_path, method):
    """Two processes write what one writes; empty, short and identical documents are no special case."""
    texts = [*documents()[:40], *["모두 같은 글이다"] * 5, "", "", "짧다", "a"]  # "all the same text"
    one, found = run_of(tmp_path, method, texts)
    two, _ = run_of(tmp_path, method, texts, workers=2)

    def content(root):
        files = sorted(
            p
            for p in Path(root).rglob("*")
            if p.is_file() and p.name not in ("timings.json", "report.html", ".lock")
        )
        return {str(p.relative_to(root)): p.read_bytes() for p in files}

    assert content(one) == content(two)
    same = found.filter(pl.col("near_cluster_size") == 5)
    assert same["kept"].sum() == 1
    assert len(explain(one, same.filter(~pl.col("kept"))["id"][0]).mates) == 4
    assert found.filter(pl.col("id") == "d0046")["near_cluster"].is_null().all()


@installed
def test_a_new_dump_is_compared_with_an_earlier_run_by_fingerprints(tmp_path):
    """SimHash has keys and sketches as ours: what the earlier run kept is found in the new one."""
    old = "등대지기는 저녁마다 같은 계단을 올라가 등불을 켜고 바다를 오래 바라보았다."  # the keeper of a lighthouse
    new = "시장 골목의 국숫집은 비가 오는 날이면 이른 아침부터 줄이 길게 늘어선다."  # a noodle shop on rainy days
    texts = {"june": [old], "july": [f" {old}", new]}
    for name, own in texts.items():
        (tmp_path / name).mkdir()
        lines = [json.dumps({"text": text}) for text in own]
        (tmp_path / name / "a.jsonl").write_text("\n".join(lines) + "\n")
    runs = {name: str(tmp_path / f"run-{name}") for name in texts}
    for name, extra in (("june", ""), ("july", f", against: [{runs['june']}]")):
        recipe = RECIPE.format(data=tmp_path / name, method="simhash" + extra)
        run(check.check(marked_yaml.read(recipe, "peer.yaml")), runs[name])

    rows = pl.read_parquet(f"{runs['july']}/decisions/**/*.parquet").sort("line").to_dicts()

    assert [row["kept"] for row in rows] == [False, True]
    assert rows[0]["duplicate_of"] == "w/a.jsonl#0"
