"""Character counters agree with the reference; lost text is told from emphasis and Japanese."""

from __future__ import annotations

import pytest
from hypothesis import given

from chejil.filters.buffers import TextBuffers
from chejil.filters.catalogue import FAMILIES, SIGNALS
from chejil.filters.engine import measure, score

from . import reference
from .strategies import batches


def value(name: str, text: str) -> float:
    return score([text], [name]).column(0)[0].as_py()


@given(batches)
def test_kernels_agree_with_the_reference(texts):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(texts), ["characters"])
    expected = [reference.characters(text) for text in texts]
    for name in FAMILIES["characters"].counters:
        assert counts[name].tolist() == [counted.get(name, 0) for counted in expected], name


@given(batches)
def test_shares_lie_within_0_and_1(texts):
    """Each character share is null or within 0 and 1, and is null where nothing is visible."""
    names = [
        name for name, signal in SIGNALS.items() if signal.family == "characters" and signal.kind == "share"
    ]
    for text, row in zip(texts, score(texts, names).to_pylist(), strict=True):
        assert all(share is None or 0 <= share <= 1 for share in row.values())
        assert (row["hangul_share"] is None) == (not text.strip())


def test_a_filler_is_no_jamo():
    """Hangul fillers and the blank Braille pattern look like spaces and are no jamo."""
    assert value("jamo_share", "가\u3164\uffa0\u2800") == 0


def test_chinese_is_not_hangul():
    """A Chinese sentence has no Hangul, though it lies inside [ㄱ-힣]."""
    text = "本公司成立于一九九八年。"  # The company was founded in 1998.
    assert value("hangul_share", text) == 0
    assert value("hanja_share", text) > 0.9


def test_shares_ignore_indentation():
    """White space changes no share but its own."""
    assert value("hangul_share", "가a") == value("hangul_share", "\t가\u3000 \na  ") == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "占쏙옙占쏙옙占쏙옙",  # UTF-8 of U+FFFD, read as CP949
        "占쎈 占쎌",  # the same, torn by letters between
        "??? ?? ?????",  # Korean written through Latin-1
        "\ufffd\ufffd\ue000\x9f",
        "ｱﾗｷ｡ｳﾊｺ",  # CP949 read as Shift-JIS
    ],
)
def test_lost_text_is_broken(text):
    """Characters that stand where others were lost are (nearly) all broken."""
    assert value("broken_share", text) > 0.8


@pytest.mark.parametrize(
    "text",
    [
        "정말????? 왜?! 뭐!?? 어 ?",  # Really????? Why?! What!?? Huh ?
        "https://example.org/a?b=1",
        "占有와 占領은 다르다. 쏙 들어간다.",  # Possession and occupation differ. It fits in neatly.
        "日本語のﾃｷｽﾄはカタカナもひらがなもある",  # Japanese with some half-width katakana
        "👩‍👩‍👧‍👦 1️⃣ 🇰🇷",
    ],
)
def test_readable_text_is_not_broken(text):
    """Emphasis, query strings, Hanja, Japanese and emoji are not broken."""
    assert value("broken_share", text) == 0
