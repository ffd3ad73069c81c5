"""The stage: evaluation texts in a run are found, dropped or cut, counted, explained, and found anew."""

import gzip
import json
import random
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from chejil.curation import check, manifest, marked_yaml
from chejil.curation.explain import explain
from chejil.curation.run import dry_run, run
from chejil.errors import ChejilError, RecipeError
from tests.conftest import KOREAN, prose

from ..run_files import content

# Two comments on a product and a question: "a pity that the handle is loose", "the lid closes well and does not leak",
# "Where does the keeper write the number of the waves?"
ITEMS = [
    {"q": "손잡이가 헐거워서 아쉬워요", "split": "test"},
    {"q": "뚜껑이 잘 닫혀서 새지 않아요", "split": "test"},
    {
        "q": "등대지기는 저녁마다 센 파도의 수를 어디에 적는가? 공책에 적는다면 그 공책은 무슨 색인가?",
        "split": "test",
    },
]
# "the lid closes well and does not smell": the training split has a sentence like it
TRAINING = [{"q": "뚜껑이 잘 닫혀서 냄새가 안 나요"}]

RECIPE = """\
name: small
data: {data}
sources:
  web: {{format: c4, paths: "web/*.jsonl"}}
stages:
  - normalise
  - exact_dedup
  - decontaminate:
      against:
        shop: {{paths: "evals/test.jsonl", training: "evals/train.jsonl", fields: q}}
      action: {action}
  - write
"""


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def texts():
    """Fifteen documents: each prose, some with something planted between two lines."""
    rng = random.Random(5)
    planted = {
        1: ITEMS[0]["q"],
        3: "- “뚜껑이 잘닫혀서, 새지 않아 요”.",
        5: TRAINING[0]["q"],
        7: f"할머니는 “{ITEMS[0]['q']}”라고 하셨다",  # "Grandmother said: …"
        9: ITEMS[2]["q"] + " 🌊 " + ITEMS[2]["q"],
    }
    found = []
    for number in range(15):
        lines = prose(rng, "ko" if number % 3 else "en").split("\n")
        if number in planted:
            lines.insert(4, planted[number])
        found.append("\n".join(lines))
    return [*found, ITEMS[2]["q"]]


def corpus(root, order=None):
    every = [
        {"text": text, "url": f"https://a.example/{n}", "timestamp": ""} for n, text in enumerate(texts())
    ]
    every = [every[n] for n in order] if order else every
    for shard in range(2):
        write_rows(root / f"web/{shard}.jsonl", every[shard::2])
    write_rows(root / "evals/test.jsonl", ITEMS)
    write_rows(root / "evals/train.jsonl", TRAINING)
    return root


def recipe(data, action="drop", *settings):
    return check.check(marked_yaml.read(RECIPE.format(data=data, action=action), "r.yaml"), settings)


def table(root, folder):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(root, folder).rglob("*.parquet"))])


def number_of(url):
    return int(url.rpartition("/")[2])


