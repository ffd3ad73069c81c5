"""Laws of normalisation first, then each rule, then what peers get wrong."""

import re
import time
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chejil.curation.normalising.normalise import CHANGES, Normalise, normalise

DEFAULT = Normalise()
NO_REPAIR = Normalise(mojibake=False)

# Korean language, our country's words (1446), laughter, two million won, Hanja, gold, and so on.
PIECES = (
    *(
        "한국어",
        "나랏말ᄊᆞ미",
        "ㅋㅋㅋ",
        "ﾋﾞ",
        "ﾡ",
        "2,000,000원",
        "１２",
        "①",
        "漢字",
        "金",
        "\u1161",
        "\u11ab",
    ),
    *(
        "a\u0301",
        "e\u0323\u0301",
        "\u0301",
        "\u0344",
        "\u0f73",
        "각",
        "가\u11a8",
        "\u1100\u1161",
        "क\u094d\u200d",
    ),
    *(
        "\u200b",
        "\u200d",
        "\u200c",
        "\ufeff",
        "\u00ad",
        "\u2060",
        "\u202e",
        "\u180e",
        "\u061c",
        "می\u200cخواهم",
    ),
    *(
        "\r",
        "\n",
        "\r\n",
        "\x0b",
        "\x0c",
        "\x85",
        "\u2028",
        "\u2029",
        "\n\n\n\n\n",
        " \n",
        "\t\n",
        "\t",
        "    ",
    ),
    *(
        " ",
        "\u00a0",
        "\u3000",
        "\u2003",
        "\u2000",
        "\u202f",
        "\u3164",
        "\uffa0",
        "\u2800",
        "\u115f\u1160",
        "\x00",
        "\x1b",
        "\x7f",
        "\x80",
        "\x9d",
        "\ufffd",
    ),
    *(
        "👨\u200d👩\u200d👧",
        "❤\ufe0f\u200d🔥",
        "👍🏽",
        "🇰🇷",
        "\U000e0067",
        "\U0002f800",
        "don’t",
        "café",
        "é’",
    ),
    *("ì\x9d´", "ê°€", "¾È³ç", "Ã©", "â€™", "ｾﾈｳ", "源誘", "誘쇳씗", "&amp;", "<br>", "Ã", "\x83", "Â"),
)
"""Korean in every form, what other scripts need, what must go, and pieces of damage."""

texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join)


def one(text, wanted=DEFAULT, **options):
    return normalise([text], wanted, **options).texts[0].as_py()


def changes(text, **options):
    found = normalise([text], DEFAULT, **options).changes
    return {kind: int(counts[0]) for kind, counts in found.items() if counts[0]}


# Laws


@given(texts)
def test_is_idempotent(text):
    """To normalise again changes nothing and counts nothing."""
    once = normalise([text], DEFAULT, html_entities=True).texts
    twice = normalise(once, DEFAULT)
    assert twice.texts.equals(once)
    assert not any(counts.any() for counts in twice.changes.values())


@given(texts)
def test_result_has_one_form(text):
    """The result is NFC, without controls, other spaces, blank ends of lines, or a third blank line."""
    result = one(text)
    assert unicodedata.is_normalized("NFC", result)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u200b\u200e\u200f\u2028-\u202f\u2800\u3000\u3164\ufeff\uffa0]",
        result,
    )
    assert not re.search(r"[ \t]\n|\n{4}|\A[ \t\n]|[ \t\n]\Z", result)


@given(texts)
def test_counts_say_whether_it_changed(text):
    """A text changed if and only if a change was counted."""
    assert bool(changes(text)) == (one(text) != text)


@given(st.lists(st.one_of(st.none(), texts), max_size=6))
def test_batch_equals_row_by_row(batch):
    """Documents do not see one another."""
    together = normalise(batch, DEFAULT)
    apart = [normalise([text], DEFAULT) for text in batch]
    assert together.texts.to_pylist() == [single.texts[0].as_py() for single in apart]
    for kind in CHANGES:
        assert together.changes[kind].tolist() == [int(single.changes[kind][0]) for single in apart]


@given(texts)
def test_nfd_equals_nfc(text):
    """Canonically equal texts become the same text."""
    assert one(unicodedata.normalize("NFD", text), NO_REPAIR) == one(
        unicodedata.normalize("NFC", text), NO_REPAIR
    )


@given(texts.filter(lambda text: not re.search("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]", text)))
def test_digits_and_syllables_are_never_touched(text):
    """The digits and Hangul syllables of a text are those of its NFC, in their order."""
    wanted = re.compile(r"\d|[가-힣ㄱ-ㅣㅥ-ㆎﾡ-ￜ]")
    assert wanted.findall(one(text, NO_REPAIR)) == wanted.findall(unicodedata.normalize("NFC", text))


