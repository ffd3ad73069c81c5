"""Conversations go through the curation of the corpora and come back: every span into its message, none lost."""

import gzip
import json
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import edits, manifest
from chejil.curation.changes.pieces import Mark, Span
from chejil.curation.explain import explain
from chejil.curation.normalising.normalise import Normalise, normalise
from chejil.errors import ChejilError
from chejil.training.conversations.conversation import NotOne, checked
from chejil.training.conversations.conversations import read
from chejil.training.conversations.curating import curate as curating
from chejil.training.conversations.curating.curate import curate
from chejil.training.conversations.curating.texts import (
    BLANK_LINES,
    INPUT,
    MESSAGE,
    edited_messages,
    edited_parts,
    messages_of,
    text_of,
)

PHONE = "010-2345-6789"
BORDER = re.compile("\n{4,}")
CHEAP = ("stages.score.signals=[lang, lang_score, broken_share]",)


def as_read(texts):
    """Contents in the form in which they are read."""
    return normalise(pa.array(texts, pa.large_string()), Normalise()).texts.to_pylist()


letters = st.text(
    st.sampled_from("가a😀\n\n\n é\u1100\u1161\ufdd0 1."), max_size=12
)  # a jamo pair is NFD of 가


@st.composite
def conversations(draw):
    """Messages as the reader gives them: with and without a system message and inputs."""
    asked = draw(st.lists(st.tuples(letters, letters, letters), min_size=1, max_size=3))
    parts = as_read([text for turn in asked for text in turn])
    turns = [("system", [parts[0]])] if draw(st.booleans()) else []
    for number in range(len(asked)):
        one, more, answer = ("나" + text for text in parts[3 * number : 3 * number + 3])
        turns += [("user", [one, more] if draw(st.booleans()) else [one]), ("assistant", [answer])]
    return checked(
        [(role, [part.replace("\ufdd0", "").strip(" \n") for part in parts]) for role, parts in turns]
    )


@settings(max_examples=200, deadline=None)
@given(conversations())
def test_a_text_is_its_messages(messages):
    """Whatever stands in the contents: blank lines, emoji, NFD; and a run's normalising leaves the text as it is."""
    contents = as_read([message["content"] for message in messages])
    messages = tuple(
        {"role": one["role"], "content": text} for one, text in zip(messages, contents, strict=True)
    )
    text = text_of(messages)
    kept = normalise([text], Normalise(mojibake=False, blank_lines=BLANK_LINES)).texts.to_pylist()

    assert messages_of(text, [one["role"] for one in messages]) == messages
    assert kept == [text]


@settings(max_examples=100, deadline=None)
@given(conversations())
def test_an_input_stays_apart_from_its_instruction(messages):
    """`instruction_chars` is in the text, not beside it, so no edit can make it wrong."""
    assert messages_of(text_of(messages), [one["role"] for one in messages]) == messages


def spans(draw, length):
    """Spans of a text, sorted, without overlaps, each with what stands there then."""
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=8, unique=True)))
    after = st.text(st.sampled_from("가#<"), max_size=3)
    return [(start, end, draw(after)) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]


def parts_by_hand(text, layers):
    """The slow way: each character knows its part (None: of a border), a span's text stands where it begins."""
    cells, part = [], 0
    for number, piece in enumerate(text.split(MESSAGE)):
        for other, inner in enumerate(piece.split(INPUT)):
            if number or other:
                cells += [(letter, part + 1, True) for letter in (INPUT if other else MESSAGE)]
                part += 1
            cells += [(letter, part, False) for letter in inner]
    for layer in layers:
        for start, end, after in reversed(layer):
            cells[start:end] = [(letter, cells[start][1], False) for letter in after]
    found = [""] * (part + 1)
    for letter, number, is_border in cells:
        found[number] += "" if is_border else letter
    return found


def byte_spans(text, layer):
    """The same places in bytes."""
    at = [0, *np.cumsum([len(letter.encode()) for letter in text]).tolist()]
    return [Span(at[start], at[end], Mark("mask_pii", "x"), after.encode()) for start, end, after in layer]


