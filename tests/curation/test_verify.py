"""`verify` finds what changed behind the manifest's back."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chejil.curation import manifest, shards
from chejil.curation.run import run
from chejil.errors import RunError


@pytest.fixture
def copy(small_run, tmp_path):
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def some_file(root, folder):
    return sorted((root / folder).rglob("*.parquet"))[0]


def test_an_untouched_run_is_right(small_run):
    """Every hash and count is what the manifest says."""
    assert manifest.verify(small_run) == []


@pytest.mark.parametrize(
    "folder", ["documents", "origins", "quarantine", "signals", "decisions", "clean", "work"]
)
def test_one_flipped_bit_is_found_in_every_folder(copy, folder):
    """Same size, other content."""
    path = some_file(copy, folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert [problem.split(":")[0] for problem in manifest.verify(str(copy))] == [str(path.relative_to(copy))]


@pytest.mark.parametrize("folder", ["documents", "signals", "decisions", "clean"])
def test_a_deleted_row_group_is_found(copy, folder):
    """A shard that was written again with less in it is a valid file, and still found."""
    path = some_file(copy, folder)
    pq.write_table(pq.read_table(path).slice(0, 3), path)

    assert str(path.relative_to(copy)) in "\n".join(manifest.verify(str(copy)))


def test_a_missing_file_is_found(copy):
    """With its name."""
    path = some_file(copy, "clean")
    path.unlink()

    assert manifest.verify(str(copy)) == [f"{path.relative_to(copy)}: missing"]


def test_a_file_that_the_run_did_not_write_is_found(copy):
    """Whoever reads clean/**/*.parquet would train on it."""
    extra = some_file(copy, "clean").with_name("extra.parquet")
    shutil.copy(some_file(copy, "clean"), extra)

    assert manifest.verify(str(copy)) == [f"{extra.relative_to(copy)}: not written by this run"]


@pytest.mark.parametrize("name", ["recipe.yaml", "report.html"])
def test_recipe_and_report_are_verified_and_written_again(copy, small_recipe, name):
    """`explain` judges by the recipe that lies there, so it must be the run's."""
    before = (copy / name).read_bytes()
    (copy / name).write_bytes(before + b"\n")
    assert [problem.split(":")[0] for problem in manifest.verify(str(copy))] == [name]

    run(small_recipe(), str(copy))

    assert (copy / name).read_bytes() == before


def test_a_quarantined_row_that_is_gone_is_found(copy):
    """Also if the hash was changed with it."""
    path = next(
        path for path in sorted((copy / "quarantine").rglob("*.parquet")) if pq.read_table(path).num_rows
    )
    pq.write_table(pq.read_table(path).slice(1), path)
    content = shards.read_json(str(copy / manifest.PATH))
    content["files"][str(path.relative_to(copy))].update(
        bytes=path.stat().st_size, hash=shards.file_hash(str(path))
    )
    shards.write_json(str(copy), manifest.PATH, content)

    assert "quarantined" in "\n".join(manifest.verify(str(copy)))


def test_a_manifest_of_something_else_is_said_to_be_one(copy):
    """No traceback."""
    (copy / manifest.PATH).write_text('{"a": 1}')

    with pytest.raises(RunError, match="this version"):
        manifest.verify(str(copy))


def test_counts_that_do_not_add_up_are_found_even_where_the_hashes_do(copy):
    """A row group deleted together with its hash breaks the law."""
    path = some_file(copy, "clean")
    pq.write_table(pq.read_table(path).slice(0, 3), path)
    content = shards.read_json(str(copy / manifest.PATH))
    name = str(path.relative_to(copy))
    content["files"][name].update(bytes=path.stat().st_size, hash=shards.file_hash(str(path)))
    shards.write_json(str(copy), manifest.PATH, content)

    assert [problem for problem in manifest.verify(str(copy)) if "kept" in problem]


def test_a_folder_that_is_no_finished_run_is_said_to_be_none(tmp_path):
    """With what to do about it."""
    with pytest.raises(RunError, match="chejil run RECIPE"):
        manifest.verify(str(tmp_path))
