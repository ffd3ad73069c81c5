"""Boilerplate lines are told by what their phrases leave over, counted, and cut at the two ends of a document."""

from __future__ import annotations

import gzip
import itertools
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.boilerplate import COUNTERS, spans
from chejil.filters.boilerplate_tables import KINDS, char_table, entries
from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure, score
from chejil.filters.lexicons import lexicon
from chejil.filters.phrase_tree import fold
from chejil.filters.prose import ENGLISH, KOREAN

from . import reference
from .strategies import prose_like, texts

# Phrases of each worth among words that no lexicon has, with the marks that decide.
PIECES = (
    "로그인", "회원가입", "홈", "검색", "인기", "조회 12", "댓글", "작성자", "담당부서 :", "무단전재", "를", "ⓒ",
    "© 2019", "사과나무", "갔다", "다", "주소: 강가길 3", "Home", "home", "Privacy Policy", "search", "the", "news",
    "Published", "subscribe to our newsletter", "apple orchard", "print(x)", "://", "](", "@", "2024. 1. 2", "|", " | ",
    ">", "·", ".", ",",
    "：", "# ", "- ", "1. ", "3) ", "{", "\u3000", "\U0001f600", "ＨＯＭＥ", "あ", "漢", "\x00",
)  # fmt: skip
# log in, sign up, home, search, popular, 12 views, comments, author, department, no reproduction, object particle, …
menu_like = st.lists(st.sampled_from([*PIECES, " ", " ", " ", "\n", "\n"]), max_size=40).map("".join)


ENTRIES = entries()
WEIGHT = [0, 0, 1, 2, 2]  # of nothing, digits, Latin, Hangul, other letters
SPACES = reference.whitespace()
LATIN = "".join(char for char in map(chr, range(1 << 16)) if char_table()[ord(char)] & 7 == 2)


def plain_words(line: str) -> tuple[int, int, tuple[int, int, int, int], list[int]] | None:
    """Letters, the best cover (letters, points, notice and label letters) and votes; None where prose is given up."""
    table, worth_of, bits = ENTRIES, lexicon("boilerplate"), char_table()
    text = "\n" + fold(line)
    word = [0, *(int(bits[ord(char)]) & 7 if char < "\U00010000" else 0 for char in line), 0]
    boundary = [at > 0 and (word[at] == 0 or word[at] != word[at - 1]) for at in range(len(text) + 1)]
    best, cover, votes, letters = (0, 0, 0, 0), {0: (0, 0, 0, 0)}, [0] * len(KINDS), 0
    for at in range(1, len(text) + 1):
        if at > 1:
            letters += WEIGHT[word[at - 1]]
            for length in range(min(at, 63), 0, -1):
                phrase, before = text[at - length : at], cover.get(at - length)
                if phrase in table and before is not None:
                    kind, worth = table[phrase]
                    points = worth_of["points"][worth]
                    explained = worth_of["explains"].get(worth, 0)
                    size = sum(map(weight, phrase))
                    notice = explained if worth == "notice" else 0
                    found = tuple(
                        map(sum, zip(before, (size, points, notice, explained - notice), strict=True))
                    )
                    cover[at] = max(cover.get(at, found), found)
                    if points:
                        votes[KINDS.index(kind)] += points
                    if worth == "notice":
                        best = max(best, cover[at])
        if boundary[at] or at == len(text):
            best = cover[at] = max(best, cover.get(at, best))
            if at < len(text) and (letters > 80 + 2 * best[0] + best[2] + best[3] or at > 1000):
                return None
    return letters, best, votes


def plain_verdict(line: str) -> str:
    """`prose`, `unsure`, `weak` and a kind, or a kind. Not for blank lines."""
    marks, table = lexicon("line_marks"), lexicon("boilerplate")
    line = line.lstrip(SPACES)
    item = re.match(r"[-*+]([\x00-\x20]|$)|[0-9]{1,2}[.)] ", line)
    small = "a" <= line[0] <= "z"
    if line[0] in table["openers"] or item:
        return "prose"
    if (judged := plain_words(line)) is None:
        return "prose"
    letters, (covered, points, notice, label), votes = judged
    kind, left = KINDS[int(np.argmax(votes))], letters - covered
    sizes = [
        sum(map(weight, part)) for part in re.split("[" + re.escape("".join(table["separators"])) + "]", line)
    ]
    sizes = [size for size in sizes if size]
    split = len(sizes) >= 3 and max(sizes) <= 28
    if small and not split:
        return "prose"
    code = any(char in table["code"] for char in line) or re.search(rf"://|\][(\]]|[{LATIN}]\([^0-9]", line)
    last = line.rstrip("".join(marks["closer"]) + SPACES)[-1:]
    terminal = last in {*marks["terminal"], *marks["korean_final"], *table["unfinished"]} - set(
        marks["closer"]
    )
    few = left <= letters // 10 + min(notice, 48) if terminal else left <= letters // 4 + min(notice, 48)
    digits = sum(char < "\U00010000" and int(char_table()[ord(char)]) & 7 == 1 for char in line)
    if points < (6 if split or digits >= 4 or (len(sizes) > 1 and left == 0) else 8):
        boilerplate = False
    elif terminal or notice:
        boilerplate = few and letters <= (16 if notice else 2) * points
    else:
        loose = letters // (2 if split else 4) + label if split or points >= 8 else letters // 10
        boilerplate = not code and letters <= 5 * points and left <= loose
    if boilerplate:
        return kind
    if code or terminal or letters > 32:
        return "prose"
    return f"weak {kind}" if points and left <= letters // 4 else "unsure"