def edited(text, layer):
    table = [(0, span.start, span.end, span.after.decode()) for span in byte_spans(text, layer)]
    doc, start, end = (np.array([row[n] for row in table], np.int64) for n in range(3))
    return edits.apply(pa.array([text], pa.large_string()), doc, start, end, [row[3] for row in table])[
        0
    ].as_py()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_spans_map_back_into_their_messages(data):
    """Joined, the edited messages are the run's edited text, also where a span crosses a turn's border."""
    text = text_of(data.draw(conversations()))
    layer = spans(data.draw, len(text))
    found = [part.text for part in edited_parts(text, [byte_spans(text, layer)])]

    assert found == parts_by_hand(text, [layer])
    if not any(
        start < border.end() and border.start() < end
        for border in BORDER.finditer(text)
        for start, end, _ in layer
    ):
        parts = edited_parts(text, [byte_spans(text, layer)])
        assert "".join(part.border + part.text for part in parts) == edited(text, layer)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_spans_of_two_transforms_lose_no_character(data):
    """The second one's places are in the text that the first one left."""
    text = text_of(data.draw(conversations()))
    first = spans(data.draw, len(text))
    between = edited(text, first)
    second = spans(data.draw, len(between))
    after = edited(between, second)
    found = edited_parts(text, [byte_spans(text, first), byte_spans(between, second)])

    assert "".join(part.text for part in found).replace("\n", "") == after.replace("\n", "")
    assert len(found) == len(parts_by_hand(text, []))


@pytest.mark.parametrize(
    ("span", "asked", "answered"),
    [
        ((0, 2, "#"), "#", "cd"),
        ((1, 8, "#"), "a#", "d"),
        ((2, 7, "#"), "ab", "#cd"),
        ((1, 2, ""), "a", "cd"),
        ((7, 8, "x"), "ab", "xd"),
    ],
)
def test_a_span_at_a_border(span, asked, answered):
    """What it puts there goes to the message in which it begins, of a border to the next one; the border stays."""
    text = text_of([{"content": "ab"}, {"content": "cd"}])
    found = edited_messages(text, ["user", "assistant"], [byte_spans(text, [span])])

    assert [one["content"] for one in found] == [asked, answered]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [([(7, 9, "")], "emptied"), ([(0, 2, " ")], "emptied"), ([(7, 9, "<PHONE>")], "masked_answer")],
)
def test_an_emptied_message_is_quarantined(layer, reason):
    """An answer that is nothing but what a mask put there teaches the mask."""
    text = text_of([{"content": "ab"}, {"content": "cd"}])

    with pytest.raises(NotOne) as why:
        edited_messages(text, ["user", "assistant"], [byte_spans(text, layer)])

    assert why.value.reason == reason


def test_an_answer_with_a_word_of_its_own_stays():
    """The mask of a question is no harm either."""
    text = text_of([{"content": "ab"}, {"content": "cd"}])
    found = edited_messages(text, ["user", "assistant"], [byte_spans(text, [(0, 2, "<A>"), (8, 9, "<B>")])])

    assert [one["content"] for one in found] == ["<A>", "c<B>"]


def test_an_edit_within_an_instruction_moves_its_end():
    """`instruction_chars` is counted anew."""
    messages = checked([("user", ["더해라", "1"]), ("assistant", ["하나"])])  # add; one
    text = text_of(messages)
    found = edited_messages(text, ["user", "assistant"], [byte_spans(text, [(1, 3, "하기")])])
    shorter = edited_messages(text, ["user", "assistant"], [byte_spans(text, [(0, 3, "")])])

    assert found[0] == {"role": "user", "content": "더하기\n\n1", "instruction_chars": 3}
    assert shorter[0] == {"role": "user", "content": "1"}


