"""Conversations of every layout and container; what is none is quarantined with file, line and reason."""

import gzip
import json
import re
import unicodedata
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.errors import ChejilError
from chejil.training.conversations import json_arrays
from chejil.training.conversations.conversation import REASONS, NotOne, checked
from chejil.training.conversations.conversation_counts import count, require_some
from chejil.training.conversations.conversations import read
from chejil.training.conversations.layouts import layouts

Q, A = "하나 더하기 둘은?", "셋이다."  # what is one and two? it is three
PLAIN = [("user", Q), ("assistant", A)]


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def rows(path, content, **how):
    """Conversations and faults of a file; its records are all accounted for."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    batches = list(read([str(path)], **how))
    return (
        [one for batch in batches for one in batch.conversations],
        [one for batch in batches for one in batch.faults],
        sum(batch.records for batch in batches),
    )


def lines(*records):
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in records) + "\n"


def said(one):
    return [(message["role"], message["content"]) for message in one.messages]


def node(key, role, text, *replies, **more):
    return {"message_id": key, "role": role, "text": text, "replies": list(replies), **more}


TREE = node(
    "q",
    "prompter",
    Q,
    node(
        "a1",
        "assistant",
        "넷이다.",
        node("b1", "prompter", "정말?", node("c1", "assistant", "아니, 셋.")),
        rank=1,
    ),
    node("a0", "assistant", A, node("b0", "prompter", "고마워."), rank=0),
    node("a2", "assistant", "욕", rank=2, deleted=True),
    lang="ko",
)  # four; really? no, three; thanks; abuse
LAYOUTS = {
    "messages": {"messages": [user(Q), assistant(A)]},
    "sharegpt": {"conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": A}]},
    "oasst": {"message_tree_id": "q", "prompt": TREE},
    "self_instruct": {
        "instruction": Q,
        "instances": [{"input": "", "output": A}],
        "is_classification": False,
    },
    "dolly": {"instruction": Q, "context": "", "response": A, "category": "open_qa"},
    "alpaca": {"instruction": Q, "input": "", "output": A},
    "question_answer": {"question": Q, "answer": A},
    "evolve_instruct": {"input": Q, "output": A},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_told_from_the_keys(tmp_path, name):
    """All give the same messages; forced or told, upper case or lower."""
    record = LAYOUTS[name]
    shouted = {key.upper(): value for key, value in record.items()}

    found, faults, records = rows(tmp_path / "a.jsonl", lines(record, shouted))
    forced, _, _ = rows(tmp_path / "b.jsonl", lines(record), layout=name)

    assert [said(one) for one in [*found, *forced]] == [PLAIN] * 3
    assert [one.layout for one in found] == [name] * 2
    assert (faults, records) == ([], 2)


def test_every_layout_is_tested():
    """But those whose files have tests of their own, and the one that nothing can be learnt from."""
    assert set(layouts()) == {*LAYOUTS, "oasst_messages", "questions", "transcript"}


@pytest.mark.parametrize(
    ("record", "messages"),
    [
        (
            {"instruction": "더해라", "input": "1, 2", "output": "3"},
            [("user", "더해라\n\n1, 2"), ("assistant", "3")],
        ),
        ({"instruction": Q, "input": "<noinput>", "output": A}, PLAIN),
        ({"instruction": Q, "input": None, "response": A, "output": None}, PLAIN),
        ({"system": "짧게.", "instruction": Q, "output": A}, [("system", "짧게."), *PLAIN]),  # be short
        ({"system": "", "instruction": Q, "output": A}, PLAIN),
        ({"Q": Q, "A": A, "label": 0}, PLAIN),
        (
            {"messages": [{"role": "developer", "content": "짧게."}, user(Q), assistant(A)]},
            [("system", "짧게."), *PLAIN],
        ),
        ({"messages": [user([{"type": "text", "text": Q}]), assistant(A)]}, PLAIN),
        ({"messages": [user(unicodedata.normalize("NFD", Q)), assistant(A + "  \r\n")]}, PLAIN),
        ({"conversations": [{"from": "사람", "value": Q}, {"from": "챗봇", "value": A}]}, PLAIN),
    ],
)
def test_what_a_record_says(tmp_path, record, messages):
    """Inputs, empty systems, other names; in the form of the clean shards."""
    found, faults, _ = rows(tmp_path / "a.jsonl", lines(record))

    assert [said(one) for one in found] == [messages]
    assert not faults


def test_ids_and_meta_are_kept(tmp_path):
    """The record's own id, or its place; what is no message is meta; where one gives several they are numbered."""
    instances = [{"input": text, "output": "3"} for text in ("1, 2", "2, 1")]
    record = {"id": "s7", "instruction": "더해라", "instances": instances, "name": "sum"}

    found, _, _ = rows(tmp_path / "a.jsonl", lines(record, {**LAYOUTS["alpaca"], "url": "u", "lang": "ko"}))

    assert [one.id for one in found] == ["s7/0", "s7/1", "a.jsonl#2"]
    assert [one.meta for one in found] == [{"name": "sum"}, {"name": "sum"}, {"url": "u", "lang": "ko"}]
    assert [one.lang for one in found] == [None, None, "ko"]
    assert found[0].messages[0] == {"role": "user", "content": "더해라\n\n1, 2", "instruction_chars": 3}


