"""MediaWiki dumps: pages that are articles, pages that are not, and articles without their markup."""

from __future__ import annotations

import bz2
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.reading import wiki_markup
from chejil.curation.reading.wiki_markup import Namespaces, article
from chejil.errors import SourceError

from .web_texts import SITE, STORY, dump, reasons, rows, wiki_page

pytest.importorskip("mwparserfromhell", reason="needs chejil[web]")

# The port is a town at the sea … == History == … == Notes ==
PORT = """{{도시 정보|이름=항구|인구={{인구}}}}
'''항구'''(港口, {{llang|en|harbour}}, {{IPA|haŋ.ɡu}})는 [[바다]] 옆의 [[도시 (행정)|도시]]이다.<ref name="a">책</ref>
[[파일:항구.jpg|섬네일|항구의 [[배]]]]
== 역사 ==
''옛날''에는 배가 {{nowrap|세 척}}이었다{{출처}}. <!-- 확인 -->&lt;끝&gt;

* 첫째
** 둘째
# 하나
# 둘

{| class="wikitable"
! 해 !! 배
|-
| 2000 || {{배}}
|}
=== 각주 ===
<references />
== 바깥 고리 ==
{{위키공용}}
[[분류:항구]]
[[en:Harbour]]"""

PORT_TEXT = """항구(港口, harbour)는 바다 옆의 도시이다.

역사

옛날에는 배가 세 척이었다. <끝>

- 첫째
  - 둘째
1. 하나
2. 둘"""


# Dumps


def test_an_article_is_a_document_like_those_of_the_published_tables():
    """id, url, title and text; and the revision, its time, categories and license beside them."""
    (found,) = rows("mediawiki", dump([wiki_page(7, "항구 (도시)", PORT)]))

    assert found.fields == {
        "id": "7",
        "url": "https://ko.wikipedia.org/wiki/%ED%95%AD%EA%B5%AC_(%EB%8F%84%EC%8B%9C)",
        "title": "항구 (도시)",
        "text": PORT_TEXT,
        "timestamp": "2024-01-01T00:00:00Z",
        "license": "CC BY-SA 4.0",
        "revision": "1007",
        "categories": ["항구"],
    }


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (wiki_page(1, "토론:항구", STORY, ns=1), "other_namespace"),  # talk
        (wiki_page(1, "모듈", STORY).replace("wikitext", "Scribunto"), "other_namespace"),
        (wiki_page(1, "포구", "#넘겨주기 [[항구]]", extra='<redirect title="항구" />'), "redirect"),
        (wiki_page(1, "포구", "#REDIRECT [[항구]]"), "redirect"),
        (
            wiki_page(1, "배", "'''배'''의 뜻은:\n* [[배 (과일)]]\n{{동음이의}}"),
            "disambiguation",
        ),  # pear, ship
        (wiki_page(1, "Port", "* [[Port (wine)]]\n{{Geodis}}"), "disambiguation"),
        (wiki_page(1, "배 (동음이의)", "* 배"), "disambiguation"),
        (wiki_page(1, "빈 문서", ""), "no_text"),  # an empty page
        (
            wiki_page(1, "지운 문서", "").replace("<text", "<no").replace("</text", "</no"),
            "null_text",
        ),  # deleted
        (wiki_page(1, "틀만", "{{틀}}\n[[분류:항구]]"), "no_text"),  # a template alone
        (wiki_page(1, "항구", STORY).replace("</title>", "</titel>"), "broken_record"),
        (wiki_page(1, "항구", STORY).replace("  <page>", ""), "broken_record"),
        (wiki_page(1, "항구", "{|\n" * 3000), "extraction_failed"),
        (wiki_page(1, "항구", "{{" * 800 + "}}" * 800), "extraction_failed"),
        (wiki_page(1, "항구", "{{" * 800), "extraction_failed"),
    ],
)
def test_a_page_that_is_no_article_says_why_and_the_next_one_is_read(page, reason):
    """One row of the quarantine each; neighbours are read."""
    found = rows("mediawiki", dump([wiki_page(2, "하나", STORY), page, wiki_page(3, "둘", STORY)]))

    assert reasons(found) == ["document", reason, "document"]


def test_namespaces_are_a_setting():
    """Other pages may be asked for by number."""
    pages = [wiki_page(1, "항구", STORY), wiki_page(2, "사용자:항구", STORY, ns=2)]

    assert reasons(rows("mediawiki", dump(pages), namespaces=(2,))) == ["other_namespace", "document"]


def test_of_a_page_with_its_history_the_last_revision_counts():
    """pages-meta-history has all of them, in any order."""
    page = wiki_page(1, "항구", "옛 글")  # old text
    newer = wiki_page(1, "항구", "새 글").replace("2024-01-01", "2024-02-01")  # new text
    revision = newer[newer.index("    <revision>") : newer.index("  </page>")]

    for both in (
        page.replace("  </page>", revision + "  </page>"),
        page.replace("    <rev", revision + "    <rev"),
    ):
        (found,) = rows("mediawiki", dump([both]))
        assert found.fields["text"] == "새 글"


