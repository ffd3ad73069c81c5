"""Makes the pictures of the documentation again, from the demo's corpus, whose texts are our own.

    python docs/pictures.py                    # writes docs/pictures/*.png
    python docs/pictures.py --run runs/demo    # of a run that is there already

Needs the extras ui and dev, and a Chromium (apt-get install chromium). A picture above 150 kB is refused.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from chejil.curation.exploring import server
from chejil.filters.catalogue import SIGNALS

FOLDER = Path(__file__).resolve().parent / "pictures"
MAX_BYTES = 150_000
SIZE = {"width": 1180, "height": 820}


def main() -> None:
    """Draw every picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, help="A finished run of recipes/demo.yaml [default: made anew].")
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder, run = Path(scratch), Path("runs/demo")
        if given.run is None:
            _demo(folder / run, folder / "demo-corpus")
        else:
            (folder / run).parent.mkdir()
            (folder / run).symlink_to(given.run.resolve())
        os.chdir(folder)  # the page shows the run's folder as it was given
        _report(run)
        _explore(str(run), str(folder))


def _demo(run: Path, corpus: Path) -> None:
    from chejil.curation.demo import demo
    from chejil.curation.progress_display import display
    from chejil.terminal import STDERR, cores

    with display(STDERR, False) as bars:
        demo.sample(corpus, str(run), cores(), bars)


def _report(run: Path) -> None:
    """Where the documents went, and the signals with their bounds."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = _browser(driver)
        page = browser.new_page(viewport=SIZE)
        page.goto((run / "report.html").absolute().as_uri())
        _taken(page, "report.png")
        signals = page.get_by_role("heading", name="Signals and their bounds")
        signals.scroll_into_view_if_needed()
        page.evaluate("element => window.scrollTo(0, element.offsetTop - 20)", signals.element_handle())
        _taken(page, "report-signals.png")
        browser.close()


def _browser(driver: Any) -> Any:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)


def _explore(run: str, folder: str) -> None:
    """A bound that is moved, and two near duplicates word by word, in the dark."""
    from playwright.sync_api import sync_playwright

    port = server.free_port(server.LOCAL, None)
    with (
        server.serving(server.EXPLORE, (run, folder), server.LOCAL, port) as (_, url),
        sync_playwright() as driver,
    ):
        browser = _browser(driver)
        _moved_bound(_opened(browser, url, "light"))
        _cluster(_opened(browser, url, "dark"))
        browser.close()


def _opened(browser: Any, url: str, scheme: str) -> Any:
    page = browser.new_context(viewport=SIZE, color_scheme=scheme).new_page()
    page.goto(url)
    page.get_by_text("By source and language").wait_for(timeout=60_000)
    return page


def _moved_bound(page: Any) -> None:
    """One bound is loosened and one tightened, so that there is something on both sides."""
    for signal, side, value in (("spam_hit_share", "High", "0.5"), ("num_words", "Low", "110")):
        page.get_by_role("combobox", name="Signal").fill(signal)
        page.get_by_role("option", name=signal).first.click()
        page.get_by_test_id("stSidebar").get_by_text(SIGNALS[signal].about).wait_for()
        page.wait_for_timeout(1500)  # until the fields of the other signal are gone
        field = page.get_by_label(f"{side}, exactly")
        field.fill(value)
        field.press("Enter")
        page.get_by_test_id("stSidebar").get_by_text(f"bounds.ko.{signal}:").wait_for()
    page.wait_for_timeout(1000)
    _taken(page, "explore-bound.png")


def _cluster(page: Any) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text("Documents", exact=True).click()
    page.get_by_label("SQL").fill("lang = 'ko' AND reason = 'duplicate:near'")
    page.get_by_test_id("stBaseButton-secondaryFormSubmit").click()
    page.get_by_text("choose a row").wait_for()
    page.get_by_test_id("stDataFrame").first.click(position={"x": 18, "y": 55})
    page.get_by_role("button", name="Compare them").click()
    page.get_by_text("words only on the left").wait_for()
    _taken(page, "explore-duplicates.png")


def _taken(page: Any, name: str) -> None:
    page.wait_for_timeout(2000)  # charts and tables are drawn after the text
    page.screenshot(path=FOLDER / name)
    size = (FOLDER / name).stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{name}: {size:,} bytes are more than {MAX_BYTES:,}")
    print(f"{FOLDER / name}: {size:,} bytes")


if __name__ == "__main__":
    main()
