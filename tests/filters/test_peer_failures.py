"""What peers get wrong on Korean, and that we do not: the smallest text for each (K numbers as in the field notes).

Other failures are tested beside what they are about: damage that normalising must not do in
tests/curation/test_normalise.py, units of bounds in test_bounds.py, differences of rules in test_parity.py.
"""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given

from chejil.curation.normalising.normalise import Normalise, normalise
from chejil.errors import ChejilError
from chejil.filters.bounds import Policy, judge
from chejil.filters.catalogue import FAMILIES, SIGNALS
from chejil.filters.engine import score
from chejil.filters.preset_bounds import check_unit, preset, presets

from .strategies import texts

# Signals that need no file; those with a model have tests of their own.
BASIC = ("characters", "words", "lines", "repetition", "c4")
PLAIN = [name for name, signal in SIGNALS.items() if not FAMILIES[signal.family].model]

# A new bus line opens on Monday; residents asked for it since last year, and the city will add one more in autumn.
NEWS = """\
시는 다음 달 월요일부터 새로운 버스 노선을 운행한다고 밝혔다.
주민들은 지난해부터 병원으로 가는 버스를 늘려 달라고 여러 번 요청했다.
새 노선은 시장과 학교를 지나 역까지 이어지며 배차 간격은 십오 분이다.
시 관계자는 이용객이 늘면 가을에 한 대를 더 투입하겠다고 말했다.
버스 기사들은 좁은 골목의 주차 문제를 먼저 해결해야 한다고 지적했다.
시는 이달 안에 주차 금지 구역을 정하고 안내판을 세우기로 했다.
"""


def value(name: str, text: str):
    return score([text], [name]).column(0)[0].as_py()


def reasons(text: str, wanted: str, lang: str) -> list[str]:
    """Why a preset drops the text."""
    limits = preset(wanted).languages[lang]
    rows = pl.DataFrame(pl.from_arrow(score([text], [*dict.fromkeys(["num_chars", *limits])])))
    return judge(rows.with_columns(lang=pl.lit(lang)), Policy({lang: limits})).to_list()[0]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_k4_shares_are_of_the_characters_of_the_text(n):
    """New things, again and again: what covers all of the text is all of it, not more."""
    assert value(f"top_{n}_gram_char_share", " ".join(["새로운 했던"] * 9)) <= 1


def test_k5_a_number_of_another_unit_is_refused():
    """Gopher's 50 words are no 50 morphemes, so it has no Korean bounds and none can be lent it by mistake."""
    assert set(preset("gopher").languages) == set(preset("fineweb").languages) == {"en"}
    with pytest.raises(ChejilError, match="per morpheme, but the signal is measured per eojeol"):
        check_unit("mean_non_symbol_word_chars", "morpheme")


@pytest.mark.parametrize("wanted", [name for name in presets() if "ko" in preset(name).languages])
def test_k5_ordinary_news_passes_every_korean_preset(wanted):
    """Its mean morpheme has 1.5 characters, which another program's default takes for letter soup."""
    assert not [
        reason for reason in reasons(NEWS, wanted, "ko") if SIGNALS[reason.split(":")[0]].family in BASIC
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\n \u3000", "\u200b", "!?", "#"])
def test_k6_no_text_is_divided_by_nothing(text):
    """Texts without a word are undefined or finite, and dropped or not, but never an exception."""
    assert len(score([text], PLAIN)) == 1
    for wanted in presets():
        for lang in preset(wanted).languages:
            if set(preset(wanted).languages[lang]) <= set(PLAIN):
                assert reasons(text, wanted, lang), (wanted, lang)


@given(texts)
def test_k6_nor_is_any_other(text):
    """Whatever it holds, the English presets give a verdict."""
    assert all(isinstance(reasons(text, wanted, "en"), list) for wanted in ("gopher", "c4", "fineweb"))


def test_k8_hangul_is_no_symbol():
    """Clean news is 93 % "not alphanumeric" to a rule of ASCII letters; here nearly every word has a letter."""
    assert value("alpha_word_share", NEWS) == 1
    assert value("punct_share", NEWS) < 0.05


@pytest.mark.parametrize(
    "text",
    [
        "안녕ㅋㅋㅋㅋ 진짜ㅎㅎ",  # hello, really: K9 takes a syllable with the laughter
        "1,000,000원 2000년 100000명",  # won, year, people: K9 takes digits
        "네네네네 하하하하",  # yes, ha: repeated syllables are words
    ],
)
def test_k9_syllables_and_digits_stay(text):
    """To collapse laughter is not to rewrite numbers."""
    assert normalise([text], Normalise()).texts.to_pylist() == [text]


def test_k10_laughter_is_counted_and_not_silently_missed():
    """Six ㅋ are six jamo: the rule that should see them does."""
    assert value("jamo_share", "ㅋㅋㅋㅋㅋㅋ") == 1
    assert value("jamo_share", "ㅋㅋㅋㅋ맞아") == pytest.approx(4 / 6)  # right


@pytest.mark.parametrize("text", ["本公司成立于一九九八年", "天地玄黃宇宙洪荒", "東京都は今日も雨"])
def test_k11_chinese_and_japanese_have_no_hangul(text):
    """Ideographs and kana lie within [ㄱ-힣] and are none (founded in 1998; heaven and earth; rain in Tokyo)."""
    assert value("hangul_share", text) == 0


@pytest.mark.parametrize("full", "０１９ＡＺａｚ！％")
def test_k17_full_width_forms_are_their_own_kind(full):
    """A full-width digit is a digit and no quotation mark; a letter is a letter, a mark is a mark."""
    plain = unicodedata.normalize("NFKC", full)
    for name in ("digit_share", "latin_share", "punct_share"):
        assert value(name, full) == value(name, plain), name
    assert normalise([full], Normalise()).texts.to_pylist() == [full]