PAGES = [wiki_page(i, f"문서 {i}", f"{STORY} {i}") for i in range(5)]  # page no. i


@pytest.mark.parametrize(
    "content",
    [
        dump(PAGES),
        gzip.compress(dump(PAGES)),
        bz2.compress(dump(PAGES)),
        # multistream: the head, some pages each, the end
        bz2.compress(dump([])[:-13])
        + b"".join(bz2.compress("".join(PAGES[i : i + 2]).encode()) for i in (0, 2, 4))
        + bz2.compress(b"</mediawiki>\n"),
        b"\xef\xbb\xbf" + dump(PAGES).replace(b"\n", b"\r\n"),
    ],
)
def test_pages_are_the_same_however_the_dump_is_compressed(content):
    """Plain, gzip, bzip2 in one stream and in many."""
    assert [row.fields["text"] for row in rows("mediawiki", content)] == [f"{STORY} {i}" for i in range(5)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (dump(PAGES)[:-300], ["document"] * 4 + ["broken_record"]),
        (gzip.compress(dump(PAGES))[:-30], ["document"] * 4 + ["torn_stream"]),
        (gzip.compress(dump(PAGES))[:-9], ["document"] * 5 + ["torn_stream"]),
        (dump(PAGES[:2])[:-100] + dump(PAGES[2:]), ["document", "broken_record"] + ["document"] * 3),
        (dump([]), []),
        (gzip.compress(dump(PAGES))[:40], ["torn_stream"]),  # in its head
        (
            bz2.compress(dump(PAGES))[:-60],
            ["torn_stream"],
        ),  # bzip2 gives nothing of a block that is not whole
    ],
)
def test_a_dump_that_breaks_off_loses_its_last_page_alone(content, expected):
    """What could be read is read, the tear is a row of the quarantine."""
    assert reasons(rows("mediawiki", content)) == expected


def test_what_is_no_dump_is_refused():
    """JSON lines under the wrong format are a mistake of the recipe."""
    with pytest.raises(SourceError, match="no MediaWiki dump"):
        rows("mediawiki", b'{"text": "a"}\n')


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")])
def test_an_empty_file_is_said_to_be_empty(content):
    """It is no file of another format."""
    with pytest.raises(SourceError, match="an empty file"):
        rows("mediawiki", content)


def test_a_wiki_of_its_own_has_its_own_addresses_and_no_license_is_made_up():
    """`index.php?title=` wikis, and dumps that name no wiki."""
    site = SITE.replace(
        "https://ko.wikipedia.org/wiki/위키백과:대문", "http://w.example/index.php?title=Main_Page"
    )
    own = dump([PAGES[0]]).decode().replace(SITE, site).encode()
    (found,) = rows("mediawiki", own)
    (nameless,) = rows("mediawiki", dump([PAGES[0]]).decode().replace(SITE, "").encode())

    assert found.fields["url"] == "http://w.example/index.php?title=%EB%AC%B8%EC%84%9C_0"
    assert "license" not in found.fields
    assert "url" not in nameless.fields


def test_an_entity_of_ones_own_is_not_looked_up():
    """No file of the machine gets into a text, and no billion laughs."""
    evil = b'<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + dump([wiki_page(1, "a", "@")])

    assert reasons(rows("mediawiki", evil.replace(b">@<", b">&e;<"))) == ["broken_record"]


