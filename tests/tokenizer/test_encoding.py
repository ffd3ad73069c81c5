"""`chejil encode`: the same bytes for any worker count and after a kill; what has changed is noticed."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from chejil.cli import main
from chejil.curation import manifest, shards
from chejil.errors import ChejilError, RunError
from chejil.tokenizer.encoding import token_shards
from chejil.tokenizer.encoding.encoding import encode
from chejil.tokenizer.encoding.encoding_units import Settings
from chejil.tokenizer.encoding.token_shard_writer import folder_of
from chejil.tokenizer.encoding.token_shards import TokenShards, verify

from . import small_tokenizers as small


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A tokenizer.json."""
    return small.saved(small.trained(), tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Three Parquet files, two sources in the last one; rows without a language too."""
    root = tmp_path_factory.mktemp("documents")
    for number in range(3):
        texts = [f"{sentence} {number} {i}" for i, sentence in enumerate(small.SENTENCES * 5)] + [""]
        rows = {
            "id": [f"d{number}-{i}" for i in range(len(texts))],
            "text": texts,
            "source": ["harbour" if number < 2 or i % 2 else "market" for i in range(len(texts))],
            "lang": [("ko", "en", None)[i % 3] if number else "ko" for i in range(len(texts))],
        }
        pq.write_table(pa.table(rows), root / f"part-{number}.parquet")
    return root


@pytest.fixture(scope="module")
def encoded(documents, tokenizer, tmp_path_factory):
    """Their token shards, not to be changed."""
    out = str(tmp_path_factory.mktemp("tokens") / "out")
    encode([str(documents)], tokenizer, out)
    return out


def rows_of(documents):
    """Documents by id: text, source, language."""
    rows = [row for path in sorted(documents.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {row["id"]: row for row in rows}


def test_every_document_is_there_with_its_tokens(documents, tokenizer, encoded):
    """The tokens of `tokenizers` and the token that ends a document, in the shards of its source and language."""
    theirs, rows = Tokenizer.from_file(tokenizer), rows_of(documents)
    seen = []
    for shard in TokenShards(encoded).shards:
        table = shard.documents().to_pylist()
        seen += [row["id"] for row in table]
        for number, row in enumerate(table):
            said = rows[row["id"]]
            expected = [*theirs.encode(said["text"], add_special_tokens=False).ids, 0]
            assert shard.document(number).tolist() == expected
            assert (row["source"], row["lang"]) == (said["source"], said["lang"] or "unknown")
            assert (row["num_bytes"], row["num_tokens"]) == (len(said["text"].encode()), len(expected))

    assert sorted(seen) == sorted(rows)
    assert verify(encoded) == []


def test_the_reader_knows_sizes_by_source_and_any_document_by_number(documents, encoded):
    """What a mixture needs: bytes and tokens of each source."""
    found, rows = TokenShards(encoded), rows_of(documents).values()

    assert found.num_documents == len(rows) == found.manifest["documents"]
    assert found.num_tokens == sum(len(found.document(i)) for i in range(found.num_documents))
    assert {(g.source, g.lang) for g in found.groups} == {(r["source"], r["lang"] or "unknown") for r in rows}
    assert sum(g.num_bytes for g in found.groups) == sum(len(r["text"].encode()) for r in rows)
    market = found.of(source="market")
    assert market.num_documents == sum(row["source"] == "market" for row in rows)
    assert market.document(3).tolist() == market.shards[0].document(3).tolist()
    assert (found.dtype.name, found.end_id, found.fingerprint) == (
        "uint16",
        0,
        TokenShards(encoded).fingerprint,
    )
    assert found.fingerprint != market.fingerprint
    with pytest.raises(ChejilError, match=r"no tokens of market/fr\n"):
        found.of("market", "fr")
    with pytest.raises(IndexError):
        found.document(found.num_documents)


def test_a_shard_is_mapped_and_read_in_ranges(encoded):
    """NumPy opens it without reading; a range is the same tokens."""
    shard = TokenShards(encoded).shards[0]

    assert isinstance(shard.tokens, np.memmap)
    assert shard.read(5, 40).tolist() == shard.tokens[5:40].tolist()
    with pytest.raises(ValueError, match="read-only"):
        shard.tokens[0] = 1


def test_the_same_bytes_for_any_worker_count_and_place(documents, tokenizer, encoded, tmp_path):
    """Also with the files in another folder and named one by one."""
    shutil.copytree(documents, tmp_path / "copy")
    paths = [str(path) for path in sorted((tmp_path / "copy").glob("*"), reverse=True)]

    encode(paths, tokenizer, str(tmp_path / "out"), workers=2)

    assert content(tmp_path / "out") == content(encoded)


def content(root):
    files = (path for path in Path(root).rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_what_is_done_is_not_done_again(documents, tokenizer, encoded, tmp_path):
    """A second call does nothing; a shard that is gone is made again, and it alone."""
    out = str(tmp_path / "out")
    shutil.copytree(encoded, out)

    assert encode([str(documents)], tokenizer, out).units == 0
    next(Path(out).rglob("*.uint16")).unlink()
    assert encode([str(documents)], tokenizer, out).units == 1
    assert content(out) == content(encoded)


SCRIPT = """
import os, signal, sys
from chejil.tokenizer.encoding import encoding, encoding_units
real, seen = encoding_units.shards.write_json, []
def write_json(root, path, content):
    seen.append(path)
    if sum(one.startswith("units/") for one in seen) > 1:
        open(os.path.join(root, "shards", "half.uint16.1.tmp"), "wb").write(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return real(root, path, content)
encoding_units.shards.write_json = write_json
encoding.encode([sys.argv[1]], sys.argv[2], sys.argv[3])
"""


def test_a_killed_call_goes_on_and_ends_with_the_same_bytes(documents, tokenizer, encoded, tmp_path):
    """kill -9 after a unit's shards and before its record: it does not look whole, and one unit is not done again."""
    out = str(tmp_path / "out")
    command = [sys.executable, "-c", SCRIPT, str(documents), tokenizer, out]

    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with pytest.raises(ChejilError, match="no finished token shards"):
        TokenShards(out)
    assert encode([str(documents)], tokenizer, out).units == 2

    assert content(out) == content(encoded)


def test_an_input_that_has_changed_is_encoded_again(documents, tokenizer, encoded, tmp_path):
    """And what was made of the old one is removed."""
    paths, out = tmp_path / "documents", str(tmp_path / "out")
    shutil.copytree(documents, paths)
    shutil.copytree(encoded, out)
    table = pq.read_table(paths / "part-0.parquet")
    pq.write_table(table.slice(1), paths / "part-0.parquet")

    assert encode([str(paths)], tokenizer, out).units == 1
    fresh = str(tmp_path / "fresh")
    encode([str(paths)], tokenizer, fresh)
    assert content(out) == content(fresh) != content(encoded)


def refused(match, *arguments):
    with pytest.raises(ChejilError, match=match) as error:
        encode(*arguments)
    assert error.value.mend


def test_another_tokenizer_setting_or_corpus_in_the_same_folder_is_refused(
    documents, tokenizer, encoded, tmp_path
):
    """Before a file is touched; so is a folder that holds something else."""
    other = small.saved(small.trained(size=400), tmp_path)
    paths, before = [str(documents)], content(encoded)
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "another.parquet")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/thesis.txt").write_text("mine")

    refused("another tokenizer", paths, other, encoded)
    refused("other settings", paths, tokenizer, encoded, Settings(end_of_document=None))
    refused("another corpus", [str(tmp_path / "another.parquet")], tokenizer, encoded)
    refused("other inputs too.*: part-1", [str(documents / "part-0.parquet")], tokenizer, encoded)
    (tmp_path / "namesakes").mkdir()
    for part in documents.glob("*.parquet"):
        pq.write_table(pa.table({"text": [part.name]}), tmp_path / "namesakes" / part.name)
    refused("the same names and other content", [str(tmp_path / "namesakes")], tokenizer, encoded)
    refused("something else than token shards", paths, tokenizer, str(tmp_path / "foreign"))
    assert content(encoded) == before


def test_the_same_file_twice_and_a_missing_special_token_are_refused(documents, tokenizer, tmp_path):
    """A copy would be trained on twice unseen; a token that is not there cannot end documents."""
    copy = tmp_path / "copies/part-0.parquet"
    copy.parent.mkdir()
    shutil.copy(documents / "part-0.parquet", copy)

    refused("the same file twice", [str(documents), str(copy)], tokenizer, str(tmp_path / "out"))
    refused(
        "no special token '<eos>'",
        [str(documents)],
        tokenizer,
        str(tmp_path / "o"),
        Settings(end_of_document="<eos>"),
    )


def test_without_a_token_that_ends_documents_an_empty_one_has_no_tokens(documents, tokenizer, tmp_path):
    """`--end-of-document ''`."""
    out = str(tmp_path / "out")
    encode([str(documents / "part-0.parquet")], tokenizer, out, Settings(end_of_document=None))
    (shard,) = TokenShards(out).shards

    assert TokenShards(out).end_id is None
    assert len(shard.document(shard.num_documents - 1)) == 0
    assert 0 not in shard.tokens


def test_ids_beyond_16_bits_make_files_of_32(documents, tmp_path):
    """A vocabulary of more than 65,536 ids."""
    theirs = small.trained()
    theirs.add_special_tokens([f"<|{number}|>" for number in range(1 << 16)])
    out = str(tmp_path / "out")

    encode([str(documents)], small.saved(theirs, tmp_path), out)

    assert TokenShards(out).dtype.itemsize == 4
    assert verify(out) == []
    assert list(Path(out).rglob("*.uint32"))


def test_a_torn_input_stops_alone_and_the_exit_code_says_so(documents, tokenizer, tmp_path, capsys):
    """The other files are encoded, the manifest names the torn one, and the same call tries it again."""
    paths, out = tmp_path / "documents", str(tmp_path / "out")
    shutil.copytree(documents, paths)
    torn = bytearray((paths / "part-1.parquet").read_bytes())
    torn[4:400] = bytes(396)
    (paths / "part-1.parquet").write_bytes(torn)

    with pytest.raises(SystemExit) as stopped:
        main(["encode", str(paths), "--tokenizer", tokenizer, "--out", out, "--workers", "1", "--json"])

    assert stopped.value.code == 3
    assert "part-1" in TokenShards(out).manifest["failed"][0]["unit"]
    assert TokenShards(out).num_documents == 2 * (5 * len(small.SENTENCES) + 1)
    capsys.readouterr()
    shutil.copy(documents / "part-1.parquet", paths)
    assert encode([str(paths)], tokenizer, out).units == 1
    assert TokenShards(out).manifest["failed"] == []


def test_records_without_a_text_are_counted_by_reason(tokenizer, tmp_path, capsys):
    """In the manifest, also when nothing is left to do, and in what is shown; without any document it is an error."""
    lines, out = tmp_path / "in.jsonl", str(tmp_path / "out")
    lines.write_text('{"text": "the ferry"}\n{"body": "the ferry"}\n{"text": nothing\n', "utf-8")

    first = encode([str(lines)], tokenizer, out).content
    assert (first["documents"], sorted(first["rejected"].values())) == (1, [1, 1])
    with pytest.raises(SystemExit):
        main(["encode", str(lines), "--tokenizer", tokenizer, "--out", out, "--workers", "1"])
    assert "no documents: 1 " in capsys.readouterr().out
    assert TokenShards(out).manifest == first
    lines.write_text('{"body": "the ferry"}\n', "utf-8")
    refused("no documents: 1 ", [str(lines)], tokenizer, str(tmp_path / "none"))
    with pytest.raises(ChejilError, match="no finished token shards"):
        TokenShards(str(tmp_path / "none"))


def test_a_full_disk_is_said_and_nothing_half_written_stays(
    documents, tokenizer, encoded, tmp_path, monkeypatch
):
    """Then the same call goes on."""
    out, real = str(tmp_path / "out"), shards.ShardWriter.write

    def full(self, table):
        if "part-2" in self.path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        real(self, table)

    with monkeypatch.context() as patched:
        patched.setattr(shards.ShardWriter, "write", full)
        with pytest.raises(RunError, match=r"No space left on device\n  mend: free some space"):
            encode([str(documents)], tokenizer, out)
    assert not [path for path in Path(out).rglob("*") if path.suffix == ".tmp" or "part-2" in path.name]
    encode([str(documents)], tokenizer, out)
    assert content(out) == content(encoded)


def test_a_run_is_encoded_with_its_provenance(small_run, tokenizer, tmp_path):
    """Its clean shards, nothing else; the manifest names the run by name and hash."""
    out, kept = str(tmp_path / "out"), manifest.read(small_run).kept

    done = encode([small_run], tokenizer, out)

    name_and_hash = {"kind": "run", "name": "small", "hash": shards.file_hash(f"{small_run}/manifest.json")}
    assert done.content["inputs"] == [name_and_hash]
    assert TokenShards(out).num_documents == kept
    assert {group.lang for group in TokenShards(out).groups} == {"ko", "en"}


def test_verify_finds_what_has_changed(encoded, tmp_path, capsys):
    """A flipped token, a missing file, one that is unknown; the exit code is 1."""
    out = tmp_path / "out"
    shutil.copytree(encoded, out)
    changed, missing = sorted(out.rglob("*.uint16"))[:2]
    changed.write_bytes(changed.read_bytes()[:-2] + b"\x07\x00")
    missing.unlink()
    (out / "shards/new.uint16").write_bytes(b"")

    found = verify(str(out))
    assert [line.split(": ")[1] for line in found] == [
        "its content has changed",
        "missing",
        "not in the manifest",
    ]
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(out)])
    assert stopped.value.code == 1
    assert "its content has changed" in capsys.readouterr().out
    with pytest.raises(ChejilError, match="a token shard is missing"):
        _ = TokenShards(str(out)).shards[1].tokens


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: made.update(tokens=1), "totals"),
        (lambda made: made.update(bytes_per_token=9.0), "totals"),
        (lambda made: made["groups"][0].update(documents=1), "groups"),
        (lambda made: made["groups"][0].update(bytes_per_token=9.0), "groups"),
        (lambda made: made["shards"][0].update(bytes=1), "its counts differ"),
        (lambda made: made["shards"][0].update(lang="fr"), "another source or language"),
        (lambda made: made["tokenizer"].update(hash="0" * 32), "another tokenizer"),
        (lambda made: made.update(num_ids=made["num_ids"] + 1), "ids, not"),
    ],
)
def test_verify_recomputes_what_the_manifest_says(encoded, tmp_path, change, said):
    """Totals, groups and ratios from the side tables, and the tokenizer that lies there."""
    shutil.copytree(encoded, tmp_path / "out")
    file = tmp_path / "out/manifest.json"
    content = json.loads(file.read_text("utf-8"))
    change(content)
    file.write_text(json.dumps(content), "utf-8")

    assert said in " ".join(verify(str(tmp_path / "out")))