QUARANTINED = [
    ({"instruction": Q, "output": ""}, "no_answer"),
    ({"instruction": Q, "input": ""}, "no_answer"),
    ({"instruction": Q, "instances": []}, "no_answer"),
    ({"turns": [Q, "왜?"]}, "no_answer"),
    ({"prompt": Q}, "no_answer"),
    ({"messages": []}, "no_answer"),
    ({"messages": [user(Q)]}, "no_answer"),
    ({"instruction": " ", "output": A}, "empty_turn"),
    ({"messages": [user(Q), assistant(None), user("왜?"), assistant(A)]}, "empty_turn"),
    ({"messages": [user(Q), user(Q), assistant(A)]}, "role_twice"),
    ({"messages": [assistant(A), user(Q), assistant(A)]}, "begins_with_assistant"),
    ({"messages": [user(Q), assistant(A), user(Q)]}, "ends_with_user"),
    ({"messages": [user(Q), {"role": "system", "content": "짧게."}, assistant(A)]}, "late_system"),
    ({"messages": [user(Q), {"role": "tool", "content": "3"}, assistant(A)]}, "unknown_role"),
    ({"messages": [user(Q), {"content": A}]}, "unknown_role"),
    ({"messages": [user([{"type": "image_url", "image_url": "u"}]), assistant(A)]}, "not_text"),
    ({"messages": [user(Q), A]}, "not_text"),
    ({"instruction": Q, "output": 3}, "not_text"),
    ({"instruction": "1 + 2 = ?", "output": "3"}, "no_text"),
    ({"message_tree_id": "q", "prompt": {**TREE, "deleted": True}}, "reviewed_out"),
    ({"message_tree_id": "q", "prompt": {**TREE, "replies": []}}, "no_answer"),
    ({"instruction": Q, "output": "\ufdd0"}, "not_text"),
    ({"text": Q}, "unknown_layout"),
    ({}, "unknown_layout"),
]


