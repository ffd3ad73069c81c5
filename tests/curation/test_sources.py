"""What a source is, and how its files are found and named."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chejil.curation import manifest
from chejil.curation.browsing.bare_documents import documents_of
from chejil.curation.quality.examples import inputs as example_inputs
from chejil.curation.reading.sources import InputFile, Source, expand, read, shard_name
from chejil.curation.statistics import inputs as statistics_inputs
from chejil.errors import ChejilError, SourceError

from .source_rows import documents, lines

# The source's own description


def test_an_unknown_format_is_refused_with_a_near_name():
    """A misspelt format says which one was meant."""
    with pytest.raises(ValidationError, match="no format is called 'fineweb3', did you mean 'fineweb2'"):
        Source(format="fineweb3", paths="a")


@pytest.mark.parametrize(
    "wrong", [{"unit": "line"}, {"paths": []}, {"glob": "a"}, {"columns": {"body": "a"}}]
)
def test_a_source_takes_no_settings_that_it_would_ignore(wrong):
    """`unit` without plain text, no paths, unknown keys: each is an error of the recipe."""
    with pytest.raises(ValidationError):
        Source.model_validate({"format": "mc4", "paths": "a"} | wrong)


def test_a_source_survives_json():
    """A source that is written into the run's record is read back as it was."""
    source = Source(
        format="csv", paths="a/*.csv", columns={"text": ["a", "b"], "id": "key"}, html_entities=True
    )
    assert Source.model_validate(source.model_dump(mode="json")) == source


def test_the_schema_of_a_source_lists_the_formats():
    """An editor completes the names of formats, and takes one path as well as a list."""
    properties = Source.model_json_schema()["properties"]
    assert "fineweb2" in properties["format"]["enum"]
    assert {choice["type"] for choice in properties["paths"]["anyOf"]} == {"string", "array"}


# Finding files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("book/00.jsonl", "book/01.jsonl", "code/00.jsonl", "code/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(lines([{"text": name}]))
    return tmp_path


def names(folder: Path, *paths: str) -> list[str]:
    return [file.name for file in expand(Source(format="jsonl", paths=list(paths)), str(folder))]


def test_files_are_named_below_the_first_wildcard(folder):
    """Names are sorted, each file once, and folders tell files of the same name apart."""
    assert names(folder, "*/*.jsonl", "book/*.jsonl") == ["book/00.jsonl", "book/01.jsonl", "code/00.jsonl"]
    assert names(folder, "book/*.jsonl", "book/0*.jsonl") == ["00.jsonl", "01.jsonl"]
    assert names(folder, "code/00.jsonl") == ["00.jsonl"]
    assert names(folder, "**/00.jsonl") == ["book/00.jsonl", "code/00.jsonl"]


def test_a_file_of_a_later_path_gives_way(folder):
    """Two paths may find the same name: the first keeps it, so that adding a path renames nothing."""
    first, second, third = sorted(names(folder, "book/*.jsonl", "code/*.jsonl"))
    assert (first, third) == ("00.jsonl", "01.jsonl")
    assert re.fullmatch(r"00\.jsonl~[0-9a-f]{8}", second)


def test_names_do_not_depend_on_where_the_corpus_lies(folder, tmp_path_factory):
    """A corpus that moves keeps the names of its files, and so its ids."""
    moved = tmp_path_factory.mktemp("elsewhere") / "corpus"
    folder.rename(moved)
    assert names(moved, "book/*.jsonl", "code/*.jsonl") == names(
        moved, f"{moved}/book/*.jsonl", "code/*.jsonl"
    )


@pytest.mark.parametrize("root", ["we[ird]", "what?", "a*b", "a::b", "[2024]::말뭉치"])  # a corpus
def test_any_name_of_a_folder_will_do(tmp_path, root):
    """Wildcards and `::` in the folder of the corpus are characters of its name, and in no file's name."""
    for folder in (root, "weird", "whatever", "axb"):
        (tmp_path / folder / "x").mkdir(parents=True)
        (tmp_path / folder / "x/0::a.jsonl").write_bytes(lines([{"text": folder}]))
    for path, name in (
        ("x/*.jsonl", "0::a.jsonl"),
        ("**/0::a.jsonl", "x/0::a.jsonl"),
        ("x/0::a.jsonl", "0::a.jsonl"),
    ):
        (row,) = documents(tmp_path / root, Source(format="jsonl", paths=path))
        assert (row["id"], row["text"]) == (f"web/{name}#0", root)
    with pytest.raises(SourceError, match=r"did you mean '0::a\.jsonl'"):
        names(tmp_path / root, "x/0:a.jsonl")


def test_an_absolute_path_may_escape_its_wildcards(tmp_path):
    """`[[]` in a path is the character `[`, as in every glob, and ends no folder's name."""
    (tmp_path / "we[ird]").mkdir()
    (tmp_path / "we[ird]/0.jsonl").write_bytes(b"")
    assert names(Path("elsewhere"), f"{tmp_path}/we[[]ird]/*.jsonl") == ["0.jsonl"]


