"""The page of a sweep's report in a real browser: asks for nothing, fits the window, axe is content; and its words."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from chejil.curation.reporting.layout import korean
from chejil.eval.ablation_reports import page, page_evidence, report, report_view, sweep_file, writing
from chejil.eval.ablation_reports.scatter import Point, scatter

sys.path.insert(0, str(Path(__file__).parent))
import made_up_sweep

pytest.importorskip("lightgbm")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A sweep with everything on its page: fit, front, next size, items, an excluded proxy, a missing one."""
    folder = tmp_path_factory.mktemp("sweeps") / "page"
    made_up_sweep.two_sources(folder)
    content = sweep_file.read(str(folder)).model_dump()
    for at, one in enumerate(content["proxies"]):
        one["scores"] = {"kobest_copa acc": 0.5 + 0.01 * at}
    content["proxies"][-1]["error"] = "loss is NaN at step 12"
    content["proposals"][0]["kind"], content["proposals"][1]["kind"] = "natural", "worst"
    content["proposals"][3]["seeds"] = [0, 1]
    content["transfer"] = {"about": "3 M parameters", "proxies": content["proxies"][:6]}
    made_up_sweep.shards.write_json(str(folder), "sweep.json", content)
    read = sweep_file.read(str(folder))
    writing.write(report.report(str(folder), read, report.stated(read)), str(folder))
    return folder


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium fonts-noto-cjk")
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_in_a_browser(width, scheme, browser, root):
    """It asks for nothing, complains of nothing, fits the window; axe is content in both schemes."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab, said, asked = context.new_page(), [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto((root / "report.html").as_uri())
    for language, heading in (("en", "What is decided"), ("ko", "결정된 것")):
        tab.check(f"#{language}")
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert tab.locator("#decisions-title").inner_text() == heading
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        if (width, scheme, language) in ((1280, "light", "en"), (1280, "dark", "ko")):  # 2 s each
            assert problems(tab) == []
        if folder := os.environ.get("CHEJIL_SCREENSHOTS"):
            tab.screenshot(path=f"{folder}/ablation-{scheme}-{width}-{language}.png", full_page=True)
    context.close()
    assert (said, len(asked)) == ([], 1)


def problems(tab):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    found = axe.Axe().run(
        tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
    )
    return [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found.response["violations"]]


def test_everything_is_on_the_page(root):
    """Sections, the excluded and the missing proxy, every folder that counts, a label for each drawing."""
    text = (root / "report.html").read_text("utf-8")
    sections = re.findall(r'<section id="([a-z]+)"', text)
    assert sections == [
        "mixture", "predicted", "front", "fit", "noise", "decisions", "transfer", "items", "proxies"
    ]  # fmt: skip
    assert "loss is NaN at step 12" in text
    assert "random-003-1" in text
    assert all(f"proxies/random-{at:03d}-0" in text for at in range(9))
    assert text.count("<svg") == text.count('<svg role="img" aria-label="') == 2 + 2


def test_every_phrase_is_used():
    """korean.yaml holds what the page says and no more; what is missing would be a KeyError above."""
    code = "".join(Path(module.__file__).read_text("utf-8") for module in (page, page_evidence, report_view))
    code = re.sub(r'"\s+"', "", code)
    unused = [
        phrase for phrase in korean("chejil.eval.ablation_reports")
        if f'"{phrase}"' not in code and f'">{phrase}"' not in code and f"'{phrase}'" not in code
    ]  # fmt: skip
    assert unused == []


def test_names_of_points_do_not_overlap():
    """A line apart, however near their points are; one point, equal points and none are drawn as well."""
    near = [Point(0.1 + at / 1000, 0.5, "proxy", f"name-{at}") for at in range(12)]
    svg = scatter("x", [*near, Point(1.0, 1.0, "natural")])
    heights = sorted(float(y) for y in re.findall(r"<text[^>]*translate\([\d.]+,([\d.]+)\)[^>]*>name-", svg))
    assert len(heights) == 12
    assert np.diff(heights).min() >= 11.9
    assert heights[-1] <= 210
    assert scatter("x", []) == ""
    assert "<svg" in scatter("x", [Point(1.0, 1.0, "ko")] * 3, equal=True)