@pytest.mark.parametrize(("record", "reason"), QUARANTINED, ids=[reason for _, reason in QUARANTINED])
def test_what_is_none_is_quarantined(tmp_path, record, reason):
    """With its place, its reason and its beginning; the records around it are read."""
    found, faults, records = rows(tmp_path / "a.jsonl", lines(LAYOUTS["alpaca"], record, LAYOUTS["dolly"]))

    assert [(one.file, one.line, one.reason) for one in faults] == [("a.jsonl", 2, reason)]
    assert faults[0].excerpt == orjson.dumps(record).decode()[:200]
    assert (len(found), records) == (2, 3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"instruction": "a', "bad_json"),
        (b'["a"]', "not_an_object"),
        (b'{"instruction": "\xff", "output": "a"}', "invalid_utf8"),
        (b'{"instruction": "a\\ud800", "output": "a"}', "invalid_utf8"),
    ],
)
def test_a_broken_line_is_quarantined_alone(tmp_path, line, reason):
    """The next is read; blank lines are counted in the numbers of lines, but are no records."""
    good = lines(LAYOUTS["alpaca"]).encode()

    found, faults, records = rows(tmp_path / "a.jsonl", good + b"\n" + line + b"\n" + good)

    assert [(one.line, one.reason) for one in faults] == [(3, reason)]
    assert ([one.line for one in found], records) == ([1, 4], 3)


RECORDS = [LAYOUTS["alpaca"], {"instruction": Q, "output": None}, LAYOUTS["alpaca"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", lines(*RECORDS).encode()),
        ("a.json", json.dumps(RECORDS, indent=2).encode()),
        ("array.jsonl", b"\xef\xbb\xbf" + json.dumps(RECORDS).encode()),
        ("lines.json", lines(*RECORDS).encode()),
        ("data.json", json.dumps({"data": RECORDS}, indent=1).encode()),
        ("lines-in.json", lines(*RECORDS).rstrip().encode()),
        ("a.jsonl.gz", gzip.compress(lines(*RECORDS).encode())),
        ("a.json.zst", zstandard.compress(json.dumps(RECORDS).encode())),
        ("no-ending", gzip.compress(json.dumps(RECORDS).encode())),
    ],
)
def test_containers_are_told_from_their_bytes(tmp_path, name, content):
    """Lines or an array, packed or not, whatever the file is called."""
    found, faults, records = rows(tmp_path / name, content)

    assert [said(one) for one in found] == [PLAIN] * 2
    assert [one.reason for one in faults] == ["no_answer"]
    assert records == 3


def test_a_file_of_one_object(tmp_path):
    """Is one record, on many lines or one; without an end it is quarantined."""
    for indent in (None, 2):
        content = json.dumps(LAYOUTS["messages"], indent=indent)
        assert [said(one) for one in rows(tmp_path / "a.json", content)[0]] == [PLAIN]
        assert [one.reason for one in rows(tmp_path / "a.json", content[:-3])[1]] == ["bad_json"]


def test_parquet_and_csv(tmp_path):
    """Columns that a row does not have are null there."""
    columns = dict.fromkeys(("instruction", "input", "output", "messages"))
    wide = [{**columns, **row} for row in (*RECORDS, LAYOUTS["messages"])]
    table = pa.Table.from_pylist(wide)
    pq.write_table(table, tmp_path / "in.parquet")

    found, faults, _ = rows(tmp_path / "a.parquet", (tmp_path / "in.parquet").read_bytes())
    csv, _, _ = rows(tmp_path / "a.csv", f'Q,A,label\n"{Q}","{A}",0\n')

    assert [said(one) for one in [*found, *csv]] == [PLAIN] * 4
    assert [one.reason for one in faults] == ["no_answer"]


def test_transcripts(tmp_path):
    """A line without a name goes on with the message; a name that nobody knows is quarantined."""
    start = "<<start conversation>>\n"
    text = f"{start}<사람>: {Q}\n<챗봇>: {A}\n정말이다.\n\n{start}<사람>: {Q}\n<개>: 멍\n"  # truly; dog: woof

    found, faults, records = rows(tmp_path / "a.jsonl", text)

    assert [said(one) for one in found] == [[("user", Q), ("assistant", A + "\n정말이다.")]]
    assert [(one.line, one.reason) for one in faults] == [(6, "unknown_role")]
    assert records == 2
    assert [one.reason for one in rows(tmp_path / "b.txt", "글\n" * 9)[1]] == ["unknown_layout"]