SMALL = [
    # a system message, two turns; the number stands at the end of a turn
    {
        "id": "talk",
        "messages": [
            {"role": "system", "content": "친절하게 답하라."},  # answer kindly
            {"role": "user", "content": f"예약하고 싶어요. 제 휴대폰은 {PHONE}"},  # I want to book; my mobile is
            {"role": "assistant", "content": f"{PHONE} 번으로 예약했습니다."},  # booked under the number
            {"role": "user", "content": "고맙습니다.\n\n\n\n\n\n\n안녕히 계세요."},  # thanks; good bye
            {"role": "assistant", "content": "안녕히 가세요 😀"},
        ],
        "rating": 5,
    },
    {"id": "sum", "instruction": "두 수를 더해라.", "input": "1, 2", "output": "3입니다."},  # add two numbers
    {"id": "again", "instruction": "두 수를 더해라.", "input": "1, 2", "output": "합은 셋이지요."},  # another answer
    {"id": "copy", "instruction": "두 수를 더해라.", "input": "1, 2", "output": "3입니다 ."},
    {"id": "number", "prompt": "내 휴대폰 번호가 뭐였지?", "completion": PHONE},  # what was my number?
    {"id": "nothing", "prompt": "왜 대답이 없어?", "completion": ""},  # why no answer?
    {"id": "steer", "prompt": "이게 뭐야? \ufdd0", "completion": "글자가 아니에요."},  # what is it? no letter
    {"id": "nfd", "prompt": unicodedata.normalize("NFD", "나비가 뭐예요?"), "completion": "날개가 있는 곤충이에요."},
    {"id": "foreign", "prompt": "¿Dónde está la biblioteca?", "completion": "Está detrás del museo nacional."},
]  # fmt: skip


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(path)