def test_verify_finds_a_changed_or_torn_tokenizer(encoded, tmp_path):
    """The copy beside the shards."""
    shutil.copytree(encoded, tmp_path / "out")
    small.saved(small.trained(size=400), tmp_path / "out")
    assert verify(str(tmp_path / "out")) == ["tokenizer.json: another tokenizer than that of the tokens"]
    (tmp_path / "out/tokenizer.json").write_text("{")
    assert "tokenizer.json: not JSON" in verify(str(tmp_path / "out"))[0]


def test_names_of_sources_never_lead_out_of_the_folder():
    """They come from the data."""
    assert folder_of("../../etc", "..") == "shards/%2E.%2F..%2Fetc/%2E."
    assert folder_of("웹", None).startswith("shards/%EC")  # "web"


def test_a_damaged_manifest_says_how_to_mend_it(encoded, tmp_path):
    """Not JSON."""
    (tmp_path / "manifest.json").write_text("{")

    with pytest.raises(ChejilError, match="damaged") as error:
        token_shards.read_manifest(str(tmp_path))
    assert "chejil encode" in str(error.value.mend)


def test_token_shards_on_object_storage_are_written_and_read_in_ranges(documents, tokenizer, encoded):
    """The same bytes; they cannot be mapped, and say so."""
    out = "memory://tokens"
    encode([str(documents)], tokenizer, out)
    there, here = TokenShards(out), TokenShards(encoded)

    assert there.manifest == here.manifest
    assert there.shards[0].read(3, 30).tolist() == here.shards[0].read(3, 30).tolist()
    assert verify(out) == []
    with pytest.raises(ChejilError, match="only local shards can be mapped"):
        _ = there.shards[0].tokens