BEST = [PLAIN]
ALL = [[("user", Q), ("assistant", "넷이다."), ("user", "정말?"), ("assistant", "아니, 셋.")], PLAIN]


def flat(tree, parent=None):
    row = {key: value for key, value in tree.items() if key != "replies"} | {"parent_id": parent}
    return [row, *(one for reply in tree["replies"] for one in flat(reply, tree["message_id"]))]


@pytest.mark.parametrize(("paths", "talks", "left_out"), [("best", BEST, 5), ("all", ALL[::-1], 2)])
def test_paths_of_trees(tmp_path, paths, talks, left_out):
    """By rank; unanswered questions and deleted replies are on none, and counted; flat files in any order alike."""
    (tmp_path / "tree.jsonl").write_text(lines({"message_tree_id": "q", "prompt": TREE}))
    (tmp_path / "flat.jsonl").write_text(lines(*flat(TREE)))

    for name in ("tree.jsonl", "flat.jsonl"):
        (batch,) = read([str(tmp_path / name)], tree_paths=paths)
        assert [said(one) for one in batch.conversations] == talks
        assert batch.left_out == left_out
        assert {one.lang for one in batch.conversations} == {"ko"}
        assert batch.records == (1 if name == "tree.jsonl" else 7)


def test_broken_flat_trees(tmp_path):
    """A message without its parent, one that stands twice, a circle: quarantined, and every row accounted for."""
    loose = {"message_id": "x", "parent_id": "gone", "role": "assistant", "text": "a"}
    circle = [{"message_id": a, "parent_id": b, "role": "assistant", "text": "a"} for a, b in ("yz", "zy")]

    found, faults, records = rows(tmp_path / "a.jsonl", lines(*flat(TREE), loose, flat(TREE)[0], *circle))

    assert [said(one) for one in found] == BEST
    assert [(one.line, one.reason) for one in faults] == [(line, "broken_tree") for line in (8, 9, 10, 11)]
    assert records == 11


def test_what_is_forced_must_fit(tmp_path):
    """Another layout's records are quarantined; a name that is none, or plain text, is an error."""
    _, faults, _ = rows(tmp_path / "a.jsonl", lines(LAYOUTS["sharegpt"]), layout="kullm")
    assert [one.reason for one in faults] == ["unknown_layout"]
    with pytest.raises(ChejilError, match="did you mean 'alpaca'"):
        rows(tmp_path / "a.jsonl", lines(LAYOUTS["alpaca"]), layout="alpacca")
    with pytest.raises(ChejilError, match="is plain text"):
        rows(tmp_path / "a.jsonl", lines(LAYOUTS["alpaca"]), layout="transcript")
    for name in ("oasst", "oasst_messages"):
        assert (
            rows(tmp_path / "a.jsonl", lines(LAYOUTS["alpaca"]), layout=name)[1][0].reason == "unknown_layout"
        )


@pytest.mark.parametrize(
    "content",
    [
        b'[{"instruction": "a", "output": "b"}, {"instruction": "a" "b"}, {"a": 1}]',
        b'[{"instruction": "a", "output": "b"}, {"instruction": "a',
        b'[{"instruction": "a", "output": "b"}',
        b'[{"instruction": "a", "output": "b"}] [1]',
        b'[{"instruction": "a", "output": "b"} {}]',
        gzip.compress(json.dumps([LAYOUTS["alpaca"]] * 99).encode())[:-20],
    ],
)
def test_an_array_that_breaks_keeps_what_stands_before(tmp_path, content):
    """And says that it was not read to its end."""
    (tmp_path / "a.json").write_bytes(content)

    batches = list(read([str(tmp_path / "a.json")]))

    assert batches[-1].is_torn
    assert [one.reason for one in batches[-1].faults] == ["torn_stream"]
    assert bool(batches[0].conversations) == (content[:1] == b"[" or len(batches[0].conversations) > 0)