def reasons(root):
    """Reasons by number of the document, for those that have any."""
    both = table(root, "documents").select("id", "url").join(table(root, "decisions"), on="id")
    found = both.filter(pl.col("reasons").list.len() > 0)
    return {number_of(row["url"]): row["reasons"] for row in found.to_dicts()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def dropped(data, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("dropped") / "run")
    run(recipe(data), root)
    return root


def test_documents_with_evaluation_texts_are_dropped(dropped):
    """Short items on lines of their own and long ones anywhere; no quotes, no training items."""
    assert reasons(dropped) == {number: ["contaminated:shop"] for number in (1, 3, 9, 15)}
    assert manifest.verify(dropped) == []


def test_the_table_by_task_stands_in_manifest_and_report(dropped):
    """Items, those found, documents that hold them, common sentences."""
    assert manifest.read(dropped).contamination == {
        "shop": {"items": 3, "items_found": 3, "documents": 4, "items_common": 0}
    }
    report = Path(dropped, "report.html").read_text("utf-8")
    assert "Evaluation texts in documents" in report
    assert "evaluation texts" in report.split('id="funnel"')[1].split("</section>")[0]


def test_every_hit_is_reported_with_its_span(dropped, data):
    """Document, bytes, task, item and what stands there."""
    hits = table(dropped, "work/decontaminate/found")
    documents = {
        path.stem: pl.read_parquet(path) for path in Path(dropped, "documents/web").glob("*.parquet")
    }
    for path in Path(dropped, "work/decontaminate/found/web").glob("*.parquet"):
        for hit in pl.read_parquet(path).to_dicts():
            text = documents[path.stem]["text"][hit["row"]].encode()
            assert text[hit["start"] : hit["end"]].decode() == hit["text"]
            assert hit["document_bytes"] == len(text)
    assert set(hits["item"]) == {"test.jsonl#0", "test.jsonl#1", "test.jsonl#2"}
    assert set(hits["task"]) == {"shop"}


def test_explain_shows_the_hits_of_a_document(dropped):
    """What stood there and which item it is."""
    document = next(n for n, text in enumerate(texts()) if n == 3)
    found = explain(dropped, f"web/{document % 2}.jsonl#{document // 2}")

    [hit] = found.contamination
    assert hit["item"] == "test.jsonl#1"
    assert hit["text"] == "뚜껑이 잘닫혀서, 새지 않아 요"
    assert found.decision["reason"] == "contaminated:shop"
    assert json.dumps(found.as_dict(), default=str)


def test_cutting_leaves_the_rest(data, tmp_path):
    """The line goes with its marker and quotes; a document that is nothing else is dropped."""
    found = run(recipe(data, "cut"), str(tmp_path / "run"))
    clean = {number_of(row["url"]): row["text"] for row in table(tmp_path / "run", "clean").to_dicts()}

    assert reasons(tmp_path / "run") == {15: ["contaminated:shop"]}
    before = texts()
    for number in (1, 3):
        lines = before[number].split("\n")
        assert clean[number] == "\n".join(lines[:4] + lines[5:])
    assert clean[9] == before[9].replace(ITEMS[2]["q"].rstrip("?"), "")
    assert clean[7] == before[7]
    assert found.edited["decontaminate"] == {"documents": 3, "spans": {"shop": 4}}
    assert manifest.verify(str(tmp_path / "run")) == []


@pytest.mark.slow
def test_order_and_workers_change_nothing(data, dropped, tmp_path):
    """The same documents whatever their order; two workers write the same bytes as one."""
    order = list(range(16))
    random.Random(1).shuffle(order)
    shuffled = corpus(tmp_path / "data", order)
    run(recipe(shuffled), str(tmp_path / "shuffled"))
    run(recipe(data), str(tmp_path / "two"), workers=2)

    assert reasons(tmp_path / "shuffled") == reasons(dropped)
    assert content(tmp_path / "two") == content(dropped)


def redone(rows):
    return {row["stage"] for row in rows if row["to_do"]}


STAGE = {f"decontaminate/{part}" for part in ("index", "hits", "verdicts")}


def test_a_changed_evaluation_file_redoes_the_stage_and_a_moved_one_does_not(data, tmp_path):
    """Its content is in the key, its place is not; what stands before is not touched."""
    here, root = tmp_path / "data", str(tmp_path / "run")
    shutil.copytree(data, here)
    run(recipe(here), root)
    assert redone(dry_run(recipe(here), root)) == set()

    shutil.move(here / "evals", tmp_path / "elsewhere")
    moved = recipe(
        here,
        "drop",
        f"stages.decontaminate.against.shop.paths={tmp_path}/elsewhere/test.jsonl",
        f"stages.decontaminate.against.shop.training={tmp_path}/elsewhere/train.jsonl",
    )
    assert redone(dry_run(moved, root)) == set()

    write_rows(tmp_path / "elsewhere/test.jsonl", ITEMS[:1])
    after = {"decisions", "clean", "report/parts", "report/summary"}
    assert STAGE <= redone(dry_run(moved, root)) <= STAGE | after
    run(moved, root)
    assert set(reasons(root)) == {1}
    assert manifest.verify(root) == []


def test_a_changed_bound_keeps_the_index(data, dropped):
    """The items are the same: they are not read again."""
    rows = dry_run(recipe(data, "drop", "stages.decontaminate.evidence.short_weight=12"), dropped)

    assert "decontaminate/index" not in redone(rows)
    assert "decontaminate/hits" in redone(rows)


@pytest.mark.parametrize("number", [3, 30])
def test_a_short_text_in_many_documents_is_a_common_sentence(tmp_path, number):
    """In three documents it is a leak, in thirty it is what people say."""
    rng = random.Random(2)
    lines = [prose(rng, "ko") + "\n" + ITEMS[0]["q"] for _ in range(number)]
    write_rows(tmp_path / "web/0.jsonl", [{"text": text, "url": f"u/{n}"} for n, text in enumerate(lines)])
    write_rows(tmp_path / "evals/test.jsonl", ITEMS)
    write_rows(tmp_path / "evals/train.jsonl", TRAINING)

    found = run(recipe(tmp_path), str(tmp_path / "run"))

    assert len(reasons(tmp_path / "run")) == (number if number <= 10 else 0)
    assert found.contamination["shop"]["items_common"] == (number > 10)


def test_empty_evaluation_files_find_nothing(data, tmp_path):
    """No items, no hits; the run is whole."""
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data/evals/test.jsonl").write_bytes(b"")

    found = run(recipe(tmp_path / "data"), str(tmp_path / "run"))

    assert found.contamination == {}
    assert reasons(tmp_path / "run") == {}
    assert manifest.verify(str(tmp_path / "run")) == []


@pytest.mark.parametrize(
    ("setting", "what", "mend"),
    [
        (
            "stages.decontaminate.against.shop.paths=evals/tset.jsonl",
            "no file matches 'evals/tset.jsonl'",
            "test.jsonl",
        ),
        (
            "stages.decontaminate.against.shop.fields=question",
            "no record has the fields question",
            "its fields are: q",
        ),
        (
            "stages.decontaminate.against.shop={map: kobset, paths: x}",
            "no field map is called 'kobset'",
            "kobest",
        ),
        ("stages.decontaminate.acton=cut", "'acton' is not known", "action"),
    ],
)
def test_mistakes_are_named_when_the_recipe_is_checked(data, setting, what, mend):
    """A file that is missing, fields that no record has, a map that nobody ships: before anything is done."""
    with pytest.raises(RecipeError) as error:
        recipe(data, "drop", setting)

    assert what in str(error.value)
    assert mend in str(error.value)


def test_the_text_is_compared_as_the_stages_before_left_it(data, tmp_path):
    """What was cut or masked before stands no longer there; spans are those of the text that is left."""
    text = RECIPE.format(data=data, action="cut").replace("  - exact_dedup\n", "  - mask_pii\n")
    write_rows(
        tmp_path / "web/0.jsonl",
        [{"text": f"문의 010-2345-6789\n{ITEMS[0]['q']}\n등대로 오세요. 배는 안 떠요.\n" * 2, "url": "u/0"}],
    )
    shutil.copytree(data / "evals", tmp_path / "evals")

    run(
        check.check(marked_yaml.read(text.replace(str(data), str(tmp_path)), "r.yaml")), str(tmp_path / "run")
    )

    [clean] = table(tmp_path / "run", "clean")["text"].to_list()
    assert ITEMS[0]["q"] not in clean
    assert clean.count("등대로 오세요.") == 2  # "come to the lighthouse; no boat leaves"
    assert "010-2345-6789" not in clean


PAGE = Path(__file__).parents[2] / "docs/decontamination.md"


@pytest.mark.parametrize(
    ("action", "wanted"), [("drop", {"1": ["contaminated:shop"], "2": ["contaminated:shop"]}), ("cut", {})]
)
def test_the_example_in_the_docs_runs_as_it_is_written(tmp_path, monkeypatch, action, wanted):
    """Its files, its recipe, and what the page says of them."""
    text = PAGE.read_text("utf-8")
    for path, lines in re.findall(r"cat > (\S+) <<'END'\n(.*?)END\n", text, re.DOTALL):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(lines, "utf-8")
    [written] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)

    run(
        check.check(marked_yaml.read(written, "e.yaml"), [f"stages.decontaminate.action={action}"]),
        "runs/example",
    )

    found = (
        table("runs/example", "documents")
        .select("id", "url")
        .join(table("runs/example", "decisions"), on="id")
    )
    assert {row["url"][-1]: row["reasons"] for row in found.to_dicts() if row["reasons"]} == wanted
    if action == "cut":
        clean = {row["url"][-1]: row["text"].count("\n") for row in table("runs/example", "clean").to_dicts()}
        assert clean == {"1": 1, "2": 1, "3": 0, "4": 2}
    else:
        [hit] = explain("runs/example", "web/pages.jsonl#1").contamination
        assert hit["item"] == "test.jsonl#1"


