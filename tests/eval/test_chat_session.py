"""Chats: what is typed, commands, what is saved, one shot, pipes, a terminal, servers."""

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chejil import cli
from chejil.errors import ChejilError
from chejil.eval.chatting import loading, session, terminal_chat
from chejil.eval.chatting.session import Chat
from chejil.eval.chatting.speaker import Sampling, Spoken
from chejil.eval.chatting.typed_lines import TypedLines
from chejil.training.conversations.conversation_counts import count

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parent))
import small_speaker  # noqa: E402
from pseudo_terminal import Terminal  # noqa: E402

ANSWER = small_speaker.ANSWER


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield small_speaker.write(tmp_path_factory.mktemp("speaker") / "small")
    torch.set_num_threads(before)


class Echo:
    """Says a text piece by piece; `steps` may raise in between."""

    name, device, dtype, template = "echo", "cpu", "float32", "none"

    def __init__(self, *steps):
        self.steps, self.asked, self.closed, self.notes = steps, [], 0, []

    def speak(self, messages, sampling):
        """See Speaker."""
        self.asked.append([dict(one) for one in messages])
        said = ""
        try:
            for step in self.steps:
                if not isinstance(step, str):
                    raise step
                said += step
                yield step
            yield Spoken(said, "stop", 0.5, 1.5, 3, 5)
        finally:
            self.closed += 1


def contents(messages):
    return [one["content"] for one in messages]


# What is typed


def typed(*lines):
    waiting = list(lines)

    def read(prompt):
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    found, reader = [], TypedLines(read)
    while (message := reader.message()) is not None:
        found.append(message)
    return found


@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        ((), []),
        (("가", "나"), ["가", "나"]),
        (("가\\", "나\\", "다", "라"), ["가\n나\n다", "라"]),
        (('"""', "가", "", "나", '"""', "다"), ["가\n\n나", "다"]),
        (('"""가', '나"""'), ["가\n나"]),
        (('"""가"""',), ["가"]),
        (('"""', '"""'), [""]),
        (('"""', "가"), ["가"]),
        (("가\\",), ["가"]),
    ],
)
def test_lines_become_messages(lines, messages):
    """A backslash and a block join them; the end of input ends both."""
    assert typed(*lines) == messages


# Commands


def test_a_chat_remembers_and_forgets():
    """Turns, without the white space of templates; the system message stays over a reset."""
    echo = Echo(" 네", ", 좋아요 ")  # yes, fine
    chat = Chat(echo, Sampling(), " 짧게 ")  # briefly
    list(chat.ask("하나"))  # one
    list(chat.ask("둘"))  # two

    assert contents(echo.asked[1]) == ["짧게", "하나", "네, 좋아요", "둘"]
    assert [one["role"] for one in echo.asked[1]] == ["system", "user", "assistant", "user"]
    assert chat.command("/reset") == "a new chat"
    assert contents(chat.messages) == ["짧게"]
    assert chat.command("/system") == "no system message"
    assert chat.messages == []
    assert "길게" in chat.command("/system 길게")  # at length


def test_an_answer_that_is_stopped_is_kept_as_far_as_it_was_said():
    """The speaker is told to stop; an empty answer and one that never came leave no turn."""
    echo = Echo("하나 ", "둘 ", "셋")
    chat = Chat(echo, Sampling())
    pieces = chat.ask("세어 봐")  # count
    next(pieces), next(pieces)
    pieces.close()

    assert contents(chat.messages) == ["세어 봐", "하나 둘"]
    assert echo.closed == 1
    for steps in ((" ", "\n"), (ChejilError("down"),)):
        empty = Chat(Echo(*steps), Sampling())
        with contextlib.suppress(ChejilError):
            list(empty.ask("a"))
        assert empty.messages == []


def test_parameters_change_with_checks():
    """Names and values are checked, all or none is taken."""
    chat = Chat(Echo(), Sampling())

    assert "temperature=0.5" in chat.command("/params")
    assert "seed=null" in chat.command("/params")
    assert "top_k=0" in chat.command("/params top_k=0, temperature=0.1 seed=7")
    assert (chat.sampling.top_k, chat.sampling.temperature, chat.sampling.seed) == (0, 0.1, 7)
    chat.command("/params seed=null")
    assert chat.sampling.seed is None
    for wrong, said in (
        ("temperatur=1", "did you mean 'temperature'"), ("top_p=2", "top_p=2"), ("top_k", "which top_k"),
        ("top_k=1 seed=x", "seed=x"),
    ):  # fmt: skip
        with pytest.raises(ChejilError, match=said):
            chat.command(f"/params {wrong}")
    assert chat.sampling.top_k == 0


