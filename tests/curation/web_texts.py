"""Pages, archives and dumps that tests write themselves."""

from __future__ import annotations

import gzip
import io

from chejil.curation.reading.containers import Row
from chejil.curation.reading.documents import Flaw
from chejil.curation.reading.sources import CONTAINERS
from chejil.curation.reading.streams import RawFile

# The council met in the old hall beside the harbour. The members talked about the new timetable of the ferry …
STORY = (
    "시의회는 어제 오후 항구 옆 낡은 회관에서 회의를 열었다. 의원들은 여객선의 새로운 시간표를 두고 "
    "두 시간 동안 이야기했다. 어시장 상인들은 얼음 창고를 넓혀 달라고 다시 요청했다."
)


def page(text: str = STORY, head: str = "", lang: str = "ko") -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head>{head}<title>항구 소식</title></head><body>'  # harbour news
        f"<nav><ul><li><a href='/'>처음으로</a></li></ul></nav>"  # to the front page
        f"<article><h1>항구</h1><p>{text}</p></article></body></html>"  # harbour
    )


def rows(container: str, content: bytes, **settings: object) -> list[Row | Flaw]:
    found = CONTAINERS[container](RawFile(io.BytesIO(content), "file"), **settings)
    return [row for row in found if row is not None]


def reasons(found: list[Row | Flaw]) -> list[str]:
    return [row.reason if isinstance(row, Flaw) else "document" for row in found]


def http(body: bytes, headers: str = "Content-Type: text/html", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body


def record(
    number: int,
    block: bytes,
    kind: str = "response",
    content_type: str = "application/http; msgtype=response",
) -> bytes:
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012}>\r\n"
        f"WARC-Target-URI: https://a.example/{number}\r\nWARC-Date: 2024-01-0{number % 9 + 1}T00:00:00Z\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def pages_archive(number: int) -> list[bytes]:
    """Records of so many pages, all different."""
    return [
        record(i, http(page(f"{STORY} {i}번째 회의였다.").encode())) for i in range(number)
    ]  # meeting no. i


def zipped(records: list[bytes]) -> bytes:
    return b"".join(gzip.compress(one, mtime=0) for one in records)


SITE = (
    "<siteinfo><sitename>위키백과</sitename><dbname>kowiki</dbname>"
    "<base>https://ko.wikipedia.org/wiki/위키백과:대문</base><namespaces>"
    '<namespace key="-2" case="first-letter">미디어</namespace><namespace key="0" case="first-letter" />'
    '<namespace key="6" case="first-letter">파일</namespace>'
    '<namespace key="14" case="first-letter">분류</namespace></namespaces></siteinfo>'
)


def wiki_page(number: int, title: str, text: str, ns: int = 0, extra: str = "") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f"  <page>\n    <title>{title}</title>\n    <ns>{ns}</ns>\n    <id>{number}</id>\n{extra}"
        f"    <revision>\n      <id>{number + 1000}</id>\n      <timestamp>2024-01-01T00:00:00Z</timestamp>\n"
        f"      <model>wikitext</model>\n      <format>text/x-wiki</format>\n"
        f'      <text bytes="9" xml:space="preserve">{escaped}</text>\n    </revision>\n  </page>\n'
    )


def dump(pages: list[str]) -> bytes:
    head = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="ko">\n'
    return (head + SITE + "\n" + "".join(pages) + "</mediawiki>\n").encode()