def weight(char: str) -> int:
    return WEIGHT[int(char_table()[ord(char)]) & 7 if char < "\U00010000" else 0]


def plain_verdicts(text: str) -> list[tuple[str, str]]:
    """(verdict, line) of the lines that are not blank: weak ones in a run of three count, bridges are `bridged`."""
    shown = [line for line in text.split("\n") if line.lstrip(SPACES)]
    verdicts = [plain_verdict(line) for line in shown]
    runs = itertools.groupby(verdicts, lambda verdict: verdict not in ("prose", "unsure"))
    settled = []
    for solid, run in runs:
        run = list(run)
        for verdict in run:
            weak = verdict.startswith("weak ")
            settled.append(verdict if not weak else verdict[5:] if solid and len(run) >= 3 else "unsure")
    for at in range(1, len(settled) - 1):
        if settled[at] == "unsure" and {settled[at - 1], settled[at + 1]} <= set(KINDS):
            settled[at] = "bridged"
    return list(zip(settled, shown, strict=True))


def plain_counts(text: str) -> dict[str, int]:
    judged = plain_verdicts(text)
    visible = [sum(char > " " for char in line) for _, line in judged]
    boilerplate = [verdict in (*KINDS, "bridged") for verdict, _ in judged]
    return {
        "judged_lines": len(judged),
        "judged_chars": sum(visible),
        "boilerplate_lines": sum(boilerplate),
        "boilerplate_chars": sum(size for size, is_one in zip(visible, boilerplate, strict=True) if is_one),
    } | {f"{kind}_lines": [verdict for verdict, _ in judged].count(kind) for kind in KINDS}


@given(st.lists(menu_like | texts, max_size=4))
def test_kernel_agrees_with_the_reference(batch):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(batch), ["boilerplate"])
    expected = [plain_counts(text) for text in batch]
    for name in COUNTERS:
        assert counts[name].tolist() == [counted[name] for counted in expected], name


