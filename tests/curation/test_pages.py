"""Folders of HTML: the text that is taken, the facts beside it, and every page that is none."""

from __future__ import annotations

import gzip
import unicodedata

import pytest

from chejil.curation.reading import extraction
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.extraction import Extraction, NoText, extract
from chejil.curation.reading.sources import Source

from .source_rows import batches, documents, quarantine
from .web_texts import STORY, http, page, reasons, rows

pytest.importorskip("lxml_html_clean", reason="needs chejil[web]")


def text_of(body: str) -> str:
    """The text that is taken of a body, without the story around it."""
    found = extract(page(f"{STORY}</p>{body}<p>{STORY.replace('어제', '그제')}"), Extraction())  # yesterday
    return "\n".join(line.strip() for line in found.text.split("\n")[2:-1])


def test_a_page_is_its_main_text_and_what_its_head_says():
    """Menus go, the title is beside the text, the address is the page's own."""
    head = (
        '<meta charset="euc-kr"><link rel="canonical" href="https://a.example/port">'
        '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">'
    )
    (found,) = rows("html", page(head=head).encode("cp949"))

    assert found.fields == {
        "text": f"항구\n{STORY}",
        "title": "항구 소식",
        "html_lang": "ko",
        "url": "https://a.example/port",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "charset": "EUC-KR",
        "charset_by": "meta",
    }


def test_a_page_that_was_saved_with_its_header_is_read_with_it():
    """`wget --save-headers`: the header's charset, language and time count."""
    header = (
        "Content-Type: text/html; charset=euc-kr\r\nContent-Language: ko-KR\r\nContent-Encoding: gzip\r\n"
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"
    )
    (found,) = rows("html", http(gzip.compress(page().encode("cp949")), header))

    assert found.fields["text"] == f"항구\n{STORY}"
    assert found.fields["charset_by"] == "header"
    assert found.fields["content_language"] == "ko-KR"
    assert found.fields["timestamp"] == "Mon, 01 Jan 2024 00:00:00 GMT"


SMALL = Extraction(max_bytes=20_000, max_elements=500)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_html"),
        (b"  \n", "not_html"),
        (STORY.encode(), "not_html"),
        (b'<?xml version="1.0"?>\n<rss version="2.0"><channel><p>a</p></channel></rss>', "not_html"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0", "unknown_charset"),
        (b"<html></html>", "no_text"),
        (b"<html><head><title>a</title></head></html>", "no_text"),
        (b"<html><body><script>" + b"a = 1;" * 99 + b"</script></body></html>", "no_text"),
        (b"<html><frameset><frame src=a></frameset></html>", "no_text"),
        ("<p>港の市場で会議が開かれた。</p>".encode("cp932"), "unknown_charset"),  # a meeting in the market
        (page("가" * 10_000).encode(), "page_too_large"),
        (page("<b>가</b>" * 600).encode(), "page_too_large"),
        (page("<div>" * 3000 + STORY).encode(), "extraction_failed"),
    ],
)
def test_what_is_no_page_says_why(content, reason):
    """One row of the quarantine each, with a reason of the table."""
    assert reasons(rows("html", content, settings=SMALL)) == [reason]


def test_half_a_syllable_in_the_text_is_no_document_and_in_the_head_only_a_fact():
    """No U+FFFD gets into a text by our doing."""
    half = "항".encode("cp949")[:1]  # half of: harbour
    meta = '<meta charset="euc-kr"><meta name="description" content="@">'
    in_head = page(head=meta).encode("cp949").replace(b"@", half)
    in_text = page(STORY + " @ 끝", head=meta.replace("@", "")).encode("cp949").replace(b"@", half)  # end

    (kept,), (dropped,) = rows("html", in_head), rows("html", in_text)

    assert kept.fields["undecodable"] == 1
    assert "\ufffd" not in kept.fields["text"]
    assert dropped.reason == "undecodable_text"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p><b>서울</b>은 <i>크고</i>, <a href=x>부산</a>도 크다.</p>", "서울은 크고, 부산도 크다."),
        ("<p><span>가</span><span>나</span>다 <span>라</span></p>", "가나다 라"),
        ("<p>첫째<br>둘째</p>", "첫째\n둘째"),  # first, second
        ("<p>여러   칸\n줄바꿈</p>", "여러 칸 줄바꿈"),  # blanks, a line break
        ("<div>밖<div>안</div>뒤</div>", "밖\n안\n뒤"),  # outside, inside, behind
        ("<div>밖<div>안</div><div>둘</div>셋</div>", "밖\n안\n둘\n셋"),
        ("<p><ruby>漢字<rt>한자</rt></ruby>를 쓴다</p>", "漢字(한자)를 쓴다"),  # writes Chinese characters
        (
            "<p><ruby>漢字<rp>(</rp><rt>한자</rt><rp>)</rp></ruby>를 쓴다</p>",
            "漢字(한자)를 쓴다",
        ),
        ("<p>나랏말ᄊᆞ미 듕귁에 달아</p>", "나랏말ᄊᆞ미 듕귁에 달아"),  # old Hangul
        ("<p>한글이다</p>", "한글이다"),
        ("<p>😀 이모지</p>", "😀 이모지"),  # emoji
        ("<ul><li>하나</li><li>둘</li></ul>", "- 하나\n- 둘"),  # one, two
    ],
)
def test_korean_is_spaced_as_the_browser_shows_it(body, expected):
    """Inline elements add no space and take none; blocks, also beside bare text, are lines."""
    assert text_of(body) == expected