class _Chunked:
    """A file that hands over a few bytes at a time."""

    def __init__(self, content, step):
        self.url, self._parts = "a.json", [content[at : at + step] for at in range(0, len(content), step)]

    def read(self):
        return self._parts.pop(0) if self._parts else b""


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text('가"\\\n[]{},👍', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=3), values, max_size=3), max_size=4),
    st.integers(1, 40),
    st.booleans(),
)
def test_an_array_is_read_as_json_reads_it(records, step, ascii_only):
    """Wherever the chunks of the file end."""
    content = json.dumps(records, ensure_ascii=ascii_only, indent=1).encode("utf-8", "replace")

    found = list(json_arrays.json_array(_Chunked(content, step)))

    assert [row.fields for row in found] == json.loads(content)


roles = st.sampled_from(["system", "user", "assistant"])


@given(st.lists(st.tuples(roles, st.sampled_from(["가", " ", "1"])), max_size=5))
def test_a_conversation_is_in_order_or_refused(turns):
    """What passes: a system first at most, then user and assistant in turn, nothing empty, letters somewhere."""
    try:
        messages = checked([(role, [text]) for role, text in turns])
    except NotOne:
        messages = None
    order = [role for role, _ in turns]
    if turns and turns[0] == ("system", " "):
        del order[0]
    talk = order[1:] if order[:1] == ["system"] else order
    kept = turns[len(turns) - len(order) :]
    good = talk and talk == ["user", "assistant"] * (len(talk) // 2)
    good = good and all(text.strip() for _, text in kept) and any(text == "가" for _, text in kept)
    assert (messages is not None) == bool(good)


def test_counts(tmp_path):
    """Duplicates, prompts asked again, languages, answers, lengths; and 3 as exit code where a file is torn."""
    again = {"instruction": Q, "output": "모른다."}  # I do not know
    english = {"instruction": "What is the sum of one and two, and why is it so?", "output": "It is three."}
    (tmp_path / "a.jsonl").write_text(
        lines(LAYOUTS["alpaca"], LAYOUTS["messages"], again, english, {"prompt": Q})
    )

    found = count([str(tmp_path)])

    assert (found.conversations, found.duplicates, found.prompts_again) == (4, 1, 1)
    assert found.languages == {"ko": 3, "en": 1}
    assert found.reasons == {"no_answer": 1}
    assert found.lengths["answers"]["p100"] == len("It is three.")
    assert found.lengths["prompt"]["total"] == 3 * len(Q.encode()) + len(english["instruction"])
    (tmp_path / "b.json").write_text("[{")
    result = CliRunner().invoke(cli.app, ["sft-data", "check", str(tmp_path), "--json"])
    assert result.exit_code == 3
    shown = json.loads(result.stdout)
    assert [one["is_torn"] for one in shown["files"]] == [False, True]
    assert shown["layouts"] == {"alpaca": 3, "messages": 1}


def test_the_command_refuses_and_tells(tmp_path):
    """Nothing to learn is 1; a wrong option, or no such file, is an error that says how to mend it."""
    (tmp_path / "a.jsonl").write_text(lines({"prompt": Q}))
    result = CliRunner().invoke(cli.app, ["sft-data", "check", str(tmp_path / "a.jsonl")])
    assert result.exit_code == 1
    assert "no_answer" in result.stdout
    for arguments in (["--template", "kullm"], ["--layout", "nope"], ["--tokenizer", str(tmp_path)]):
        result = CliRunner().invoke(cli.app, ["sft-data", "check", str(tmp_path / "a.jsonl"), *arguments])
        assert isinstance(result.exception, ChejilError)
        assert result.exception.mend
    with pytest.raises(ChejilError, match="no conversation in 1 records: no_answer 1"):
        require_some(count([str(tmp_path / "a.jsonl")]))


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    """And its tables name every layout and every reason."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "sft-data.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)

    exec(code, {})

    assert capsys.readouterr().out.endswith("[(2, 'no_answer')]\n")
    assert [name for name in [*layouts(), *REASONS] if f"`{name}`" not in page] == []