def test_commands_and_what_is_none():
    """A path is a message; a wrong command is not sent to the model."""
    chat = Chat(Echo(), Sampling())

    assert chat.command("/etc/hosts 는 뭐야?") is None  # what is it?
    assert chat.command("가 /reset") is None
    assert chat.command("/HELP") == session.HELP
    with pytest.raises(ChejilError, match="did you mean '/reset'"):
        chat.command("/rest")
    for name in ("/quit", "/exit"):
        with pytest.raises(session.Quit):
            chat.command(name)


def test_saved_chats_are_read_as_conversations(tmp_path):
    """One line a chat: saved again it is replaced, a new one is added, other files are left alone."""
    path = tmp_path / "new" / "채팅.jsonl"  # chats
    chat = Chat(Echo("네\n좋아요"), Sampling(), "짧게")
    with pytest.raises(ChejilError, match="nothing was said"):
        chat.command(f"/save {path}")
    list(chat.ask("하나"))
    assert chat.command(f"/save {path}").endswith("1 chat")
    list(chat.ask("둘"))
    assert chat.command(f"/save {path}").endswith("1 chat")
    chat.command("/reset")
    list(chat.ask("셋"))
    assert chat.command(f"/save {path}").endswith("2 chats")

    found = count([str(path)])
    first = json.loads(path.read_text("utf-8").splitlines()[0])
    assert (found.conversations, found.reasons) == (2, {})
    assert contents(first["messages"]) == ["짧게", "하나", "네\n좋아요", "둘", "네\n좋아요"]
    other = tmp_path / "notes.txt"
    other.write_text("mine\n")
    for place, said in ((other, "stays as it is"), (tmp_path, "a folder"), ("", "where")):
        with pytest.raises(ChejilError, match=said):
            chat.command(f"/save {place}")
    assert other.read_text() == "mine\n"


# The loop


def run(chat, *lines):
    waiting = list(lines)

    def read(prompt):
        if not waiting:
            raise EOFError
        line = waiting.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line

    return terminal_chat.run(chat, TypedLines(read))


def test_a_session_survives_interrupts_and_errors(capsys):
    """Ctrl-C stops the answer, or the line; an endpoint that is down is told; the chat goes on."""
    echo = Echo("네", KeyboardInterrupt())
    chat = Chat(echo, Sampling())

    assert run(chat, "하나", KeyboardInterrupt(), "", "/rest", "/help") == 1
    out, err = capsys.readouterr()
    assert out == "네\n"
    assert "stopped" in err
    assert "/reset" in err
    assert contents(chat.messages) == ["하나", "네"]
    assert run(Chat(Echo(ChejilError("down", mend="start it")), Sampling()), "a", "b", "/quit", "c") == 2
    assert capsys.readouterr().err.count("start it") == 2


def test_what_is_measured_and_shown(capsys):
    """Tokens a second are those behind the first; what steers a terminal is not shown."""
    run(Chat(Echo("a\x1b[2J", "b"), Sampling()), "하나")
    out, err = capsys.readouterr()

    assert out == "a\ufffd[2Jb\n"
    assert "5 tokens · 4.0 tokens/s · 0.50 s to the first" in err
    cut = terminal_chat.measured(Spoken("", "length", 1.0, 1.0, 1, 1, left_out=2))
    assert "first 2 turns" in cut
    assert "tokens/s" not in cut
    assert "empty" in cut


# The command


def call(*arguments, stdin=b"", monkeypatch=None):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
    try:
        cli.main(["chat", *map(str, arguments)])
    except SystemExit as ended:
        return ended.code
    return 0


def test_one_shot(folder, capsys, monkeypatch):
    """The answer alone on stdout; JSON has all that is known; several prompts are turns."""
    assert call(folder, "--device", "cpu", "--prompt", "안녕", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == f"{ANSWER}\n"
    call(
        folder, "--device", "cpu", "--prompt", "안녕", "--prompt", "-", "--json", "--temperature", "0", "--seed", "1",
        "--max-new-tokens", "40", stdin=b"hello\n", monkeypatch=monkeypatch,
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)

    assert contents(found["messages"]) == ["안녕", ANSWER, "hello", found["answer"]]
    assert (found["finish"], found["device"], found["dtype"], found["left_out"]) == (
        "stop",
        "cpu",
        "float32",
        0,
    )
    assert found["template"] == "the tokenizer's own"
    assert found["new_tokens"] == len(found["answer"].encode()) + 1
    assert found["tokens_per_second"] > 0
    assert found["sampling"]["seed"] == 1
    assert {"prompt_tokens", "first_token_seconds"} <= set(found)


def test_a_pipe_is_a_chat(folder, capsys, monkeypatch):
    """A line a message, bytes that are no text among them; the exit code counts what got no answer."""
    given = "안녕\n".encode() + b"\xff\n" + b"hello\n"
    code = call(folder, "--device", "cpu", "--max-new-tokens", "40", stdin=given, monkeypatch=monkeypatch)
    out, err = capsys.readouterr()

    assert code == 0
    assert out.startswith(f"{ANSWER}\n")
    assert out.count("\n") == 3
    assert "not UTF-8" in err
    assert call(folder, "--device", "cpu", stdin=("가" * 99).encode(), monkeypatch=monkeypatch) == 3
    assert "context is 160" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--json",), "--json is for --prompt"),
        (("--prompt", " "), "an empty prompt"),
        (("--top-p", "0", "--prompt", "a"), "top_p=0"),
        (("--device", "cuda:10", "--prompt", "a"), "no device 'cuda:10'"),
        (("--template", "chatlm", "--prompt", "a"), "did you mean 'chatml'"),
        (("--plain", "--system", "s", "--prompt", "a"), "no system message"),
    ],
)
def test_wrong_options_are_said(folder, arguments, said, capsys, monkeypatch):
    """With the exit code 2."""
    assert call(folder, *arguments, monkeypatch=monkeypatch) == 2
    assert said in capsys.readouterr().err


