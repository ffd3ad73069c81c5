"""Traces of a wrong charset agree with a plain count, and meet no text in good order."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.charset import COUNTERS
from chejil.filters.engine import measure, score
from chejil.filters.lexicons import lexicon
from chejil.filters.prose import ENGLISH, KOREAN

from .strategies import texts

COMMON = set(lexicon("common_syllables")["syllables"]) - {" "}
SPECIALS = "".join(lexicon("korean_marks")["windows_1252"])
SOUP = {bytes([row, cell]).decode("euc_kr") for row in range(0xEA, 0xEE) for cell in range(0xA1, 0xFF)}


def value(name, text):
    return score([text], [name]).column(0)[0].as_py()


def reference(text):
    runs = re.findall(f"[\x80-\xff{SPECIALS}]+", text)
    damaged = [
        run
        for run in runs
        if len(run) > 2 and re.search("[\xc0-\xff]", run) and len(re.findall("[\x80-\xff]", run)) > 1
    ]
    return {
        "rare_syllables": sum("가" <= char <= "힣" and char not in COMMON for char in text),
        "decomposed_syllables": len(re.findall("(?<=[\u1100-\u1112])[\u1161-\u1175]", text)),
        "latin1_run_chars": sum(
            len(re.sub("[\x80-\x84\x86-\x9f]", "", run).replace("\x85", "x")) for run in damaged
        ),
        "soup_hanja": sum(char in SOUP for char in text),
    }


accents = st.text(st.sampled_from("Ã¬ì¢ë¹\x82\x85€ž’é a가"), max_size=30)
hangul = st.text(st.sampled_from("가한뷁쒉源媛힣\ud7b0\u1112\u1161\u11ab\u1100 a"), max_size=30)


@given(st.lists(texts | accents | hangul, max_size=5))
def test_kernel_agrees_with_the_reference(batch):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(batch), ["charset"])
    for name in COUNTERS:
        assert counts[name].tolist() == [reference(text)[name] for text in batch], name


def test_the_table_of_common_syllables():
    """1,200 whole syllables, none twice."""
    listed = lexicon("common_syllables")["syllables"].replace(" ", "")
    assert len(listed) == len(COMMON) == 1200
    assert all("가" <= char <= "힣" for char in COMMON)


def test_nfd_share_is_of_syllables():
    """Half decomposed is one half; composed, and without Hangul, it is 0 and null; old Hangul is no NFD."""
    assert value("nfd_share", "한" + unicodedata.normalize("NFD", "글")) == 0.5
    assert value("nfd_share", "한글") == 0
    assert value("nfd_share", "abc") is None
    assert value("nfd_share", "나랏말ᄊᆞ미") == 0


DAMAGES = {
    "CP949 as Latin-1": lambda text: text.encode("cp949").decode("latin-1"),
    "CP949 as windows-1252": lambda text: text.encode("cp949").decode("cp1252", "replace"),
    "UTF-8 as Latin-1": lambda text: text.encode().decode("latin-1"),
    "UTF-8 as windows-1252": lambda text: text.encode().decode("cp1252", "replace"),
    "UTF-8 as CP949": lambda text: text.encode().decode("cp949", "replace"),
    "CP949 as UTF-8": lambda text: text.encode("cp949").decode("utf-8", "replace"),
    "CP949 as Shift-JIS": lambda text: text.encode("cp949").decode("shift_jis", "replace"),
    "UTF-8 read twice": lambda text: text.encode().decode("latin-1").encode().decode("latin-1"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_each_misreading_is_seen(kind):
    """Whole and half a page."""
    damaged = DAMAGES[kind](KOREAN.replace("“", '"').replace("”", '"'))
    assert value("mojibake_score", damaged) > 0.3, kind
    assert value("mojibake_score", KOREAN + damaged) > 0.1, kind


@pytest.mark.parametrize(
    "text",
    [
        KOREAN,
        ENGLISH,
        "國民은 法 앞에 平等하다. 議員의 任期는 四年으로 한다.",  # older statutes
        "Çağrı Öztürk très déçu: «l’été à Nîmes» – 20 €…",
        "········ “……” ———",
        "그리스어 αβγ, 러시아어 где",  # Greek, Russian
    ],
)
def test_text_in_good_order_has_no_traces(text):
    """Hanja, accents, typography and other scripts are no damage."""
    assert value("mojibake_score", text) == 0


@pytest.mark.corpus
def test_real_pages_pass(corpus):
    """Of statutes and encyclopaedia none is above a bound."""
    import polars as pl

    for path in (corpus / "wiki-ko").glob("*.parquet"):
        row = score(
            pl.read_parquet(path)["text"].to_arrow(), ["mojibake_score", "rare_syllable_share"]
        ).to_pydict()
        assert max(row["mojibake_score"]) <= 0.05
        assert max(row["rare_syllable_share"]) <= 0.25
