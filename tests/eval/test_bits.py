"""`chejil eval bits`: equals a computation by hand and pretraining's own; any tokenizer, windows, resume, pairs."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "training")]
import chat_tokenizer  # noqa: E402
import small_results  # noqa: E402
import trained_folder  # noqa: E402

from chejil import cli  # noqa: E402
from chejil.curation.progress import Silent  # noqa: E402
from chejil.errors import ChejilError  # noqa: E402
from chejil.eval import comparison, measures, results  # noqa: E402
from chejil.eval.bits import bits_view, documents  # noqa: E402
from chejil.eval.bits import run as measuring  # noqa: E402
from chejil.eval.bits.bits_settings import BitsSettings  # noqa: E402
from chejil.eval.bits.windows import batches, windows  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
DECOMPOSED = "\u1112\u1161\u11ab"  # 한 in three jamo
TEXTS = {
    # The ferry leaves the harbour. / (decomposed) han / snow and a lighthouse with an emoji / Chinese characters
    ("books", "ko"): ["배가 항구를 떠난다. " * 8, DECOMPOSED * 9, "눈 내리는 등대 🗼👨‍👩‍👧", "漢字와 한글"],
    ("web", "ko"): ["", "국수를 끓인다.", "ㅋㅋㅋ 좋다"],  # boiling noodles; (laughing) good
    ("web", "en"): ["The ferry leaves at nine.", "a <|endoftext|> inside", "x", "word " * 60],
}
NUM_BYTES = sum(len(text.encode()) for texts in TEXTS.values() for text in texts)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def save_model(folder, vocab, seed=7):
    torch.manual_seed(seed)
    shape = transformers.LlamaConfig(
        vocab_size=vocab, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, initializer_range=0.2, bos_token_id=None, eos_token_id=0, pad_token_id=1,
    )  # fmt: skip
    transformers.LlamaForCausalLM(shape).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    chat_tokenizer.write(folder, template="none")
    return save_model(folder, 576)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """A model with a tokenizer of SentencePiece's kind: ▁ for spaces, bytes for what is unknown, a BOS in front."""
    tokenizers = pytest.importorskip("tokenizers")
    special = ["</s>", "<unk>", "<s>", *(f"<0x{value:02X}>" for value in range(256))]
    vocabulary = {token: number for number, token in enumerate([*special, "▁", "e", "배", "▁the"])}
    made = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    made.add_special_tokens(["</s>", "<unk>", "<s>"])
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 2)]
    )
    folder = tmp_path_factory.mktemp("models") / "pieces"
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return save_model(folder, len(vocabulary), seed=3)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """A Parquet file of documents of three streams."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"id": f"{source}-{lang}-{number}", "text": text, "source": source, "lang": lang}
        for (source, lang), texts in TEXTS.items()
        for number, text in enumerate(texts)
    ]
    path = tmp_path_factory.mktemp("held") / "held.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def measure(model, path, out, **settings):
    return measuring.run(model, [path], str(out), BitsSettings(**settings), Silent())


@pytest.fixture(scope="module")
def measured(tiny, held_out, tmp_path_factory):
    return measure(tiny, held_out, tmp_path_factory.mktemp("out") / "tiny")


def nats_by_hand(model, begin, ids, context, stride):
    """One token after the other, each from a forward pass of its own over what its window shows."""
    sequence, nats = [begin, *ids], 0.0
    for place in range(1, len(sequence)):
        # the first window that reaches this place
        number = max(0, -(-(place - context) // stride))
        inputs = torch.tensor([sequence[number * stride : place]])
        with torch.no_grad():
            logits = model(inputs).logits[0, -1].double()
        nats -= float(logits.log_softmax(0)[sequence[place]])
    return nats


def test_a_document_has_the_nats_of_a_computation_by_hand(tiny, measured):
    """Short ones and long ones, which windows of 64 tokens with a step of 32 go over."""
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    found = {item.id: item for task in measured.result.tasks for item in task.items}
    for (source, lang), texts in TEXTS.items():
        for number, text in enumerate(texts):
            item = found[f"{source}-{lang}-{number}"]
            ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            by_hand = nats_by_hand(model, 0, ids, 64, 32)
            assert item.scores["tokens"] == len(ids)
            assert item.scores["bytes"] == len(text.encode())
            assert item.scores["nats"] == pytest.approx(by_hand, rel=1e-5, abs=1e-9)
    assert max(item.scores["tokens"] for item in found.values()) > 128


def test_documents_of_the_table_are_all_of_them(measured):
    """Each row and the rows over them have the bytes of their texts; the mean by bytes is that of sums."""
    shown = bits_view.shown(measured)
    rows = {row.name: row for row in shown.domains}

    assert set(rows) == {"books/ko", "web/ko", "web/en", "all", "all/ko", "all/en"}
    assert rows["all"].bytes == NUM_BYTES == rows["all/ko"].bytes + rows["all/en"].bytes
    parts = [rows[name] for name in ("books/ko", "web/ko", "web/en")]
    whole = sum(row.bits_per_byte * row.bytes for row in parts) / NUM_BYTES
    assert rows["all"].bits_per_byte == pytest.approx(whole)
    assert shown.mean_over_domains == pytest.approx(sum(row.bits_per_byte for row in parts) / 3)
    assert "1 empty documents count nothing" in shown.notes
    assert shown.begin == "<|endoftext|>"
    assert all(row.with_ends > row.bits_per_byte for row in rows.values())


def test_another_tokenizer_has_the_same_bytes_and_is_paired(tiny, pieces, measured, held_out, tmp_path):
    """Documents are paired with intervals; fewer bits are better."""
    other = measure(pieces, held_out, tmp_path / "pieces")
    named = {"tiny": measured.result, "pieces": other.result}

    assert other.result.settings["begin"] == "<s>"
    assert bits_view.shown(other).domains[0].bytes == bits_view.shown(measured).domains[0].bytes
    found = comparison.compare(named)
    assert [table.name for table in found.tables] == ["bits", "bits-all"]
    rows = {one.row: one for one in found.differences}
    assert {"web/ko/bits_per_byte", "all/bits_per_byte", "mean of bits, 3 rows"} <= set(rows)
    assert all(one.low <= one.difference <= one.high for one in rows.values())
    columns = found.tables[1].columns
    assert columns[0].mean.value == bits_view.shown(measured).domains[3].bits_per_byte


def test_fewer_bits_are_better():
    """Forty documents of which the second model needs a tenth less for each."""

    def result(name, share):
        items = [
            {"id": str(n), "gold": "0" * 32, "predicted": None, "correct": None,
             "scores": {"nats": share * (50.0 + n), "bytes": 60.0 + n}}
            for n in range(40)
        ]  # fmt: skip
        task = {"task": "web/ko", "metrics": ["bits_per_byte"], "items": items}
        return results.Result.model_validate({"model": {"name": name}, "mode": "text", "tasks": [task]})

    (one,) = comparison.compare({"first": result("first", 1.0), "second": result("second", 0.9)}).differences
    expected = -0.1 * sum(50 + n for n in range(40)) / math.log(2) / sum(60 + n for n in range(40))

    assert one.difference == pytest.approx(expected)
    assert one.low < one.high < 0
    assert one.says == "second is better"


def test_another_text_under_the_same_id_is_refused(tiny, measured, tmp_path):
    """Pairs of other texts would be a comparison of nothing."""
    (tmp_path / "books").mkdir()
    path = tmp_path / "books" / "held.jsonl"
    path.write_text(
        json.dumps({"id": "books-ko-0", "text": "another", "source": "books", "lang": "ko"}) + "\n"
    )
    group = measured.result.tasks[0].task
    other = measure(tiny, str(path), tmp_path / "out")
    task = other.result.tasks[0].model_copy(update={"task": group})
    changed = other.result.model_copy(update={"tasks": (task,)})

    assert group == "books/ko"
    with pytest.raises(ChejilError, match="other gold answers for 1 items"):
        comparison.compare({"one": measured.result, "two": changed})


def test_what_is_scored_is_kept(tiny, measured, held_out, monkeypatch):
    """The same command scores nothing again and writes the same bytes; another stride is another measurement."""
    from chejil.eval.bits.text_model import TextModel

    before = Path(measured.path).read_bytes()
    scored = []
    own = TextModel.nats
    monkeypatch.setattr(TextModel, "nats", lambda self, ids: scored.append(len(ids)) or own(self, ids))

    again = measure(tiny, held_out, Path(measured.path).parent)
    assert (again.kept, scored, Path(again.path).read_bytes()) == (1, [], before)
    measure(tiny, held_out, Path(measured.path).parent, stride=64)
    assert scored == [11]
    measure(tiny, held_out, Path(measured.path).parent)
    assert scored == [11, 11]


def test_a_limit_takes_the_first_documents_of_each_row(tiny, held_out, tmp_path):
    """So a large source does not push the others out."""
    found = measure(tiny, held_out, tmp_path / "out", limit_bytes=60, by=("lang",))

    counts = {task.task: len(task.items) for task in found.result.tasks}
    assert counts == {"ko": 1, "en": 4}


def test_pretraining_says_the_same_of_the_same_documents(tmp_path):
    """An exported model: nats of texts and ends are those of `chejil pretrain`'s evaluation, where rows hold them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from chejil.training.exporting.export import export
    from chejil.training.loop import data as datas
    from chejil.training.loop.evaluating import evaluate
    from chejil.training.loop.parallel import World
    from chejil.training.modelling.losses import ModelWithLoss

    def write(name, texts):
        rows = [
            {"id": f"{name}-{n}", "text": text, "source": "web", "lang": "ko"} for n, text in enumerate(texts)
        ]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
        return str(tmp_path / f"{name}.parquet")

    train = write("train", ["the ferry and the harbour " * 4 + str(n) for n in range(40)])
    held = write("held", ["the lighthouse", "한강의 배", "the end", DECOMPOSED])  # a ship on the Han river
    of = trained_folder.tokenizer(tmp_path / "tokenizer")
    tokens = trained_folder.tokens(tmp_path / "tokens", [train], of)
    trained_folder.tokens(tmp_path / "held-tokens", [held], of)
    config = trained_folder.config([tokens], evaluation={"tokens": str(tmp_path / "held-tokens")})
    model = trained_folder.train(tmp_path / "runs/small", config)
    export(str(tmp_path / "runs/small"), str(tmp_path / "model"))

    world = World(0, 1, 0, 1, torch.device("cpu"))
    own = evaluate(ModelWithLoss(model, config.loss), datas.read(config).held_out, 2, world)["web/ko"]
    found = measure(str(tmp_path / "model"), held, tmp_path / "out")

    (row,) = bits_view.shown(found).domains
    assert row.bytes == own.num_bytes
    assert row.tokens + 4 == own.num_tokens
    assert row.with_ends == pytest.approx(own.bits_per_byte, rel=1e-6)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(2, 16), st.data(), st.integers(1, 80)
)
def test_windows_score_each_token_once(lengths, context, data, tokens):
    """With at least context - stride tokens before it, or all of the document; batches lose none."""
    stride = data.draw(st.integers(1, context))
    found = list(windows(lengths, 1, context, stride))
    for number, length in enumerate(lengths):
        scored = [place for one in found if one.sequence == number for place in range(one.first, one.end)]
        assert scored == list(range(1, length))
    for one in found:
        assert one.inputs <= context
        assert one.begin == 0 or one.first - one.begin >= context - stride + 1
    made = list(batches(found, tokens))
    assert sorted([one for batch in made for one in batch], key=repr) == sorted(found, key=repr)
    assert all(len(one) == 1 or len(one) * one[0].inputs <= tokens for one in made)


