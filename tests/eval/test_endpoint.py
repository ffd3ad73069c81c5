"""An endpoint that misbehaves: tried again as long as that can help, refused at once where not, no key anywhere."""

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from chejil.errors import ChejilError
from chejil.eval.judging.endpoint import Endpoint, EndpointSettings, NoReply, Stopped

sys.path.insert(0, str(Path(__file__).parent))
from judge_server import JudgeServer

BODY = {"model": "m", "messages": [{"role": "user", "content": "안녕"}]}  # hello
KEY = "sk-a-secret-of-this-test"


def settings(server, **options):
    return EndpointSettings(
        **{"url": server.url, "timeout_seconds": 0.5, "first_wait_seconds": 0.01, **options}
    )


@pytest.mark.parametrize(
    "steps",
    [
        [429], [500, 502, 503, 529], [(429, {"Retry-After": "0"})], ["cut"], ["slow"], ["drip"], ["garbage"],
        ["empty"], [408, "cut", "garbage", 429],
    ],
    ids=str,
)  # fmt: skip
def test_what_may_pass_is_tried_again(steps):
    """Until there is a reply, with one call more than there were faults."""
    with JudgeServer(steps, lambda body: "네") as server, Endpoint(settings(server), "m") as endpoint:
        reply = endpoint.chat(BODY)

    assert (reply.text, reply.prompt_tokens, reply.reply_tokens) == ("네", 100, 10)  # yes
    assert len(server.bodies) == len(steps) + 1


def test_what_does_not_pass_ends_after_all_tries():
    """With the last thing that was said."""
    with (
        JudgeServer([500] * 9) as server,
        Endpoint(settings(server, tries=3), "m") as endpoint,
        pytest.raises(NoReply, match=r"status 500.*tried 3 times"),
    ):
        endpoint.chat(BODY)

    assert len(server.bodies) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 302])
def test_a_refusal_is_not_tried_again(status, monkeypatch):
    """It says how to mend it, without the key that the endpoint quotes."""
    monkeypatch.setenv("TEST_JUDGE_KEY", KEY)
    with (
        JudgeServer([status]) as server,
        Endpoint(settings(server, key_env="TEST_JUDGE_KEY"), "m") as endpoint,
        pytest.raises(ChejilError, match=f"status {status}") as raised,
    ):
        endpoint.chat(BODY)

    assert len(server.bodies) == 1
    assert server.keys == [f"Bearer {KEY}"]
    assert KEY not in str(raised.value)
    assert raised.value.mend


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed_by_every_thread(as_date):
    """Seconds or a date: nobody calls before."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if as_date else "0.4"
    with JudgeServer([(429, {"Retry-After": later})]) as server, Endpoint(settings(server), "m") as endpoint:
        endpoint_threads = [threading.Thread(target=endpoint.chat, args=(BODY,)) for _ in range(3)]
        endpoint_threads[0].start()
        while not server.bodies:
            time.sleep(0.005)
        time.sleep(0.1)  # the 429 has arrived
        for thread in endpoint_threads[1:]:
            thread.start()
        for thread in endpoint_threads:
            thread.join()

    # A date has whole seconds: between one and two are left of it.
    assert min(server.times[1:]) - server.times[0] >= (0.8 if as_date else 0.39)


def test_a_wait_that_is_too_long_ends_the_request():
    """An hour is not waited for: the run goes on with what can be had."""
    with (
        JudgeServer([(429, {"Retry-After": "3600"})]) as server,
        Endpoint(settings(server), "m") as endpoint,
        pytest.raises(NoReply, match="wait 3,600 s"),
    ):
        endpoint.chat(BODY)


def test_the_pace_is_kept():
    """1,200 a minute are 50 ms apart, however many threads there are."""
    with JudgeServer() as server, Endpoint(settings(server, per_minute=1200), "m") as endpoint:
        threads = [threading.Thread(target=endpoint.chat, args=(BODY,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert max(server.times) - min(server.times) >= 0.22


def test_an_endpoint_that_is_not_there_gives_no_reply():
    """A connection that is refused is tried as often as anything else."""
    with JudgeServer() as server:
        gone = settings(server, tries=2)

    with Endpoint(gone, "m") as endpoint, pytest.raises(NoReply, match="ConnectError"):
        endpoint.chat(BODY)


def test_a_stopped_run_waits_no_longer():
    """A thread in its back-off ends when the run does."""
    with JudgeServer([500] * 5) as server, Endpoint(settings(server, first_wait_seconds=60), "m") as endpoint:
        threading.Timer(0.2, endpoint.gate.stop.set).start()
        start = time.monotonic()
        with pytest.raises(Stopped):
            endpoint.chat(BODY)

    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://me:secret@api.example/v1", "password"),
        ("api.example/v1", "no URL"),
        ("ftp://api.example/v1", "no URL"),
        ("http://[::1/v1", "no URL"),
    ],
)
def test_a_bad_url_is_refused_without_its_secrets(url, said):
    """Before any call."""
    with pytest.raises(ChejilError, match=said) as raised:
        Endpoint(EndpointSettings(url=url), "m")

    assert "secret" not in str(raised.value)


def test_a_key_that_is_not_there_is_an_error(monkeypatch):
    """With the variable's name."""
    monkeypatch.delenv("TEST_JUDGE_KEY", raising=False)
    with pytest.raises(ChejilError, match="TEST_JUDGE_KEY holds no key"):
        Endpoint(EndpointSettings(url="http://localhost/v1", key_env="TEST_JUDGE_KEY"), "m")


def test_fields_of_the_settings_overrule_and_null_takes_out():
    """For models that know no temperature, or call max_tokens otherwise."""
    calls = EndpointSettings(
        url="http://localhost/v1", body={"temperature": None, "max_tokens": None, "max_completion_tokens": 9}
    )

    body = Endpoint(calls, "m").body([], {"temperature": 0, "max_tokens": 5})

    assert body == {"model": "m", "messages": [], "max_completion_tokens": 9}
