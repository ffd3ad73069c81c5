"""Damage of every kind is undone where no byte was lost, and nothing else is touched."""

import gzip
import json

import ftfy.bad_codecs  # noqa: F401 (registers windows-1252 as browsers read it, with all 256 bytes)
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.normalising.mojibake import common_syllables, repair
from chejil.curation.normalising.normalise import Normalise, normalise

KOREAN = (
    "도서관은 아침 아홉 시에 문을 열고 저녁 여섯 시에 닫습니다. “빌린 책”은 2주 안에 돌려주세요!\n\n"
    "비가 오는 날에는 창가 자리가 먼저 찹니다 ㅠㅠ · 제3조(목적) 「도서관법」에 따른 열람실 기준을 정한다.\n"
    "    Wi-Fi 비밀번호는 안내 창구에서 알려 드립니다. 찾는 책이 없으면 사서에게 물어보세요."
)
"""The library opens at nine, lends for two weeks; on rainy days window seats go first; Wi-Fi at the desk."""

BROWSER = "sloppy-windows-1252"
MISREADINGS = {
    "utf8_as_latin1": [("utf-8", "latin-1")],
    "utf8_as_cp1252": [("utf-8", BROWSER)],
    "double_encoded": [("utf-8", "latin-1")] * 2,
    "double_encoded_as_cp1252": [("utf-8", BROWSER)] * 2,
    "cp949_as_latin1": [("cp949", "latin-1")],
    "cp949_as_cp1252": [("cp949", BROWSER)],
}


def damage(text, kind):
    for right, wrong in MISREADINGS[kind]:
        text = text.encode(right).decode(wrong)
    return text


def mended(text):
    return normalise([text], Normalise()).texts[0].as_py()


@pytest.mark.parametrize("kind", MISREADINGS)
@pytest.mark.parametrize(
    "extent",
    [slice(None), slice(90, None), slice(None, 30), slice(40, 110), slice(0, 10)],
    ids=["whole", "second half", "beginning", "across lines", "three words"],
)
def test_what_lost_no_byte_is_restored(kind, extent):
    """The damaged part, wherever it stands, comes back to the letter."""
    part = KOREAN[extent]
    assert mended(KOREAN.replace(part, damage(part, kind))) == KOREAN


@given(
    st.lists(st.sampled_from(sorted(common_syllables())), min_size=4, max_size=40).map("".join),
    st.text("abz 019.,'\n", max_size=12),
    st.sampled_from(sorted(MISREADINGS)),
)
def test_any_common_syllables_are_restored(syllables, ascii_text, kind):
    """Whatever common syllables are damaged, with whatever ASCII around them, they come back."""
    text = f"{ascii_text}|{syllables} {syllables}|{ascii_text}"
    assert mended(damage(text, kind)) == mended(text)


@pytest.mark.parametrize(
    ("right", "wrong", "text"),
    [
        ("cp949", "cp932", "그는 가난한 집안의 작은 별"),  # he is the little star of a poor family
        ("utf-8", "cp949", "민희 처리"),  # a given name, and: to process
    ],
)
def test_rare_exact_cases(right, wrong, text):
    """Codecs that mostly lose bytes are undone where they happen to lose none."""
    assert mended(text.encode(right).decode(wrong)) == text


@pytest.mark.parametrize(
    ("damaged", "wanted"),
    [
        ("I donâ€™t know â€œwhyâ€\x9d.", "I don’t know “why”."),
        ("schÃ¶n, naÃ¯ve, Â£300", "schön, naïve, £300"),
        ("한글 옆의 LÃ¼beck", "한글 옆의 Lübeck"),  # beside Hangul
        ("don\x92t \x93quote\x94 \x96 \x80 5", "don’t “quote” – € 5"),
        ("ðŸ˜€", "😀"),
        ("schÃ¶n \x85 Ende", "schön … Ende"),
    ],
)
def test_latin_kinds(damaged, wanted):
    """Quotation marks, accents and emoji of damaged English are restored, and bytes of windows-1252 named."""
    assert mended(damaged) == wanted