def test_one_very_long_line_and_pieces_of_a_run(tiny, tmp_path):
    """A document of 200 kB goes through in windows; units never cut it."""
    path = tmp_path / "long" / "one.jsonl"
    path.parent.mkdir()
    path.write_text(json.dumps({"id": "long", "text": "바다와 배 " * 15_000}, ensure_ascii=False) + "\n")
    found = measure(tiny, str(path), tmp_path / "out", stride=64)

    (item,) = found.result.tasks[0].items
    assert found.result.tasks[0].task == "long/und"
    assert item.scores["bytes"] == 15_000 * len("바다와 배 ".encode())
    assert math.isfinite(item.scores["nats"])


def test_processes_share_documents(tiny, held_out, measured, tmp_path):
    """Two processes write what one does, but for the last bits of a batch's sums."""
    out = tmp_path / "two"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "chejil",
        "eval", "bits", tiny, "--on", held_out, "--out", str(out), "--device", "cpu", "--log-json",
    ]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr[-2000:]
    both = zip(results.read(str(out)).tasks, measured.result.tasks, strict=True)
    for mine, theirs in both:
        assert [item.id for item in mine.items] == [item.id for item in theirs.items]
        for one, two in zip(mine.items, theirs.items, strict=True):
            assert one.scores["nats"] == pytest.approx(two.scores["nats"], rel=1e-5, abs=1e-9)


