"""Items that decontamination found in the data are matched to a result's, and scores are given without them."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
import small_results

from chejil import cli
from chejil.curation import check, marked_yaml, shards
from chejil.curation.decontamination import evaluation_items, evaluations
from chejil.curation.run import run
from chejil.errors import ChejilError
from chejil.eval import comparison, comparison_page, comparison_view, contamination, results
from chejil.eval.harness import suites, task_files

# The ferry leaves the island's harbour at nine … / The library is closed on Mondays … / The lighthouse keeper writes …
ITEMS = [
    (
        "여객선은 아침 아홉 시에 섬의 항구를 떠나 저녁 일곱 시에 돌아온다.",
        "여객선은 저녁에 돌아오나요?",
        "TRUE",
    ),
    ("도서관은 월요일마다 쉬고 다른 날에는 밤 열 시까지 문을 연다.", "도서관은 월요일에 여나요?", "FALSE"),
    ("등대지기는 저녁마다 센 파도의 수를 파란 공책에 적어 둔다.", "등대지기는 파도를 세나요?", "TRUE"),
    ("시장에서는 생선과 소금과 말린 미역을 아침 일찍부터 판다.", "시장은 미역을 파나요?", "TRUE"),
]
RECIPE = """\
name: small
data: {data}
sources:
  web: {{format: c4, paths: "web/*.jsonl"}}
stages:
  - normalise
  - decontaminate:
      against:
        kobest: {{map: kobest, paths: "hub/**/*.jsonl"}}
        shop: {{paths: "other.jsonl", fields: q}}
  - write
"""
OTHER = "The keeper of the small shop counts the jars of honey on the upper shelf every single morning."


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    """A run that found two of four items of KoBEST (as the hub has them), and one of another set."""
    data = tmp_path_factory.mktemp("data")
    lines(
        data / "hub/boolq/test.jsonl",
        [{"paragraph": p, "question": q, "label": a == "TRUE"} for p, q, a in ITEMS],
    )
    lines(data / "other.jsonl", [{"q": OTHER}])
    # A market opens and people come and go.
    plain = ["사람들이 장터에 모여 이야기를 나누다가 해가 지면 집으로 간다. " * 3 + str(n) for n in range(6)]
    planted = [f"{plain[n]}\n{ITEMS[n][0]} {ITEMS[n][1]}\n" for n in (0, 2)] + [f"{plain[4]}\n{OTHER}\n"]
    rows = [
        {"text": text, "url": f"https://a.example/{n}", "timestamp": ""}
        for n, text in enumerate(plain + planted)
    ]
    lines(data / "web/0.jsonl", rows)
    root = str(tmp_path_factory.mktemp("lab") / "runs/small")
    run(check.check(marked_yaml.read(RECIPE.format(data=data), "r.yaml"), ()), root)
    return root


@pytest.fixture
def result(tmp_path):
    """A model that is right on the items that were found alone; read from the authors' own files."""
    table = "\n".join(["Text\tQuestion\tAnswer", *("\t".join(item) for item in ITEMS)])
    (tmp_path / "BoolQ").mkdir()
    (tmp_path / "BoolQ/test.tsv").write_text(table + "\n", "utf-8")
    loaded = task_files.load(str(tmp_path), "kobest_boolq", suites.tasks()["kobest_boolq"])
    items = []
    for number, (key, document) in enumerate(zip(loaded.ids, loaded.documents, strict=True)):
        gold = document["label"]
        answer = gold if number in (0, 2) else 1 - gold
        items.append(
            {"id": key, "gold": gold, "predicted": answer, "correct": answer == gold,
             "texts": contamination.hashes(document)}
        )  # fmt: skip
    task = {**small_results.task(metrics=("acc",), count=1, right=1), "items": items}
    return small_results.result(task)


def test_scores_stand_beside_those_without_what_was_found(curated, result):
    """Other files, other layout: matched by their texts; what is no item of the result is counted."""
    found = comparison.compare({"tiny": result}, contamination=[curated])

    (row,) = found.clean
    assert (row.row, row.items, row.affected, row.score, row.clean) == ("kobest_boolq/acc", 4, 2, 0.5, 0.0)
    assert any("3 items were found in the documents of" in note for note in found.notes)
    assert any("1 of them are no items of this result: shop 1" in note for note in found.notes)
    for page in (comparison_view.markdown(found), comparison_page.page(found)):
        assert "decontamination found in the data" in page
        assert "kobest" in page


