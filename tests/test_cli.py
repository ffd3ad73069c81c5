"""The command line: results to stdout, errors with a cure and exit code 2, JSON where a program reads."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from chejil import cli


def chejil(*arguments, **options):
    """Run the real command in a new process."""
    command = [sys.executable, "-m", "chejil", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.fixture
def recipe(small_recipe, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(small_recipe().resolved(), "utf-8")
    return path


def test_help_is_quick_and_names_every_command():
    """Under half a second, so that nobody waits for help: the best of three, since machines are noisy."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = chejil("--help")
        seconds.append(time.perf_counter() - start)

    assert done.returncode == 0
    for name in ("run", "check", "explain", "signals", "verify", "schema", "demo"):
        assert f"\n  {name} " in done.stdout
    assert min(seconds) < 0.5


def test_run_explain_and_verify_answer_in_json(recipe, tmp_path):
    """The whole way as a program would go it: each stdout is one JSON value, and nothing else."""
    out = tmp_path / "run"

    ran = chejil("run", recipe, "--out", out, "--workers", 1, "--json")
    found = json.loads(ran.stdout)
    kept = next(row for row in found["funnel"] if row["reason"] is None)
    explained = json.loads(chejil("explain", out, f"{kept['source']}/c4-en.00000.json.gz#0", "--json").stdout)
    verified = json.loads(chejil("verify", out, "--json").stdout)
    again = json.loads(chejil("run", recipe, "--out", out, "--workers", 1, "--json").stdout)

    assert ran.returncode == 0
    assert found["units_done"] > 0
    assert explained["decision"]["kept"]
    assert verified["problems"] == []
    assert again["units_done"] == 0


def test_a_finished_run_says_that_there_is_nothing_to_do(small_run, recipe):
    """In words, and in the dry run too."""
    assert "nothing to do" in chejil("run", recipe, "--out", small_run).stdout
    assert "nothing to do" in chejil("run", recipe, "--out", small_run, "--dry-run").stdout


def test_an_error_goes_to_stderr_with_its_cure_and_exit_code_2(recipe):
    """No traceback, nothing on stdout."""
    done = chejil("check", recipe, "--set", "stages.near_dedup.treshold=0.9")

    assert done.returncode == 2
    assert done.stdout == ""
    assert "did you mean 'threshold'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_shards_that_stopped_give_exit_code_3(recipe, small_corpus, tmp_path):
    """The run is complete but for them, and the exit code tells."""
    data = tmp_path / "data"
    shutil.copytree(small_corpus, data)
    (data / "c4-en/c4-en.00000.json.gz").write_bytes(b"PK\x03\x04 no json lines")

    done = chejil("run", recipe, "--set", f"data={data}", "--out", tmp_path / "run", "--workers", 1)

    assert done.returncode == 3
    assert "stopped: c4-en/c4-en.00000.json.gz" in done.stdout


def test_a_torn_file_gives_exit_code_3(recipe, small_corpus, tmp_path):
    """Half a download must not pass for a whole one, in the terminal and in JSON."""
    data = tmp_path / "data"
    shutil.copytree(small_corpus, data)
    torn = data / "c4-en/c4-en.00000.json.gz"
    torn.write_bytes(torn.read_bytes()[:-20])
    arguments = ("run", recipe, "--set", f"data={data}", "--out", tmp_path / "run", "--workers", 1)

    done, again = chejil(*arguments), chejil(*arguments, "--json")

    assert (done.returncode, again.returncode) == (3, 3)
    assert "torn: c4-en/c4-en.00000.json.gz" in done.stdout
    assert json.loads(again.stdout)["torn"] == ["c4-en/c4-en.00000.json.gz"]


def test_verify_gives_exit_code_1_for_a_changed_file(small_run, tmp_path):
    """With the file's name."""
    root = shutil.copytree(small_run, tmp_path / "run")
    path = sorted(root.joinpath("clean").rglob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1])

    done = chejil("verify", root)

    assert done.returncode == 1
    assert path.name in done.stdout


def test_calibrate_writes_a_preset_that_a_recipe_can_name(small_run, tmp_path):
    """The run as its own reference: the table in JSON, the preset and the page as files."""
    preset, page = tmp_path / "trusted.yaml", tmp_path / "trusted.html"

    done = chejil(
        "calibrate", small_run, "--reference", small_run, "--signals", "num_words, hangul_share",
        "--share", 0.9, "--out", preset, "--html", page, "--json",
    )  # fmt: skip

    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {one["signal"] for group in found["groups"] for one in group["proposals"]} >= {"num_words"}
    assert all(group["passes"] >= 0.9 for group in found["groups"])
    assert "num_words: {low:" in preset.read_text("utf-8")
    assert "<svg" in page.read_text("utf-8")
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == ["written", "written"]


def test_calibrate_refuses_what_it_cannot_split_by(small_run):
    """With the two ways there are."""
    done = chejil("calibrate", small_run, "--reference", small_run, "--by", "host")

    assert done.returncode == 2
    assert "--by lang or --by source,lang" in done.stderr


def test_the_schema_knows_every_signal_and_stage():
    """Editors complete names from it."""
    schema = json.loads(chejil("schema").stdout)

    assert "hangul_share" in json.dumps(schema)
    word, mapping = schema["$defs"]["StageEntry"]["anyOf"]
    assert set(word["enum"]) == set(mapping["properties"]) >= {"normalise", "score", "filter", "write"}


def test_signals_lists_all_and_describes_one():
    """The listing and the page come from one definition."""
    runner = CliRunner()
    rows = json.loads(runner.invoke(cli.app, ["signals", "--json"]).stdout)
    one = runner.invoke(cli.app, ["signals", "hangul_share"]).stdout

    assert {"num_chars", "lang"} <= {row["name"] for row in rows}
    assert "hangul_share" in one
    assert "0.1 ≤ x" in one


@pytest.mark.parametrize(
    "arguments", [["signals"], ["inspect", "{run}"], ["stats", "{run}"], ["explain", "{run}", "x"]]
)
def test_a_reader_that_has_gone_is_no_error(small_run, arguments):
    """Nothing was read of the output: the code is 0 and stderr empty; of an error the code is still 2."""
    command = [sys.executable, "-m", "chejil", *(word.format(run=small_run) for word in arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()

    assert process.returncode == (2 if "explain" in arguments else 0)
    assert [line for line in said.splitlines() if "stats" not in line] == [] or "explain" in arguments
    assert "Traceback" not in said


def test_output_can_be_cut_off_by_its_reader():
    """`chejil signals | head -1` ends quietly."""
    done = subprocess.run(
        f"{sys.executable} -m chejil signals | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""


def test_the_version_is_the_package_version():
    """From one place."""
    from importlib.metadata import version

    assert chejil("--version").stdout.strip() == f"chejil {version('chejil')}"


@pytest.mark.parametrize("closed", ["", " >&-"])
def test_results_are_utf8_in_any_locale_and_a_closed_stream_is_no_bug(tmp_path, closed):
    """A locale that knows only ASCII does not end a command half way."""
    text = "체로 친다"  # "one sifts"
    (tmp_path / "a.jsonl").write_text(f'{{"text": "{text}"}}\n', "utf-8")
    words = f"{sys.executable} -m chejil inspect {tmp_path / 'a.jsonl'}{closed}"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}

    done = subprocess.run(words, shell=True, capture_output=True, env=environment, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert (text.encode() in done.stdout) == (not closed)