def reference(text, blank_lines):
    """The plain rules, by the standard library, without the kernels' table."""
    text = re.sub("\r\n|[\r\x0b\x0c\x85\u2028\u2029]", "\n", text)
    text = re.sub("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]", "", text)
    text = re.sub(
        "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]", "", text
    )
    text = re.sub("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]", " ", text)
    text = re.sub(f"(?<!{NEEDS_JOINERS})[\u200c\u200d]+", "", text)
    text = re.sub("([\u200c\u200d])[\u200c\u200d]+", r"\1", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(f"\n{{{blank_lines + 2},}}", "\n" * (blank_lines + 1), text).strip(" \t\n")


NEEDS_JOINERS = (
    "[\u200c\u200d\u0600-\u109f\u1780-\u18af\u1cd0-\u1cff\u2600-\u27bf\u2b00-\u2bff\ua840-\ua8ff\ufb50-\ufdff"
    "\ufe0f\ufe70-\ufefc\U00011000-\U00011fff\U0001f000-\U0001faff]"
)


@given(texts, st.integers(0, 3))
@settings(max_examples=300)
def test_kernels_equal_the_slow_reference(text, blank_lines):
    """The plain rules give what a chain of regular expressions gives."""
    wanted = unicodedata.normalize("NFC", reference(text, blank_lines))
    assert one(text, Normalise(mojibake=False, blank_lines=blank_lines)) == wanted


# Arrow


def test_a_clean_batch_is_returned_as_it_came():
    """Where nothing changes, the very array comes back, uncopied."""
    clean = pa.array(["가나다 라마\n\tabc", "plain text", ""], pa.large_string())  # nothing to do
    assert normalise(clean, DEFAULT).texts is clean


@pytest.mark.parametrize(
    "batch",
    [
        pa.array(["x", " 가\u00a0나 ", None]),
        pa.chunked_array([["x"], [" 가\u00a0나 ", None]]),
        pa.array(["skipped", "x", " 가\u00a0나 ", None], pa.large_string()).slice(1),
        pa.array(["x", " 가\u00a0나 ", None]).dictionary_encode(),
    ],
    ids=["string", "chunked", "sliced", "dictionary"],
)
def test_any_arrow_strings_will_do(batch):
    """Every layout of strings gives `large_string`, a null stays null."""
    result = normalise(batch, DEFAULT)
    assert result.texts.type == pa.large_string()
    assert result.texts.to_pylist() == ["x", "가 나", None]
    assert result.changes["trim"].tolist() == [0, 2, 0]
    assert result.changes["trim"].dtype == np.int32


def test_no_documents():
    """An empty batch is an empty batch."""
    result = normalise(pa.array([], pa.large_string()), DEFAULT)
    assert len(result.texts) == 0
    assert set(result.changes) == set(CHANGES)


# Rules


@pytest.mark.parametrize(
    ("text", "wanted", "counted"),
    [
        ("a\x00b\x1bc\x7fd\x9de", "abcde", {"control": 4}),
        ("\ufeff처음\ufeff", "처음", {"bom": 2}),  # first
        ("하\u200b나\u00ad\u2060", "하나", {"zero_width": 3}),  # one
        ("\u202eabc\u202c\u2067d\u2069\u200f", "abcd", {"zero_width": 5}),
        ("a\r\nb\rc\x0bd\x0ce\u2028f\u2029g\x85h", "a\nb\nc\nd\ne\nf\ng\nh", {"line_end": 7}),
        ("a\u00a0b\u3000c\u2003d\u202fe\u205ff\u1680g", "a b c d e f g", {"space": 6}),
        ("가\u3164나\uffa0다\u2800라", "가 나 다 라", {"space": 3}),  # a blank, typed where a space would go
        ("\u3164\n가\u3164", "가", {"space": 2, "trim": 3}),
        ("a \t\nb\n\n\n\n\nc\n \n", "a\nb\n\n\nc", {"trim": 7}),
        ("\n\n  a", "a", {"trim": 4}),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8 하나 e\u0301", "한국 하나 é", {"nfc": 2}),  # Korea, one
        ("¾È³çÇÏ¼¼¿ä", "안녕하세요", {"mojibake": 10}),  # hello
        ("don\x92t", "don’t", {"mojibake": 1}),
    ],
)
def test_each_kind_of_change_and_its_count(text, wanted, counted):
    """Each rule does its work, and says how often."""
    assert one(text) == wanted
    assert changes(text) == counted


@pytest.mark.parametrize(
    "text",
    [
        "나랏말ᄊᆞ미 듕귁에 달아",  # old Hangul (K14): our language differs from China's
        "ㅋㅋㅋㅋ ㅠㅠ ㄱㄴㄷ",  # laughing, crying, initials: NFKC makes conjoining jamo of them
        "안녕ㅋㅋㅋㅋ 1,000,000원 2000년 100000명",  # hello, won, year, people (K9: a peer eats digits)
        "\u115fᆞ \u1112\u1160\u11ab",  # a vowel and consonants of old Hangul, held by fillers
        "１２３ ＡＢＣ ！",  # full width (K17)
        "ﾡﾢ ㈜ ① ½ ℃ ㎏ ﬁ",
        "國家 法律 行政",  # Hanja: nation, law, administration
        "“둥근” ‘따옴표’ … — ·",  # round quotation marks: ftfy's defaults straighten them
        "def f():\n    return 1\n\n\n\tx  =  2",
        "👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 🏴\U000e0067\U000e0062\U000e007f 👍🏽 🇰🇷 1\ufe0f\u20e3",
        "می\u200cخواهم क्\u200dष",  # Persian and Hindi spell with joiners
        "¿¡Como? ÀÉ ……  ·· «é»",
        "a &amp; b<br>",  # a text about HTML
        "\u0301",
        "",
    ],
)
def test_what_must_survive(text):
    """What means something passes through byte for byte."""
    assert one(text) == text


@pytest.mark.parametrize("text", ["가\u200d나", "a\u200db", "\u200d", "👍\u200d\u200d"])
def test_a_joiner_that_joins_nothing_goes(text):
    """ZWJ stays behind emoji and scripts that need it, once."""
    assert one(text).count("\u200d") == ("👍" in text)


def test_accents_are_not_stripped_nor_left_apart():
    """What a peer leaves as conjoining jamo comes out as syllables (K15)."""
    assert (
        one(unicodedata.normalize("NFD", "한국어 각 뷁")) == "한국어 각 뷁"
    )  # Korean, each, a rare syllable


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("א\u0591\u05b7", "א\u05b7\u0591"),  # marks that compose with nothing, out of order
        ("\u09c7\u09be", "\u09cb"),  # the second part of a Bengali vowel is no mark
        ("\u2126 \uf90a", "\u03a9 \u91d1"),  # the ohm sign, and gold from the compatibility block of Hanja
        ("가\u11a8", "각"),
        ("가\u200b\u11a8", "각"),  # composes once what parts them is gone
    ],
)
def test_every_reason_to_compose(text, wanted):
    """Each way in which a text may fail to be NFC is seen."""
    assert one(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("&lt;표&gt;&nbsp;가&#46;&#x27;나&quot;", "<표> 가.'나\""),  # table
        ("첫째&nbsp;<br>\n둘째<BR/>셋째<br class='x' >", "첫째\n둘째\n셋째"),  # first, second, third
        ("&amp;lt;", "&lt;"),
        ("?a=1&copy=2 &notit; &nosuch; AT&T &#xZZ;", "?a=1&copy=2 &notit; &nosuch; AT&T &#xZZ;"),
        ("<break> <b>x</b>", "<break> <b>x</b>"),
    ],
)
def test_html_entities(text, wanted):
    """Entities and `<br>` are undone once, whole names only, and no other markup is touched."""
    assert one(text, html_entities=True) == wanted


