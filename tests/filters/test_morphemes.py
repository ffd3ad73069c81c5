"""Morphemes: Kiwi's offsets are those of the text, mash is unknown and improbable, long texts are sampled."""

import sys
import unicodedata

import pytest
from hypothesis import given, settings

from chejil.errors import ChejilError
from chejil.filters import morphemes
from chejil.filters.engine import score
from chejil.filters.prose import ENGLISH, KOREAN
from chejil.filters.registry import FAMILIES

from .strategies import texts

pytest.importorskip("kiwipiepy")

SENTENCE = "국회는 다음 주 관련 법안을 처리하기로 했다."  # parliament will pass the bill next week


def value(name, text):
    return score([text], [name])[name][0].as_py()


def test_k1_a_run_of_25_digits_moves_nothing():
    """What stands around a long number is analysed as without it, and every offset is that of the text."""
    tokens = morphemes.kiwi().tokenize(SENTENCE)
    at = SENTENCE.index("관련")
    number = "1234567890" * 2 + "12345"
    longer = f"{SENTENCE[:at]}{number} {SENTENCE[at:]}"

    found = morphemes.kiwi().tokenize(longer)
    (inserted,) = [token for token in found if token.tag == "SN"]
    # Forms and places: that 주 (week) is a counting noun behind a number is Kiwi's good right.
    others = [(t.form, t.start) for t in found if t.tag != "SN"]
    moved = [(t.form, t.start + (len(number) + 1 if t.start >= at else 0)) for t in tokens]

    assert longer[inserted.start : inserted.end] == number
    assert others == moved
    assert morphemes.surface(longer) == [
        *morphemes.surface(SENTENCE[:at]), f"{number} ", *morphemes.surface(SENTENCE[at:])
    ]  # fmt: skip


def test_k3_the_default_model_is_there():
    """Kiwi's default model comes with the package, and its version is known."""
    versions = morphemes.kiwi_versions()

    assert morphemes.kiwi().model_type == "cong"
    assert set(versions) == {"kiwipiepy", "kiwipiepy_model"}


@settings(max_examples=60)
@given(texts)
def test_k4_the_pieces_are_the_text(text):
    """Without overlaps and without gaps, in any script."""
    assert "".join(morphemes.surface(text)) == text
    assert all(piece for piece in morphemes.surface(text)) or text == ""


def test_a_contraction_is_one_piece():
    """했 (did) is 하 + 었 over one character: two morphemes, one piece."""
    assert morphemes.surface("시행했다") == ["시행", "했", "다"]
    assert value("num_morphemes", "시행했다") == 4


def test_num_morphemes_counts_what_kiwi_finds():
    """All of them, marks and numbers among them."""
    assert value("num_morphemes", KOREAN) == len(morphemes.kiwi().tokenize(KOREAN))


def test_mash_is_unknown_and_improbable():
    """Syllables that nobody writes, against prose."""
    mash = "뤟퀘 뽧쉛 궯뭵 쀍뛣 쮋쵗 휗뗄 뾃쨻"

    assert value("unknown_morpheme_share", KOREAN) < 0.05
    assert value("unknown_morpheme_share", mash) > 0.5
    assert value("morpheme_score", KOREAN) > 100 * value("morpheme_score", mash)


@pytest.mark.parametrize("text", [ENGLISH, "漢字만", "", " \n", "…", "12 34"])
def test_only_korean_is_analysed(text):
    """English has other morphemes, and a text without a language none."""
    expected = {"num_morphemes": None, "unknown_morpheme_share": None, "morpheme_score": None}

    assert score([text], list(expected)).to_pylist() == [expected]


def test_a_decomposed_text_is_analysed():
    """Null or finite, as any text; what is composed first is what recipes score."""
    assert value("num_morphemes", unicodedata.normalize("NFD", SENTENCE)) > 0


def test_a_long_text_is_estimated_from_windows():
    """Its number of morphemes is near the true one, its shares those of the windows."""
    text = f"{KOREAN}\n" * 200
    assert len(text.encode()) > morphemes.MAX_BYTES
    one = value("num_morphemes", KOREAN)

    assert value("num_morphemes", text) == pytest.approx(200 * one, rel=0.03)
    assert value("morpheme_score", text) == pytest.approx(value("morpheme_score", KOREAN), rel=0.2)


def test_slow_signals_are_no_default():
    """`all` leaves them out."""
    assert not FAMILIES["morphemes"].default


def test_without_kiwi_the_error_says_how_to_get_it(monkeypatch):
    """Both where it is asked for its version and where it is used."""
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    monkeypatch.setattr(morphemes, "PACKAGES", ("kiwipiepy-that-is-not-there",))
    morphemes.kiwi.cache_clear()

    for ask in (morphemes.kiwi, morphemes.kiwi_versions):
        with pytest.raises(ChejilError) as raised:
            ask()
        assert raised.value.mend == "pip install 'chejil[kiwi]'"
    morphemes.kiwi.cache_clear()
