"""The report in a real browser: nothing asked for, nothing complained of, nothing wider than the window, axe content.

Chromium is the system's (`apt-get install chromium`), driven by playwright; where one of them is missing, the tests are
skipped and say so. CHEJIL_SCREENSHOTS names a folder for pictures of the page.
"""

import os
import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install chejil[dev]"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium fonts-noto-cjk"
)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")], ids=str)
def opened(browser, small_run, request):
    """The page of a run, what it logged and what it asked for."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab, said, asked = context.new_page(), [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"file://{small_run}/report.html")
    yield tab, said, asked, f"{scheme}-{width}"
    context.close()


def test_it_asks_for_nothing_and_complains_of_nothing(opened):
    """One request, the page itself; with all that folds out unfolded, and in Korean too."""
    tab, said, asked, name = opened
    folder = os.environ.get("CHEJIL_SCREENSHOTS")
    for language in ("en", "ko"):
        tab.check(f"#{language}")
        if folder:
            tab.screenshot(path=str(Path(folder, f"report-{name}-{language}.png")), full_page=True)
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    assert said == []
    assert len(asked) == 1


def test_nothing_is_wider_than_the_window(opened):
    """Tables scroll by themselves; the page does not, not even on a telephone."""
    tab = opened[0]
    for language in ("en", "ko"):
        tab.check(f"#{language}")
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_colours_follow_the_scheme(opened):
    """A chart's ink is a variable of the page: not black, and another one in the dark."""
    tab, _, _, name = opened
    ink = tab.evaluate("getComputedStyle(document.querySelector('.plots svg path[stroke]')).stroke")
    page = tab.evaluate("getComputedStyle(document.body).backgroundColor")

    assert ink == ("rgb(109, 183, 232)" if name.startswith("dark") else "rgb(31, 111, 168)")
    assert page == ("rgb(20, 24, 29)" if name.startswith("dark") else "rgb(251, 252, 253)")


def test_one_language_is_shown_at_a_time(opened):
    """By a radio button, with the keyboard, without a script."""
    tab = opened[0]
    heading = tab.locator("#funnel-title")
    assert heading.inner_text() == "Funnel"
    tab.focus("#en")
    tab.keyboard.press("ArrowRight")

    assert heading.inner_text() == "깔때기"


def test_the_keyboard_reaches_everything(opened):
    """First the skip link; details open with Enter; focus is seen."""
    tab = opened[0]
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    first = tab.locator("#lineage summary").first
    first.focus()
    tab.keyboard.press("Enter")

    assert tab.evaluate("document.querySelector('#lineage details').open")


def test_axe_finds_nothing(opened):
    """WCAG 2.1 A and AA by axe-core, contrast among it, in both languages, with everything unfolded."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    tab = opened[0]
    for language in ("en", "ko"):
        tab.check(f"#{language}")
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = axe.Axe().run(
            tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
        )
        problems = [
            (v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found.response["violations"]
        ]
        assert problems == []