@pytest.mark.parametrize(
    "text",
    [
        KOREAN,
        "¿¡Como!? ¿¡Como!? ¿¡Como!? ¿¡Como!?",  # ¿¡ is the particle 에 in CP949
        "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ",
        "créée à l’été «déjà» … É’A, Äpfel, Öl, ÜBER, SÃO PAULO, naïve—é”",
        "don’t grok “Guest” Vim’s 10 °C ±5 µm·²³ §1",
        "Nguyễn Thị Đức, Łódź, İstanbul, ğüşıöç",
        "ﾃﾞｰﾀ ﾊﾟｿｺﾝ ｶﾀｶﾅ ｱｲｳｴｵ ｶｷｸｹｺ ﾟДﾟ",
        "源氏는 源이라 하고 留意 誘導를 하며 異議를 두었다",  # good prose with the Hanja of the damage
        "Ñ³ ±âº£ ¾È³ç",  # too little CP949 to be sure of; ftfy sees Cyrillic and plane 4 in it
        "ЖЗИ привет Ñandú",
    ],
)
def test_good_text_is_left_alone(text):
    """Text that looks like damage, and is none, is not touched."""
    assert repair(text) == (text, 0)


@pytest.mark.parametrize(
    "damaged",
    [
        KOREAN.encode().decode("cp1252", "replace"),
        KOREAN.encode().decode("cp949", "replace"),
        KOREAN.encode("cp949").decode("utf-8", "replace"),
        KOREAN.encode("cp949").decode("cp932", "replace"),
        KOREAN.encode("ascii", "replace").decode(),
        "占쏙옙 占쏙옙占쏙옙",
    ],
    ids=[
        "utf8_as_cp1252",
        "utf8_as_cp949",
        "cp949_as_utf8",
        "cp949_as_cp932",
        "question_marks",
        "twice_lost",
    ],
)
def test_what_lost_bytes_is_left_as_it_is(damaged):
    """A repair that could not be whole is not begun."""
    assert mended(damaged) == normalise([damaged], Normalise(mojibake=False)).texts[0].as_py()


def test_good_lines_beside_damage_keep_their_quotation_marks():
    """In one run of Latin characters, `’t` of English stays while CP949 around it is undone."""
    english = "you don’t grok vi"
    assert mended(f"{damage(KOREAN, 'cp949_as_latin1')}\n{english}") == f"{KOREAN}\n{english}"


def test_two_kinds_in_one_document():
    """Kinds do not disturb one another, and what a rule uncovers is seen in the next pass."""
    kinds = [damage(KOREAN, kind) for kind in ("utf8_as_latin1", "cp949_as_latin1", "double_encoded")]
    assert mended("\n".join(kinds)) == "\n".join([KOREAN] * 3)
    assert mended("\u200b".join(damage("서울", "utf8_as_latin1"))) == "서울"  # Seoul


def test_ftfy_changes_nothing_but_the_codec():
    """Curly quotation marks, ligatures, full width and entities stay in a text that ftfy mends."""
    assert mended("“ﬁne” ＡＢＣ &amp; Ⅳ schÃ¶n") == "“ﬁne” ＡＢＣ &amp; Ⅳ schön"


@given(st.text(st.characters(codec="cp949", min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1))
def test_hangul_is_never_taken_for_damage(text):
    """No sequence of syllables is mojibake."""
    assert repair(text) == (text, 0)


PIECES = ["Ã©", "â€™", "ê°€", "¾È³ç", "\x92", "don", "é’", "Ã", "가", "ﾃﾞ"]


@given(st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_a_repair_joins_bytes_into_characters(text):
    """A repair never makes a text longer, and counts if and only if it changes something."""
    repaired, num_chars = repair(text)
    assert len(repaired) <= len(text)
    assert (num_chars > 0) == (repaired != text)


def test_table_of_common_syllables():
    """The table holds 700 different Hangul syllables."""
    assert len(common_syllables()) == 700
    assert all("가" <= syllable <= "힣" for syllable in common_syllables())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["utf8_as_latin1", "cp949_as_latin1"])
def test_one_damaged_line_of_16_mb(kind):
    """A line of 16 MB without a space is restored whole."""
    line = "도서관은아침아홉시에문을열고" * (16_000_000 // 84)  # the library opens at nine in the morning
    assert mended(damage(line, kind)) == line


CLEAN_SHARDS = ("other-lang/*.json.gz", "mc4-ko/*-0000[0-5]-*.json.gz", "mc4-ko/*-0002[6-9]-*.json.gz")


@pytest.mark.corpus
@pytest.mark.parametrize("shards", CLEAN_SHARDS)
def test_no_clean_document_is_repaired(shards, corpus):
    """No real Korean, Japanese, Chinese, Russian, Spanish, German or Vietnamese page is changed."""
    for shard in sorted(corpus.glob(shards)):
        lines = gzip.decompress(shard.read_bytes()).splitlines()
        texts = pa.array([json.loads(line)["text"] for line in lines], pa.large_string())
        changed = normalise(texts, Normalise()).changes["mojibake"].nonzero()[0]
        assert not changed.size, f"{shard.name}: rows {changed.tolist()}"