# A terminal


def test_a_chat_on_a_terminal(folder, tmp_path):
    """Hangul with backspace, a pasted text of two lines, half a syllable, Ctrl-C at the prompt, /save, Ctrl-D."""
    saved = tmp_path / "chat.jsonl"
    end = Terminal(
        "chat", folder, "--device", "cpu", "--temperature", "0.01", "--repetition-penalty", "1",
    )  # fmt: skip
    end.wait("/help")
    end.wait("> ")
    end.type("안녕요\x7f\r")  # backspace takes the whole syllable
    end.wait(ANSWER)
    end.wait("to the first")
    end.wait("> ")
    time.sleep(0.5)  # between the prompt and its wait for keys Python notes a signal at the next key
    end.type("\x03")
    end.wait("Ctrl-D")
    end.wait("> ")
    end.type("\x1b[200~하나\n둘\x1b[201~\r")
    end.wait("to the first")
    end.wait("> ")
    end.type(b"\xea\xb0\r")  # two thirds of a syllable: readline drops them
    end.wait("> ")
    end.type(f"/save {saved}\r")
    end.wait("1 chat")
    end.wait("> ")
    end.type("\x04")

    assert end.code() == 0
    asked = contents(json.loads(saved.read_text("utf-8"))["messages"])[::2]
    assert asked[:2] == ["안녕", "하나\n둘"]


# Answers to a judge's prompts


def test_a_folder_answers_prompts(folder, tmp_path, capsys):
    """Greedily and alone; again without the model; a question that is too long is counted."""
    prompts = tmp_path / "p.csv"
    prompts.write_text(
        f"id,question,category,task\na,안녕,Chat,Hi\nb,{'가' * 99},Chat,Long\nc,hello,Chat,Hi\n", "utf-8"
    )
    arguments = [
        "judge",
        "generate",
        folder,
        "--prompts",
        str(prompts),
        "--out",
        str(tmp_path / "o"),
        "--device",
        "cpu",
    ]
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, "--json", "--max-tokens", "40"])
        assert ended.value.code == 3
        (found,) = json.loads(capsys.readouterr().out)
        assert (found["answers"], found["cut_off"], list(found["unanswered"])) == (2, 0, ["b"])
    lines = [json.loads(line) for line in Path(found["path"]).read_text("utf-8").splitlines()]
    assert [(one["id"], one["answer"]) for one in lines] == [("a", ANSWER), ("c", ANSWER)]
    with pytest.raises(SystemExit):
        cli.main(["judge", "generate", "no-such", "--prompts", str(prompts), "--out", str(tmp_path / "o")])
    assert "no folder, and there is no endpoint" in capsys.readouterr().err


# Servers of others

ASKED = [{"role": "user", "content": "안녕"}]


def test_transformers_serves_the_folder(folder, tmp_path):
    """With the template's end among the end tokens it answers as `chejil chat` does."""
    from transformers.utils.import_utils import is_serve_available

    if not is_serve_available():
        pytest.skip("pip install 'transformers[serving]': fastapi and openai are not installed")
    served = shutil.copytree(folder, tmp_path / "served")
    generation = json.loads((served / "generation_config.json").read_text())
    ends = [row["id"] for row in json.loads((served / "tokenizer.json").read_text())["added_tokens"]][:4]
    (served / "generation_config.json").write_text(json.dumps({**generation, "eos_token_id": ends}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(served), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log, env=environment)
    try:
        found = answer_of(f"http://localhost:{port}/v1#{served}", server)
    finally:
        server.terminate()
        server.wait(20)

    assert found.text == ANSWER


def answer_of(place, server):
    """Of a server that may still be starting."""
    for _ in range(60):
        assert server.poll() is None
        try:
            with contextlib.closing(loading.load(place)) as speaker:
                return list(speaker.speak(ASKED, Sampling(temperature=0, max_new_tokens=40)))[-1]
        except ChejilError as error:
            if "ConnectError" not in str(error):
                raise
    raise AssertionError("it did not start")
