"""`verify` finds what changed behind the manifest's back."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chejil.curation import manifest, shards
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
    with pytest.raises(RunError, match="run the recipe"):
        manifest.verify(str(tmp_path))
