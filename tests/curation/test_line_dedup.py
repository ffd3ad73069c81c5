"""Lines that recur across the documents of a site: what is the same line, what is counted, what is removed."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import check, edits, manifest, marked_yaml
from chejil.curation.dedup.line_keys import lines_of
from chejil.curation.run import run
from chejil.filters.buffers import TextBuffers

NOTICE = "무단 전재 및 재배포를 금지합니다"  # reprint and redistribution are forbidden
PIECES = (
    *(
        NOTICE,
        "무단전재 및 재배포를 금지합니다!",
        "The End of it",
        "the end, of IT.",
        "입력 2023.01.02",
        "입력 2024-11-30",
    ),
    *(
        "",
        " ",
        "\t",
        "가",
        "한😀漢字",
        unicodedata.normalize("NFD", "한국어"),
        "👩‍👩‍👧‍👦",
        "ᄊᆞㅋㅋ",
        "12 34",
        "\u3000",
        "- - -",
    ),
)  # entered, a date; "Korean"
texts_of_lines = st.lists(st.sampled_from(PIECES), max_size=12).map("\n".join)


def same(line):
    """What two equal lines have in common, in plain Python."""
    letters = [char for char in line if unicodedata.category(char)[0] in "LNM"]
    return "".join("0" if unicodedata.category(c) == "Nd" else (c.casefold()) for c in letters)


def num_letters(line):
    return sum(unicodedata.category(char)[0] in "LNM" and unicodedata.category(char) != "Nd" for char in line)


def units(text, paragraphs):
    """(start, end, content) of lines or paragraphs in characters, by splitting; blank lines go with what is before."""
    lines, at = [], 0
    for line in text.split("\n"):
        lines.append((at, line))
        at += len(line) + 1
    found = []
    for number, (start, line) in enumerate(lines):
        if not line.strip():
            continue
        if paragraphs and found and lines[number - 1][1].strip():
            found[-1][1] += "\n" + line
        else:
            found.append([start, line])
    starts = [start for start, _ in found] + [len(text)]
    return [(start, end, content) for (start, content), end in zip(found, starts[1:], strict=True)]


@given(st.lists(texts_of_lines, max_size=5), st.integers(1, 12), st.booleans())
def test_lines_are_those_that_splitting_finds(texts, min_letters, paragraphs):
    """Places, and which of them have equal keys, as a plain reference has them; in any script."""
    lines = lines_of(TextBuffers.of(texts), np.ones(len(texts), np.uint64), min_letters, paragraphs)
    expected = [
        (doc, len(text[:start].encode()), len(text[:end].encode()), same(content))
        for doc, text in enumerate(texts)
        for start, end, content in units(text, paragraphs)
        if num_letters(content) >= min_letters
    ]

    assert list(zip(lines.doc, lines.start, lines.end, strict=True)) == [row[:3] for row in expected]
    names = [row[3] for row in expected]
    by_name = dict(zip(names, lines.key.tolist(), strict=True))
    assert [by_name[name] for name in names] == lines.key.tolist()
    assert len(set(by_name.values())) == len(by_name)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("기사입력 2023.01.02 09:10", "기사 입력 2024-11-30 18:45", True),  # entered, a date
        ("All Rights Reserved.", "all rights reserved", True),
        ("저작권은 우리에게 있습니다", "저작권은 그들에게 있습니다", False),  # ours, theirs
        ("Straße am Hafen", "STRASSE am Hafen", False),  # what folds to two letters keeps its own
    ],
)
def test_case_digits_punctuation_and_spaces_make_no_other_line(one, other, equal):
    """As in CCNet, and without spaces."""
    key = lines_of(TextBuffers.of([one, other]), np.ones(2, np.uint64), 1, False).key

    assert (key[0] == key[1]) == equal


# ---- whole runs


def page(number, *around, host="news.example", body=None):
    name = chr(0xAC00 + 97 * number) + chr(0xD000 - 89 * number)  # digits would all be one
    body = body or f"{name} 마을의 이야기는 다른 마을과 다르다."  # the story of a village is like no other
    return {
        "text": "\n".join([*around[:1], body, *around[1:]]),
        "url": f"https://{host}/{number}",
        "id": f"{number}",
    }


def corpus(folder, *shards):
    folder.mkdir(exist_ok=True)
    for number, records in enumerate(shards):
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        (folder / f"{number}.jsonl").write_text("\n".join(lines), "utf-8")


def recipe(folder, stages="line_dedup"):
    text = (
        f"name: lines\ndata: {folder}\nstages: [normalise, {stages}, write]\n"
        "sources: {a: {format: jsonl, paths: '*.jsonl', columns: {text: text, id: id, url: url}}}\n"
    )
    return check.check(marked_yaml.read(text, "lines.yaml"))


def cleaned(folder, root, stages="line_dedup", workers=1):
    """Texts of the clean documents by id, and the manifest."""
    found = run(recipe(folder, stages), str(root), workers)
    files = sorted((root / "clean").rglob("*.parquet"))
    rows = [pl.read_parquet(path, columns=["id", "text"]) for path in files]
    return dict(pl.concat(rows).iter_rows()) if rows else {}, found


def test_what_most_pages_of_a_site_share_is_removed_and_nothing_else(tmp_path):
    """The notice goes from every page of its site; it stays on a small site, and so do short and rare lines."""
    site = [page(n, "감사합니다.", NOTICE) for n in range(20)]  # thank you
    other = [page(100 + n, NOTICE, host="small.example") for n in range(5)]
    corpus(tmp_path / "in", site[:10], site[10:], other)

    texts, found = cleaned(tmp_path / "in", tmp_path / "run")

    assert texts["3"].startswith("감사합니다.\n")
    assert texts["3"].endswith("마을의 이야기는 다른 마을과 다르다.")
    assert sum(NOTICE in text for text in texts.values()) == 5
    assert found.edited["line_dedup"] == {"documents": 20, "spans": {"recurrent_line": 20}}
    assert manifest.verify(str(tmp_path / "run")) == []


@pytest.mark.parametrize(
    ("settings", "removed"),
    [
        ("{max_documents: 5}", 6),
        ("{max_documents: 6}", 0),
        ("{max_documents: 5, min_share: 0.6}", 6),
        ("{max_documents: 5, min_share: 0.61}", 0),
        ("{max_documents: 5, keep_first: true}", 5),
        ("{max_documents: 5, min_letters: 14}", 6),
        ("{max_documents: 5, min_letters: 15}", 0),
    ],
)
def test_each_setting_draws_its_line(tmp_path, settings, removed):
    """Six of ten pages have the notice, of 14 letters."""
    corpus(tmp_path / "in", [page(n, *([NOTICE] * (n < 6))) for n in range(10)])

    _, found = cleaned(tmp_path / "in", tmp_path / "run", f"{{line_dedup: {settings}}}")

    assert found.edited["line_dedup"]["spans"].get("recurrent_line", 0) == removed


@pytest.mark.parametrize(("scope", "removed"), [("host", 0), ("source", 12), ("all", 12)])
def test_documents_are_counted_by_scope(tmp_path, scope, removed):
    """Twelve pages of twelve sites; one without an address belongs to no site."""
    corpus(tmp_path / "in", [page(n, NOTICE, host=f"h{n}.example") for n in range(12)])

    _, found = cleaned(tmp_path / "in", tmp_path / "run", f"{{line_dedup: {{scope: {scope}}}}}")

    assert found.edited["line_dedup"]["documents"] == removed


def test_a_page_of_nothing_else_is_dropped_and_says_why(tmp_path):
    """An empty document is no training example; the law holds."""
    corpus(tmp_path / "in", [page(n, NOTICE) for n in range(20)] + [page(99, body=NOTICE)])

    texts, found = cleaned(tmp_path / "in", tmp_path / "run")

    assert "99" not in texts
    assert [(row["reason"], row["documents"]) for row in found.funnel] == [
        ("emptied:line_dedup", 1),
        (None, 20),
    ]
    assert found.documents == found.kept + 1


def test_documents_that_were_dropped_before_are_not_counted(tmp_path):
    """A page in twenty copies is one page: none of its lines is boilerplate."""
    corpus(
        tmp_path / "in", [page(n, NOTICE, body="같은 기사가 여러 번 실렸다.") for n in range(20)]
    )  # the same article

    texts, _ = cleaned(tmp_path / "in", tmp_path / "run", "exact_dedup, line_dedup")

    assert list(texts.values()) == [f"{NOTICE}\n같은 기사가 여러 번 실렸다."]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{NOTICE}\n본문", "본문"),  # body
        (f"본문\n\n{NOTICE}", "본문"),
        (f"본문\n\n{NOTICE}\n\n다음", "본문\n\n다음"),  # next
        (f"본문\n{NOTICE}\n{NOTICE}\n\n{NOTICE}", "본문"),
        (f"본문\n{NOTICE}\n  다음 😀", "본문\n  다음 😀"),
    ],
)
def test_blank_lines_go_with_the_line_before_them(tmp_path, text, left):
    """No hole is left in the text, and no break at its end; indents stay."""
    corpus(tmp_path / "in", [page(n, NOTICE) for n in range(20)] + [page(99, body=text)])

    texts, _ = cleaned(tmp_path / "in", tmp_path / "run", "{line_dedup: {min_letters: 12}}")

    assert texts["99"] == left


def test_a_second_pass_removes_nothing(tmp_path):
    """What is left recurs no more."""
    corpus(tmp_path / "in", [page(n, NOTICE, "Share this article now") for n in range(20)])
    texts, _ = cleaned(tmp_path / "in", tmp_path / "run")
    corpus(
        tmp_path / "again", [{"id": i, "text": t, "url": "https://news.example/"} for i, t in texts.items()]
    )

    again, found = cleaned(tmp_path / "again", tmp_path / "second")

    assert again == texts
    assert found.edited["line_dedup"]["spans"] == {}


@pytest.mark.parametrize("keep_first", ["true", "false"])
def test_the_order_of_records_and_their_cutting_into_files_change_nothing(tmp_path, keep_first):
    """The line that stays stays in the same document."""
    records = [
        page(n, NOTICE, f"다른 알림 {n % 2}번입니다, 모두 보세요") for n in range(30)
    ]  # another notice, of two
    stages = f"{{line_dedup: {{keep_first: {keep_first}}}}}"
    corpus(tmp_path / "one", records)
    corpus(tmp_path / "three", records[20:], records[5:20][::-1], records[:5])

    one, _ = cleaned(tmp_path / "one", tmp_path / "run1", stages)
    three, _ = cleaned(tmp_path / "three", tmp_path / "run3", stages)

    assert one == three
    assert Counter(NOTICE in text for text in one.values())[True] == (keep_first == "true")


def test_a_hundred_thousand_equal_lines_in_one_document_are_one_document(tmp_path):
    """They are no line of many documents, and cost no more than their bytes."""
    corpus(tmp_path / "in", [page(0, body="\n".join([NOTICE] * 100_000)), *(page(n) for n in range(1, 20))])

    texts, found = cleaned(tmp_path / "in", tmp_path / "run")

    assert found.edited["line_dedup"]["spans"] == {}
    assert texts["0"].count(NOTICE) == 100_000


def test_every_change_can_be_undone(tmp_path):
    """The edits hold what stood there, so the text before is the text after with them put back."""
    corpus(tmp_path / "in", [page(n, NOTICE, f"끝 {NOTICE} 😀", NOTICE) for n in range(20)])  # end
    texts, _ = cleaned(tmp_path / "in", tmp_path / "run")
    documents = pl.read_parquet(tmp_path / "run/documents/a/0.jsonl.parquet")

    for row, (name, before) in enumerate(documents.select("id", "text").iter_rows()):
        after = texts[name].encode()
        for edit in edits.of_row(str(tmp_path / "run"), "a/0.jsonl", row, ["line_dedup"]):
            after = after[: edit["start"]] + edit["before"].encode() + after[edit["start"] :]
        assert after.decode() == before
