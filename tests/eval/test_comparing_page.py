"""`chejil compare` in a real Chromium with models of a few thousand weights: asked, voted on, refreshed."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chejil.eval.chatting.speaker import Sampling
from chejil.eval.comparing import votes
from chejil.eval.comparing.asked_models import Asked, AskedModel

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("streamlit") is None, reason="the page needs the extra ui"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="clicks need playwright, of the extra dev"
    ),
    pytest.mark.skipif(CHROMIUM is None, reason="clicks need a Chromium (apt-get install chromium)"),
]
pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent))
HERE = Path(__file__).parent
DOWN = "http://127.0.0.1:9/v1#nobody"
ROWS = """\
id,question,category,task
1,안녕,Chat,hello
2,hello,Chat,hello
3,<script>document.title='taken'</script> **bold** $x^2$,Chat,mark
4,이름이 뭐야?,Chat,name
"""
"""안녕: hello; 이름이 뭐야?: what is your name?"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two names of one model, and prompts."""
    import small_speaker

    root = tmp_path_factory.mktemp("compared")
    small_speaker.write(root / "small", steps=60)
    (root / "prompts.csv").write_text(ROWS, "utf-8")
    return root


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium does not sandbox what root starts
    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=arguments)


WAIT_MS = 60_000
"""For an answer on a machine that does other things, too."""


@pytest.fixture(scope="module")
def served(folder, browser):
    """URL and process of the page, first asked for by two sessions at once; `loads.txt` has what was loaded."""
    from chejil.curation.exploring import server

    place = str(folder / "small")
    asked = Asked(
        models=[AskedModel(name="one", place=place), AskedModel(name="two_*x*", place=place, template="plain"),
                AskedModel(name="down", place=DOWN)],
        prompts=str(folder / "prompts.csv"), votes=str(folder / "votes.jsonl"), device="cpu",
        sampling=Sampling(temperature=0, max_new_tokens=40),
    )  # fmt: skip
    words = (asked.model_dump_json(), str(folder / "loads.txt"))
    number = server.free_port(server.LOCAL, None)
    with server.serving(str(HERE / "counted_page.py"), words, server.LOCAL, number) as (process, url):
        first = [browser.new_page() for _ in range(2)]
        for page in first:
            page.goto(url, wait_until="commit")
        for page in first:
            is_drawn(page)
            page.close()
        yield url, process


def opened(browser, url, wrong, ready=True, **options):
    """A new session; whatever it asks of another host, or complains of, is wrong."""
    context = browser.new_context(viewport={"width": 1300, "height": 1500}, **options)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    own = (url, "data:", "blob:")
    page.on("request", lambda sent: wrong.append(sent.url) if not sent.url.startswith(own) else None)
    page.goto(url)
    if ready:
        is_drawn(page)
    return page


def is_drawn(page):
    page.get_by_text("Who wins").wait_for(timeout=WAIT_MS)


@pytest.fixture
def page(browser, served, folder):
    """An open page, and no votes yet."""
    (folder / "votes.jsonl").unlink(missing_ok=True)
    wrong = []
    found = opened(browser, served[0], wrong)
    yield found
    found.context.close()
    assert wrong == []


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def last_vote(folder):
    return json.loads((folder / "votes.jsonl").read_text("utf-8").splitlines()[-1])


def test_a_question_is_asked_and_voted_on(page, folder):
    """Answers beside each other with their speed; the one that is down says why; the vote is in the table."""
    button(page, "Ask").click()
    button(page, "one is better").wait_for()

    answers = page.locator(".cj-answer")
    assert answers.locator(".cj-name").all_inner_texts() == ["one", "two_*x*", "down"]
    assert "네, 반갑습니다 🙂" in answers.nth(0).inner_text()  # yes, nice to meet you
    assert re.search(
        r"first token after \d+\.\d\d s · \d+ tokens · [\d,.]+ tokens/s", answers.nth(0).inner_text()
    )
    assert "see whether it runs" in answers.nth(2).get_by_role("alert").inner_text()
    tops = [answers.nth(number).bounding_box()["y"] for number in range(3)]
    assert max(tops) - min(tops) < 2

    button(page, "two_*x* is better").click()
    page.get_by_text("Vote kept: two_*x* is better").wait_for()
    page.get_by_text("Prompt (1 of 4 voted on)").wait_for()
    given = last_vote(folder)
    assert (given["winner"], given["failed"], given["blind"], given["question_id"]) == (
        "two_*x*",
        ["down"],
        False,
        "1",
    )
    page.locator(".cj-wins tbody td").first.wait_for()
    row = page.locator(".cj-wins tbody tr").first.locator("td").all_inner_texts()
    assert row[:7] == ["one : two_*x*", "0", "0", "0", "1", "0%", "0% – 100%"]
    assert button(page, "Tie").count() == 0


