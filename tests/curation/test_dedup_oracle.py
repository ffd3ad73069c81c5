"""Near-deduplication of 2,000 documents beside brute force over all pairs, and beside datasketch's estimate."""

import json
import random

import numpy as np
import polars as pl
import pytest

from chejil.curation import check, marked_yaml
from chejil.curation.dedup.shingles import shingle_set, signatures
from chejil.curation.dedup.sketches import similarity, sketches
from chejil.curation.run import run
from chejil.filters.buffers import TextBuffers

NUM, THRESHOLD = 2000, 0.7


def edited(text, rng, words, share):
    """A text with a share of its words replaced, left out, or followed by another."""
    made = []
    for word in text.split():
        if rng.random() >= share:
            made.append(word)
        elif (way := rng.random()) < 0.6:
            made.append(rng.choice(words))
        elif way < 0.8:
            made += [word, rng.choice(words)]
    return " ".join(made)


def planted_documents():
    """1,300 documents of random words, Hangul and Latin, and 700 copies with 0 to 20 % of the words edited."""
    rng = random.Random(7)
    hangul = [
        "".join(chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(rng.randrange(1, 5))) for _ in range(2000)
    ]
    latin = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 9))) for _ in range(2000)]
    made = [
        " ".join(rng.choices(hangul if number % 2 else latin, k=rng.randrange(30, 300)))
        for number in range(1300)
    ]
    for _ in range(NUM - len(made)):
        original = rng.randrange(len(made))  # copies of copies too: chains
        made.append(
            edited(
                made[original],
                rng,
                hangul if original % 2 else latin,
                rng.choice((0, 0.01, 0.02, 0.04, 0.1, 0.2)),
            )
        )
    rng.shuffle(made)
    return made