# Markup


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("[[바다]]와 [[도시 (행정)|도시]]", "바다와 도시"),  # sea, town
        ("[[도시 (행정)|]]", "도시"),
        ("[[:분류:항구]]", "분류:항구"),  # a link to a category, not a category
        ("가 [[파일:a.jpg|[[배]] {{틀}}|섬네일]] 나", "가 나"),
        ("가 [[File:a.jpg]] 나 [[그림:b.png|20px]] 다", "가 나 다"),
        ("[http://a.example 바깥] [http://b.example] http://c.example", "바깥 http://c.example"),
        ("서울({{llang|en|Seoul}}, {{IPA|a}})은", "서울(Seoul)은"),
        ("서울({{IPA|a}}, {{b}})은 함수 f()와", "서울은 함수 f()와"),  # brackets that were always empty stay
        ("서울({{IPA|a}}, 1394년)은", "서울(1394년)은"),
        ("{{윗주|漢字|한자}}를 {{nowrap|세 척}}", "漢字(한자)를 세 척"),
        ("{{알 수 없는 틀|글}}가", "가"),
        ("가{{{1|나}}}{{{2}}}", "가나"),
        ("'''''굵은''''' ''기운'' '따옴표'", "굵은 기운 '따옴표'"),
        ('가<ref>책</ref>나<ref name=a />다<ref name="b">{{책}}</ref>', "가나다"),
        ("가<!-- 나 -->다<!-- 라", "가다"),
        ("H<sub>2</sub>O<br>물<br/>얼음", "H2O\n물\n얼음"),  # water, ice
        ("수식 <math>\\frac{{a}}{b}</math>이다", "수식 이다"),
        ("&lt;끝&gt; &amp;amp; &#44032;&#xD800;", "<끝> &amp; 가"),
        ("<nowiki>[[가]] {{나}} '''다'''</nowiki>", "[[가]] {{나}} '''다'''"),
        ("<pre>a[[1]] = {{0}};\n  b</pre>", "a[[1]] = {{0}};\n  b"),
        ("-{한양}- -{zh-hans:计;zh-hant:計}- -{A|가}-", "한양 计 가"),
        ("__목차숨김__가__NOTOC__ __init__", "가 __init__"),
        ("* 가\n*나\n*# 다\n*# 라\n* {{틀}}\n: 마\n; 바: 사", "- 가\n- 나\n  1. 다\n  2. 라\n마\n바: 사"),
        ("{| class=a\n! 가\n|-\n| 나 || {| \n| 다\n|}\n|}\n라", "라"),
        ("<div style='a'>가</div>나", "가\n나"),
        ("가 {{닫히지 않은 [[고리|이름 <ref>열림", "가 닫히지 않은 고리|이름 열림"),
        ("== 가 ==\n=== 나 ===\n글\n== 다 ==\n== 라 ==\n=== 마 ===\n", "가\n\n나\n\n글"),
        ("가\n\n\n\n나\n{{틀}}\n다", "가\n\n나\n다"),
        ("\ufdd0가\ufdd1 나", "가 나"),
    ],
)
def test_markup_becomes_what_a_reader_reads(wikitext, text):
    """Each rule by the smallest text that shows it."""
    assert article(wikitext).text == text


def test_a_wikis_own_names_of_namespaces_are_known():
    """A Japanese wiki calls files ファイル; that stands on top of its dump."""
    names = Namespaces({"ファイル": 6, "カテゴリ": 14})
    found = article("港[[ファイル:a.jpg|船]]町[[カテゴリ:港]]", names)

    assert (found.text, found.categories) == ("港町", ["港"])


PIECES = st.sampled_from(
    [
        *(
            "[[",
            "]]",
            "{{",
            "}}",
            "{{{",
            "}}}",
            "[",
            "]",
            "{",
            "}",
            "|",
            "{|",
            "|}",
            "|-",
            "\n",
            "==",
            "=",
            "'''",
        ),
        *(
            "<ref>",
            "</ref>",
            "<ref name=a/>",
            "<ref",
            "<b>",
            "</b>",
            "<math>",
            "</math>",
            "<!--",
            "-->",
            "-{",
        ),
        *(
            "}-",
            "''",
            "*",
            "#",
            ":",
            "파일:",
            "분류:",
            "http://a.example",
            " ",
            "가",
            "나다",
            "a",
            "(",
            ")",
            ",",
        ),
        *("틀", "lang", "&amp;"),
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_markup_is_left_and_nothing_raises(wikitext):
    """Whatever is closed wrongly or never."""
    text = article(wikitext).text

    assert not [mark for mark in ("[[", "]]", "{{", "}}", "{|", "<ref", "</ref", "'''") if mark in text]
    assert not wiki_markup._MARKS.search(text)
    assert "\n\n\n" not in text


@given(st.lists(st.text("가나다 .\n", max_size=20), max_size=6))
def test_prose_without_markup_stays_word_by_word(parts):
    """Nothing is taken out of plain text but blank lines and blanks in a row."""
    text = "\n\n".join(parts)

    assert article(text).text.split() == text.split()


def test_a_page_of_blanks_takes_no_hours():
    """Patterns that are tried at every blank of a long row took 40 s for 4,000 of them."""
    assert article(" " * 50_000 + "." + "\n" * 50_000 + "}} " * 20_000).text == "."


@pytest.mark.parametrize("between", ["", "a|", "\n", "[[나|"])
def test_a_page_of_templates_in_templates_costs_itself(between):
    """The parser calls itself for each: 800 of them ended the whole run."""
    ends = "]]" if between.startswith("[[") else ""
    for deep in (800, 3_000):
        wikitext = "가" + ("{" * 20 + between) * (deep // 10) + (ends + "}" * 20) * (deep // 10)
        with pytest.raises(wiki_markup.NotReadable, match=f"nested {deep:,} deep"):
            article(wikitext)


def test_what_is_not_nested_deeper_than_mediawiki_takes_is_read():
    """100 deep, or one after another."""
    assert article("가" + "{{" * 100 + "나" + "}}" * 100).text == "가"
    assert article("가" + "{{나}}" * 800).text == "가"


def test_templates_in_a_row_take_no_hours():
    """While the blank before each could be matched in two ways, 22 took 2.5 s, and each further one doubled it."""
    assert article("가 " + "{{틀}} " * 2_000 + "나").text == "가 나"
