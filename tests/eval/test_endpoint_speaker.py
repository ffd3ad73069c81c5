"""Endpoints that stream: pieces as they come, fields that are not known, streams that break, Ctrl-C."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from chejil.errors import ChejilError
from chejil.eval.chatting import loading
from chejil.eval.chatting.speaker import Sampling
from chejil.eval.judging import event_stream

sys.path.insert(0, str(Path(__file__).parent))
from pseudo_terminal import Terminal


class StreamServer:
    """Answers requests with the next of `steps`: a status, or lines of a stream."""

    def __init__(self, *steps):
        self.steps, self.bodies, self.keys = list(steps), [], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                server.keys.append(self.headers.get("Authorization"))
                step = server.steps.pop(0)
                if isinstance(step, int):
                    self.send_response(step)
                    self.end_headers()
                    self.wfile.write(f"no: {server.keys[-1]}".encode())
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for line in step:
                    self.wfile.write(line if isinstance(line, bytes) else line.encode())
                    self.wfile.flush()

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def __enter__(self):
        self.thread = Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def event(text=None, finish=None, **more):
    choice = {"delta": {"content": text} if text is not None else {}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **more}, ensure_ascii=False)}\n\n"


GOOD = (
    ": keep-alive\n\n", event(""), event("네,\u2028"), event(" 좋"), event("아요"), event(finish="stop"),
    'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 4}}\n\n', "data: [DONE]\n\n",
)  # fmt: skip
ASKED = [{"role": "user", "content": "안녕"}]


def test_an_endpoint_streams(monkeypatch):
    """Pieces as they come, counts from its usage; 503 is tried again; the key goes into the header alone."""
    monkeypatch.setenv("CHAT_TEST_KEY", "sk-of-this-test")
    with StreamServer(503, GOOD) as server:
        speaker = loading.load(f"{server.url}#our-model", key_env="CHAT_TEST_KEY")
        *pieces, end = speaker.speak(ASKED, Sampling(seed=3))
        speaker.close()

    assert pieces == ["네,\u2028", " 좋", "아요"]
    assert (end.text, end.finish, end.prompt_tokens, end.new_tokens) == ("네,\u2028 좋아요", "stop", 7, 4)
    assert server.keys == ["Bearer sk-of-this-test"] * 2
    assert {
        "model": "our-model",
        "max_tokens": 512,
        "seed": 3,
        "top_k": 20,
        "stream": True,
    }.items() <= server.bodies[1].items()


def test_fields_that_an_endpoint_refuses_are_left_out():
    """Once, with a note; a refusal for another reason is the error, without the key."""
    with StreamServer(400, GOOD, GOOD, 401) as server:
        speaker = loading.load(server.url, endpoint_model="m")
        assert list(speaker.speak(ASKED, Sampling()))[-1].text == "네,\u2028 좋아요"
        list(speaker.speak(ASKED, Sampling()))
        with pytest.raises(ChejilError, match="status 401"):
            list(speaker.speak(ASKED, Sampling()))
        speaker.close()

    assert ["top_k" in body for body in server.bodies] == [True, False, False, False]
    assert speaker.notes == ["this endpoint does not know top_k and repetition_penalty: left out"]


@pytest.mark.parametrize(
    "lines",
    [
        (event("네"), "data: {\n\n"), (event("네"), 'data: {"error": {"message": "out of memory"}}\n\n'),
        (event("네"), "data: 3\n\n"),
    ],
    ids=str,
)  # fmt: skip
def test_a_stream_that_breaks_is_an_error_behind_what_was_said(lines):
    """The pieces before it were shown; nothing is asked again."""
    with StreamServer(lines) as server:
        speaker = loading.load(f"{server.url}#m")
        answer = speaker.speak(ASKED, Sampling())
        assert next(answer) == "네"
        with pytest.raises(ChejilError, match="no answer"):
            list(answer)
        speaker.close()

    assert len(server.bodies) == 1


def test_an_endpoint_that_does_not_stream_answers_at_once():
    """One JSON object, over several lines."""
    whole = json.dumps({"choices": [{"message": {"content": "네"}, "finish_reason": "stop"}]}, indent=1)
    with StreamServer((whole,)) as server:
        speaker = loading.load(f"{server.url}#m")
        *pieces, end = speaker.speak(ASKED, Sampling())
        speaker.close()

    assert (pieces, end.finish, end.new_tokens) == (["네"], "stop", None)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_events_do_not_depend_on_chunks(size):
    """Cut anywhere, with either line end."""
    stream = "".join(GOOD).replace("\n\n", "\r\n\r\n").encode()
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]

    assert len(list(event_stream.events(chunks))) == 6


def test_an_interrupt_stops_the_answer_and_not_the_chat():
    """On a terminal, while the endpoint is silent: the line is hung up, what was said stays, the next is answered."""
    over = Event()

    def silent():
        yield event("하나")  # one
        over.wait(30)

    with StreamServer(silent(), GOOD) as server:
        end = Terminal("chat", f"{server.url}#m")
        end.wait("/help")
        end.wait("> ")
        end.type("세어 봐\r")  # count
        end.wait("하나")
        time.sleep(0.5)
        end.type("\x03")
        end.wait("stopped")
        end.wait("> ")
        end.type("안녕\r")
        end.wait("4 tokens")
        end.wait("> ")
        end.type("/quit\r")
        assert end.code() == 0
        over.set()

    said = [one["content"] for one in server.bodies[1]["messages"]]
    assert said == ["세어 봐", "하나", "안녕"]
