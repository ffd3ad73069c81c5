"""Runs on s3://, against a moto server on this machine: whole, resumed, killed, throttled, locked."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest

from chejil.cli import main
from chejil.curation import manifest, object_lock, shards, storage
from chejil.curation.explain import explain
from chejil.curation.run import run
from chejil.errors import RunError

pytest.importorskip("moto.server", reason="moto is not installed")
pytest.importorskip("s3fs", reason="s3fs is not installed")

STAGES = "stages=[normalise, exact_dedup, write]"


@pytest.fixture(scope="module")
def s3():
    """The environment that leads every client to a fresh server, and the bucket's file system."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        files = fsspec.filesystem("s3", use_listings_cache=False)
        files.mkdir("lab")
        yield files
    server.stop()


@pytest.fixture(scope="module")
def remote_corpus(s3, small_corpus):
    """The small corpus in the bucket."""
    s3.put(f"{small_corpus}/", "lab/corpus/", recursive=True)
    return "s3://lab/corpus"


@pytest.fixture(scope="module")
def local_run(small_recipe, tmp_path_factory):
    """The same run on a disk."""
    root = tmp_path_factory.mktemp("local") / "run"
    run(small_recipe(STAGES), str(root))
    return root


def same_clean(files, remote, local):
    """Every file that the documents of a run are in, as bytes; what inputs are called in records is theirs."""
    found = {
        path.removeprefix(f"{remote}/"): files.cat_file(path)
        for folder in ("clean", "decisions", "documents", "quarantine")
        for path in files.find(f"{remote}/{folder}")
    }
    assert found
    return found == {path: Path(local, path).read_bytes() for path in found}


@pytest.mark.slow
def test_a_whole_run_on_object_storage(s3, remote_corpus, small_recipe, local_run, capsys):
    """Sources and run on s3://, two workers: the bytes of a run on a disk; it resumes, verifies, explains, reports."""
    recipe = small_recipe(STAGES, f"data={remote_corpus}")

    done = run(recipe, "s3://lab/runs/whole", workers=2)

    assert same_clean(s3, "lab/runs/whole", local_run)
    assert run(recipe, "s3://lab/runs/whole").units_done == 0
    assert manifest.verify("s3://lab/runs/whole") == []
    some = next(iter(shards.row_groups("s3://lab/runs/whole/documents/c4-en/c4-en.00000.json.gz.parquet")))
    assert explain("s3://lab/runs/whole", some["id"][0].as_py()).decision["id"] == some["id"][0].as_py()
    assert b"<html" in s3.cat_file("lab/runs/whole/report.html")[:200].lower()
    assert done.kept == manifest.read(str(local_run)).kept
    assert orphans(s3) == []


def orphans(files):
    return files.list_multipart_uploads("lab")


KILLED = """
import os, signal, sys
from chejil.curation import check, marked_yaml, run as runs, storage
import s3fs
real = s3fs.core.S3File._upload_chunk
def part(self, final=False):
    if "/clean/" in self.path:
        self.blocksize, self.part_max = 1, 5 << 20
        self._initiate_upload()
        self.fs.call_s3("upload_part", Bucket=self.bucket, Key=self.key, PartNumber=1,
                        UploadId=self.mpu["UploadId"], Body=b"x" * (5 << 20))
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, final)
s3fs.core.S3File._upload_chunk = part
runs.run(check.check(marked_yaml.read(open(sys.argv[1]).read(), "r.yaml")), sys.argv[2])
"""


@pytest.mark.slow
def test_an_upload_that_is_killed_is_no_shard(s3, remote_corpus, small_recipe, local_run, tmp_path):
    """kill -9 after the first part of a clean shard: no such object; the next run ends the upload and the work."""
    recipe = small_recipe(STAGES, f"data={remote_corpus}")
    (tmp_path / "r.yaml").write_text(recipe.resolved(), "utf-8")

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "r.yaml"), "s3://lab/runs/killed"], check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert s3.find("lab/runs/killed/clean") == []
    assert [upload["Key"].split("/")[2] for upload in orphans(s3)] == ["clean"]
    run(recipe, "s3://lab/runs/killed")
    assert same_clean(s3, "lab/runs/killed", local_run)
    assert orphans(s3) == []