def test_a_relative_root_with_dots_is_followed(folder, monkeypatch):
    """`data: ../corpus` in a recipe works."""
    monkeypatch.chdir(folder / "book")
    (file, *_) = expand(Source(format="jsonl", paths="*/*.jsonl"), "..")
    assert file.name == "book/00.jsonl"
    assert documents(Path(".."), Source(format="jsonl", paths="book/00.jsonl"))[0]["text"] == "book/00.jsonl"


def test_a_hangul_name_is_the_same_from_every_system(tmp_path):
    """macOS hands over NFD, Linux what was written: the name is NFC on both. (눈 is "snow".)"""
    (tmp_path / unicodedata.normalize("NFD", "눈.jsonl")).write_bytes(b"")
    assert names(tmp_path, "*") == ["눈.jsonl"]


def test_a_name_that_is_not_utf8_can_be_read(tmp_path):
    """A file name in CP949, as old archives unpack to, is written with escapes."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xb4\xab.jsonl")).write_bytes(b'{"text": "a"}\n')
    (row,) = documents(tmp_path, Source(format="jsonl", paths="*"))
    assert row["id"] == r"web/\xb4\xab.jsonl#0"


def test_a_path_without_files_says_what_is_there(folder):
    """A misspelt path is an error with the nearest name in that folder."""
    with pytest.raises(SourceError, match=r"no file matches 'book/02.jsonl'.*\n.*did you mean '0"):
        names(folder, "*/*.jsonl", "book/02.jsonl")
    with pytest.raises(SourceError, match="there is no folder"):
        names(folder, "books/*.jsonl")


@pytest.mark.parametrize(("path", "root"), [("", "."), (" ", "."), ("*.jsonl", "")])
def test_an_empty_path_is_refused(path, root):
    """Of an unset variable; `/*.jsonl` or `/**` would be looked for on the whole disk."""
    with pytest.raises(SourceError, match=r"(?s)an empty path.*mend: name a file") as refused:
        expand(Source(format="jsonl", paths=[path]), root)
    assert refused.value.mend


@pytest.mark.parametrize("look", [statistics_inputs.find, example_inputs, documents_of, manifest.read])
def test_every_command_refuses_an_empty_path(look):
    """Shards, examples, documents, runs."""
    with pytest.raises(ChejilError, match=r"^an empty path\n  mend:"):
        look("" if look is not statistics_inputs.find else [""])


def test_an_unknown_protocol_is_refused(folder):
    """A URL that nothing here can open is an error with the reason."""
    with pytest.raises(SourceError, match="cannot open 's4://a/b'"):
        names(folder, "s4://a/b")


def test_files_without_documents_are_left_out(tmp_path):
    """KLUE's folders hold lists of labels, which are no documents."""
    (tmp_path / "dev.json").write_text('[{"guid": "a", "sentence": "b"}]')
    (tmp_path / "relation_list.json").write_text('{"relations": ["a"]}')
    assert [row["id"] for row in documents(tmp_path, Source(format="klue", paths="*.json"))] == ["a"]


def test_a_file_that_changes_has_another_fingerprint(folder):
    """Size or time: an edited file is seen without reading it."""
    source = Source(format="jsonl", paths="book/00.jsonl")
    (before,) = expand(source, str(folder))
    (folder / "book/00.jsonl").write_bytes(b"")
    (after,) = expand(source, str(folder))
    assert (before.url, before.name) == (after.url, after.name)
    assert before.fingerprint != after.fingerprint


def test_any_file_system_will_do():
    """Paths are fsspec URLs, as root or by themselves."""
    import fsspec

    with fsspec.open("memory://corpus/a/0.jsonl", "wb") as stream:
        stream.write(lines([{"text": "a"}]))
    for path, root in (("a/*.jsonl", "memory://corpus"), ("memory://corpus/a/*.jsonl", ".")):
        source = Source(format="jsonl", paths=path)
        (file,) = expand(source, root)
        assert (file.url, file.name, file.size) == ("memory:///corpus/a/0.jsonl", "0.jsonl", 14)
        (batch,) = read("web", source, file)
        assert batch.documents["text"].to_pylist() == ["a"]


NAMES = st.text(st.sampled_from("a~/01가"), min_size=1)


@given(NAMES, NAMES)
def test_shards_of_different_files_have_different_names(one, other):
    """The name of a shard is one path component, and no two files share it."""
    first, second = (shard_name(InputFile("", name, 0, "")) for name in (one, other))
    assert "/" not in first
    assert (first == second) == (one == other)


def test_a_long_name_is_cut_and_stays_unique():
    """File systems allow 255 bytes: a longer name keeps its end, behind a hash of the whole."""
    one, other = (shard_name(InputFile("", f"{letter}{'가' * 200}.gz", 0, "")) for letter in "ab")
    assert len(one.encode()) <= 180
    assert one.endswith("가.gz")
    assert one != other


def test_a_named_pipe_is_no_file(tmp_path):
    """To open one would wait for a writer that never comes."""
    os.mkfifo(tmp_path / "b.jsonl")
    (tmp_path / "a.jsonl").write_text('{"text": "x"}')

    assert [file.name for file in expand(Source(format="jsonl", paths="*.jsonl"), str(tmp_path))] == [
        "a.jsonl"
    ]
