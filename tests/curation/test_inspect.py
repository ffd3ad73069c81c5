"""`chejil inspect`: which documents are read, how they are drawn, and what never reaches the terminal."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import xxhash
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import check, edits, lookup
from chejil.curation.browsing.bare_documents import documents_of
from chejil.curation.browsing.document_page import page
from chejil.curation.browsing.keys import split
from chejil.curation.browsing.pager import MAX_DRAWN_CHARS, Pager
from chejil.curation.browsing.readings import Reading
from chejil.curation.browsing.selection import Selection
from chejil.curation.changes.pieces import Mark, Span, after, before, pieces
from chejil.curation.demo.sample_corpus import write_sample_corpus
from chejil.curation.run import run
from chejil.errors import ChejilError
from tests.curation.changed_corpus import FOOTER, ITEM, run_over, write_corpus

STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def changed_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("inspect")
    return run_over(write_corpus(root / "data"), root / "run")


def read(path, **chosen):
    return list(documents_of(str(path)).read(Selection(**chosen)))


def decisions(root):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(root, "decisions").rglob("*.parquet"))])


def chejil(*arguments):
    done = CliRunner().invoke(cli.app, ["inspect", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


# Pieces: the edits of several transforms over one another.

TEXT = st.text(alphabet="가나ㅋ한漢aé 😀\n\u1112", max_size=25)


def layer(draw, text, found):
    """Spans over characters of a text that do not overlap, in bytes; `found` ones change nothing."""
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    places = [
        (len(text[:a].encode()), len(text[:b].encode())) for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    return [Span(a, b, Mark("s", "r"), None if found else draw(TEXT).encode()) for a, b in places]


@st.composite
def layered(draw):
    """A text, layers over it, and what plain slicing makes of it."""
    text = draw(TEXT)
    now, layers = text, []
    for found in draw(st.lists(st.booleans(), max_size=4)):
        layers.append(layer(draw, now, found))
        if not found:
            data = now.encode()
            for span in reversed(layers[-1]):
                data = data[: span.start] + span.after + data[span.end :]
            now = data.decode()
    return text, layers, now


@given(layered())
def test_pieces_joined_are_the_text_before_and_the_text_after(case):
    """Whatever the transforms do to one another's spans, nothing is lost on either side."""
    text, layers, now = case

    found = pieces(text, layers)

    assert before(found) == text
    assert after(found) == now
    assert all(piece.marks for piece in found if piece.changed)
    assert all(piece.before == piece.after for piece in found if not piece.changed)


def test_a_span_that_was_found_marks_what_stands_there():
    """A hit over plain text and a masked number marks both and changes neither."""
    mask, hit = Mark("mask_pii", "phone"), Mark("decontaminate", "shop")

    found = pieces("ab12cd", [[Span(2, 4, mask, b"#")], [Span(1, 4, hit, None)]])

    assert [(p.before, p.after, p.marks) for p in found] == [
        (b"a", b"a", ()), (b"b", b"b", (hit,)), (b"12", b"#", (mask, hit)), (b"c", b"c", (hit,)), (b"d", b"d", ())
    ]  # fmt: skip


# Documents of a run.


def test_every_document_is_shown_as_the_run_left_it(changed_run):
    """Text after all transforms, verdict and reasons are those of the run's own tables."""
    shown = read(changed_run)
    texts = [
        text
        for shard in ("web/0.json.gz", "web/1.json.gz")
        for table in edits.row_groups(
            changed_run, shard, ["text"], lookup.recipe_of(changed_run).transforms()
        )
        for text in table["text"].to_pylist()
    ]

    assert [one.text for one in shown] == texts
    rows = decisions(changed_run).to_dicts()
    assert [(one.id, one.kept, [r.reason for r in one.reasons]) for one in shown] == [
        (row["id"], row["kept"], row["reasons"]) for row in rows
    ]
    stages = {mark.stage for one in shown for piece in one.pieces for mark in piece.marks}
    assert stages == {"strip_boilerplate", "decontaminate", "line_dedup", "mask_pii"}


