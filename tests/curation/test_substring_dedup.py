"""Text that stands in the corpus twice: found by windows, against brute force; whole runs; what is promised."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from itertools import groupby

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import check, manifest, marked_yaml
from chejil.curation.dedup import windows
from chejil.curation.dedup.hash_order import sorted_order
from chejil.curation.dedup.recurrence import Recurrent, find_key, shift_of
from chejil.curation.run import run
from chejil.filters.buffers import TextBuffers

from ..run_files import content

# Few letters, so that much recurs; then scripts, marks and signs of several bytes that a cut must not split.
ALPHABETS = (
    "ab",
    "ㅋ",
    "가나b",
    "aé한😀",
    "한\u1112\u1161\u11ab漢字 ",
    "👩‍👩‍👧‍👦 a",
    "abcdefgh 가나다라마바사",
)


@st.composite
def repetitive_corpora(draw):
    """Documents that are put together from few pieces."""
    letters = draw(st.sampled_from(ALPHABETS))
    pieces = draw(st.lists(st.text(letters, max_size=40), min_size=1, max_size=4))
    return draw(st.lists(st.lists(st.sampled_from(pieces), max_size=5).map("".join), max_size=5))


def known(keys, docs, starts):
    """Keys that occur twice, with the first occurrence, from a list of them."""
    places = defaultdict(list)
    for key, doc, start in zip(keys.tolist(), docs, starts, strict=True):
        places[key].append((doc, start))
    found = [(key, len(where), *where[0]) for key, where in sorted(places.items()) if len(where) > 1]
    columns = zip(*found, strict=True) if found else [()] * 4
    kinds = (np.uint64, np.int32, np.int32, np.int32)
    return Recurrent.at(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))


def cuts(texts, size, anchor):
    """(doc, start, end) of what the two rounds cut, in the order of the documents."""
    buffers = TextBuffers.of(texts)
    keys = windows.anchors(buffers, size, anchor)
    nowhere = [0] * len(keys)
    where = windows.stretches(buffers, size, anchor, known(keys, nowhere, nowhere))
    every = windows.window_keys(buffers, size, where)
    return list(
        zip(*(c.tolist() for c in windows.repeated(buffers, size, where, known(*every), 0)), strict=True)
    )


def within(text, at):
    """Whether a byte lies within a character, not at its beginning."""
    return at < len(text) and text[at] & 0xC0 == 0x80


def boundary(text, at, step):
    while within(text, at):
        at += step
    return at


def brute_force(texts, size):
    """The same by a dictionary of all windows."""
    first, covered = {}, set()
    for doc, text in enumerate(text.encode() for text in texts):
        for at in range(len(text) - size + 1):
            if within(text, at) and within(text, at + size):
                continue
            its_doc, its_at = first.setdefault(text[at : at + size], (doc, at))
            if (its_doc, its_at) != (doc, at):
                begin = boundary(text, at, 1)
                if its_doc == doc:
                    begin = max(begin, boundary(text, its_at + size, -1))
                covered |= {(doc, byte) for byte in range(begin, boundary(text, at + size, -1))}
    runs = groupby(enumerate(sorted(covered)), key=lambda pair: (pair[1][0], pair[1][1] - pair[0]))
    runs = [[place for _, place in run] for _, run in runs]
    return [(run[0][0], run[0][1], run[-1][1] + 1) for run in runs]


@given(repetitive_corpora(), st.sampled_from([8, 11, 16, 33]), st.sampled_from([1, 2]))
def test_cuts_are_those_of_brute_force(texts, size, part):
    """No repeated window is missed and nothing else is cut, whatever share of a window an anchor is."""
    assert cuts(texts, size, max(1, size * part // 4)) == brute_force(texts, size)


@given(repetitive_corpora(), st.integers(8, 40))
def test_every_copy_but_one_is_cut_from_its_first_character_to_its_last(texts, size):
    """A passage that stands in documents of their own is cut whole in all but one of them."""
    passage = "".join(texts)
    if len(passage.encode()) < size:
        return
    corpus = [f"{left}{passage}{right}" for left, right in (("<", ">"), ("[", "]"), ("(", ")"))]

    found = cuts(corpus, size, size // 2)

    begin, end = 1, 1 + len(passage.encode())
    assert {(1, begin, end), (2, begin, end)} <= set(found)


@given(repetitive_corpora(), st.sampled_from([8, 11, 16, 33]))
def test_what_is_left_repeats_no_window(texts, size):
    """Of any window that recurs one stands whole in what was not cut, at most; what is left is valid UTF-8."""
    seen, cut = set(), defaultdict(list)
    for doc, start, end in cuts(texts, size, size // 2):
        cut[doc].append((start, end))
    for doc, text in enumerate(text.encode() for text in texts):
        edges = [0, *(edge for span in cut[doc] for edge in span), len(text)]
        for piece in (text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)):
            piece.decode()
            starts = [at for at in range(len(piece) - size + 1) if not within(piece, at)]
            for window in (piece[at : at + size] for at in starts):
                assert window not in seen
                seen.add(window)


@given(st.lists(st.integers(0, 40) | st.integers(0, (1 << 64) - 1), max_size=300))
def test_keys_are_sorted_and_found(values):
    """In the order that NumPy's stable sort has; every key is found at its place, others are not."""
    keys = np.array(values, np.uint64)
    order = sorted_order(keys)
    assert order.tolist() == np.argsort(keys, kind="stable").tolist()

    zeros = np.zeros(len(np.unique(keys)), np.int32)
    table = Recurrent.at(np.unique(keys), zeros, zeros, zeros)
    shift = shift_of(table.directory)
    assert [find_key(table.keys, table.directory, shift, key) for key in table.keys] == list(
        range(len(zeros))
    )
    assert find_key(table.keys, table.directory, shift, np.uint64(77)) == (
        -1 if 77 not in values else values.index(77)
    )