def test_a_blind_round_hides_names_and_goes_on_where_it_was(page, folder, browser, served):
    """Names, speeds, the fault and the table wait for the vote; a new session begins with what has no vote."""
    page.get_by_text("Blind: names after the vote").click()
    button(page, "Ask").click()
    button(page, "All bad").wait_for()
    page.locator(".cj-name").nth(2).wait_for()
    assert page.locator(".cj-name").all_inner_texts() == ["A", "B", "C"]
    answers = page.locator(".cj-answer")
    told = " ".join(answers.all_inner_texts())
    assert "first token" not in told
    assert "127.0.0.1" not in told
    assert "why is shown after the vote" in told
    assert not page.locator(".cj-wins").is_visible()

    button(page, "Tie").click()
    page.get_by_text("Vote kept: tie").wait_for()
    page.locator(".cj-name", has_text="down").wait_for()
    assert sorted(page.locator(".cj-name").all_inner_texts()) == ["down", "one", "two_*x*"]
    assert last_vote(folder)["blind"]

    from playwright.sync_api import expect

    wrong = []
    again = opened(browser, served[0], wrong)
    expect(again.get_by_label("Question")).to_have_value("hello", timeout=WAIT_MS)
    again.context.close()
    assert wrong == []


def test_a_follow_up_and_the_next_prompt(page, folder):
    """A conversation is one vote a turn; the next prompt is asked at once."""
    button(page, "Ask").click()
    button(page, "Tie").wait_for()
    page.get_by_label("Question").fill("더 말해 줘")  # tell me more
    button(page, "Ask as follow-up").click()
    page.get_by_text("Turn 2").wait_for()
    button(page, "Tie").click()
    page.get_by_text("Vote kept: tie").wait_for()
    assert (last_vote(folder)["turn"], last_vote(folder)["question"]) == (2, "더 말해 줘")

    button(page, "Ask the next prompt").click()
    button(page, "All bad").click()
    page.get_by_text("Vote kept: all bad").wait_for()
    assert (last_vote(folder)["turn"], last_vote(folder)["question_id"]) == (1, "2")


def test_a_click_elsewhere_does_not_cut_an_answer_off(page):
    """The language is changed while the models speak: the page is Korean, and the answers are whole."""
    button(page, "Ask").click()
    page.get_by_text("한국어", exact=True).click()
    button(page, "모두 나쁨").wait_for()  # all bad

    page.locator(".cj-answer").nth(0).get_by_text("네, 반갑습니다 🙂").wait_for()  # yes, nice to meet you
    page.get_by_text("첫 토큰까지").first.wait_for()  # first token after


@pytest.mark.parametrize("number", range(3))
def test_a_click_on_ask_before_the_page_has_come_asks(browser, served, number):
    """A new session each time: the switch, then Ask, as soon as they are there; nothing of the page has settled."""
    wrong = []
    page = opened(browser, served[0], wrong, ready=False)
    page.get_by_text("Blind: names after the vote").click()
    button(page, "Ask").click()
    button(page, "All bad").wait_for()

    assert page.get_by_label("Question").input_value() in ("안녕", "hello")  # hello
    assert page.locator(".cj-name").first.inner_text() == "A"
    page.context.close()
    assert wrong == []