def judged(text: str) -> list[str]:
    """Kind of each line that is not blank, or "" where the kernel counts none."""
    lines = [line for line in text.split("\n") if line.strip()]
    counted = measure(TextBuffers.of(lines), ["boilerplate"])
    return [next((kind for kind in KINDS if counted[f"{kind}_lines"][at]), "") for at in range(len(lines))]


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        # No reproduction; a byline with an address; entered and changed; reader reactions; recommend this article.
        (
            "news",
            "무단 전재 및 재배포를 금지합니다.\n강가신문, 무단전재-재배포 금지\n홍길동 기자 hong@example.com",
        ),
        (
            "news",
            "입력 2019.03.02. 오전 10:20 수정 2019.03.02. 오전 11:05\n많이 본 뉴스\n좋아요 0 슬퍼요 0 화나요 0",
        ),
        (
            "news",
            "Most read\nSign up for our newsletter and get it in your inbox.\nPublished 3 May 2011",
        ),
        # firm, head, address; business number; policies
        (
            "footer",
            "상호: 강가상점 | 대표: 홍길동 | 주소: 물길로 12\n사업자등록번호 000-00-00000\n이용약관",
        ),
        (
            "footer",
            "Privacy Policy | Terms of Use\nThis site uses cookies to improve your visit.\nCookie settings",
        ),
        ("copyright", "ⓒ 강가신문\nCopyright (c) 2011 Mill Press. All rights reserved.\n© 2020 Mill Press"),
        # path of a page; log in, cart; skip to the text
        (
            "menu",
            "홈 > 알림마당 > 공지사항\n로그인 | 회원가입 | 장바구니\n본문 바로가기\n한국어 | English | 日本語",
        ),
        ("menu", "Home | About | Contact\nSkip to content\nMenu Search My account Cart (2)"),
        # views, recommendations; comments; previous, next, list; share
        (
            "widget",
            "조회 1,284 추천 3 댓글 0\n이전글 다음글 목록\n이 글 공유하기\n작성자 관리자 | 작성일 19.03.02",
        ),
        ("widget", "Reply Cancel reply\nRate this page\nShare on Facebook\nPowered by Mill Press"),
    ],
)
def test_lines_of_each_kind(kind, lines):
    """Each line is found, and called what it is."""
    assert judged(lines) == [kind] * len(lines.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        KOREAN,
        ENGLISH,
        # Prose that mentions address, log in, search, cart and copyright.
        "회원은 로그인 화면에서 주소를 검색하고 장바구니를 비울 수 있다.\n저작권자의 허락 없이 책을 복사하면 안 된다.",
        "문의는 주소: 강가길 3, 전화: 이장님 댁으로 하면 된다고 적혀 있었다.",
        "You can search the menu of the shop and share the news with us.\nHe had to log in again to read the comments.",
        "to read more about the latest news of the\nusers, who search for it and view the page, see the",
        # a statute; a film review; a poem; cities
        "제1조(목적) 이 법은 개인정보의 처리 및 보호에 관한 사항을 정함을 목적으로 한다.\n1. 개인정보\n2. 주소",
        "좋아요 최고의 영화입니다\n별점이 아깝지 않은 명작\n배우들의 연기가 좋다",
        "산에는 꽃이 없네\n강물은 말이 없고\n나는 돌을 줍네",
        "서울, 부산, 대구, 인천의 순서로 사람이 많다.",
        # code, tables, lists
        "menu = search(home)\nprint(login)\nif (user) { return share; }\n$ login --help\n// Home | Search | Login",
        "| Home | Search | Login |\n|---|---|---|\n- Login\n- Share\n1. Search\n# Contact us\nlabels: home, search",
    ],
)
def test_text_is_not_boilerplate(text):
    """Prose that mentions the words, statutes, verse, reviews, code, tables and lists are none."""
    assert judged(text) == [""] * len([line for line in text.split("\n") if line.strip()])


def test_a_menu_below_one_another():
    """One word a line proves nothing; three such lines are a menu."""
    assert score(["홈\n검색"], ["menu_lines"]).column(0).to_pylist() == [0]  # home, search
    assert score(["홈\n검색\n공지사항"], ["menu_lines"]).column(0).to_pylist() == [3]  # and notices


@pytest.mark.parametrize(
    "title",
    [
        "Customer Service Week 2014",
        "A New Look at the Freedom of Information Act",
        "May 2024 Leadership Council Update",
        "Documentation style overview",
        "공지사항",  # notices
    ],
)
def test_a_title_stays(title):
    """One line at the head, alone above the text, is what the text is about, whatever words it shares with menus."""
    assert cut(f"{title}\n{ENGLISH}") == f"{title}\n{ENGLISH}"


def test_a_short_line_between_two():
    """A line of unknown words counts where it stands between two that are known, and is of no kind."""
    text = "로그인 | 회원가입\n강가 물레방아\n\n개인정보처리방침"  # log in; a mill; privacy policy
    row = score([text], ["boilerplate_line_share", "menu_lines", "footer_lines"]).to_pylist()[0]
    assert row == {"boilerplate_line_share": 1, "menu_lines": 1, "footer_lines": 1}


MENU, FOOTER = (
    "로그인 | 회원가입 | 장바구니\n홈 > 공지사항\n",
    "\n\n이전글 다음글 목록\n개인정보처리방침 | 이용약관\n",
)


def cut(text: str, **depth) -> str:
    """What remains when the spans are cut out."""
    found, data = spans(TextBuffers.of(["앞", text, "뒤"]), **depth), text.encode()  # before, behind
    assert set(found.doc.tolist()) <= {1}
    for start, end in reversed(list(zip(found.start.tolist(), found.end.tolist(), strict=True))):
        data = data[:start] + data[end:]
    return data.decode()


def test_both_ends_are_cut():
    """A span a line, with its kind; what remains is the text, from its first character to its last."""
    text = MENU + "\n" + KOREAN.strip() + FOOTER
    found = spans(TextBuffers.of([text]))
    assert [found.rules[rule] for rule in found.rule] == ["menu", "menu", "widget", "footer"]
    assert next(found.texts(TextBuffers.of([text]))) == "로그인 | 회원가입 | 장바구니\n"
    assert cut(text) == KOREAN.strip()


def test_the_middle_is_left():
    """Boilerplate between two parts of the text stays."""
    text = KOREAN + MENU + ENGLISH.strip()
    assert cut(text) == text
    assert cut(MENU + text + FOOTER) == text