def test_what_was_there_before_the_transforms_is_in_the_pieces(changed_run):
    """Joined, they are documents/ byte for byte."""
    documents = pl.concat(
        [pl.read_parquet(p) for p in sorted(Path(changed_run, "documents").rglob("*.parquet"))]
    )

    assert [before(one.pieces) for one in read(changed_run)] == documents["text"].to_list()


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("kept AND lang = 'en'", pl.col("kept") & (pl.col("lang") == "en")),
        ("array_contains(reasons, 'num_words:low')", pl.col("reasons").list.contains("num_words:low")),
        ("near_cluster_size > 1", pl.col("near_cluster_size") > 1),
        ("url LIKE '%/ad/%' AND num_words > 1", pl.col("id").str.starts_with("page-30")),
        ("license = 'x'", pl.lit(False)),
    ],
)  # fmt: skip
def test_where_reads_decisions_signals_and_documents(changed_run, where, wanted):
    """Columns of three tables in one condition; null is no."""
    rows = decisions(changed_run)

    assert [one.id for one in read(changed_run, where=where)] == rows.filter(wanted)["id"].to_list()


def test_where_reads_the_text_as_it_stands(changed_run):
    """What was masked is not found, its placeholder is."""
    assert read(changed_run, where="text LIKE '%<PHONE>%'")
    assert not read(changed_run, where="text LIKE '%02-100-5%'")


@pytest.mark.parametrize(
    "asked", ["num_words:low", "num_words", "duplicate", "near_dup", "exact_dedup", "rule:adv"]
)
def test_dropped_takes_a_reason_or_its_beginning(changed_run, asked):
    """All documents that have such a reason, first or not."""
    begins = {"near_dup": "duplicate:near", "exact_dedup": "duplicate:exact"}.get(asked, asked)
    rows = decisions(changed_run)
    wanted = rows.filter(pl.col("reasons").list.eval(pl.element().str.starts_with(begins)).list.any())

    assert [one.id for one in read(changed_run, dropped=asked)] == wanted["id"].to_list()
    assert len(wanted)


def test_kept_documents_are_those_of_the_funnel(changed_run):
    """As many as the manifest says."""
    assert len(read(changed_run, kept=True)) == documents_of(changed_run).content.kept


def test_a_reason_has_its_value_and_its_bound(changed_run):
    """Of a signal value and bound, of a rule its condition."""
    signals = pl.concat([pl.read_parquet(p) for p in sorted(Path(changed_run, "signals").rglob("*.parquet"))])
    values = dict(zip(decisions(changed_run)["id"], signals["num_words"], strict=True))
    for one in read(changed_run, dropped="num_words:low"):
        (reason,) = [r for r in one.reasons if r.reason == "num_words:low"]
        assert (reason.value, reason.low) == (values[one.id], 20)
        assert str(reason) == f"num_words:low  {values[one.id]} is below 20"
    (advert,) = read(changed_run, dropped="rule:advertising")
    assert "rule:advertising  url LIKE '%/ad/%'" in map(str, advert.reasons)