# ---- whole runs


def sentences(number, seed):
    rng = random.Random(seed)
    syllables = [chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(400)]
    return " ".join("".join(rng.choices(syllables, k=rng.randrange(2, 6))) for _ in range(number))


SHARED = sentences(40, 0)


def corpus(folder, *shards):
    folder.mkdir(exist_ok=True)
    for number, texts in enumerate(shards):
        lines = [json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in texts.items()]
        (folder / f"{number}.jsonl").write_text("\n".join(lines), "utf-8")


def recipe(folder, stages="substring_dedup"):
    text = (
        f"name: cuts\ndata: {folder}\nstages: [normalise, {stages}, write]\n"
        "sources: {a: {format: jsonl, paths: '*.jsonl', columns: {text: text, id: id}}}\n"
    )
    return check.check(marked_yaml.read(text, "cuts.yaml"))


def cleaned(folder, root, stages="substring_dedup", workers=1):
    """Texts of the clean documents by id, and the manifest."""
    found = run(recipe(folder, stages), str(root), workers)
    rows = [
        pl.read_parquet(path, columns=["id", "text"]) for path in sorted((root / "clean").rglob("*.parquet"))
    ]
    return dict(pl.concat(rows).iter_rows()) if rows else {}, found


def mixed(number=12):
    """Documents of their own words, each third with the shared text in the middle."""
    return {
        f"d{n}": f"{sentences(30, n + 1)} {SHARED if n % 3 == 0 else ''} {sentences(30, n + 100)}"
        for n in range(number)
    }


def test_a_shared_passage_stays_once_and_the_rest_is_left_alone(tmp_path):
    """Documents without it are as they were; those with it lose it, and nothing but it."""
    texts = mixed()
    corpus(tmp_path / "in", texts)
    before, _ = cleaned(tmp_path / "in", tmp_path / "plain", "exact_dedup")

    after, found = cleaned(tmp_path / "in", tmp_path / "run")

    assert sum(SHARED in text for text in after.values()) == 1
    assert found.edited["substring_dedup"] == {"documents": 3, "spans": {"repeated_substring": 3}}
    for name, text in before.items():
        assert after[name] in (text, text.replace(SHARED + " ", ""))
    assert manifest.verify(str(tmp_path / "run")) == []


def test_cuts_fall_between_words(tmp_path):
    """Where a copy begins or ends within a word the word stays whole; without blanks the cut is exact."""
    texts = {"a": f"가가{SHARED}나나 끝", "b": f"다다{SHARED}라라 끝"}  # end
    corpus(tmp_path / "in", texts)

    whole, _ = cleaned(tmp_path / "in", tmp_path / "whole")
    exact, _ = cleaned(tmp_path / "in", tmp_path / "exact", "{substring_dedup: {whole_words: false}}")

    words = SHARED.split()
    assert sorted([whole["a"], whole["b"]], key=len)[0] in [
        f"{first}{words[0]} {words[-1]}{last} 끝" for first, last in (("가가", "나나"), ("다다", "라라"))
    ]
    assert sorted([exact["a"], exact["b"]], key=len)[0] in ("가가나나 끝", "다다라라 끝")


@pytest.mark.parametrize(
    "texts", [{}, {"a": ""}, {"a": SHARED}, {"a": SHARED, "b": "", "c": "짧다"}]
)  # short
def test_what_stands_once_is_left_alone(tmp_path, texts):
    """No documents, one, empty ones, short ones."""
    corpus(tmp_path / "in", texts)

    after, _ = cleaned(tmp_path / "in", tmp_path / "run")

    assert after == texts


