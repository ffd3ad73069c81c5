"""The compiled matchers cut where `tokenizers` cuts, on any text."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from chejil.errors import ChejilError
from chejil.tokenizer.pretokens import patterns, splitting
from chejil.tokenizer.pretokens.unicode_classes import classes

NAMES = sorted(patterns.named())
SPLITS = {name: pre_tokenizers.Split(Regex(one.regex), "isolated") for name, one in patterns.named().items()}

CASES = (
    "It's what they'll say: DON'T, we'Ve 'ſ 'S'TRE 'd",  # contractions, with the long s that folds to s
    "camelCase HTTPServer ǅungla aB́C ́ABC",  # capitals, title case, combining marks
    "체질 체질하다.\n\n다음!? 「가」 ㅋㅋㅋ!!! 한글 ᄒᆞᆫ글 〮가",  # sifting, to sift. next, laughter, jamo, old Hangul
    "大韓民國은 々〇 あア漢ー ｱﾎ 中文",  # Korea in Hanja, marks of repetition, kana
    "12345678 ٣٤٥ ½ Ⅳ장 3.14 1,000원 2024년",  # chapter IV, 1,000 won, the year 2024
    "  \t \r\n\r\n   x\n  \u3000\xa0\u2028 y \n",  # blanks before words, at the end, of other kinds
    'http://a.example/b/c//\n// a_b-c (d) "e" …!\n/\n',
    "👨\u200d👩\u200d👧 🇰🇷 ❤\ufe0f e\u0301 \u0301\u0302",  # joined emoji, flags, marks alone
    "क्षत्रिय ไทย العربية עִברית ªº",
)
ALPHABET = "".join(CASES) + "\x00\x7f\x85\u115f\uffa0\ufeff\U000e0001\U0010ffff\ud7b0㈜①"


def cut(name, text):
    """Words by the compiled matcher; what stands behind the document in its buffer must not matter."""
    document = text.encode()
    data = np.frombuffer(b"xyz " + document + "가s's".encode(), np.uint8)
    ends = splitting.ends(patterns.named()[name].code, data, 4, 4 + len(document), classes()) - 4
    return [document[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)] if document else []


def cut_by_tokenizers(name, text):
    return [word for word, _ in SPLITS[name].pre_tokenize_str(text)]


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(st.sampled_from(ALPHABET), max_size=40) | st.text(max_size=20))
@example(text="")
@example(text="ͅS")  # a mark before a capital: o200k takes the mark alone
@example(text="'s")
def test_any_text_is_cut_as_by_tokenizers(name, text):
    """Oniguruma is the reference: same words, none lost."""
    assert cut(name, text) == cut_by_tokenizers(name, text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", CASES)
def test_written_cases_are_cut_as_by_tokenizers_at_every_end(name, text):
    """Wherever the text ends: what a matcher looks ahead for may not be there."""
    for end in range(len(text) + 1):
        assert cut(name, text[:end]) == cut_by_tokenizers(name, text[:end])
        assert cut(name, text[end:]) == cut_by_tokenizers(name, text[end:])


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(st.sampled_from(ALPHABET), max_size=40))
def test_regex_reads_the_patterns_alike(name, text):
    """The other engine that users have; on characters whose classes did not change between editions of Unicode."""
    words = [found.group() for found in regex.finditer(patterns.named()[name].regex, text)]
    assert cut(name, text) == words


@pytest.mark.parametrize("name", NAMES)
def test_other_spellings_of_a_regex_mean_the_same(name):
    """A tokenizer.json of others is recognised by its regex; each spelling cuts alike."""
    for spelling in patterns._rows()[name].get("also", ()):
        other = pre_tokenizers.Split(Regex(spelling), "isolated")
        for text in CASES:
            assert [word for word, _ in other.pre_tokenize_str(text)] == cut_by_tokenizers(name, text)
        assert patterns.by_regex(spelling) == patterns.named()[name]


def test_koen_cuts_korean_as_it_says():
    """Scripts apart, digits by two, sentence marks with Hangul."""
    # "The Republic of Korea is in AI, in March of 2024. \n\n It is the Republic of Korea (in Hanja)."
    text = "대한민국은 AI의 2024년 3월.\n\n大韓民國이다."
    words = "대한민국은| AI|의| |20|24|년| |3|월.\n\n|大韓民國|이다."
    assert cut("koen", text) == words.split("|")


@pytest.mark.parametrize("name", ["gpt2", "koen", "o200k"])
@pytest.mark.parametrize("char", ["A", "가", "漢", " ", "7", "\u0301"])
def test_a_line_of_16_mb_takes_no_longer_than_its_bytes(name, char):
    """Where `tokenizers` panics on eleven million blanks; the words are as long as the pattern lets them be."""
    size = (16 << 20) // len(char.encode())
    data = np.frombuffer((char * size).encode(), np.uint8)
    ends = splitting.ends(patterns.named()[name].code, data, 0, len(data), classes())
    short = [len(word.encode()) for word in cut(name, char * 60)]
    assert ends[-1] == len(data)
    assert ends[0] == (short[0] if len(short) > 1 else len(data))


@given(junk=st.binary(min_size=1, max_size=30))
def test_bytes_that_are_no_text_stay_inside(junk):
    """Nothing checks UTF-8 before: every byte is in one word, and none behind the document is read into it."""
    for code in range(len(NAMES)):
        for data in (np.frombuffer(junk, np.uint8), np.frombuffer(junk + b"\xed\x95\x9c" * 9, np.uint8)):
            ends = splitting.ends(code, data, 0, len(junk), classes())
            assert ends[-1] == len(junk)
            assert (np.diff(ends) > 0).all()


def test_a_name_that_is_none_is_told():
    """With the name that was meant, and how to give a regex."""
    with pytest.raises(ChejilError, match=r"no pattern 'gpt-4'") as error:
        patterns.pattern("gpt-4")
    assert "gpt4" in str(error.value.mend)
    assert "regex:" in str(error.value.mend)
    with pytest.raises(ChejilError, match="no regex"):
        patterns.pattern("regex:(a")


def test_codes_are_those_of_the_matchers():
    """The numbers of patterns.yaml, by name."""
    codes = {name: getattr(splitting, name.upper()) for name in NAMES}
    assert codes == {name: one.code for name, one in patterns.named().items()}


@pytest.mark.corpus
@pytest.mark.parametrize("name", NAMES)
def test_real_text_is_cut_as_by_tokenizers(name, corpus):
    """Web pages and encyclopedia, Korean and English, mixed and broken."""
    for path in sorted(corpus.glob("*/*.parquet"))[:12]:
        group = pq.ParquetFile(path).read_row_group(0)
        column = next((column for column in ("text", "content") if column in group.column_names), None)
        for text in group[column].to_pylist()[:40] if column else ():
            assert cut(name, text) == cut_by_tokenizers(name, text)