def test_a_sample_follows_from_ids_and_seed_alone(changed_run, tmp_path):
    """The smallest hashes; the same of files in another order, and one seed's are not another's."""
    ids = decisions(changed_run)["id"].to_list()

    for seed in (0, 7):
        wanted = sorted(ids, key=lambda id_: xxhash.xxh3_64_intdigest(id_.encode(), seed=seed))[:9]
        assert [one.id for one in read(changed_run, sample=9, seed=seed)] == wanted

    rows = [{"id": id_, "text": f"문서 {id_}"} for id_ in ids]  # "document"
    for name, order in (("there", rows), ("back", rows[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        for part in range(3):
            (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in order[part::3]))
    both = [
        [one.id for one in read(f"{tmp_path}/{name}/*.jsonl", sample=9, seed=7)] for name in ("there", "back")
    ]
    assert both[0] == both[1] == wanted


def test_by_sorts_by_signals_and_a_minus_turns_it(changed_run):
    """Each document comes with the values that it was sorted by."""
    values = [one.signals["num_words"] for one in read(changed_run, by=("num_words",))]
    assert values == sorted(values)
    assert len(values) == len(decisions(changed_run))

    assert [
        one.signals["num_words"] for one in read(changed_run, by=("-num_words", "hangul_share"))
    ] == values[::-1]


def test_near_begins_with_the_closest_to_the_bound(changed_run):
    """On both sides of it; without documents of languages that do not have it."""
    found = read(changed_run, near="hangul_share:low")

    distances = [abs(one.signals["hangul_share"] - 0.2) for one in found]
    assert distances == sorted(distances)
    assert {one.columns["lang"] for one in found} == {"ko"}


@pytest.mark.parametrize(
    ("chosen", "said", "mend"),
    [
        ({"where": "num_wrds < 3"}, "no column is called 'num_wrds'", "num_words"),
        ({"where": "num_words <"}, "not a condition in SQL", "e.g."),
        ({"where": "num_words"}, "not a condition", "compare"),
        ({"dropped": "nm_words:low"}, "no document was dropped for 'nm_words:low'", "num_words:low"),
        ({"by": ("num_wrds",)}, "no signal 'num_wrds'", "num_words"),
        ({"by": ("lang",)}, "no signal 'lang'", "known"),
        ({"near": "num_words"}, "'num_words' is no bound", "--near num_words:low"),
        ({"near": "num_words:high"}, "no high bound of num_words", "explain"),
        ({"near": "num_wrds:low"}, "no signal 'num_wrds'", "num_words"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_an_error_that_says_how_to_mend_it(changed_run, chosen, said, mend):
    """With the near name."""
    with pytest.raises(ChejilError) as error:
        read(changed_run, **chosen)

    assert said in error.value.what
    assert mend in (error.value.mend or "")


def test_kept_and_dropped_contradict_one_another():
    """Nothing would be left."""
    with pytest.raises(ChejilError, match="leave nothing"):
        Selection(kept=True, dropped="num_words")


def test_a_value_that_a_cast_does_not_stand_is_an_error(changed_run):
    """And says what to write instead."""
    with pytest.raises(ChejilError, match="TRY_CAST"):
        read(changed_run, where="CAST(url AS INT) > 3")


@pytest.mark.parametrize("where", ["lang = 'unknown'", "lang IN ('unknown')", "lang IS NULL"])
def test_a_language_that_is_unknown_goes_by_that_name(changed_run, where):
    """All tables print it; the column is null."""
    rows = decisions(changed_run).to_dicts()
    wanted = {row["id"] for row in rows if row["lang"] is None}
    assert {found.id for found in read(changed_run, where=where)} == wanted
    known = {row["id"] for row in rows if row["lang"] == "ko"}
    assert {found.id for found in read(changed_run, where="lang = 'ko' AND text <> 'unknown'")} == known


def test_a_column_of_the_file_is_not_measured_again(tmp_path):
    """What is called like a signal and stands in the file is the file's own."""
    path = tmp_path / "own.jsonl"
    path.write_text('{"text": "abcdef", "num_chars": 1}\n{"text": "ab", "num_chars": 9}\n', "utf-8")

    assert [one.text for one in read(path, where="num_chars > 2")] == ["ab"]
    assert [one.text for one in read(path, where="num_chars > 2 AND num_words = 1")] == ["ab"]


def test_an_unfinished_run_is_no_run_yet(tmp_path):
    """It says to finish it."""
    (tmp_path / "UNFINISHED").touch()
    with pytest.raises(ChejilError, match="no finished run here: it was interrupted"):
        documents_of(str(tmp_path))


def test_an_evaluation_hit_that_was_left_is_marked(tmp_path):
    """`action: drop` leaves the text, so the hit is a mark in it; masking behind it does not move it."""
    root = run_over(write_corpus(tmp_path / "data"), tmp_path / "run", "stages.decontaminate.action=drop")

    found = read(root, dropped="contaminated")

    assert found
    for one in found:
        hits = b" ".join(
            p.after for p in one.pieces if "decontaminate" in {m.stage for m in p.marks}
        ).decode()
        assert hits.split()[0] == ITEM.split()[0]
        assert ITEM.split()[-2] in hits


# Files that no run has read.

ROWS = [
    {
        "id": "a",
        "text": "첫째 문서",
        "url": "https://a.example/",
        "stars": 5,
        "tags": ["x"],
    },  # the first document
    {"id": "b", "text": "the second document", "stars": 50},
    {"id": "c", "text": "a third", "lang": "en"},
]


def write_rows(folder):
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
    (folder / "rows.jsonl").write_bytes(lines)
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(lines))
    (folder / "rows.jsonl.zst").write_bytes(zstandard.compress(lines))
    pl.DataFrame(ROWS).write_parquet(folder / "rows.parquet")


@pytest.mark.parametrize(
    "path", ["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst", "rows.parquet", "*.gz", "jsonl:{}/rows.jsonl"]
)
def test_bare_files_are_read_whatever_they_are(tmp_path, path):
    """Text and the other columns; a condition names any of them, and signals."""
    write_rows(tmp_path)
    path = path.format(tmp_path) if ":" in path else f"{tmp_path}/{path}"

    assert [(one.id, one.text) for one in read(path)] == [(row["id"], row["text"]) for row in ROWS]
    assert read(path)[0].columns["meta"]["stars"] == 5
    assert [one.id for one in read(path, where="stars > 10")] == ["b"]
    assert [one.id for one in read(path, where="hangul_share > 0.5")] == ["a"]
    assert [one.id for one in read(path, where="url LIKE '%example%'")] == ["a"]
    assert read(path, by=("-num_words",), sample=3)[0].id == "b"


def test_bare_files_are_read_from_a_url(tmp_path):
    """Whatever fsspec opens."""
    write_rows(tmp_path)

    assert len(read(f"file://{tmp_path}/rows.jsonl.gz")) == 3


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"kept": True}, "--kept asks"),
        ({"dropped": "num_words"}, "--dropped asks"),
        ({"near": "num_words:low"}, "--near asks"),
        ({"by": ("num_words",)}, "--by would hold"),
        ({"where": "strs > 3"}, "no column is called 'strs'"),
    ],
)
def test_bare_files_have_no_decisions(tmp_path, chosen, said):
    """What only a run can answer is refused, not taken for nothing."""
    write_rows(tmp_path)
    with pytest.raises(ChejilError) as error:
        read(tmp_path / "rows.jsonl", **chosen)

    assert said in error.value.what
    assert error.value.mend


