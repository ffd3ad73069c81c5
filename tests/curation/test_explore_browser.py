"""`chejil explore` as a person uses it: the command, a real Chromium, real clicks."""

import http.client
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from chejil.curation import check
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.whatif import predict

from . import explored_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("streamlit") is None, reason="the page needs the extra ui"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="clicks need playwright, of the extra dev"
    ),
    pytest.mark.skipif(CHROMIUM is None, reason="clicks need a Chromium (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return explored_run.make(tmp_path_factory.mktemp("explored"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def url(root, folder):
    """The page, served by the command; ended by SIGTERM, after which nobody may listen."""
    command = [sys.executable, "-m", "chejil", "explore", root, "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), address
    yield address
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium does not sandbox what root starts
    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=arguments)


@pytest.fixture
def page(browser, url):
    """An open page; whatever it asks of another host, or complains of, fails the test."""
    context = browser.new_context(viewport={"width": 1300, "height": 1200}, color_scheme="dark")
    context.set_default_timeout(WAIT_MS)
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda sent: wrong.append(sent.url) if not sent.url.startswith((url, "data:", "blob:")) else None,
    )
    page.goto(url)
    page.get_by_text("By source and language").wait_for(timeout=60_000)
    yield page
    context.close()
    assert wrong == []


WAIT_MS = 60_000
"""For an answer on a machine that does other things, too."""


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def low_field(page):
    """Not the one that it replaces, which is there, unseen, until the run has ended."""
    return page.get_by_label("Low, exactly").filter(visible=True)


def move(page, signal, value):
    """Type a low bound; wait until the page has answered."""
    field = low_field(page)
    field.fill(str(value))
    field.press("Enter")
    page.get_by_text(f"bounds.ko.{signal}: 30 ≤ x → {value} ≤ x").wait_for()
    page.get_by_text("Newly dropped:").wait_for()


def test_a_slider_that_is_moved_changes_the_counts(root, page):
    """By keys on the slider, one an answer; the numbers are those of `whatif` with the bound that the field shows."""
    from playwright.sync_api import expect

    slider, field, lows = page.get_by_role("slider").first, low_field(page), [30]
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        expect(field).not_to_have_value(str(lows[-1]), timeout=WAIT_MS)
        lows.append(int(field.input_value()))
    assert lows == sorted(set(lows))

    setting = f"stages.filter.bounds.ko.num_words={{low: {lows[-1]}, unit: eojeol}}"
    total = predict(Question.of(root, settings=[setting])).total
    assert total["newly_dropped"] > 0, lows
    expect(metric(page, "Documents kept")).to_have_text(f"{total['kept_after']:,}", timeout=WAIT_MS)
    expect(metric(page, "Newly dropped")).to_have_text(f"{total['newly_dropped']:,}", timeout=WAIT_MS)


def test_keys_pressed_faster_than_the_page_answers_are_all_counted(page):
    """The slider stays where the keys put it, and the field says where that is."""
    from playwright.sync_api import expect

    slider, field = page.get_by_role("slider").first, low_field(page)
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    stands = slider.get_attribute("aria-valuetext")

    expect(field).to_have_value(stands, timeout=WAIT_MS)
    expect(slider).to_have_attribute("aria-valuetext", stands)
    assert int(stands) > 30


def test_a_document_is_opened_and_a_recipe_saved(page, folder):
    """Read shows the whole text and every signal; Save writes what `check` takes."""
    move(page, "num_words", 60)
    page.get_by_text("Save these bounds").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Written:").wait_for()

    recipe = check.load(str(folder / "explored.explored.yaml"))
    assert recipe.stage("filter").policy("web").languages["ko"]["num_words"].low == 60

    page.get_by_role("button", name="Read").first.click()
    page.get_by_text("Every signal").wait_for()
    assert page.locator(".cj-text").inner_text().strip()


def test_a_hostile_document_stays_text(page):
    """It is found by its text, read, and does nothing: no script, no picture, no heading, no formula."""
    page.get_by_test_id("stButtonGroup").get_by_text("Documents", exact=True).click()
    page.get_by_label("Text").fill("<script>document")
    page.get_by_test_id("stBaseButton-secondaryFormSubmit").click()
    page.get_by_text("choose a row to read").wait_for()
    table = page.get_by_test_id("stDataFrame").first
    table.click(position={"x": 18, "y": 55})
    page.get_by_text("Every signal").wait_for()

    text = page.locator(".cj-text")
    assert "<script>document.title='taken'</script><img src=x" in text.inner_text()
    assert "**bold** [link](javascript:alert(1)) :red[red] $x^2$" in text.inner_text()
    assert text.locator("script, img, h1, a, style").count() == 0
    assert page.title() != "taken"


def test_duplicates_are_compared_in_the_dark(page):
    """Differences are marked; the ground is dark where the system's is."""
    page.get_by_test_id("stButtonGroup").get_by_text("Duplicates", exact=True).click()
    page.get_by_text("words only on the left").wait_for()

    assert page.locator(".cj-text del, .cj-text ins").count() > 0
    ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert max(int(part) for part in ground.removeprefix("rgb(").removesuffix(")").split(",")) < 60


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1", "http://127.0.0.1", 101),
        ("evil.example", "http://evil.example", 403),
        ("127.0.0.1", "http://evil.example", 403),
    ],
)
def test_the_server_answers_to_its_own_pages_alone(url, host, origin, status):
    """A page of another site opens no connection, not even if its name leads to this host (DNS rebinding)."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    headers = {
        "Host": host, "Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()

    assert connection.getresponse().status == status
    connection.close()