def test_what_cannot_be_asked_is_said(page):
    """An empty question, in the page's language; a wrong seed, whose field then shows again what was there."""
    from playwright.sync_api import expect

    seed = page.get_by_label("Seed (empty: others each time)").filter(visible=True)
    for typed, then in (("7", "7"), ("many", "7"), ("", "")):
        seed.fill(typed)
        seed.press("Enter")
        if typed != then:
            page.get_by_role("alert").get_by_text("many is no seed").wait_for()
        expect(seed).to_have_value(then, timeout=WAIT_MS)

    page.get_by_label("Question").fill("  ")
    button(page, "Ask").click()
    page.get_by_role("alert").get_by_text("The question is empty: write one first.").wait_for()
    page.get_by_text("한국어", exact=True).click()
    button(page, "묻기").click()  # ask
    page.get_by_role("alert").get_by_text("질문이 비어 있습니다.").wait_for()  # the question is empty
    assert page.locator(".cj-answer").count() == 0


def test_stop_keeps_what_was_said(page):
    """No vote then; the question can be asked again. A click on another thing while it is said stops nothing."""
    page.get_by_label("Question").fill("천천히")  # slowly: see counted_page.py
    button(page, "Ask").click()
    page.get_by_text("answering …").first.wait_for()
    page.get_by_text("Blind: names after the vote").click()
    page.locator(".cj-answer").nth(0).get_by_text("네").wait_for()  # its answer begins so
    button(page, "Stop answering").click()
    page.get_by_text("A vote needs two whole answers.").wait_for()
    page.locator(".cj-answer").nth(0).get_by_text("stopped").wait_for()

    said = page.locator(".cj-answer").nth(0).inner_text()
    assert "네" in said
    assert "🙂" not in said
    button(page, "Ask").click()
    button(page, "Stop answering").wait_for()


def test_a_hostile_question_stays_text(page):
    """No script, no bold, no formula."""
    page.get_by_label("Question").fill("<script>document.title='taken'</script> **bold** $x^2$")
    button(page, "Ask").click()
    button(page, "Tie").wait_for()
    page.get_by_label("Question").fill("other")
    page.get_by_label("Question").press("Control+Enter")

    asked = page.locator(".cj-asked")
    asked.wait_for()
    assert "<script>document.title='taken'</script> **bold** $x^2$" in asked.inner_text()
    assert asked.locator("script, strong, .katex").count() == 0
    assert page.title() != "taken"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_window_and_axe_finds_nothing(browser, served, folder, scheme):
    """WCAG 2.1 A and AA, contrast among it; after a vote, in Korean, wide and narrow."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    wrong = []
    page = opened(browser, served[0], wrong, color_scheme=scheme)
    page.get_by_text("한국어", exact=True).click()
    button(page, "묻기").click()
    button(page, "모두 나쁨").click()
    page.get_by_text("투표 저장됨").wait_for()  # vote kept
    for width in (1300, 400):
        page.set_viewport_size({"width": width, "height": 1400})
        page.wait_for_timeout(500)
        found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
        assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1]
    page.context.close()
    assert wrong == []


def memory_mb(process):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc"
)
def test_many_refreshes_of_two_sessions_load_each_model_once(browser, served, folder):
    """The tool that this replaces loaded its models anew at each: 64 MB here, and GPU memory there."""
    url, process = served
    wrong = []
    pages = [opened(browser, url, wrong) for _ in range(2)]
    before = 0.0
    for number in range(14):
        if number == 4:
            before = memory_mb(process)
        page = pages[number % 2]
        page.reload()
        is_drawn(page)
    button(pages[0], "Ask").click()
    button(pages[1], "Ask").click()
    for page in pages:
        button(page, "Tie").wait_for()
        page.context.close()

    assert sorted((folder / "loads.txt").read_text().split()) == ["down", "one", "two_*x*"]
    assert memory_mb(process) - before < 40
    assert wrong == []


def test_the_command_serves_the_page_until_it_is_ended(folder, tmp_path):
    """The URL on stdout; SIGTERM ends it and its server with 0."""
    command = [
        sys.executable,
        "-m",
        "chejil",
        "compare",
        f"a={folder / 'small'}",
        f"b={DOWN}",
        "--no-browser",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()
    assert votes.read(tmp_path / "votes.jsonl").votes == ()