def similar_pairs(texts, at_least):
    """(one, other) -> true Jaccard similarity, over all pairs that have a shingle in common."""
    sets = [shingle_set(text, 5) for text in texts]
    holders = {}
    for number, shingles in enumerate(sets):
        for shingle in shingles:
            holders.setdefault(shingle, []).append(number)
    pairs = {(one, other) for own in holders.values() for i, one in enumerate(own) for other in own[i + 1 :]}
    alike = {(a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in pairs}
    return {pair: value for pair, value in alike.items() if value >= at_least}


def decided(folder, texts, **settings):
    """Decisions of a run over the documents, in their order."""
    (folder / "data").mkdir(parents=True)
    for number in range(3):
        lines = [json.dumps({"id": f"{i:05}", "text": text}) for i, text in enumerate(texts)][number::3]
        (folder / "data" / f"{number}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    recipe = {
        "name": "oracle", "data": str(folder / "data"),
        "sources": {"w": {"format": "jsonl", "paths": "*.jsonl"}},
        "stages": ["normalise", {"near_dedup": {"threshold": THRESHOLD, **settings}}, "write"],
    }  # fmt: skip
    run(check.check(marked_yaml.read(json.dumps(recipe), "oracle.yaml")), str(folder / "run"))
    paths = sorted((folder / "run" / "decisions").rglob("*.parquet"))
    return pl.concat([pl.read_parquet(path) for path in paths]).sort("id").to_dicts()


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    texts = planted_documents()
    rows = decided(tmp_path_factory.mktemp("oracle"), texts)
    return texts, rows, similar_pairs(texts, 0.3)


def test_similar_documents_are_in_one_cluster(oracle, capsys):
    """Recall of brute force's pairs, by similarity: all from 0.8 on, 99 in 100 at the threshold and above."""
    _, rows, pairs = oracle
    found = {}
    for (one, other), alike in pairs.items():
        band = min(int(alike * 10), 9) / 10
        hit = (
            rows[one]["near_cluster"] is not None and rows[one]["near_cluster"] == rows[other]["near_cluster"]
        )
        found.setdefault(band, []).append(hit)
    recall = {band: (round(float(np.mean(hits)), 4), len(hits)) for band, hits in sorted(found.items())}
    with capsys.disabled():
        print(f"\nrecall of pairs by true similarity: {recall}")
    above = [hit for band, hits in found.items() if band >= 0.8 for hit in hits]
    near = [hit for (one, other), alike in pairs.items() if alike >= THRESHOLD + 0.05
            for hit in [rows[one]["near_cluster"] == rows[other]["near_cluster"] is not None]]  # fmt: skip

    assert len(above) > 250
    assert all(above)
    assert np.mean(near) >= 0.99


def test_a_document_is_dropped_only_for_one_like_it(oracle, capsys):
    """Precision: no document is dropped for one of a similarity below 0.55; 95 in 100 are at 0.65 or above."""
    texts, rows, _ = oracle
    sets = [shingle_set(text, 5) for text in texts]
    dropped = [(number, int(row["duplicate_of"])) for number, row in enumerate(rows) if not row["kept"]]
    alike = np.array([len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in dropped])
    with capsys.disabled():
        print(f"\ndropped {len(dropped)}: precision {np.mean(alike >= THRESHOLD):.4f} at {THRESHOLD}, "
              f"{np.mean(alike >= 0.65):.4f} at 0.65, least {alike.min():.3f}")  # fmt: skip

    assert len(dropped) > 300
    assert alike.min() > 0.55
    assert np.mean(alike >= 0.65) >= 0.95
    assert all(rows[other]["kept"] for _, other in dropped)


def test_what_resembles_nothing_is_kept(oracle):
    """A document whose nearest is below 0.5 is in no cluster."""
    _, rows, pairs = oracle
    nearest = dict.fromkeys(range(NUM), 0.0)
    for (one, other), alike in pairs.items():
        nearest[one], nearest[other] = max(nearest[one], alike), max(nearest[other], alike)
    lonely = [rows[number] for number, alike in nearest.items() if alike < 0.5]

    assert len(lonely) > 800
    assert all(row["kept"] and row["near_cluster"] is None for row in lonely)


def test_survivors_do_not_resemble_one_another(oracle):
    """Of pairs that are similar beyond the estimate's error one at least is dropped."""
    _, rows, pairs = oracle
    both = [
        pair
        for pair, alike in pairs.items()
        if alike >= 0.85 and all(rows[number]["kept"] for number in pair)
    ]

    assert both == []


def test_the_estimate_is_no_worse_than_datasketchs(oracle, capsys):
    """Mean absolute error over pairs of every similarity, 128 values each: ours by 64 bits a lane, and by 4."""
    datasketch = pytest.importorskip("datasketch")
    texts, _, pairs = oracle
    chosen = random.Random(1).sample(sorted(pairs), min(400, len(pairs)))
    signed = signatures(TextBuffers.of(texts), 5, 128)
    sketched = sketches(signed)
    fours = (sketched[:, :, None] >> np.arange(0, 64, 4, dtype=np.uint64) & np.uint64(15)).reshape(
        len(texts), 128
    )
    needed = sorted({number for pair in chosen for number in pair})
    theirs = {}
    for number in needed:
        theirs[number] = datasketch.MinHash(num_perm=128)
        theirs[number].update_batch([" ".join(shingle).encode() for shingle in shingle_set(texts[number], 5)])

    def error(estimate):
        return float(np.mean([abs(estimate(one, other) - pairs[one, other]) for one, other in chosen]))

    full = error(lambda a, b: float((signed[a] == signed[b]).mean()))
    short = error(lambda a, b: float(similarity(np.array([(fours[a] == fours[b]).sum()]), 128)[0]))
    peer = error(lambda a, b: theirs[a].jaccard(theirs[b]))
    with capsys.disabled():
        print(
            f"\nmean |error| of {len(chosen)} pairs: ours {full:.4f}, in four bits {short:.4f}, datasketch {peer:.4f}"
        )

    assert full <= peer
    assert short <= 1.2 * peer


def test_documents_that_are_all_the_same_leave_one(tmp_path):
    """One cluster of all, the smallest id survives."""
    rows = decided(tmp_path, ["모두 같은 글이고 다른 말은 없다"] * 50)  # "all are the same text …"

    assert [row["id"] for row in rows if row["kept"]] == ["00000"]
    assert {row["near_cluster_size"] for row in rows} == {50}
    assert {row["duplicate_of"] for row in rows[1:]} == {"00000"}


@pytest.mark.parametrize(
    "texts",
    [
        ["하나뿐인 글"],  # "the only text"
        [f"{chr(0xAC00 + number)} 하나 {number} 둘 {number} 셋" for number in range(40)],
        ["", "", " \n", "!?", "…"],
        ["로그인", "회원가입", "검색", "로그인 회원가입"],  # log in, sign up, search: shorter than a shingle
        [],
    ],
    ids=["one", "no duplicates", "empty", "short", "none"],
)
@pytest.mark.parametrize("unit", ["eojeol", "char"])
def test_where_there_is_nothing_to_drop_nothing_is_dropped(tmp_path, texts, unit):
    """One document, no duplicates, no words, fewer words than a shingle, no documents."""
    rows = decided(tmp_path, texts, shingle={"unit": unit, "size": 5})

    assert len(rows) == len(texts)
    assert all(row["kept"] and row["near_cluster"] is None for row in rows)


def test_short_documents_with_the_same_words_are_copies(tmp_path):
    """Fewer words than a shingle, in other case and with other marks."""
    rows = decided(tmp_path, ["Log in", "log  IN!", "Sign up"])

    assert [row["kept"] for row in rows].count(False) == 1
    assert rows[2]["near_cluster"] is None
