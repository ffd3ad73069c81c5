"""Pages that a command serves: what is said, and where the browser goes."""

import webbrowser
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from chejil.commands import served_page
from chejil.curation.exploring import server


@pytest.fixture
def opened(monkeypatch):
    """URLs that the browser was sent to; the server is none, and is ended by Ctrl-C."""

    def interrupted():
        raise KeyboardInterrupt

    @contextmanager
    def serving(app, words, address, port):
        yield SimpleNamespace(wait=interrupted), f"http://{address}:{port}"

    found = []
    monkeypatch.setattr(server, "serving", serving)
    monkeypatch.setattr(server, "free_port", lambda address, port: port or 8501)
    monkeypatch.setattr(webbrowser, "open", found.append)
    return found


@pytest.mark.parametrize(
    ("address", "warned"), [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True)]
)
def test_other_machines_are_warned_of(opened, capsys, address, warned):
    served_page.serve("app.py", (), None, address, False, "read letters")
    out, err = capsys.readouterr()

    assert out == f"http://{address}:8501\n"
    assert ("whoever reaches this address can read letters" in err) is warned
    assert err.endswith("ended\n")
    assert opened == [f"http://{address}:8501"]


def test_without_a_browser_the_url_is_printed_alone(opened, capsys):
    served_page.serve("app.py", (), 9000, "127.0.0.1", True, "read letters")

    assert capsys.readouterr().out == "http://127.0.0.1:9000\n"
    assert not opened