def test_an_adapter_has_the_bits_of_its_base_with_it(tiny, held_out, measured, tmp_path):
    """A LoRA of zeros is the base; one of random numbers is the merged model, whose weights are added up before."""
    peft = pytest.importorskip("peft")
    base = transformers.LlamaForCausalLM.from_pretrained(tiny)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(base, config)
    adapted.peft_config["default"].base_model_name_or_path = tiny
    adapted.save_pretrained(tmp_path / "zeros")
    torch.manual_seed(5)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            weights.data.normal_()
    adapted.save_pretrained(tmp_path / "random")
    merged = tmp_path / "merged"
    chat_tokenizer.write(merged, template="none")
    adapted.merge_and_unload().save_pretrained(merged)

    zeros, random, whole = (
        measure(str(tmp_path / name), held_out, tmp_path / f"{name}-out")
        for name in ("zeros", "random", "merged")
    )

    assert zeros.result.tasks == measured.result.tasks
    assert zeros.result.model.hash != measured.result.model.hash
    assert nats(random) == pytest.approx(nats(whole), rel=1e-4)
    assert nats(random) != pytest.approx(nats(measured), rel=1e-2)


def nats(found):
    """Of all documents, in order."""
    return [item.scores["nats"] for task in found.result.tasks for item in task.items]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "sauce"], "--by"),
        (["--context", "65"], "65 is longer than the model's 64"),
        (["--context", "8", "--stride", "9"], "--stride 9"),
        (["--out", "THEIRS"], "holds a result of tiny, mode harness"),
    ],
)
def test_what_cannot_be_measured_is_said(tiny, held_out, tmp_path, options, said):
    """User errors end with how to mend them."""
    results.write(
        str(tmp_path / "result.json"),
        small_results.result(small_results.task(count=5, right=1), mode="harness"),
    )
    options = [str(tmp_path) if one == "THEIRS" else one for one in options]
    if "--out" not in options:
        options += ["--out", str(tmp_path / "new")]
    found = CliRunner().invoke(cli.app, ["eval", "bits", tiny, "--on", held_out, *options])

    assert isinstance(found.exception, ChejilError)
    assert said in str(found.exception)


