"""Tokens: counted by the tokenizer that is named, whole documents whatever their length."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.filters import tokens
from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import score
from chejil.filters.tokens import count_tokens, open_tokenizer, pieces_of

from ..quality_corpus import ENGLISH_PROSE, KOREAN_PROSE
from ..tokenizer_file import write_byte_tokenizer, write_word_tokenizer

TEXTS = [" ".join(KOREAN_PROSE), "\n".join(ENGLISH_PROSE), "", "한글 mixed 漢字 😀", "x" * 50]


@pytest.fixture(scope="module")
def byte_tokenizer(tmp_path_factory):
    return write_byte_tokenizer(tmp_path_factory.mktemp("bytes"), [*KOREAN_PROSE, *ENGLISH_PROSE])


@given(st.text(alphabet="가힣aé😀 \n", max_size=200), st.integers(8, 40))
def test_pieces_are_the_text(text, limit):
    """Nothing is lost or too long, no character is cut, and only a word without end is."""
    data = text.encode()
    pieces = list(pieces_of(data, limit))

    assert b"".join(pieces) == data
    assert all(len(piece) <= limit for piece in pieces)
    assert "".join(piece.decode() for piece in pieces) == text
    for before, after in itertools.pairwise(pieces):
        half = before[limit // 2 :]
        assert before.endswith(b"\n") or after.startswith(b" ") or not {*b" \n"} & {*half}


@given(st.lists(st.text(alphabet="가a \n", max_size=60), max_size=6))
def test_counts_are_those_of_one_text_at_a_time(byte_tokenizer, texts):
    """In any batch; and what the library says of the text by itself."""
    model = open_tokenizer(byte_tokenizer)
    plain = [len(model.encode(text, add_special_tokens=False).ids) for text in texts]

    assert count_tokens(TextBuffers.of(texts), byte_tokenizer).tolist() == plain
    rows = np.arange(0, len(texts), 2)
    assert count_tokens(TextBuffers.of(texts), byte_tokenizer, rows).tolist() == plain[::2]


def test_a_document_in_pieces_has_the_tokens_of_the_whole(byte_tokenizer, monkeypatch):
    """Where a pattern parts words, a cut between them changes nothing."""
    texts = TextBuffers.of(TEXTS)
    whole = count_tokens(texts, byte_tokenizer)
    monkeypatch.setattr(tokens, "MAX_PIECE", 64)
    monkeypatch.setattr(tokens, "CALL_BYTES", 100)

    assert count_tokens(texts, byte_tokenizer).tolist() == whole.tolist()


def test_what_a_model_would_cut_or_pad_is_counted(tmp_path):
    """A tokenizer.json may hold a model's window; a document is longer."""
    path = write_word_tokenizer(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    content["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    content["padding"] = {
        "strategy": {"Fixed": 16}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]",
        "pad_to_multiple_of": None,
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")

    assert count_tokens(TextBuffers.of(["a b c d e f g", "a"]), path).tolist() == [7, 1]


def test_the_signals_are_tokens_bytes_and_their_quotient(tmp_path):
    """Null without a tokenizer, and of an empty text; no token is no quotient."""
    names = ["num_tokens", "num_tokenized_bytes", "bytes_per_token"]
    path = write_word_tokenizer(tmp_path)
    texts = ["가 나다", "", " \n"]  # "a, b c", and none

    assert score(texts, names, {"tokenizer": path}).to_pylist() == [
        dict(zip(names, (2, 10, 5.0), strict=True)),
        dict.fromkeys(names),
        dict(zip(names, (0, 2, None), strict=True)),
    ]
    assert score(texts, names).to_pylist() == [dict.fromkeys(names)] * 3


@pytest.mark.parametrize("content", [None, "", "{}", '{"model": 3}'])
def test_what_is_no_tokenizer_is_refused(tmp_path, content):
    """With what to give instead."""
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ChejilError) as caught:
        open_tokenizer(str(path))

    assert "tokenizer.json" in caught.value.mend


def test_a_file_that_has_changed_is_read_again(tmp_path, byte_tokenizer):
    """A tokenizer that is trained again under the same name is another."""
    texts = TextBuffers.of(["abc abc"])
    path = write_word_tokenizer(tmp_path)
    words = count_tokens(texts, path)
    (tmp_path / "tokenizer.json").write_text(Path(byte_tokenizer).read_text("utf-8"), "utf-8")

    assert words.tolist() == [2]
    assert count_tokens(texts, path)[0] > 2
