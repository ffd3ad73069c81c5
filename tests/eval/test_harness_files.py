"""Files of tasks become what lm-eval's tasks read, in any of their layouts; broken ones are told with their line."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import harness_items as own

from chejil.errors import ChejilError
from chejil.eval import published
from chejil.eval.harness import repacked, suites, task_files
from chejil.eval.harness.task_rows import BadRow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return own.write(tmp_path_factory.mktemp("data"))


def load(data, name, **options):
    return task_files.load(str(data), name, suites.tasks()[name], **options)


@pytest.mark.parametrize("name", suites.tasks())
def test_every_layout_gives_the_fields_of_the_hub(data, name, tmp_path):
    """The authors' file and the hub's, as JSON lines and Parquet: the same items under the same ids."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = load(data, name)
    stem = suites.tasks()[name].files[0].replace("*", "")
    for ending in (".jsonl", ".parquet"):
        place = tmp_path / ending / f"{stem}-00000-of-00001{ending}"
        place.parent.mkdir(parents=True)
        if ending == ".jsonl":
            place.write_text("".join(json.dumps(row) + "\n" for row in own.HUB[name]))
        else:
            pq.write_table(pa.Table.from_pylist(own.HUB[name]), place)
        again = load(tmp_path / ending, name)
        assert [*again.documents] == [*found.documents]
        assert again.ids == found.ids

    assert [dict(document) for document in found.documents] == own.HUB[name]
    assert len(set(found.ids)) == len(found.ids)
    assert all((data / path).is_file() and len(code) == 32 for path, code in found.inputs.items())


def test_piqa_is_read_with_its_labels(data):
    """Both files are inputs."""
    assert list(load(data, "piqa").inputs) == ["piqa/valid.jsonl", "piqa/valid-labels.lst"]


def test_an_equal_item_keeps_an_id_of_its_own():
    """Two equal items are two."""
    first, second, other = task_files.ids([{"a": "같다"}, {"a": "같다"}, {"a": "다르다"}])  # equal, different
    assert second == f"{first}-2"
    assert other not in (first, second)