def test_another_evaluation_set_cuts_again_in_the_same_folder(data, tmp_path):
    """What is cut follows the hits, also where no verdict changes: the folder ends as a fresh one would."""
    own = tmp_path / "data"
    shutil.copytree(data, own)
    write_rows(own / "evals/test.jsonl", ITEMS[1:])
    run(recipe(own, "cut"), str(tmp_path / "used"))
    write_rows(own / "evals/test.jsonl", ITEMS)

    run(recipe(own, "cut"), str(tmp_path / "used"))
    run(recipe(own, "cut"), str(tmp_path / "fresh"))

    assert content(tmp_path / "used") == content(tmp_path / "fresh")
    clean = table(tmp_path / "used", "clean").filter(pl.col("url") == "https://a.example/1")
    assert ITEMS[0]["q"] not in clean["text"].item()


@pytest.mark.parametrize("wrapped", ["{}", "3. {}\n", "“{}”\n\n----------------\n", "{}\n네."])
def test_a_document_of_which_hardly_a_word_would_be_left_is_dropped(tmp_path, wrapped):
    """An empty document in clean/ would be a training example without a token, however large the share may be."""
    write_rows(tmp_path / "evals/test.jsonl", ITEMS)
    write_rows(tmp_path / "evals/train.jsonl", TRAINING)
    texts = [wrapped.format(ITEMS[0]["q"]), f"{KOREAN[0]}\n{ITEMS[0]['q']}\n{KOREAN[1]}"]
    write_rows(tmp_path / "web/0.jsonl", [{"text": text, "url": "", "timestamp": ""} for text in texts])
    root = tmp_path / "run"

    run(recipe(tmp_path, "cut", "stages.decontaminate.cut_share=1"), str(root))

    assert table(root, "decisions").sort("line")["reason"].to_list() == ["contaminated:shop", None]
    assert table(root, "clean")["text"].to_list() == [f"{KOREAN[0]}\n{KOREAN[1]}"]