def test_a_document_of_nothing_else_is_left_whole():
    """The bound drops it; a cut that empties a document would hide it from the bound."""
    assert cut(MENU + FOOTER) == MENU + FOOTER


def test_k13_address_and_telephone_in_prose_cut_nothing():
    """K13, dps: 주소: and 전화: within prose do not truncate what follows, nor do they at the end."""
    prose = "신청은 주소: 강가길 3, 전화: 이장님 댁으로 하면 된다.\n그다음 날 답장이 왔다."
    # Applications go to the address …; the answer came the next day.
    assert cut(prose) == prose
    assert cut("그날 편지를 받았다.\n신청은 주소: 강가길 3, 전화: 이장님 댁으로 하면 된다.").endswith("된다.")


@pytest.mark.parametrize(
    "notice", ["© 2019 강가신문", "ⓒ 강가신문 무단전재 금지", "Copyright 2019 Mill Press"]
)
def test_k13_a_leading_copyright_line_goes_alone(notice):
    """K13, dps: a © in the first line takes that line, not the document."""
    assert cut(f"{notice}\n{KOREAN.strip()}") == KOREAN.strip()
    assert cut(f"{notice} {KOREAN.strip()}").endswith(KOREAN.strip()[-200:])


def test_the_depth_is_declared():
    """No more lines go than the caller allows."""
    assert cut(MENU + ENGLISH.strip(), head_lines=1) == "홈 > 공지사항\n" + ENGLISH.strip()
    assert cut(ENGLISH.strip() + FOOTER, tail_lines=1) == ENGLISH.strip() + FOOTER[: FOOTER.rindex("\n개인")]
    assert cut(MENU + ENGLISH + FOOTER, head_lines=0, tail_lines=0) == MENU + ENGLISH + FOOTER


def test_one_unsure_line_within_a_run():
    """One short line of unknown words goes with its run, with half the confidence; a title before the text stays."""
    text = (
        "홈 > 공지사항\n강가 물레방아\n조회 31 | 추천 2\n물레방아 이야기\n" + KOREAN.strip()
    )  # mill; story of the mill
    assert spans(TextBuffers.of([text])).confidence.tolist() == [1.0, 0.5, 1.0]
    assert cut(text) == "물레방아 이야기\n" + KOREAN.strip()


@given(st.lists(menu_like | prose_like, max_size=4).map("\n".join))
def test_a_cut_is_a_prefix_and_a_suffix(text):
    """Whatever the text, what remains is one piece of it, not empty unless the text was, and lines stay whole."""
    left = cut(text)
    assert left in text
    assert bool(left) == bool(text)
    places = [match.start() for match in re.finditer(f"(?={re.escape(left)})", text)]
    ends = [(text[at - 1 : at], text[at + len(left) :][:1]) for at in places]
    assert any(before in ("", "\n") and after <= " " for before, after in ends)


def records(corpus, name):
    with gzip.open(corpus / name, "rt", encoding="utf-8", newline="\n") as stream:
        return [json.loads(line) for line in stream]


@pytest.mark.corpus
def test_planted_menus_are_found_and_cut(corpus):
    """All planted menus fail the bound; 95 % of the lines around a text are found, and 99.8 % of its own are not."""
    with (corpus / "planted/truth.jsonl").open(encoding="utf-8") as stream:
        truth = [json.loads(line) for line in stream]
    shards = {row["file"] for row in truth if row["file"].endswith(".gz")}
    kept = {name: records(corpus, f"planted/{name}") for name in shards}
    truth = [row | {"text": kept[row["file"]][row["line"]]["text"]} for row in truth if row["file"] in shards]

    only = [row["text"] for row in truth if row["op"] == "boilerplate_only"]
    assert min(score(only, ["boilerplate_char_share"]).column(0).to_pylist()) > 0.9

    wrapped = [row for row in truth if row["op"] == "boilerplate_wrapped"]
    around = "\n".join(f"{row['header']}\n{row['footer']}" for row in wrapped)
    inside = "\n".join(row["text"][slice(*row["body_span"])] for row in wrapped)
    assert np.mean([kind != "" for kind in judged(around)]) >= 0.95
    assert np.mean([kind != "" for kind in judged(inside)]) <= 0.002


@pytest.mark.corpus
@pytest.mark.parametrize(
    "shard", ["mc4-ko/c4-ko.tfrecord-00026-of-00030.json.gz", "c4-en/c4-train.00002-of-00010.json.gz"]
)
def test_good_documents_stay(corpus, shard):
    """No film review page and no page of documentation comes near the bound."""
    texts = [row["text"] for row in records(corpus, shard)]
    assert max(score(texts, ["boilerplate_char_share"]).column(0).to_pylist()) < 0.3