def test_runs_of_the_lineage_are_found(curated, result, tmp_path):
    """By the hash of their manifest, also through the model that was tuned; elsewhere it is said that they are gone."""
    lab = Path(curated).parents[1]
    told = {"runs": [{"name": "small", "hash": shards.file_hash(f"{curated}/manifest.json")}]}
    for name, lineage in (("base", told), ("tuned", {"start_from": {"name": "base", "lineage": told}})):
        shards.write_json(str(lab / "models" / name), "lineage.json", lineage)
        model = result.model.model_copy(update={"path": str(lab / "models" / name)})
        found = comparison.compare({name: result.model_copy(update={"model": model})})
        assert [row.affected for row in found.clean] == [2]
        assert any("dropped or cut before training" in note for note in found.notes)

    shards.write_json(str(tmp_path / "far/away/model"), "lineage.json", told)
    model = result.model.model_copy(update={"path": str(tmp_path / "far/away/model")})
    found = comparison.compare({"far": result.model_copy(update={"model": model})})
    assert found.clean == ()
    assert any("what run small found" in note for note in found.notes)


def test_what_cannot_be_matched_is_said(curated, result):
    """Results of before keep no hashes; all items found leaves no clean score."""
    old = [item.model_copy(update={"texts": ()}) for item in result.tasks[0].items]
    without = result.model_copy(update={"tasks": (result.tasks[0].model_copy(update={"items": tuple(old)}),)})
    assert any(
        "4 items keep no hashes" in note
        for note in comparison.compare({"a": without}, False, [curated]).notes
    )

    found = [item for item, number in zip(result.tasks[0].items, range(4), strict=True) if number in (0, 2)]
    all_found = result.model_copy(
        update={"tasks": (result.tasks[0].model_copy(update={"items": tuple(found)}),)}
    )
    (row,) = comparison.compare({"a": all_found}, False, [curated]).clean
    assert (row.affected, row.clean, row.clean_error) == (2, None, None)


def test_the_command_reads_a_run(curated, result, tmp_path):
    """And refuses a folder that compared nothing."""
    results.write(str(tmp_path / "result.json"), result)
    options = ["eval", "compare", str(tmp_path), "--contamination", curated, "--json"]
    content = json.loads(CliRunner().invoke(cli.app, options).stdout)
    assert content["clean"][0]["affected"] == 2

    with pytest.raises(ChejilError, match="nothing was compared"):
        contamination.read(str(tmp_path))


def test_texts_match_whatever_their_marks():
    """NFD, case, spaces, quotes and brackets do not matter; other letters do."""
    one = contamination.hashes({"a": "[배]가 “떠난다”.", "b": ["The Ferry!"]})

    assert one == contamination.hashes(["배가 떠난다", "the ferry"])
    assert contamination.hashes("한글") == contamination.hashes("\u1112\u1161\u11ab\u1100\u1173\u11af")
    assert contamination.hashes("배가 떠났다") != contamination.hashes("배가 떠난다")  # left, leaves
    assert contamination.hashes(["", " .", 3, None]) == ()


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "folder", "suite"), [("kobest", "kobest", "kobest"), ("english", "eval-en", "en14")]
)
def test_every_item_of_the_real_files_matches(corpus, name, folder, suite):
    """Items as decontamination reads them, and as the harness does."""
    place = str(Path(corpus) / folder)
    wanted = evaluations.EvaluationSet(map=name, paths=[f"{place}/**/*"])
    files = [one for one in evaluations.files_of(name, wanted, "") if one.role == "evaluation"]
    index = {}
    for item in evaluation_items.read(files).items:
        if own := frozenset(contamination.hashes(item.fields)):
            index.setdefault(min(own), set()).add(own)
    for task in set(suites.named(suite)) - {"hellaswag", "record"}:  # whose files are not there
        for document in task_files.load(place, task, suites.tasks()[task], skip_broken=True).documents:
            own = set(contamination.hashes(document))
            assert any(one <= own for text in own for one in index.get(text, ())), (task, document)
