"""`chejil tokenizer train` and `extend`, from documents to a tokenizer, with what a user sees and what can be wrong."""

import json

import pytest
import tokenizers
from typer.testing import CliRunner

from chejil.cli import app
from chejil.errors import ChejilError
from chejil.tokenizer import held_folder
from chejil.tokenizer.files import tokenizer_file
from chejil.tokenizer.measuring import sizes

# "the sky is blue, the sea is blue", "members talked about the ferry in the hall", an AI in March
TEXTS = (
    "하늘은 푸르고 바다도 푸르다. 하늘은 높다.",
    "의원들은 회관에서 여객선을 두고 이야기했다. 의원들은 늦게 돌아갔다.",
    "2024년 3월, AI는 大韓民國을 읽는다.",
    "the sky and the sea, the members talked about the ferry in the old hall",
)


def invoke(*arguments):
    """In this process, unless workers are named: to start processes takes longer than all else here."""
    if "--workers" not in arguments:
        arguments = (*arguments, "--workers", 1)
    return CliRunner().invoke(app, ["tokenizer", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def sample(tmp_path):
    """Three files of documents."""
    folder = tmp_path / "sample"
    folder.mkdir()
    for number in range(3):
        rows = [{"id": f"{number}-{n}", "text": text} for n, text in enumerate(TEXTS * (number + 1))]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{number}.jsonl").write_text(lines, "utf-8")
    return folder


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_documents_become_a_tokenizer(tmp_path, sample):
    """Counted, merged, written; `--json` says what the table shows."""
    done = invoke("train", sample, "--vocab-size", "0.3k", "--out", tmp_path / "t", "--json")
    (found,) = json.loads(done.stdout)["tokenizers"]

    assert done.exit_code == 0
    assert found["tokens"] == 300
    assert found["size"] == 384
    model = tokenizers.Tokenizer.from_file(str(tmp_path / "t" / "tokenizer.json"))
    assert model.decode(model.encode(TEXTS[2]).ids) == TEXTS[2]


def test_workers_and_the_order_of_paths_do_not_matter(tmp_path, sample):
    """Same bytes in every file."""
    parts = sorted(sample.iterdir())
    invoke("train", *parts, "--vocab-size", 300, "--out", tmp_path / "one")
    invoke("train", *reversed(parts), "--vocab-size", 300, "--out", tmp_path / "two", "--workers", 2)

    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert len(files(tmp_path / "one")) == 5


def test_word_counts_are_kept(tmp_path, sample):
    """Another size needs no second count, neither in the same folder nor from the file."""
    invoke("train", sample, "--vocab-size", 300, "--out", tmp_path / "t")
    counts = tmp_path / "t" / "words" / "words.parquet"
    before = counts.stat().st_mtime_ns

    again = invoke("train", sample, "--vocab-size", 290, "--out", tmp_path / "t")
    several = invoke("train", "--words", counts, "--sizes", "280,290", "--out", tmp_path / "s")

    assert (again.exit_code, several.exit_code) == (0, 0)
    assert counts.stat().st_mtime_ns == before
    assert (tmp_path / "s" / "290" / "tokenizer.json").read_bytes() == (
        tmp_path / "t" / "tokenizer.json"
    ).read_bytes()
    assert (tmp_path / "s" / "280" / "tokenizer.json").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, sample):
    """The input's own, one with other files, one with a tokenizer of somebody else, a file."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "tokenizer.json").write_text("{}", "utf-8")
    (tmp_path / "file").write_text("", "utf-8")
    before = files(sample)

    for out, message in (
        (sample, "something else"),
        (tmp_path, "something else"),
        (mine, "no training wrote"),
        (tmp_path / "file", "not a folder"),
    ):
        with pytest.raises(ChejilError, match=message):
            invoke("train", sample, "--vocab-size", 280, "--out", out)

    assert files(sample) == before
    assert [path.name for path in mine.iterdir()] == ["tokenizer.json"]


def test_one_tokenizer_and_several_sizes_are_never_mixed(tmp_path, sample):
    """Another single size takes the place of the first; sizes stay among themselves."""
    one, several, counts = (
        tmp_path / "one",
        tmp_path / "several",
        tmp_path / "one" / "words" / "words.parquet",
    )
    invoke("train", sample, "--vocab-size", 280, "--out", one)
    invoke("train", "--words", counts, "--sizes", "270,280", "--out", several)

    with pytest.raises(ChejilError, match="holds a single tokenizer"):
        invoke("train", sample, "--sizes", "270,280", "--out", one)
    with pytest.raises(ChejilError, match=r"holds other sizes.*: 270, 280"):
        invoke("train", "--words", counts, "--vocab-size", 280, "--out", several)
    with pytest.raises(ChejilError, match=r"holds other sizes.*: 280"):
        invoke("train", "--words", counts, "--sizes", "270,290", "--out", several)
    invoke("train", sample, "--vocab-size", 280, "--out", tmp_path / "other")
    with pytest.raises(ChejilError, match="words of another count"):
        invoke("train", "--words", counts, "--vocab-size", 280, "--out", tmp_path / "other")

    assert (
        invoke("train", sample, "--vocab-size", 290, "--chat-template", "none", "--out", one).exit_code == 0
    )
    assert set(files(one)) == {
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer_manifest.json",
    }  # fmt: skip


def test_a_folder_in_use_is_refused(tmp_path, sample):
    """By each command that writes one; afterwards nothing is left of the lock."""
    invoke("train", sample, "--vocab-size", 280, "--out", tmp_path / "base")
    calls = (
        ("train", sample, "--vocab-size", 280),
        ("extend", tmp_path / "base", "--with", sample, "--add", 5),
        ("sample", sample, "--docs", 2),
    )
    for number, call in enumerate(calls):
        out = tmp_path / f"out{number}"
        with (
            held_folder.held(str(out), print, lambda there: None),
            pytest.raises(ChejilError, match="another call works in this folder"),
        ):
            invoke(*call, "--out", out)
        assert not out.exists()
        assert invoke(*call, "--out", out).exit_code == 0
        assert not (out / ".lock").exists()


@pytest.mark.parametrize("options", [(), ("--config", "empty.yaml"), ("--set", "seed=2")])
def test_a_sample_of_no_size_is_told(tmp_path, sample, monkeypatch, options):
    """In words of a sample, with what to give."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.yaml").write_text("", "utf-8")

    with pytest.raises(ChejilError) as raised:
        invoke("sample", sample, "--out", tmp_path / "out", *options)

    assert "recipe" not in str(raised.value)
    assert "docs" in str(raised.value)
    assert "bytes" in str(raised.value)
    assert invoke("sample", sample, "--out", tmp_path / "out", "--docs", 0).exit_code == 2


