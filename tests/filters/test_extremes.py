"""Every signal on texts that break text code: 16 MB in one line, and each script alone."""

from __future__ import annotations

import importlib.util
import unicodedata

import pytest

from chejil.filters.catalogue import SIGNALS
from chejil.filters.engine import score

MEGABYTES = 1 << 20
HAS_KIWI = importlib.util.find_spec("kiwipiepy") is not None
ALL = [name for name, signal in SIGNALS.items() if HAS_KIWI or signal.family != "morphemes"]


@pytest.mark.parametrize(
    "text",
    [
        "가" * (16 * MEGABYTES // 3),
        "가나 " * (16 * MEGABYTES // 7),
        "?" * (16 * MEGABYTES),
        "a\n" * (8 * MEGABYTES),
    ],
    ids=["syllables", "words", "question marks", "lines"],
)
def test_sixteen_megabytes(text, quality_models):
    """Sixteen megabytes without or full of breaks are measured like any text: nothing is quadratic."""
    row = score([text], ALL, quality_models).to_pylist()[0]
    assert row["num_chars"] == len(text)
    assert row["num_words"] == len(text.split())
    assert row["num_lines"] == len(text.split("\n")) - text.endswith("\n")


@pytest.mark.parametrize(
    "text",
    [
        "한국어 문장",  # a Korean sentence
        unicodedata.normalize("NFD", "한국어 문장"),
        "나랏말ᄊᆞ미",  # old Hangul
        "ㅋㅋㅋ ㅠㅠ ﾡﾢ",
        "大韓民國 𠀀𠀁",
        "한글과 漢字와 English",  # Hangul, Hanja and English
        "👩‍👩‍👧‍👦 🇰🇷 1️⃣",
        "\x00\x1f\x85\u2028\u3000",
        "\U0010ffff\ufffd\ue000",
        "a\r\nb\r\n",
    ],
)
def test_every_script_has_finite_signals(text, quality_models):
    """Each signal is null or finite, and shares and scores lie within 0 and 1."""
    for name, value in score([text], ALL, quality_models).to_pylist()[0].items():
        if SIGNALS[name].kind in ("share", "score"):
            assert value is None or 0 <= value <= 1, name
        elif SIGNALS[name].kind != "label":
            assert value is None or 0 <= value < float("inf"), name