def test_of_identical_documents_one_stays_whole(tmp_path):
    """The others have nothing left, and are dropped for that."""
    corpus(tmp_path / "in", {f"d{n}": SHARED for n in range(50)})

    after, found = cleaned(tmp_path / "in", tmp_path / "run")

    assert list(after.values()) == [SHARED]
    assert {row["reason"]: row["documents"] for row in found.funnel} == {
        "emptied:substring_dedup": 49,
        None: 1,
    }


def test_what_was_dropped_before_is_no_first_occurrence(tmp_path):
    """A copy that a deduplication drops can neither be first nor make another copy the second."""
    texts = {"a": f"{SHARED} 하나", "b": f"{SHARED} 하나", "c": f"{SHARED} {sentences(60, 5)}"}  # one
    corpus(tmp_path / "in", texts)

    after, _ = cleaned(tmp_path / "in", tmp_path / "run", "exact_dedup, substring_dedup")

    assert len(after) == 2
    assert sum(SHARED in text for text in after.values()) == 1


def test_a_second_pass_removes_nothing(tmp_path):
    """Passages that stand in documents of their own words."""
    corpus(tmp_path / "in", mixed())
    once, _ = cleaned(tmp_path / "in", tmp_path / "run")
    corpus(tmp_path / "again", once)

    twice, found = cleaned(tmp_path / "again", tmp_path / "second")

    assert twice == once
    assert found.edited["substring_dedup"]["spans"] == {}


def test_order_files_and_workers_change_nothing(tmp_path):
    """The copy that stays is that of the same document, and two workers write the same bytes as one."""
    texts = mixed()
    names = list(texts)
    corpus(tmp_path / "one", texts)
    corpus(tmp_path / "three", *({name: texts[name] for name in names[k::3][::-1]} for k in range(3)))

    one, _ = cleaned(tmp_path / "one", tmp_path / "run1")
    three, _ = cleaned(tmp_path / "three", tmp_path / "run3")

    assert one == three


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(tmp_path):
    """All files of the run but the seconds."""
    texts = mixed()
    corpus(tmp_path / "in", *({name: texts[name] for name in list(texts)[k::4]} for k in range(4)))
    cleaned(tmp_path / "in", tmp_path / "one", "line_dedup, substring_dedup")
    cleaned(tmp_path / "in", tmp_path / "two", "line_dedup, substring_dedup", workers=2)

    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert run(recipe(tmp_path / "in", "line_dedup, substring_dedup"), str(tmp_path / "two")).units_done == 0


KILLED = """
import os, signal, sys
from chejil.curation import check, marked_yaml, stage, run as runs
real = stage.do
def do(unit, name, key, function):
    if unit.stage == sys.argv[3]:
        stage.shards.write_json = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
    return real(unit, name, key, function)
runs.do = do
runs.run(check.check(marked_yaml.read(open(sys.argv[1]).read(), "r.yaml")), sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage", ["anchors", "recurrent_anchors", "windows", "recurrent_windows", "edits", "verdicts"]
)
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path, stage):
    """kill -9 after a unit's files and before its record, in each stage."""
    name = "edits/substring_dedup" if stage == "edits" else f"substring_dedup/{stage}"
    corpus(tmp_path / "in", mixed(), {"x": SHARED})
    cleaned(tmp_path / "in", tmp_path / "whole")
    (tmp_path / "r.yaml").write_text(recipe(tmp_path / "in").resolved(), "utf-8")

    command = [sys.executable, "-c", KILLED, str(tmp_path / "r.yaml"), str(tmp_path / "run"), name]
    assert subprocess.run(command, check=False, env=os.environ).returncode == -signal.SIGKILL
    cleaned(tmp_path / "in", tmp_path / "run")

    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_a_hundred_thousand_equal_lines_are_one(tmp_path):
    """A repeated line collapses to what a window holds, in time that is linear."""
    line = "모두 같은 줄입니다.\n"  # all lines are equal
    corpus(tmp_path / "in", {"a": line * 100_000, "b": SHARED})

    after, _ = cleaned(tmp_path / "in", tmp_path / "run")

    assert after["b"] == SHARED
    assert 240 - 3 <= len(after["a"].encode()) <= 240 + 2 * len(line.encode())


def test_one_line_of_sixteen_megabytes(tmp_path):
    """Without a blank, every letter the same but for a passage: cut where it repeats, and the passage stays."""
    passage = SHARED.replace(" ", "")
    corpus(tmp_path / "in", {"a": "ㅋ" * 2_700_000 + passage + "ㅋ" * 2_700_000})

    after, _ = cleaned(tmp_path / "in", tmp_path / "run")

    assert passage in after["a"]
    assert len(after["a"]) < len(passage) + 400