def test_special_tokens_and_roles_are_settings(tmp_path, sample):
    """They get the first ids, in the order given."""
    special = ("--special", "bos=<s>", "--special", "eos=</s>", "--special", "<sep>")
    invoke("train", sample, "--vocab-size", 300, "--out", tmp_path / "t", *special, "--chat-template", "none")
    config = json.loads((tmp_path / "t" / "tokenizer_config.json").read_bytes())

    assert tokenizer_file.read(tmp_path / "t").special_tokens[:3] == ["<s>", "</s>", "<sep>"]
    assert (config["bos_token"], config["eos_token"]) == ("<s>", "</s>")
    assert "chat_template" not in config


def test_what_one_should_know_is_said(tmp_path, sample):
    """Too few words, and GPUs that cannot share the vocabulary."""
    done = invoke("train", sample, "--vocab-size", "5k", "--out", tmp_path / "t", "--gpus", 7)

    assert done.exit_code == 0
    assert "not 5,000: no pair is left" in done.stderr
    assert "do not divide by 7 GPUs: take --multiple 7" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vocab-size", "259"], "no room for 4 special tokens and 256 bytes"),
        (["--vocab-size", "many"], "'many' is no number of tokens"),
        (["--vocab-size", "nank"], "'nank' is no number of tokens"),
        (["--vocab-size", "infk"], "'infk' is no number of tokens"),
        (["--vocab-size", "1e3k"], "'1e3k' is no number of tokens"),
        (["--vocab-size", ""], "'' is no number of tokens"),
        (["--sizes", "300,x"], "'x' is no number of tokens"),
        (["--sizes", ","], "names no size"),
        (["--vocab-size", "300", "--sizes", "300"], "one too many"),
        (["--words", "x.parquet"], "documents or word counts"),
        (["--pattern", "koan"], "no pattern 'koan'"),
        (["--special", "eos=<e>", "--special", "<e>"], "the special token <e> is named twice"),
        (["--special", "<e>"], "no eos token"),
        (["--special", "eos=a", "--chat-template", "none"], "cannot be a special token"),
        (["--special", "eos=다", "--chat-template", "none"], "text has it, too"),  # the end of a sentence
        (["--special", "eos=</s>", "--special", "end.", "--chat-template", "none"], "mark it, as <.end"),
        (["--multiple", "0"], "multiple"),
        (["--chat-template", "nope.jinja"], "no chat template"),
    ],
)
def test_what_cannot_be_is_told(tmp_path, sample, options, message):
    """Before anything is counted."""
    with pytest.raises(ChejilError, match=message):
        invoke("train", sample, "--out", tmp_path / "t", *options)

    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("text", [None, '{"text": ""}\n', ""])
def test_an_empty_sample_is_told(tmp_path, text):
    """No file, no text, nothing at all."""
    folder = tmp_path / "empty"
    folder.mkdir()
    if text is not None:
        (folder / "a.jsonl").write_text(text, "utf-8")

    with pytest.raises(ChejilError):
        invoke("train", folder, "--out", tmp_path / "t", "--vocab-size", 300)

    assert not (tmp_path / "t" / "tokenizer.json").exists()