def test_ids_do_not_follow_the_order_of_rows(data, tmp_path):
    """The file shuffled: the same ids with the same items."""
    rows = (data / "kobest/COPA/test.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "COPA").mkdir()
    (tmp_path / "COPA/test.tsv").write_text("".join([rows[0], *reversed(rows[1:])]))
    assert load(tmp_path, "kobest_copa").ids == load(data, "kobest_copa").ids[::-1]


@pytest.mark.parametrize(
    ("name", "path", "line", "says"),
    [
        ("kobest_boolq", "BoolQ/test.tsv", "9\t글\t물음?\tmaybe\n", ":6: 'Answer' is 'maybe'"),
        ("kobest_boolq", "BoolQ/test.tsv", "9\t글\t물음?\n", ":6: 3 fields, the header has 4"),
        ("kobest_boolq", "BoolQ/test.tsv", "9\t\t물음?\tTrue\n", ":6: 'Text' is empty"),
        ("kobest_copa", "COPA/test.tsv", "9\t글\t이유\t하나\t둘\t1\n", ":5: 'question' is '이유'"),
        (
            "kobest_copa",
            "COPA/test.tsv",
            "9\t글\t원인\t하나\t하나\t1\n",
            ":5: both alternatives are the same",
        ),
        ("kobest_hellaswag", "HellaSwag/test.tsv", "글\ta\tb\tc\td\t4\n", ":4: 'label' is 4, not a number"),
    ],
)
def test_a_broken_row_is_told_with_its_line(data, tmp_path, name, path, line, says):
    """Refused; or left out and counted where that is wanted. text, question, cause."""
    whole = (data / "kobest" / path).read_text()
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(whole + line)

    with pytest.raises(ChejilError) as caught:
        load(tmp_path, name)
    assert f"{path}{says}" in str(caught.value)
    assert "--skip-broken" in str(caught.value)

    found = load(tmp_path, name, skip_broken=True)
    assert len(found.faults) == 1
    assert found.ids == load(data, name).ids


def test_a_broken_line_of_json_is_told(data, tmp_path):
    """Its number and what is wrong."""
    (tmp_path / "WiC").mkdir()
    (tmp_path / "WiC/val.jsonl").write_text((data / "superglue/WiC/val.jsonl").read_text() + '{"word": \n')
    with pytest.raises(ChejilError, match=r"val.jsonl:3: no JSON"):
        load(tmp_path, "wic")


def test_labels_must_be_as_many_as_rows(data, tmp_path):
    """One label fewer, one more."""
    (tmp_path / "piqa").mkdir()
    (tmp_path / "piqa/valid.jsonl").write_text((data / "piqa/valid.jsonl").read_text())
    for labels, says in (("0\n", "has 1 labels, none for it"), ("0\n1\n1\n", "3 labels for 2 rows")):
        (tmp_path / "piqa/valid-labels.lst").write_text(labels)
        with pytest.raises(ChejilError, match=says):
            load(tmp_path, "piqa")


def test_a_missing_file_is_told(data, tmp_path):
    """What is looked for; what is there and of no use; a folder that is not there."""
    with pytest.raises(ChejilError, match=r"no file of rte\n  mend: put it there, e.g. as rte/val.jsonl"):
        load(tmp_path, "rte")
    (tmp_path / "boolq").mkdir()
    (tmp_path / "boolq/test.json").write_text(
        '[{"instruction": "x", "answer": "true"}]'
    )  # without its passage
    with pytest.raises(ChejilError, match=r"boolq/test\.json has other fields"):
        load(tmp_path, "boolq")
    with pytest.raises(ChejilError, match="there is no such folder"):
        load(tmp_path / "nowhere", "rte")


def test_two_files_that_differ_are_refused(data, tmp_path):
    """A copy is no second file."""
    for folder in ("a/RTE", "b/RTE"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "val.jsonl").write_text((data / "superglue/RTE/val.jsonl").read_text())
    assert len(load(tmp_path, "rte").documents) == 2
    with (tmp_path / "b/RTE/val.jsonl").open("a") as stream:
        stream.write('{"premise": "a", "hypothesis": "b", "label": "entailment"}\n')
    with pytest.raises(ChejilError, match=r"two files may be rte: a/RTE/val\.jsonl and b/RTE/val\.jsonl"):
        load(tmp_path, "rte")


WORDS = st.text("ab Answer12:_\n", min_size=1, max_size=12)


@given(question=WORDS, choices=st.lists(WORDS, min_size=2, max_size=5), right=st.integers(0, 4))
def test_what_was_repacked_is_parsed_exactly_or_not_at_all(question, choices, right):
    """Whatever the parts hold, marks among them."""
    right %= len(choices)
    row = json.loads(own._repacked(own.QUESTION, "Answer", " ", "\n\n", [(question, choices, right)]))[0]
    try:
        assert repacked.parse(row, repacked.ANSWERS) == (question, choices, right)
    except BadRow:
        marks = [f"Answer{number}:" for number in range(1, 6)]
        assert any(mark in part for mark in marks for part in (question, *choices)) or not all(
            part.strip() for part in (question, *choices)
        )


def test_suites_are_the_rows_of_the_published_tables():
    """Tasks and metrics of en14 in their order; KoBEST with WiC."""
    tasks = suites.tasks()
    rows = [f"{name}/{metric}" for name in suites.named("en14") for metric in tasks[name].metrics]
    assert rows == list(published.suite("en14").rows)
    kobest = [f"{name}/macro_f1" for name in suites.named("kobest")]
    assert kobest == list(published.suite("kobest5").rows)
    assert suites.named("koen") == [*suites.named("kobest"), *suites.named("en14")] == list(tasks)


def test_an_unknown_suite_gets_a_near_name():
    """And nothing is no suite."""
    with pytest.raises(ChejilError, match="did you mean 'kobest'"):
        suites.named("kobst")
    with pytest.raises(ChejilError, match="no task is named"):
        suites.named(" , ")


@pytest.mark.corpus
def test_the_real_files_are_read_whole(corpus):
    """Every row of KoBEST and of twelve English tasks; what was repacked is as the authors' files have it."""
    counts = {
        name: len(load(corpus, name).documents)
        for name in suites.tasks()
        if name not in ("hellaswag", "record")
    }
    assert counts == {
        "kobest_boolq": 1404, "kobest_copa": 1000, "kobest_hellaswag": 500, "kobest_sentineg": 397, "kobest_wic": 1260,
        "anli_r1": 1000, "anli_r2": 1000, "anli_r3": 1200, "arc_challenge": 1172, "arc_easy": 2376, "boolq": 3270,
        "openbookqa": 500, "piqa": 1838, "rte": 277, "truthfulqa_mc1": 817, "truthfulqa_mc2": 817, "wic": 500,
        "winogrande": 1267,
    }  # fmt: skip


TRUTHS = {
    # Best, correct and incorrect answers; then the choices of mc1 and mc2, the right ones first.
    "order, stops, spaces": (
        "Stones sink", "They sink ;Stones sink; ; Stones do not float.", "Stones swim;They float?",
        {"Stones sink.": 1, "Stones swim.": 0, "They float?.": 0},
        {"They sink.": 1, "Stones sink.": 1, "Stones do not float.": 1, "Stones swim.": 0, "They float?.": 0},
    ),
    "a best answer is one, among the correct ones or not": (
        "No; they sink", "They sink", "Yes",
        {"No; they sink.": 1, "Yes.": 0}, {"They sink.": 1, "Yes.": 0},
    ),
    "a choice stands once": (
        "They sink", "They sink; They sink.; Down", "Yes; Up; Yes",
        {"They sink.": 1, "Yes.": 0, "Up.": 0}, {"They sink.": 1, "Down.": 1, "Yes.": 0, "Up.": 0},
    ),
    "right and wrong at once is wrong": (
        "They sink", "They sink; Unknown; Down", "Yes; Unknown",
        {"They sink.": 1, "Yes.": 0, "Unknown.": 0}, {"They sink.": 1, "Unknown.": 0, "Down.": 1, "Yes.": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["truthfulqa_mc1", "truthfulqa_mc2"])
@pytest.mark.parametrize(("best", "right", "wrong", "mc1", "mc2"), TRUTHS.values(), ids=TRUTHS)
def test_choices_of_truthfulqa_are_made_of_its_table(tmp_path, name, best, right, wrong, mc1, mc2):
    """As the authors' objects have them: in that form the same item has the same id."""
    cells = [["Question", "Best Answer", "Correct Answers", "Incorrect Answers"],
             [" Do stones swim? ", best, right, wrong]]  # fmt: skip
    for folder in ("table", "objects"):
        (tmp_path / folder).mkdir()
    (tmp_path / "table/TruthfulQA.csv").write_text("".join(",".join(row) + "\n" for row in cells))
    theirs = [{"question": "Do stones swim?", "mc1_targets": mc1, "mc2_targets": mc2}]
    (tmp_path / "objects/mc_task.json").write_text(json.dumps(theirs))
    table, objects = load(tmp_path / "table", name), load(tmp_path / "objects", name)

    (document,) = table.documents
    for kind, choices in (("mc1_targets", mc1), ("mc2_targets", mc2)):
        assert document[kind] == {"choices": list(choices), "labels": list(choices.values())}
    assert table.ids == objects.ids


def test_a_best_answer_that_is_wrong_is_refused(tmp_path):
    """mc1 would have no right choice."""
    rows = ["Question,Best Answer,Correct Answers,Incorrect Answers", "Do stones swim?,Yes,No,Yes"]
    (tmp_path / "TruthfulQA.csv").write_text("\n".join(rows))
    with pytest.raises(ChejilError, match="other labels than one 0 or 1"):
        load(tmp_path, "truthfulqa_mc1")


@pytest.mark.corpus
def test_all_questions_of_truthfulqa_have_one_right_choice_in_front(corpus):
    """Five of 817 repeat a choice; none keeps it."""
    for document in load(corpus, "truthfulqa_mc1").documents:
        first, second = document["mc1_targets"], document["mc2_targets"]
        assert first["labels"] == [1] + [0] * (len(first["choices"]) - 1)
        assert {0, 1} == set(second["labels"])
        for one in (first, second):
            assert len(set(one["choices"])) == len(one["choices"])
            assert all(choice.endswith(".") for choice in one["choices"])


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "folder"), [("openbookqa", "openbookqa"), ("piqa", "piqa")])
def test_what_was_repacked_is_what_its_authors_wrote(corpus, tmp_path, name, folder):
    """Both forms are at hand of two tasks: the same ids."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "test.json").write_bytes((corpus / "eval-en" / folder / "test.json").read_bytes())
    again = load(tmp_path, name)
    assert again.layout == "LLM-Adapters"
    assert again.ids == load(corpus, name).ids
