"""Evaluation sets: which file is which task and split, which fields make an item, and what is refused."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chejil.curation.decontamination import evaluations
from chejil.curation.decontamination.decontaminate import Decontaminate, files_against
from chejil.curation.decontamination.evaluation_items import read
from chejil.curation.decontamination.evaluations import EvaluationSet, files_of, maps
from chejil.errors import ChejilError

ROWS = [{"question": "Where is the ferry?", "answer": "At the pier."}, {"question": "Why?", "answer": "Fog."}]


def items(root, name="mine", **settings):
    return read(files_of(name, EvaluationSet(**settings), str(root)))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet", "xml"])
def test_every_container_gives_the_same_items(tmp_path, kind):
    """JSON lines, compressed or not, a JSON list, CSV, TSV, Parquet and XML."""
    lines = "\n".join(map(json.dumps, ROWS)).encode()
    table = {"csv": ",", "tsv": "\t"}.get(kind, "")
    content = {
        "jsonl": lines,
        "jsonl.gz": gzip.compress(lines),
        "json": json.dumps(ROWS).encode(),
        "xml": "<set>"
        + "".join(
            f'<p id="{i}"><question>{r["question"]}</question><answer>{r["answer"]}</answer></p>'
            for i, r in enumerate(ROWS)
        )
        + "</set>",
    }.get(
        kind, "\n".join([f"question{table}answer", *(f"{r['question']}{table}{r['answer']}" for r in ROWS)])
    )
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    else:
        write(tmp_path / f"a.{kind}", content)

    found = items(tmp_path, paths="a.*", fields=["question", "answer"])

    assert [item.fields for item in found.items] == [tuple(row.values()) for row in ROWS]
    assert [item.name for item in found.items] == [f"a.{kind}#0", f"a.{kind}#1"]
    assert found.counts == {"mine": {"items": 2}}


def test_a_field_may_be_nested_a_list_or_a_number(tmp_path):
    """`choices.text` looks into an object, a list gives a field for each value."""
    row = {"q": "Which tide?", "choices": {"text": ["ebb", "flood"], "label": ["A", "B"]}, "year": 1998}
    write(tmp_path / "a.jsonl", json.dumps(row))

    found = items(tmp_path, paths="a.jsonl", fields=["q", "choices.text", "year"])

    assert found.items[0].fields == ("Which tide?", "ebb", "flood", "1998")


def test_a_map_knows_tasks_splits_and_fields(tmp_path):
    """KoBEST as its authors publish it: tasks by folder, training apart, what is no data set left alone."""
    # "The ferry came late. / result / The people waited. / The people slept."
    row = "1\t배가 늦게 왔다.\t결과\t사람들이 기다렸다.\t사람들이 잤다.\t1"
    head = "ID\tsentence\tquestion\t1\t2\tAnswer\n"
    write(tmp_path / "kobest/v1.0/COPA/test.tsv", head + row)
    write(tmp_path / "kobest/v1.0/COPA/train.tsv", head + row.replace("늦게", "일찍"))
    write(tmp_path / "kobest/v1.0/COPA/README.md", "none")
    write(
        tmp_path / "kobest/v1.0/SentiNeg/dev.tsv", "ID\tText\n1\t포장이 튼튼해요"
    )  # "the wrapping is sturdy"

    found = items(tmp_path, "kobest", map="kobest", paths="kobest/**")

    assert [(item.task, item.role, item.fields[0]) for item in found.items] == [
        ("kobest/copa", "evaluation", "배가 늦게 왔다."),
        ("kobest/copa", "training", "배가 일찍 왔다."),
        ("kobest/sentineg", "evaluation", "포장이 튼튼해요"),
    ]
    assert found.items[0].fields == ("배가 늦게 왔다.", "결과", "사람들이 기다렸다.", "사람들이 잤다.")


def test_a_map_takes_the_instruction_off_and_cuts_alternatives(tmp_path):
    """LLM-Adapters wrap each question in an instruction; question and alternatives are fields of their own."""
    instruction = (
        "Please choose the correct answer to the question: Which bird dives?\n\nAnswer1: gannet Answer2: robin"
        "\n\nAnswer format: answer1/answer2"
    )
    write(tmp_path / "ARC-Easy/test.json", json.dumps([{"instruction": instruction, "answer": "answer1"}]))

    found = items(tmp_path, "en", map="english", paths="**")

    assert [(item.task, item.fields) for item in found.items] == [
        ("en/arc-easy", ("Which bird dives?", "gannet", "robin"))
    ]


def test_nfd_is_read_as_nfc_and_equal_items_count_once(tmp_path):
    """macOS writes Hangul decomposed; the same item twice is one."""
    import unicodedata

    text = "등대가 보인다"  # "the lighthouse is seen"
    rows = [{"t": unicodedata.normalize("NFD", text)}, {"t": text}]
    write(tmp_path / "a.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))

    assert [item.fields for item in items(tmp_path, paths="a.jsonl", fields="t").items] == [(text,)]


@pytest.mark.parametrize("kind", ["jsonl", "json", "tsv", "csv"])
def test_an_empty_file_has_no_items(tmp_path, kind):
    """No bytes are no mistake: a split that was not published yet."""
    write(tmp_path / f"a.{kind}", b"")

    assert items(tmp_path, paths=f"a.{kind}", fields="t").items == []


def test_records_without_the_fields_are_counted(tmp_path):
    """One bad line among good ones costs itself alone."""
    write(tmp_path / "a.jsonl", '{"t": "the lighthouse is seen"}\n{"u": 1}\n{torn\n{"t": null}\n')

    found = items(tmp_path, paths="a.jsonl", fields="t")

    assert found.counts == {"mine": {"items": 1, "unreadable_records": 3}}


@pytest.mark.parametrize(
    ("settings", "what", "mend"),
    [
        ({"paths": "none/*.jsonl", "fields": "t"}, "no file matches", "there is no folder"),
        (
            {"paths": "a.jsonl", "fields": "question"},
            "no record has the fields question",
            "its fields are: t",
        ),
        ({"paths": "a.jsonl", "map": "kobest"}, "none of the 1 files is an evaluation file", "boolq"),
        ({"paths": "a.txt", "fields": "t"}, "'.txt' files are not read", "give jsonl"),
        ({"paths": "b.xml", "fields": "t"}, "not XML", None),
    ],
)
def test_what_cannot_be_read_says_how_to_mend_it(tmp_path, settings, what, mend):
    """A path that matches nothing, fields that no record has, files that the map does not know, other kinds."""
    write(tmp_path / "a.jsonl", '{"t": "x"}')
    write(tmp_path / "a.txt", "x")
    write(tmp_path / "b.xml", "<set><p>")

    with pytest.raises(ChejilError, match=what) as error:
        files_against(Decontaminate(against={"mine": EvaluationSet(**settings)}), str(tmp_path))

    assert mend is None or mend in str(error.value.mend)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"paths": "a"}, "either 'map'"),
        ({"paths": "a", "map": "kobest", "fields": "t"}, "either 'map'"),
        ({"paths": "a", "map": "kobets"}, "did you mean 'kobest'"),
    ],
)
def test_a_set_has_a_map_or_fields(settings, message):
    """One of the two, and a map that exists."""
    with pytest.raises(ValueError, match=message):
        EvaluationSet(**settings)


def test_content_is_in_the_key_and_the_place_is_not(tmp_path):
    """A set that moves is the same set; a changed byte is another."""
    for folder in ("here", "there/deep"):
        write(tmp_path / folder / "a.jsonl", '{"t": "x"}')

    def content(folder):
        wanted = EvaluationSet(paths="*.jsonl", fields="t")
        return evaluations.content(files_of("mine", wanted, str(tmp_path / folder)))

    assert content("here") == content("there/deep")
    before = content("here")
    write(tmp_path / "here/a.jsonl", '{"t": "y"}')
    assert content("here") != before


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "paths", "tasks"),
    [
        ("kobest", "kobest/**", 5),
        ("klue", "klue/klue*/**", 4),
        ("kornlu", "klue/kornlu/*", 2),
        ("english", "eval-en/**", 12),
    ],
)
def test_the_maps_fit_the_published_files(corpus, name, paths, tasks):
    """Every task that is there is found, and nearly all of its records are items."""
    found = items(corpus, name, map=name, paths=paths)

    assert len(found.counts) == tasks
    for counts in found.counts.values():
        assert counts["items"] > 0
        assert counts["unreadable_records"] <= 0.01 * counts["items"]


def test_shipped_patterns_tell_training_from_evaluation():
    """No pattern of an evaluation split matches a training file of its task."""
    from fnmatch import fnmatch

    for entry in maps().values():
        for task in entry.tasks.values():
            for pattern in task.training:
                example = "/x" + pattern.replace("*", "/")
                assert not any(fnmatch(example, other) for other in task.files), (pattern, task.files)