def test_text_may_be_another_field(tmp_path):
    """Without it the records have no text, which is said with how to mend it; of a run it is refused."""
    (tmp_path / "x.jsonl").write_text('{"body": "one"}\n{"body": "two"}\n')

    lines = chejil(tmp_path / "x.jsonl", "--text", "body", "--json").stdout.splitlines()

    assert [json.loads(line)["text"] for line in lines] == ["one", "two"]
    assert "--text FIELD" in chejil(tmp_path / "x.jsonl").stderr
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ChejilError, match="--text is for files"):
        documents_of(str(tmp_path), "body")


def test_records_that_are_no_documents_are_counted(tmp_path):
    """On stderr, with their reasons; the others are shown."""
    (tmp_path / "x.jsonl").write_text('{"text": "one"}\n{"text": null}\nno json\n')

    done = chejil(f"jsonl:{tmp_path}/x.jsonl")

    assert "one" in done.stdout
    assert "2 records are no documents: bad_json 1, null_text 1" in done.stderr


# What is drawn.

NASTY = "\x1b]0;owned\x07 \x1b[31mred\x1b[0m \x9b2J \r\x08 \u202egnp.\u2066 7f:\x7f 가\t나"


def write_nasty(folder):
    path = folder / "nasty.jsonl"
    rows = [{"id": f"id {NASTY}", "text": NASTY, "url": NASTY, "other": {NASTY: NASTY}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("options", [[], ["--json"], ["--no-changes"]])
def test_no_control_character_of_a_document_is_printed(tmp_path, changed_run, options):
    """Neither of its text nor of its id, address or other columns; and JSON says which it was."""
    path = write_nasty(tmp_path)

    printed = chejil(path, *options).stdout
    of_run = chejil(changed_run, "--where", "id LIKE 'page-30%'", *options).stdout

    assert not STEERING.search(printed), STEERING.search(printed)
    assert not STEERING.search(of_run)
    assert "owned" in printed
    assert "owned" in of_run
    if options == ["--json"]:
        assert json.loads(printed)["text"] == NASTY
        assert json.loads(of_run)["id"].endswith("\x1b]0;owned\x07\x9b2J")


def test_json_is_a_document_a_line_with_spans_in_characters(changed_run):
    """`before` put back into the text at the spans is the document as it was."""
    documents = pl.concat(
        [pl.read_parquet(p) for p in sorted(Path(changed_run, "documents").rglob("*.parquet"))]
    )
    lines = [json.loads(line) for line in chejil(changed_run, "--json").stdout.splitlines()]

    assert len(lines) == len(documents)
    for line, wanted in zip(lines, documents["text"], strict=True):
        text = line["text"]
        for span in reversed(line["spans"]):
            if "before" in span:
                text = text[: span["start"]] + span["before"] + text[span["end"] :]
        assert text == wanted


def test_changes_are_marked_or_left_out(changed_run):
    """[-what went-]{+what came+}, or the text as it is."""
    (one,) = read(changed_run, where="id = 'page-06'")

    marked = "\n".join(line.plain for line in page(one))
    plain = "\n".join(line.plain for line in page(one, changes=False))

    assert "[-02-100-5006-]{+<PHONE>+}" in marked
    assert f"[-{FOOTER}-]" in marked
    assert FOOTER not in plain
    assert plain.endswith(one.text)


def test_a_pipe_that_closes_is_no_error(changed_run):
    """`| head -2` prints two lines and nothing on stderr."""
    command = f"{sys.executable} -m chejil inspect {changed_run} | head -2; echo done"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout.endswith("done\n")
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


def test_nothing_found_says_so(changed_run):
    """On stderr, so that a pipe stays empty."""
    done = chejil(changed_run, "--where", "num_words > 1000000")

    assert done.stdout == ""
    assert "no document" in done.stderr


# The pager.


def reading(text, number=0):
    return Reading(f"doc-{number}", pieces(text, ()), {"source": "w"})


def pager(*texts, width=40, height=10):
    return Pager((reading(text, number) for number, text in enumerate(texts)), width, height)


def screen(paged):
    console = Console(width=paged.width, height=paged.height, color_system=None)
    with console.capture() as printed:
        console.print(paged.screen(), end="")
    return printed.get()


WIDE = st.text(alphabet="가나 ㅋ漢a é\n\t👩‍👩‍👧😀\u1112\u1161\u11ab\u200b\u0301", max_size=200)


@given(WIDE, st.integers(8, 60))
def test_no_line_is_wider_than_the_screen(text, width):
    """Hangul and emoji take two columns, jamo that combine none; and no character is lost in wrapping."""
    paged = pager(text, width=width)

    assert all(cell_len(line.plain) <= width for line in paged.lines)
    drawn = "".join(line.plain for line in paged.lines)
    wanted = "".join(text.split())
    assert "".join(drawn.split()).endswith(wanted)


def test_keys_page_through_documents():
    """n and p, arrows; the ends say so; space goes on with the next document."""
    paged = pager("one", "two", "three")

    for key, number in (("n", 1), ("right", 2), ("n", 2), ("p", 1), ("left", 0), ("p", 0), (" ", 1)):
        assert paged.press(key)
        assert paged.number == number, key
    paged.press("n")
    paged.press("n")
    assert "no more documents" in screen(paged)
    assert not paged.press("q")


def test_keys_move_lines_and_stay_inside():
    """j, k, a screen, top and end."""
    paged = pager("\n".join(map(str, range(100))), height=11)
    last = len(paged.lines) - 10

    for key, top in (
        ("j", 1),
        ("down", 2),
        ("k", 1),
        (" ", 11),
        ("b", 1),
        ("G", last),
        ("j", last),
        ("g", 0),
        ("up", 0),
    ):
        paged.press(key)
        assert paged.top == top, key


def test_search_goes_to_the_next_place_and_the_next_document():
    """Enter alone searches again; what is not there leaves the screen as it is."""
    paged = pager("하나\n" * 30 + "바늘\n" + "둘\n" * 20, "셋", "Needle 바늘")  # one, a needle, two, three

    for key in "/바늘":
        paged.press(key)
    assert "/바늘" in screen(paged)
    paged.press("enter")
    assert (paged.number, "바늘" in screen(paged)) == (0, True)
    assert paged.top > 0
    for key in ("/", "enter"):
        paged.press(key)
    assert paged.number == 2
    for key in [*"/absent", "enter"]:
        paged.press(key)
    assert paged.number == 2
    assert "not found" in screen(paged)


def test_c_hides_and_shows_changes_and_h_helps():
    """The removed text is there or not."""
    changed = Reading("d", pieces("ab", [[Span(0, 1, Mark("mask_pii", "x"), b"#")]]), {})
    paged = Pager(iter([changed]), 40, 10)

    assert "[-a-]{+#+}b" in screen(paged)
    paged.press("c")
    assert "#b" in screen(paged)
    assert "[-a-]" not in screen(paged)
    paged.press("h")
    assert "next document" in screen(paged)


def test_no_documents_at_all():
    """It says so and lets itself be left."""
    paged = pager()
    for key in ("n", "p", "j", "G", "c", "/", "x", "enter"):
        paged.press(key)

    assert paged.reading is None
    assert not paged.press("q")


def test_a_line_of_sixteen_megabytes_is_drawn_in_part():
    """In seconds, with how much is left."""
    paged = pager("가나다라 " * 1_000_000)
    paged.press("G")

    assert f"{5_000_000 - MAX_DRAWN_CHARS:,} more characters" in "".join(
        line.plain for line in paged.lines[-3:]
    )


def test_keys_are_told_apart_however_they_arrive():
    """Several at once, in sequences, of any script; an unknown sequence is none."""
    assert list(split("jk\x1b[A\x1b[6~가\x1b[99~q\x1b")) == ["j", "k", "up", "page down", "가", "q", "escape"]


def test_on_a_terminal_keys_page_and_the_terminal_is_left_as_it_was(changed_run):
    """A real one: n shows the second document, / finds, q ends; the alternate screen is left."""
    here, there = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "20"}
    command = [sys.executable, "-m", "chejil", "inspect", changed_run]
    with subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment) as process:
        os.close(there)
        seen = until(here, "document 1 ")
        os.write(here, b"n")
        seen += until(here, "document 2 ")
        os.write(here, "/바늘\r".encode())
        seen += until(here, "not found")
        os.write(here, b"q")
        seen += until(here, "\x1b[?1049l")
        assert process.wait(30) == 0
    os.close(here)
    assert "\x1b[?1049h" in seen
    assert "page-00" in seen
    assert "page-01" in seen


