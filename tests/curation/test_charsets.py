"""Charsets of pages: what is declared, what the bytes are, and which of the two is believed."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.normalising.mojibake import common_syllables
from chejil.curation.reading import charsets

from .web_texts import STORY, page

KOREAN = st.text(st.sampled_from(sorted(common_syllables()) + list(" .,\n1a")), min_size=1)


def meta(label):
    return f'<meta http-equiv="Content-Type" content="text/html; charset={label}">'


@pytest.mark.parametrize(
    ("codec", "label", "header", "charset", "decided_by"),
    [
        ("utf-8", "utf-8", None, "UTF-8", "meta"),
        ("utf-8", "", "UTF-8", "UTF-8", "header"),
        ("utf-8", "", None, "UTF-8", "bytes"),
        ("cp949", "euc-kr", None, "EUC-KR", "meta"),
        ("cp949", "ks_c_5601-1987", None, "EUC-KR", "meta"),
        ("cp949", "", "EUC-KR", "EUC-KR", "header"),
        ("cp949", "", None, "EUC-KR", "bytes"),
        ("cp949", "utf-8", None, "EUC-KR", "bytes"),  # a site that was converted, but for this page
        ("cp949", "utf-8", "utf-8", "EUC-KR", "bytes"),
        ("cp949", "euc-kr", "utf-8", "EUC-KR", "meta"),  # a server's default
        ("cp949", "euc-kr", "iso-8859-1", "EUC-KR", "meta"),
        ("cp949", "", "iso-8859-1", "EUC-KR", "bytes"),
        ("cp949", "shift_jis", None, "EUC-KR", "bytes"),
        ("cp949", "no-such-charset", None, "EUC-KR", "bytes"),
        ("utf-8", "euc-kr", None, "UTF-8", "bytes"),
        ("utf-8", "euc-kr", "iso-8859-1", "UTF-8", "bytes"),
        ("johab", "", None, "Johab", "bytes"),
        ("utf-16", "utf-16", None, "UTF-16LE", "bom"),
        ("utf-16-le", "", None, "UTF-16LE", "bytes"),
        ("utf-16-be", "euc-kr", "utf-8", "UTF-16BE", "bytes"),
        ("utf-8-sig", "euc-kr", None, "UTF-8", "bom"),
    ],
)
def test_a_korean_page_is_read_whatever_it_declares(codec, label, header, charset, decided_by):
    """The text is the page's own; what decided, and what was declared otherwise, can be seen."""
    text = page(head=meta(label) if label else "")

    found = charsets.decode(text.encode(codec), header)

    assert (found.text, found.charset, found.decided_by, found.bad_bytes) == (text, charset, decided_by, 0)
    others = {"meta": label, "header": header}
    expected = {at: said for at, said in others.items() if said and charsets.name_of(said) != charset}
    if not charset.startswith("UTF-16"):  # where a tag cannot be read before the charset is known
        assert {key: found.facts[f"charset_{key}"] for key in expected} == expected


@given(KOREAN, st.sampled_from(["utf-8", "cp949"]), st.sampled_from([None, "utf-8", "euc-kr", "iso-8859-1"]))
def test_korean_is_never_mistaken_when_it_says_what_it_is(text, codec, header):
    """Behind a right declaration any text of common syllables is read back, whatever the header says first."""
    content = page(f"{text} {STORY}", meta("utf-8" if codec == "utf-8" else "euc-kr")).encode(codec)

    assert charsets.decode(content, header).text == page(
        f"{text} {STORY}", meta("utf-8" if codec == "utf-8" else "euc-kr")
    )


@given(st.binary(max_size=300), st.none() | st.sampled_from(["utf-8", "euc-kr", "x-nothing"]))
def test_any_bytes_are_text_or_nothing(content, header):
    """No bytes raise, and what is read has no more unreadable places than is allowed."""
    found = charsets.decode(content, header)

    if found is not None and found.decided_by != "bom":
        assert found.bad_bytes <= max(1, charsets.MAX_BAD_SHARE * len(content))


@pytest.mark.parametrize("codec", ["cp949", "utf-8"])
def test_a_syllable_that_is_cut_in_two_is_counted_and_not_taken_for_another_charset(codec):
    """Half a syllable in the head of a page: one unreadable place, the rest as it is."""
    before, after = page(head='<meta name="description" content="@">').encode(codec).split(b"@")
    half = "항".encode(codec)[:1]  # harbour, or half of it

    found = charsets.decode(before + half + after)

    assert found.charset == {"cp949": "EUC-KR", "utf-8": "UTF-8"}[codec]
    assert found.bad_bytes == 1
    assert STORY in found.text


def test_a_page_that_ends_within_a_character_loses_that_character_alone():
    """Crawlers cut at a round number of bytes."""
    content = STORY.encode()[:-4]  # a full stop and the last byte of the syllable before it ... and one more
    found = charsets.decode(content)

    assert (found.charset, found.bad_bytes) == ("UTF-8", 0)
    assert STORY.startswith(found.text)


@pytest.mark.parametrize(
    ("text", "codec", "header", "charset"),
    [
        ("<p>The café’s menu — naïve</p>", "cp1252", None, "windows-1252"),
        ("<p>The café</p>", "latin-1", "ISO-8859-1", "windows-1252"),
        ("<p>港の市場で会議が開かれた。</p>", "cp932", "Shift_JIS", "Shift_JIS"),  # a meeting in the market
        ("<p>港口市场开了会议</p>", "gb18030", "gb2312", "GBK"),  # the same in Chinese
        ("<p>plain</p>", "ascii", None, "UTF-8"),
        ("<p>plain</p>", "ascii", "euc-kr", "EUC-KR"),
    ],
)
def test_other_languages_are_read_as_declared(text, codec, header, charset):
    """What is Korean is known by its common syllables, so nothing else is taken for it."""
    found = charsets.decode(text.encode(codec), header)

    assert (found.text, found.charset) == (text, charset)


def test_what_nothing_reads_is_not_read():
    """Undeclared Shift_JIS is no text, rather than another one."""
    assert charsets.decode("港の市場で会議が開かれた。".encode("cp932")) is None  # a meeting in the market


def test_the_table_names_codecs_of_python_and_no_label_twice():
    """Each label leads to one encoding, and each encoding can be decoded."""
    names, by_name = charsets._tables()

    assert all(codecs.lookup(codec) for codec in by_name.values())
    assert set(names.values()) == set(by_name)
    assert {names[label] for label in ("ks_c_5601-1987", "euc-kr", "korean", "windows-949")} == {"EUC-KR"}


@pytest.mark.corpus
def test_real_pages_and_feeds_are_read_in_their_charset(corpus):
    """chardet's feeds say in their name what they are; all others are UTF-8; nothing is unreadable."""
    for path in sorted((corpus / "html" / "ko").iterdir()):
        found = charsets.decode(path.read_bytes())
        said = path.name.partition("-")[2].partition("__")[0] if path.name.startswith("chardet-") else "UTF-8"

        assert found.charset == {"CP949": "EUC-KR"}.get(said, said), path.name
        assert found.bad_bytes == 0