def rows_of(out):
    return {
        path.name: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted((out / "conversations").iterdir())
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Curated by the recipe that ships, through the command."""
    folder = tmp_path_factory.mktemp("small")
    path, out = write(folder / "data" / "small talk.jsonl", SMALL), folder / "out"
    words = ["sft-data", "curate", path, "--out", str(out), "--workers", "1", "--json", "--set", CHEAP[0]]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.output
    return path, out, json.loads(done.stdout)


def test_every_conversation_is_accounted_for(small):
    """read = kept + dropped by reason + quarantined by reason."""
    _, out, said = small
    kept = {row["id"] for row in rows_of(out)["small_talk.jsonl"]}

    assert (
        said["read"]
        == len(SMALL)
        == said["kept"] + sum(said["dropped"].values()) + sum(said["quarantined"].values())
    )
    assert said["quarantined"] == {"masked_answer": 1, "no_answer": 1, "not_text": 1}
    assert said["dropped"] == {"duplicate:exact": 1, "rule:foreign": 1}
    assert {"talk", "again", "nfd"} < kept <= {"talk", "again", "nfd", "sum", "copy"}
    assert said["not_compared"] == ["kobest", "klue", "kornlu", "english", "42dot"]
    assert manifest.verify(str(out / "run")) == []


def test_masked_numbers_stand_in_their_messages(small):
    """In the question and in the answer, on both sides of a border; blank lines and emoji are as they were read."""
    _, out, _ = small
    (talk,) = (row for row in rows_of(out)["small_talk.jsonl"] if row["id"] == "talk")
    system, asked, booked, thanks, bye = (message["content"] for message in talk["messages"])
    number = asked.rpartition(" ")[2]

    assert [message["role"] for message in talk["messages"]] == ["system", *["user", "assistant"] * 2]
    assert number.startswith("010-0")
    assert booked == f"{number} 번으로 예약했습니다."
    assert (system, thanks, bye) == (
        "친절하게 답하라.",
        "고맙습니다.\n\n\n안녕히 계세요.",
        "안녕히 가세요 😀",
    )
    assert talk | {"messages": 0} == {
        "id": "talk", "messages": 0, "source": "small talk.jsonl", "line": 1, "layout": "messages", "lang": "ko",
        "meta": {"rating": 5},
    }  # fmt: skip


def test_what_is_written_is_read_back(small):
    """As layout `messages`, instruction and input apart; so any number of curations may follow each other."""
    _, out, _ = small
    written = rows_of(out)["small_talk.jsonl"]
    batches = list(read([str(out / "conversations")]))
    found = [one for batch in batches for one in batch.conversations]

    assert [list(one.messages) for one in found] == [row["messages"] for row in written]
    assert not any(batch.faults for batch in batches)
    assert any("instruction_chars" in message for one in found for message in one.messages)
    assert CliRunner().invoke(cli.app, ["sft-data", "check", str(out / "conversations")]).exit_code == 0


def test_explain_knows_a_conversation(small):
    """By its id: what was dropped and why, what was masked."""
    _, out, _ = small
    foreign, talk = explain(str(out / "run"), "foreign"), explain(str(out / "run"), "talk")

    assert foreign.decision["reason"] == "rule:foreign"
    assert [edit["before"] for edit in talk.edits] == [PHONE, PHONE]


def test_what_is_done_is_not_done_again(small):
    """The same command does nothing; the files are the same bytes."""
    path, out, said = small
    before = {file: file.read_bytes() for file in (out / "conversations").iterdir()}
    again = curate([path], str(out), settings=CHEAP)

    assert again.units_done == 0
    assert (again.kept, again.dropped) == (said["kept"], said["dropped"])
    assert {file: file.read_bytes() for file in (out / "conversations").iterdir()} == before


def test_the_quarantine_names_the_records(small):
    """File, line and reason, of reading and of masking."""
    _, out, _ = small
    rows = [json.loads(line) for line in (out / "quarantine.jsonl").read_text("utf-8").splitlines()]

    assert {(row["line"], row["reason"]) for row in rows} == {
        (5, "masked_answer"),
        (6, "no_answer"),
        (7, "not_text"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two files of one name, one without a conversation, and evaluation sets."""
    folder = tmp_path_factory.mktemp("several")
    long = "바다에서 부는 바람이 왜 낮과 밤에 방향을 바꾸는지 초등학생도 알 수 있게 설명해 줘."  # why sea winds turn
    answer = (
        "낮에는 땅이 먼저 더워져서 바람이 바다에서 불고, 밤에는 땅이 먼저 식어서 바람이 땅에서 바다로 불어요."
    )
    write(folder / "data/a/train.jsonl", [{"prompt": long, "completion": answer}, *SMALL[1:3]])
    write(
        folder / "data/b/train.jsonl",
        [
            {"prompt": long, "completion": f"{answer} 끝!"},  # the end: a near-duplicate
            {
                "prompt": long,
                "completion": "바다와 땅이 데워지고 식는 빠르기가 다르기 때문입니다.",
            },  # another answer
            {
                "prompt": "밤 배에 자전거를 실을 수 있는 계절이 언제인지 고르시오.",
                "completion": "여름입니다.",
            },
        ],
    )
    write(folder / "data/c.jsonl", [{"prompt": "?", "completion": ""}])
    write(
        folder / "evals/quiz.jsonl", [{"question": "밤 배에 자전거를 실을 수 있는 계절이 언제인지 고르시오."}]
    )
    return folder


QUIZ = "stages.decontaminate.against={quiz: {paths: 'quiz.jsonl', fields: question}}"


@pytest.fixture(scope="module")
def several(folder):
    out = folder / "out"
    return out, curate([str(folder / "data")], str(out), settings=(*CHEAP, QUIZ), evals=str(folder / "evals"))


def test_another_answer_is_no_duplicate(several):
    """What resembles a conversation as a whole goes, another answer to its question stays."""
    out, found = several
    kept = [row for rows in rows_of(out).values() for row in rows]

    assert found.dropped == {"contaminated:quiz": 1, "duplicate:near": 1}
    assert sum(row["messages"][0]["content"].startswith("바다에서") for row in kept) == 2
    assert sum(row["messages"][0]["content"].startswith("두 수") for row in kept) == 2


def test_files_of_one_name_stay_apart(several):
    """Sources are called after files; a file without a conversation is counted."""
    out, found = several
    sources = [file.source for file in found.files]

    assert [file.file for file in found.files] == ["a/train.jsonl", "b/train.jsonl", "c.jsonl"]
    assert len(set(sources)) == 3
    assert sources[2] == "c"
    assert [(file.read, file.quarantined) for file in found.files] == [(3, 0), (3, 0), (1, 1)]
    assert sorted(rows_of(out)) == sorted(f"{source}.jsonl" for source in sources[:2])


def test_the_number_of_workers_is_none_of_the_output(several, folder, tmp_path):
    """Nor how a folder is named that files stand in."""
    out, _ = several
    options = {"settings": (*CHEAP, QUIZ), "evals": str(folder / "evals"), "workers": 2}
    curate([f"{folder}/data/**"], str(tmp_path / "out"), **options)

    assert rows_of(tmp_path / "out") == rows_of(out)


def test_a_killed_curation_is_finished_by_the_same_command(several, folder, tmp_path, monkeypatch):
    """Without its counts the folder is not complete; what was done stays done."""
    out, _ = several
    place = str(tmp_path / "out")
    arguments = ([str(folder / "data")], place)
    options = {"settings": (*CHEAP, QUIZ), "evals": str(folder / "evals")}
    with monkeypatch.context() as patched:
        patched.setattr(curating, "_written", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            curate(*arguments, **options)
        assert not (tmp_path / "out" / "curated.json").exists()
    curate(*arguments, **options)

    assert (tmp_path / "out" / "curated.json").read_bytes() == (out / "curated.json").read_bytes()
    assert rows_of(tmp_path / "out") == rows_of(out)


def test_a_file_that_is_gone_leaves_nothing(folder, tmp_path):
    """Its conversations go with it, and its place in the run."""
    data, out = tmp_path / "data", tmp_path / "out"
    write(data / "one.jsonl", SMALL[:1])
    gone = write(data / "two.jsonl", SMALL[1:3])
    curate([str(data)], str(out), settings=CHEAP)
    (tmp_path / "data" / "two.jsonl").unlink()
    found = curate([str(data)], str(out), settings=CHEAP)

    assert gone.endswith("two.jsonl")
    assert (found.read, sorted(rows_of(out))) == (1, ["one.jsonl"])
    assert [path.name for path in (out / "read" / "documents").rglob("*.parquet")] == ["one.parquet"]


def test_an_evaluation_set_that_is_missing_is_an_error_where_a_folder_is_named(folder, tmp_path):
    """Before anything is read; a typo must not pass for a clean set."""
    with pytest.raises(ChejilError, match="no file matches"):
        curate([str(folder / "data")], str(tmp_path / "out"), evals=str(folder / "data"))

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("made", "said"),
    [("data/notes.txt", "holds something else"), ("data.jsonl", "a file, not a folder")],
)
def test_a_folder_of_something_else_is_refused(folder, tmp_path, made, said):
    """Curating removes what is not its own."""
    file = tmp_path / made
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine", "utf-8")
    out = file if file.parent == tmp_path else file.parent

    with pytest.raises(ChejilError, match=said):
        curate([str(folder / "data")], str(out))

    assert file.read_text("utf-8") == "mine"


def test_a_recipe_may_name_files_as_sources(folder, tmp_path):
    """Bounds of one file; a name that no file has is a fault, before anything is read."""
    data = [write(tmp_path / "data/one.jsonl", SMALL[1:3]), str(folder / "data" / "c.jsonl")]
    bounds = "stages.filter.by_source={%s: {ko: drop, unknown: drop}, c: {ko: drop}}"
    found = curate(data, str(tmp_path / "out"), settings=(*CHEAP, bounds % "one"))

    assert (found.kept, found.dropped) == (0, {"language:ko": 2})
    with pytest.raises(ChejilError, match="no source is called 'ona'"):
        curate(data, str(tmp_path / "none"), settings=(*CHEAP, bounds % "ona"))
    assert not (tmp_path / "none").exists()


def test_its_own_output_is_not_read(small):
    """A glob over the folder above would read it, deeper every time."""
    _, out, _ = small
    with pytest.raises(ChejilError, match="what it writes itself"):
        curate([str(out / "conversations")], str(out))


def test_files_without_a_conversation_are_an_error(folder, tmp_path):
    """With the reasons, so that one sees what they were taken for."""
    with pytest.raises(ChejilError, match="no_answer 1"):
        curate([str(folder / "data" / "c.jsonl")], str(tmp_path / "out"), settings=CHEAP)


def test_a_torn_file_is_told_by_the_exit_code(tmp_path):
    """What stands before the tear is curated."""
    whole = gzip.compress("".join(json.dumps(row) + "\n" for row in SMALL[1:3] * 50).encode())
    (tmp_path / "torn.jsonl.gz").write_bytes(whole[:-20])
    words = [
        "sft-data",
        "curate",
        str(tmp_path / "torn.jsonl.gz"),
        "--out",
        str(tmp_path / "out"),
        "--workers",
        "1",
    ]
    done = CliRunner().invoke(cli.app, [*words, "--set", CHEAP[0]])

    assert done.exit_code == 3
    assert "not to its end" in done.stdout