def test_the_command_prints_one_object(tiny, held_out, tmp_path):
    """And empty documents alone are no measurement."""
    runner = CliRunner()
    found = runner.invoke(
        cli.app, ["eval", "bits", tiny, "--on", held_out, "--out", str(tmp_path / "a"), "--json"]
    )
    content = json.loads(found.stdout)
    assert [row["name"] for row in content["domains"]][-1] == "all/en"

    (tmp_path / "empty.jsonl").write_text('{"id": "a", "text": ""}\n')
    found = runner.invoke(
        cli.app, ["eval", "bits", tiny, "--on", str(tmp_path / "empty.jsonl"), "--out", str(tmp_path / "b")]
    )
    assert "no documents" in str(found.exception)


def test_gold_prob_is_in_no_mean_of_accuracies():
    """Rows of accuracies and of probabilities are tables of their own."""
    items = [
        {**one, "scores": {"gold_prob": 0.25, "gold_prob_bytes": 0.5}}
        for one in small_results.items(20, right=1)
    ]
    task = {
        **small_results.task("own", ("acc", "gold_prob", "gold_prob_bytes"), count=1, right=1),
        "items": items,
    }
    found = comparison.compare({"tiny": small_results.result(task)})

    assert [(table.name, table.rows) for table in found.tables] == [
        (measures.OWN, ("own/acc",)), (measures.PROBABILITIES, ("own/gold_prob", "own/gold_prob_bytes"))
    ]  # fmt: skip
    assert found.tables[0].columns[0].mean.value == 1.0


def test_equal_ids_are_told_apart(tmp_path):
    """Two files may call their documents the same."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"id": "1", "text": "x"}\n')
    (unit,) = documents.units([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")], ("source",), None)

    assert [one.id for one in unit.documents] == ["1", "1-2"]
