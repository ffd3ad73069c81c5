"""Edits: spans beside the documents, applied while they are read."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import edits, shards
from chejil.curation.reading.documents import SCHEMA
from chejil.curation.stage import Unit
from chejil.filters.buffers import TextBuffers
from chejil.filters.spans import Spans

TEXT = st.text(alphabet="가나ㅋ한漢aé 😀\n\u1112", max_size=30)


@st.composite
def edited_texts(draw):
    """Texts, and for each some pieces of it that are replaced."""
    texts = draw(st.lists(TEXT, max_size=5))
    cuts = [sorted(draw(st.sets(st.integers(0, len(text)), max_size=6))) for text in texts]
    pairs = [
        (list(zip(cut[::2], cut[1::2], strict=False)), text) for cut, text in zip(cuts, texts, strict=True)
    ]
    return texts, [[(a, b, draw(TEXT)) for a, b in spans] for spans, _ in pairs]


def reference(text, replaced):
    """Plain slicing by characters, from the end."""
    for start, end, after in reversed(replaced):
        text = text[:start] + after + text[end:]
    return text


@given(edited_texts())
def test_edits_replace_what_slices_of_characters_replace(case):
    """Whatever script, and whatever stands in the place; the neighbours stay as they are."""
    texts, replaced = case
    rows = [
        (doc, len(texts[doc][:a].encode()), len(texts[doc][:b].encode()), after)
        for doc, spans in enumerate(replaced)
        for a, b, after in spans
    ]
    doc, start, end = (np.array([row[k] for row in rows], np.int64) for k in range(3))

    done = edits.apply(
        pa.array(["앞", *texts], pa.large_string()).slice(1), doc, start, end, [row[3] for row in rows]
    )

    done.validate(full=True)
    assert done.to_pylist() == [reference(text, spans) for text, spans in zip(texts, replaced, strict=True)]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(1, 9), st.sampled_from([0.5, 1.0])))
)
def test_spans_never_overlap_and_the_surest_stay(found):
    """Of two that overlap one is left, and what was left out overlaps a span that is as sure or surer."""
    candidates = [(doc, start, start + size, 0, sure) for doc, start, size, sure in found]
    spans = Spans.of(candidates, ("rule",))
    chosen = list(zip(spans.doc, spans.start, spans.end, spans.confidence, strict=True))

    for (doc, _, end, _), (next_doc, start, _, _) in pairwise(chosen):
        assert doc < next_doc or end <= start
    for doc, start, end, _, sure in candidates:
        assert any(d == doc and s < end and start < e and c >= sure for d, s, e, c in chosen)


def write_documents(root, texts):
    """A shard with a row group a text or several."""
    tables = [
        pa.table(
            {
                name: [f"{n}" if name != "text" else text for n, text in enumerate(group)]
                for name in SCHEMA.names
            }
        )
        for group in texts
    ]
    shards.write_shard(root, "documents/web/0.parquet", [table.cast(SCHEMA) for table in tables], SCHEMA)


def cutting(word, after):
    """A transform that replaces a word wherever it stands."""

    def find(texts: TextBuffers):
        found = []
        for doc in range(len(texts)):
            text = texts.data[texts.offsets[doc] : texts.offsets[doc + 1]].tobytes()
            at = text.find(word.encode())
            while at >= 0:
                found.append((doc, at, at + len(word.encode()), 0, 1.0))
                at = text.find(word.encode(), at + 1)
        spans = Spans.of(found, (word,))
        return spans, [after] * len(spans)

    return find


@pytest.fixture
def root(tmp_path):
    write_documents(
        str(tmp_path), [["감 배", "귤"], ["밤"], ["배 배", "감"]]
    )  # persimmon, pear, tangerine, chestnut
    return str(tmp_path)


def texts_of(root, transforms):
    return [
        t
        for table in edits.row_groups(root, "web/0", ["text"], transforms)
        for t in table["text"].to_pylist()
    ]


def test_a_later_transform_reads_what_an_earlier_one_left(root):
    """Also over row groups without edits, and where one transform's words are made by another."""
    first = edits.write_edits(Unit(root, "edits/first", ("web/0",), {}), cutting("배", "감"))
    edits.write_edits(Unit(root, "edits/second", ("web/0",), {"edits": ["first"]}), cutting("감", "x"))

    assert first.counts == {"edited": {"documents": 2, "spans": {"배": 3}}}
    assert texts_of(root, []) == ["감 배", "귤", "밤", "배 배", "감"]
    assert texts_of(root, ["first"]) == ["감 감", "귤", "밤", "감 감", "감"]
    assert texts_of(root, ["first", "second"]) == ["x x", "귤", "밤", "x x", "x"]


def test_the_edits_of_a_row_say_what_stood_there(root):
    """By transform, with the place in bytes: what a diff and an undo need."""
    edits.write_edits(Unit(root, "edits/first", ("web/0",), {}), cutting("배", "감"))

    rows = edits.of_row(root, "web/0", 3, ["first"])

    assert [(row["transform"], row["start"], row["end"], row["before"], row["after"]) for row in rows] == [
        ("first", 0, 3, "배", "감"),
        ("first", 4, 7, "배", "감"),
    ]