def test_decomposed_hangul_passes_as_it_is():
    """To compose it is for `normalise`."""
    text = unicodedata.normalize("NFD", "한글은 조합형으로도 쓴다")  # Hangul is written decomposed, too

    assert text_of(f"<p>{text}</p>") == text


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        (Extraction(), True),
        (Extraction(tables=False), False),
        (Extraction(favour="recall"), True),
        (Extraction(favour="precision", fallback=False), True),
    ],
)
def test_tables_are_taken_unless_the_recipe_says_otherwise(settings, there):
    """The settings reach the extractor."""
    table = "<table><tr><th>이름</th><th>값</th></tr><tr><td>여객선</td><td>3</td></tr></table>"  # a ferry, 3
    found = extract(page(f"{STORY}</p>{table}<p>{STORY.replace('어제', '그제')}"), settings)

    assert ("여객선 | 3" in found.text) == there


def test_a_page_of_16_mb_on_one_line_is_read_to_its_end():
    """trafilatura's own parser stops at 10 MB in one element, and says nothing."""
    text = "항구의 배가 " * (16_000_000 // 17) + "떠났다."  # the ships of the harbour ... have left

    found = extract(f"<html><body><p>{text}</p></body></html>", Extraction())

    assert found.text.endswith("떠났다.")
    assert len(found.text) == len(text)


def test_what_stands_behind_2000_levels_is_not_lost_in_silence():
    """Up to the parser's limit all is read, beyond it the page is set aside."""
    deep = page("<div>" * 1500 + STORY + "</div>" * 1500)
    deeper = page("<div>" * 2500 + STORY + "</div>" * 2500)

    assert STORY in extract(deep, Extraction()).text
    assert extract(deeper, Extraction()).reason == "extraction_failed"


def test_a_failure_of_the_extractor_is_a_reason(monkeypatch):
    """It is a stranger's code on hostile input: one page must not stop a shard."""

    def broken(*_, **__):
        raise IndexError("list index out of range")

    monkeypatch.setattr(extraction, "_extractor", lambda settings: (broken, None))

    assert extract(page(), Extraction()) == NoText("extraction_failed", "IndexError: list index out of range")


def test_a_folder_is_read_with_one_document_a_file(tmp_path):
    """Ids are the files' names; what is set aside has its file; records = documents + quarantined."""
    contents = {
        "가.html": page().encode("cp949"),
        "b/나.htm": gzip.compress(page("다른 이야기. " + STORY).encode()),  # another story
        "b/다.html": page().encode("utf-16"),
        "b/feed.xml": b"<rss><channel/></rss>",
        "c/빈.html": b"",  # empty
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    source = Source(format="html", paths=["**/*.htm*", "**/*.xml"])

    found, lost = documents(tmp_path, source), quarantine(tmp_path, source)

    assert sorted(row["id"] for row in found) == ["web/b/나.htm#0", "web/b/다.html#0", "web/가.html#0"]
    assert {row["file"]: row["reason"] for row in lost} == {"b/feed.xml": "not_html", "c/빈.html": "not_html"}
    assert sum(batch.records for batch in batches(tmp_path, source)) == len(contents)


@pytest.mark.corpus
def test_real_korean_pages_give_their_text_in_their_own_words(corpus):
    """Each line that is taken stands in the page, letter by letter, whatever inline markup is between."""
    from lxml import html

    pages = sorted((corpus / "html" / "ko").glob("*.html"))[::10]
    num_lines = num_there = 0
    for path in pages:
        (row,) = rows("html", path.read_bytes())
        assert not isinstance(row, Flaw), path.name
        shown = "".join(html.document_fromstring(path.read_bytes()).text_content().split())
        lines = [line.removeprefix("- ") for line in row.fields["text"].split("\n") if "|" not in line]
        num_lines += len(lines)
        num_there += sum("".join(line.split()).removeprefix("-") in shown for line in lines)

    assert num_there >= 0.99 * num_lines > 100
