"""The data card says what the run has counted, and what it has not looked at."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import check, manifest, marked_yaml
from chejil.curation.data_card import data_card, licences
from chejil.curation.run import run
from chejil.errors import RunError

TEXT = "등대로 가는 길에는 작은 가게와 오래된 나무가 {} 그루 있다."  # old trees on the way to the lighthouse


def small(folder, records, *stages, **source):
    """A run over one file of one source."""
    (folder / "data").mkdir()
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    (folder / "data" / "a.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    recipe = {
        "name": "harbour",
        "about": "Notes of a harbour",
        "data": str(folder / "data"),
        "sources": {"notes": {"format": "jsonl", "paths": "*.jsonl", **source}},
        "stages": ["normalise", *stages, "write"],
    }
    root = str(folder / "run")
    run(check.check(marked_yaml.read(json.dumps(recipe), "harbour.yaml")), root)
    return root


def front(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_its_numbers_are_those_of_the_manifest(small_run):
    """Documents by source and language, reasons, and quarantined records."""
    card, found = data_card(small_run), manifest.read(small_run)

    assert f"{found.kept:,} documents" in card
    for row in found.funnel:
        if row["reason"] is not None:
            assert f"| `{row['reason']}` |" in card
    for reason, number in found.quarantined.items():
        assert f"{number:,} records were no documents (`{reason}`)" in card
    assert sum(licences(small_run).values()) == found.kept


def test_its_front_matter_names_files_that_are_there(small_run):
    """A hub reads languages, size and the files of each configuration."""
    head = front(data_card(small_run))

    assert head["language"] == ["ko", "en"]
    assert head["size_categories"] == ["n<1K"]
    for config in head["configs"]:
        assert list(Path(small_run).glob(config["data_files"])), config


def test_one_licence_is_named_and_several_are_told(tmp_path):
    """The recipe's licence is that of the records that name none."""
    records = [{"text": TEXT.format(1)}, {"text": TEXT.format(2), "license": "CC0-1.0"}]
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()

    alone = data_card(small(one, records[:1], license="CC-BY-4.0"))
    both = data_card(small(two, records, license="CC-BY-4.0"))

    assert front(alone)["license"] == "cc-by-4.0"
    assert front(both)["license"] == "other"
    assert "CC-BY-4.0 (1), CC0-1.0 (1)" in both


def test_what_was_not_looked_at_is_said(tmp_path):
    """A card must not read as if it had been."""
    card = data_card(small(tmp_path, [{"text": TEXT.format(3)}]))

    for said in (
        "**Not masked.**",
        "**Not looked for.**",
        "Nobody has looked for duplicates",
        "no filter was applied",
    ):
        assert said in card


def test_personal_data_is_counted_by_kind(tmp_path):
    """As the run has masked it."""
    card = data_card(small(tmp_path, [{"text": TEXT.format(4) + " 문의: harbour@example.org"}], "mask_pii"))

    assert "| email | 1 |" in card
    assert "in 1 documents" in card


def test_a_table_survives_what_a_name_holds(tmp_path):
    """A licence with a bar and a line end is one cell."""
    card = data_card(small(tmp_path, [{"text": TEXT.format(5), "license": "a|b\nc"}]))

    assert r"a\|b c (1)" in card


def test_the_command_prints_or_writes_it(small_run, tmp_path):
    """Beside clean/ as README.md it is a data set's card."""
    root = shutil.copytree(small_run, tmp_path / "run")
    call = CliRunner().invoke

    printed = call(cli.app, ["card", str(root)])
    written = call(cli.app, ["card", str(root), "--out", str(root / "README.md"), "--json"])

    assert printed.exit_code == written.exit_code == 0
    again = call(
        cli.app, ["run", str(root / "recipe.yaml"), "--out", str(root)]
    )  # the card is no foreign file
    assert (again.exit_code, call(cli.app, ["verify", str(root)]).exit_code) == (0, 0)
    assert (root / "README.md").read_text("utf-8") == printed.stdout == json.loads(written.stdout)["card"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    """With what to do."""
    with pytest.raises(RunError, match="no finished run here"):
        data_card(str(tmp_path))


@pytest.mark.parametrize(
    ("said", "head"),
    [
        ("CC BY-SA 4.0", {"license": "cc-by-sa-4.0"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("KOGL Type 1", {"license": "other", "license_name": "kogl-type-1"}),
        (
            "https://a.example/Terms",
            {
                "license": "other",
                "license_name": "a-example-terms",
                "license_link": "https://a.example/Terms",
            },
        ),
    ],
)
def test_a_licence_is_called_what_the_hub_calls_it(tmp_path, said, head):
    """It refuses a card with a licence that it does not know."""
    card = front(data_card(small(tmp_path, [{"text": TEXT.format(6)}], license=said)))

    assert {key: value for key, value in card.items() if key.startswith("license")} == head


def test_its_columns_are_those_of_the_shards(tmp_path):
    """With weights there is one more."""
    root = small(tmp_path, [{"text": TEXT.format(7)}], "exact_dedup")
    card = data_card(root)
    weighed = yaml.safe_load(Path(root, "recipe.yaml").read_text("utf-8"))
    weighed["stages"][-1] = {"write": {"weights": "fineweb2-ko"}}
    run(check.check(marked_yaml.read(json.dumps(weighed), "weighed.yaml")), root)

    assert "weight" not in card
    assert "cluster_size, weight (by" in data_card(root)


def test_a_folder_is_no_file_to_write_into(small_run, tmp_path):
    """The cure names one."""
    for out in (str(tmp_path), f"{tmp_path}/none/"):
        found = CliRunner().invoke(cli.app, ["card", str(small_run), "--out", out])

        assert found.exit_code != 0
        assert "README.md" in str(found.exception)