class Shaky:
    """Calls that fail so many times with an error before they succeed."""

    def __init__(self, monkeypatch, s3, times, code=503, kind="SlowDown"):
        from botocore.exceptions import ClientError
        from s3fs.errors import translate_boto_error

        self.left, self.calls = times, 0
        content = {
            "Error": {"Code": kind, "Message": f"{kind}: please"},
            "ResponseMetadata": {"HTTPStatusCode": code},
        }
        self.error = lambda: translate_boto_error(ClientError(content, "PutObject"))
        real = type(s3)._call_s3

        async def call(files, method, *arguments, **options):
            if method in ("put_object", "get_object") and self.left:
                self.left, self.calls = self.left - 1, self.calls + 1
                raise self.error()
            return await real(files, method, *arguments, **options)

        monkeypatch.setattr(type(s3), "_call_s3", call)
        monkeypatch.setattr(type(s3), "call_s3", fsspec.asyn.sync_wrapper(call))
        monkeypatch.setattr(storage.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("code", "kind"), [(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable")]
)
def test_what_passes_is_tried_again(s3, monkeypatch, caplog, code, kind):
    """Storage that refuses five times gets the file in the end; each try is counted and said."""
    shaky, before = Shaky(monkeypatch, s3, 5, code, kind), storage.Retries.count

    with (
        caplog.at_level(logging.WARNING, "chejil.storage"),
        shards.new_file(f"s3://lab/shaky/{kind}") as stream,
    ):
        stream.write(b"whole")

    assert s3.cat_file(f"lab/shaky/{kind}") == b"whole"
    assert shaky.calls == storage.Retries.count - before == len(caplog.records) == 5
    assert "tried again" in caplog.text


def test_reading_goes_on_where_it_was(s3, monkeypatch):
    """A read that fails in the middle of a file is repeated, and gives the bytes that come next."""
    content = os.urandom(1 << 20)
    s3.pipe_file("lab/shaky/read", content)
    files, path = shards.file_system("s3://lab/shaky/read")
    with files.open(path, "rb", block_size=1 << 18, cache_type="none") as stream:
        first = stream.read(1 << 19)
        Shaky(monkeypatch, s3, 3)
        assert first + stream.read() == content


def test_what_does_not_pass_is_an_error_of_one_line(s3, remote_corpus, monkeypatch, tmp_path, capsys):
    """Throttled for ever: exit code 2 and what to do, no traceback; and nothing looks whole."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"name: r\ndata: {remote_corpus}\nsources: {{a: {{format: c4, paths: 'c4-en/*.json.gz'}}}}\n"
        "stages: [normalise, write]\n"
    )
    Shaky(monkeypatch, s3, 10**6)

    with pytest.raises(SystemExit) as ended:
        main(["run", str(recipe), "--out", "s3://lab/runs/throttled", "--workers", "1"])

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "SlowDown" in said
    assert "Traceback" not in said
    assert s3.find("lab/runs/throttled/documents") == []


def test_errors_that_are_no_os_errors_become_one():
    """Without keys botocore raises an error of its own kind; a timeout of its own passes, missing keys do not."""
    from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

    throttled = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slowly"}}, "GetObject")
    assert storage.passes(throttled)
    assert storage.passes(ReadTimeoutError(endpoint_url="http://x"))
    assert storage.passes(EndpointConnectionError(endpoint_url="http://x"))
    assert not storage.passes(NoCredentialsError())
    assert not storage.passes(FileNotFoundError(2, "no"))
    with pytest.raises(OSError, match="credentials") as raised:
        storage.retried(lambda: (_ for _ in ()).throw(NoCredentialsError()), "lab/x")
    assert raised.value.filename == "lab/x"


def test_our_own_mistakes_are_not_hidden():
    """A bug stays what it is, and is not tried again."""
    calls = []

    def broken():
        calls.append(1)
        raise KeyError("bug")

    with pytest.raises(KeyError):
        storage.retried(broken, "lab/x")
    assert len(calls) == 1


def test_a_block_that_fails_leaves_no_object(s3):
    """An error between opening and closing, and all that the collector does after it, uploads nothing."""

    def write_half():
        with shards.new_file("s3://lab/half") as stream:
            stream.write(b"x" * (6 << 20))
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        write_half()

    assert not s3.exists("lab/half")


@pytest.fixture
def quick_lock(monkeypatch):
    """A lock that beats ten times a second."""
    monkeypatch.setattr(object_lock, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(object_lock, "STALE_SECONDS", 2.0)
    monkeypatch.setattr(object_lock, "_SETTLE_SECONDS", 0.1)


def lock_of(s3, name):
    return json.loads(s3.cat_file(f"lab/runs/{name}/.lock"))


def test_two_runs_do_not_share_a_folder_on_object_storage(s3, quick_lock, remote_corpus, small_recipe):
    """The second one is refused with who holds it; when the first has ended, it may."""
    files, path = shards.file_system("s3://lab/runs/shared")
    recipe = small_recipe("stages=[normalise, write]", f"data={remote_corpus}")

    with (
        object_lock.held(files, path, "s3://lab/runs/shared", print),
        pytest.raises(RunError, match=f"another run works in this folder: process {os.getpid()}"),
    ):
        run(recipe, "s3://lab/runs/shared")
    assert lock_of(s3, "shared")["free"]
    assert run(recipe, "s3://lab/runs/shared").kept


def test_the_lock_of_a_dead_run_is_taken_over(s3, quick_lock):
    """One that nobody renews, of another machine; at once, of a process of this one that is gone."""
    files, path = shards.file_system("s3://lab/runs/dead")
    said = []
    s3.pipe_file("lab/runs/dead/.lock", b'{"host": "elsewhere", "pid": 1, "token": "t", "beat": 7}')

    with object_lock.held(files, path, "s3://lab/runs/dead", said.append) as hold:
        hold.check()
        assert lock_of(s3, "dead")["pid"] == os.getpid()

    assert "elsewhere" in said[0]


def test_a_run_whose_lock_was_taken_stops(s3, quick_lock):
    """A run that was frozen finds that the folder is not its own any more."""
    files, path = shards.file_system("s3://lab/runs/frozen")
    with object_lock.held(files, path, "s3://lab/runs/frozen", print) as hold:
        s3.pipe_file("lab/runs/frozen/.lock", b'{"host": "b", "pid": 1, "token": "other", "beat": 0}')
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not hold._lost:
            time.sleep(0.05)
        with pytest.raises(RunError, match="taken this folder over"):
            hold.check()
    assert lock_of(s3, "frozen")["token"] == "other"


def test_a_folder_on_object_storage_that_holds_something_else_is_refused(s3, remote_corpus, small_recipe):
    """As on a disk: what a run would sweep must be its own."""
    s3.pipe_file("lab/thesis/chapter.txt", b"mine")

    with pytest.raises(RunError, match="something else than a run"):
        run(small_recipe(f"data={remote_corpus}"), "s3://lab/thesis")

    assert s3.cat_file("lab/thesis/chapter.txt") == b"mine"


@pytest.mark.slow
def test_statistics_of_what_lies_on_object_storage(s3, remote_corpus, local_run, small_corpus):
    """Shards and a run by URL: the numbers of the same files on a disk."""
    from chejil.curation.statistics.statistics import collect

    s3.put(f"{local_run}/", "lab/runs/counted/", recursive=True)

    for here, there in (
        (str(local_run), "s3://lab/runs/counted"),
        (f"{local_run}/clean", "s3://lab/runs/counted/clean"),
        (f"{small_corpus}/*/*.json.gz", f"{remote_corpus}/*/*.json.gz"),
    ):
        local, remote = collect([here]).as_dict(), collect([there], workers=2).as_dict()
        assert remote["total"]["documents"] > 0
        assert {**remote, "paths": []} == {**local, "paths": []}