def test_words_that_were_cut_otherwise_are_refused(tmp_path, sample):
    """A pattern that was asked for must be that of the count; without one, the count's is taken."""
    invoke("train", sample, "--vocab-size", 300, "--pattern", "gpt2", "--out", tmp_path / "t")
    counts = tmp_path / "t" / "words" / "words.parquet"

    invoke("train", "--words", counts, "--vocab-size", 300, "--out", tmp_path / "same")
    with pytest.raises(ChejilError, match="cut by gpt2, not by koen"):
        invoke("train", "--words", counts, "--pattern", "koen", "--out", tmp_path / "other")
    with pytest.raises(ChejilError, match="no word counts"):
        invoke("train", "--words", tmp_path / "no.parquet", "--out", tmp_path / "other")

    assert json.loads((tmp_path / "same" / "tokenizer_manifest.json").read_bytes())["pattern"] == "gpt2"


def test_a_tokenizer_is_extended(tmp_path, sample):
    """Trained on English, extended by Korean: ids stay, eojeol take fewer tokens, the model's new rows are told."""
    english = tmp_path / "en.jsonl"
    english.write_text(json.dumps({"text": TEXTS[3]}) + "\n", "utf-8")
    invoke("train", english, "--vocab-size", 290, "--min-count", 1, "--out", tmp_path / "en", "--multiple", 1)
    (tmp_path / "en" / "config.json").write_text('{"vocab_size": 320}', "utf-8")

    done = invoke(
        "extend", tmp_path / "en", "--with", sample, "--add", 50, "--out", tmp_path / "koen", "--json"
    )
    found = json.loads(done.stdout)
    base, made = (tokenizer_file.read(tmp_path / name) for name in ("en", "koen"))

    assert done.exit_code == 0
    assert (found["base_size"], found["size"], found["model_rows"], found["new_rows"]) == (290, 384, 320, 64)
    assert found["new_ids"] == 94
    assert found["after"]["eojeol"] < found["before"]["eojeol"] / 2
    assert found["after"]["word"] <= found["before"]["word"]
    assert base.vocabulary.items() <= made.vocabulary.items()
    assert (tmp_path / "koen" / "chat_template.jinja").read_bytes()
    manifest = json.loads((tmp_path / "koen" / "tokenizer_manifest.json").read_bytes())
    assert manifest["base"]["size"] == 290
    assert set(manifest["files"]) <= {path.name for path in (tmp_path / "koen").iterdir()}


def test_the_table_of_an_extension(tmp_path, sample):
    """Before and after, and how the model must grow."""
    invoke("train", sample, "--vocab-size", 280, "--out", tmp_path / "a")
    done = invoke("extend", tmp_path / "a", "--with", sample, "--add", "2k", "--out", tmp_path / "b")

    assert "tokens per eojeol" in done.stdout
    assert "must grow by" in done.stdout
    assert "new tokens, not 2,000" in done.stderr


def test_the_base_is_not_overwritten(tmp_path, sample):
    """Its model was trained with its ids. Another way to write its folder is its folder still."""
    invoke("train", sample, "--vocab-size", 280, "--out", tmp_path / "a")
    before = files(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a")

    for out in ("a", "sample/../a", "link"):
        with pytest.raises(ChejilError, match="take the place of the base"):
            invoke("extend", tmp_path / "a", "--with", sample, "--add", 5, "--out", f"{tmp_path}/{out}")
    with pytest.raises(ChejilError, match="take the place of the base"):
        invoke("extend", tmp_path / "link", "--with", sample, "--add", 5, "--out", tmp_path / "a")

    assert files(tmp_path / "a") == before


def test_a_faulty_base_is_told(tmp_path, sample):
    """Torn JSON, and no tokenizer at all."""
    (tmp_path / "tokenizer.json").write_text('{"model": {', "utf-8")

    with pytest.raises(ChejilError, match="not JSON"):
        invoke("extend", tmp_path, "--with", sample, "--add", 5, "--out", tmp_path / "b")
    with pytest.raises(ChejilError, match="no tokenizer"):
        invoke("extend", sample, "--with", sample, "--add", 5, "--out", tmp_path / "b")


def test_a_report_that_cannot_be_written_is_refused_first(tmp_path, sample):
    """Before anything is measured: not even the tokenizer is looked for."""
    with pytest.raises(ChejilError, match="a folder") as raised:
        invoke("measure", tmp_path / "none", "--on", sample, "--html", tmp_path)
    with pytest.raises(ChejilError, match="below a file"):
        invoke("measure", tmp_path / "none", "--on", sample, "--html", sample / "0.jsonl" / "a.html")

    assert "report.html" in raised.value.mend


def test_equal_tokenizers_are_told(tmp_path):
    """By name, and by content; another size is another tokenizer."""
    for name, content in (("a", "{}"), ("b", "{}"), ("c", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_text(content, "utf-8")
    a, b, c = (str(tmp_path / name) for name in "abc")

    assert list(sizes.equal([a, c, b, f"{b}@1k"])) == [f"{b} is the same tokenizer as {a}"]
    assert list(sizes.equal([a, c, a])) == [f"{a} was given twice, and is measured once"]