def until(stream, wanted, seconds=60.0):
    """What a terminal is sent, up to some text."""
    seen, end = b"", time.monotonic() + seconds
    while wanted not in seen.decode("utf-8", "replace"):
        assert time.monotonic() < end, seen[-2000:]
        if select.select([stream], [], [], 0.5)[0]:
            seen += os.read(stream, 65536)
    return seen.decode("utf-8", "replace")


# The documentation.


def test_the_commands_of_the_page_run_as_they_are_written(tmp_path, monkeypatch):
    """On the demo's corpus, small; and the Python beside them restores what it says."""
    text = (Path(__file__).parents[2] / "docs/looking.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    write_sample_corpus("demo-corpus", documents=400)
    run(check.load("demo"), "runs/demo")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(lines) > 10

    for line in lines:
        name, *words = shlex.split(re.split(r" [|>#] ?", line)[0], comments=True)
        done = CliRunner().invoke(cli.app, words)
        assert (name, done.exit_code, done.exception) == ("chejil", 0, None), line
        assert done.stdout or "no document is like that" in done.stderr, line
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found: dict = {}
    exec(code, found)
    documents = pl.read_parquet(f"runs/demo/documents/{found['shard']}.parquet")
    assert found["before"].to_pylist() == documents["text"].gather(found["rows"]).to_list()
