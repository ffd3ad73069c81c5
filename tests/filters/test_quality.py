"""The quality signal: the same preparation always, each language its own model, and no model no value."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given

from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import score
from chejil.filters.prose import ENGLISH, KOREAN
from chejil.filters.quality import classifier, label_of
from chejil.filters.quality_text import MAX_BYTES, WINDOW_BYTES, WINDOWS, prepared, prepared_text

from . import reference
from .strategies import batches


def reference_line(text):
    """The line of a text, by Python's own strings."""
    return " ".join(f" {reference_window(window)} " for window in reference_windows(text)).split()


def reference_windows(text):
    data = text.encode()
    if len(data) <= MAX_BYTES:
        return [text]
    starts = [len(data) * number // WINDOWS for number in range(WINDOWS)]
    # A window begins with the first character that starts in it, and ends with the last one that does.
    parts = []
    for at in starts:
        end = at + WINDOW_BYTES
        while at < end and data[at] & 0xC0 == 0x80:
            at += 1
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end += 1
        parts.append(data[at:end].decode())
    return parts


def reference_window(text):
    plain = ""
    for char in text:
        kind = reference.char_class(char)
        if kind in ("whitespace", "controls"):
            plain += " "
        elif kind == "digits":
            plain += "0"
        else:
            plain += char.lower() if char.isascii() else char
    shortened = re.sub(r"(\S)\1{3,}", r"\1\1\1", plain)
    alone = [f" {char} " if reference.char_class(char) in ("punct", "broken") else char for char in shortened]
    return "".join(alone)


@given(batches)
def test_kernel_agrees_with_the_reference(texts):
    """Every document's line, also where the rows are some of the batch in another order."""
    rows = np.arange(len(texts))[::-1].copy()

    assert [line.split(" ") if line else [] for line in prepared(TextBuffers.of(texts), rows)] == [
        reference_line(text) for text in reversed(texts)
    ]


@pytest.mark.parametrize("text", ["가" * 9000, "가나 " * 9000, "a\U0001f44d" * 4000, "!" * 9000])
def test_a_long_document_is_read_in_eight_windows(text):
    """Windows begin and end between characters, whatever their width."""
    line = prepared_text(text)

    assert line.split() == reference_line(text)
    assert len(line.encode()) <= 3 * MAX_BYTES


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        (" \n\t\u3000", ""),
        ("제12조\n(목적)", "제00조 ( 목적 )"),  # article 12 (purpose)
        ("ㅋㅋㅋㅋㅋㅋ", "ㅋㅋㅋ"),
        ("=====", "= = ="),
        ("Café ＡＢ", "café ＡＢ"),
        ("__label__high", "_ _ label _ _ high"),
        ("</s>", "< / s >"),
        ("1,234.5", "0 , 000 . 0"),
    ],
)
def test_a_line_is_plain_words(text, line):
    """No line break, no capital, no digit but 0, and nothing that fastText reads as a label or as the line's end."""
    assert prepared_text(text) == line


def test_each_language_has_its_own_model(quality_models):
    """Korean is scored by the Korean model, English by the English one, anything else by none."""
    texts = [KOREAN, ENGLISH, "Это простой русский текст о погоде и о людях.", "", "…"]

    both = score(texts, ["quality"], quality_models)["quality"].to_pylist()
    korean = score(texts, ["quality"], {"quality_ko": quality_models["quality_ko"]})["quality"].to_pylist()

    assert [value is not None for value in both] == [True, True, False, False, False]
    assert korean == [both[0], None, None, None, None]
    assert score(texts, ["quality"])["quality"].null_count == len(texts)


def test_good_documents_score_higher(quality_models):
    """Prose above advertising: what the models of these tests were taught."""
    # cheap, cheap!! free delivery today!! click now!!
    noise = ["싸다 싸다!! 오늘만 무료배송!! 지금 바로 클릭!! 최저가 할인 이벤트!! " * 3]
    noise.append("CHEAP CHEAP!! free shipping today only!! click here now and buy more of it!! " * 3)
    good, bad = (score(t, ["quality"], quality_models)["quality"] for t in ([KOREAN, ENGLISH], noise))

    assert min(good.to_pylist()) > 0.5 > max(bad.to_pylist())


def test_case_digits_and_line_breaks_do_not_matter(quality_models):
    """They say which corpus a document came from, not how good it is."""
    text = "The road was closed in 1987, and the people took the long way.\nIt was not in use for 20 years."
    other = "THE ROAD WAS CLOSED IN 1234, AND THE PEOPLE TOOK THE LONG WAY. IT WAS NOT IN USE FOR 99 YEARS."
    first, second = score([text, other.capitalize()], ["quality"], quality_models)["quality"].to_pylist()

    assert first is not None
    assert first == second


def test_a_decomposed_text_is_scored(quality_models):
    """Not as well as the composed one, which is what normalising is for, but it is no error."""
    text = unicodedata.normalize("NFD", KOREAN)

    assert score([text], ["quality"], quality_models)["quality"][0].as_py() is not None


def test_a_model_of_another_language_is_refused(quality_models):
    """With the labels that it has."""
    with pytest.raises(ChejilError, match=r"not a quality classifier for 'en'.*high-ko-1"):
        score([ENGLISH], ["quality"], {"quality_en": quality_models["quality_ko"]})


def test_a_model_of_another_preparation_is_refused(quality_models, monkeypatch):
    """Its scores would be wrong, and nobody would see it."""
    monkeypatch.setattr("chejil.filters.quality.PREPARATION", 2)
    assert label_of("ko", "high") == "__label__high-ko-2"
    from chejil.filters import quality

    quality._loaded.cache_clear()
    with pytest.raises(ChejilError, match="of preparation 2"):
        classifier(quality_models["quality_ko"], "ko")
    quality._loaded.cache_clear()


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "cannot read the model"), (b"x", "not a fastText model"), (b"", "not a fast")],
)
def test_a_file_that_is_no_model_is_named(tmp_path, content, what):
    """Missing, empty, or something else."""
    path = tmp_path / "model.ftz"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ChejilError, match=what) as raised:
        classifier(str(path), "ko")
    assert raised.value.where == str(path)