def test_entities_are_counted_and_only_where_asked():
    """Without the flag an entity is text."""
    assert changes("a&amp;b<br>c", html_entities=True) == {"entity": 2}
    assert changes("a&amp;b<br>c") == {}


def test_settings():
    """Unknown settings are refused; blank lines may be none."""
    assert one("a\n\n\nb", Normalise(blank_lines=0)) == "a\nb"
    with pytest.raises(ValidationError):
        Normalise(unicode="NFKC")


# Size


def test_many_marks_in_a_row_take_no_time():
    """`unicodedata` alone takes 13 s for these 100,000 marks, which are out of order."""
    started = time.perf_counter()
    result = one("가" + "\u0301" * 50_000 + "\u0323" * 50_000)
    assert time.perf_counter() - started < 3
    assert result == "가" + "\u0323" * 50_000 + "\u0301" * 50_000


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("가나다라마바사 ", "가나다라마바사 "),
        ("가\u3000\u200b\r\n", "가\n"),
        (unicodedata.normalize("NFD", "각"), "각"),
        ("👨\u200d👩", "👨\u200d👩"),
        ("a\u200db", "ab"),
    ],
)
def test_one_text_of_16_mb(unit, wanted):
    """A line of 16 MB is treated as its parts are."""
    times = 16_000_000 // len(unit.encode())
    assert one(unit * times) == (wanted * times).strip()