def test_a_torn_evaluation_file_stops_the_run(data, tmp_path):
    """An index of half of the items would find half of the leaks, and say nothing."""
    own = tmp_path / "data"
    shutil.copytree(data, own)
    rows = [{"q": f"{number} {KOREAN[number % 5]}"} for number in range(1000)]
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    (own / "evals/test.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    wanted = recipe(own, "drop", "stages.decontaminate.against.shop.paths=evals/test.jsonl.gz")

    with pytest.raises(ChejilError, match=r"test\.jsonl\.gz: the file is torn"):
        run(wanted, str(tmp_path / "run"))


def test_the_first_records_may_be_of_another_kind(data, tmp_path):
    """A check looks at the first two hundred; that none of them is an item says nothing of the rest."""
    own = tmp_path / "data"
    shutil.copytree(data, own)
    write_rows(own / "evals/test.jsonl", [*({"note": "no item"} for _ in range(300)), *ITEMS])

    found = run(recipe(own), str(tmp_path / "run"))

    assert found.contamination["shop"]["items"] == len(ITEMS)


def test_a_set_that_is_all_training_is_refused(data):
    """With the reason, and not with the names of another set's files."""
    same = "stages.decontaminate.against.shop.training=evals/test.jsonl"

    with pytest.raises(RecipeError, match="every file of 'paths' is under 'training', too"):
        recipe(data, "drop", same)
