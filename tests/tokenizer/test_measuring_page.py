"""`chejil tokenizer measure` from its command line, and its page: as a file, and in a real browser."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from chejil.cli import main
from chejil.curation.reporting import layout
from chejil.tokenizer.measuring import charts, page
from chejil.tokenizer.measuring.scores import Score

from .test_measuring import SCHOOL, shards
from .tiny_tokenizers import write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def chejil(*arguments):
    try:
        main(list(map(str, arguments)))
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with two tokenizers, documents, pairs and a page."""
    folder = tmp_path_factory.mktemp("measured")
    rows = [(f"학교에 {n}명이 왔다. <b>{'가나다 ' * n}</b>", "a<b>", "ko") for n in range(1, 9)]
    rows += [(f"There are {n} of us & more.", "en", "en") for n in range(8)]
    shards(folder / "in", rows)
    write(folder / "one", SCHOOL)
    write(folder / "two")
    (folder / "pairs.tsv").write_text("학교에\tat school\n왔다\tcame\n", "utf-8")
    return folder


def arguments(folder, *more):
    tokenizers = (folder / "one", folder / "two")
    return (
        "tokenizer",
        "measure",
        *tokenizers,
        "--on",
        folder / "in",
        "--workers",
        1,
        "--no-morphemes",
        *more,
    )


def test_json_holds_what_the_tables_show(measured, capfd):
    """One object; scores with their intervals."""
    assert chejil(*arguments(measured, "--json", "--parallel", measured / "pairs.tsv")) == 0
    card = json.loads(capfd.readouterr().out)

    assert [one["name"] for one in card["tokenizers"]] == ["one", "two"]
    assert card["sample"]["documents"] == 16
    assert card["parity"]["pairs"] == 2
    assert card["morphemes"]["left_out"] == "not asked for"
    score = card["groups"][0]["scores"]["one"]["tokens_per_word"]
    assert score["low"] <= score["value"] <= score["high"]

    assert chejil(*arguments(measured, "--parallel", measured / "pairs.tsv")) == 0
    shown = capfd.readouterr().out
    assert f"{score['value']:.3f} ±" in shown
    assert all(
        title in shown for title in ("eojeol", "parallel", "vocabulary", "numbers", "Rényi", "MB/s a core")
    )


def test_the_page_is_one_file_and_the_same_each_time(measured, capfd):
    """But for speed; data cannot become markup."""
    pages = []
    for name in ("a.html", "b.html"):
        assert chejil(*arguments(measured, "--no-speed", "--html", measured / name)) == 0
        pages.append((measured / name).read_text("utf-8"))
    assert "written: " in capfd.readouterr().err
    assert pages[0] == pages[1]
    assert "a&lt;b&gt;" in pages[0]
    assert "<script" not in pages[0]
    assert not re.search(r'(src|href)="(?!#)', pages[0])


@pytest.mark.parametrize(
    ("tokenizer", "on", "said"),
    [("one", "nothing", "nothing"), ("nothing", "in", "no such tokenizer"), ("bad", "in", "not JSON"),
     ("one", "empty", "no text to measure on"), ("m.model", "in", "no such tokenizer")],
)  # fmt: skip
def test_bad_input_says_how_to_mend_it(tokenizer, on, said, measured, capfd):
    """Exit code 2, and nothing on stdout."""
    (measured / "bad").mkdir(exist_ok=True)
    (measured / "bad/tokenizer.json").write_text('{"model": {', "utf-8")
    shards(measured / "empty", [("", "a", "ko")])

    assert chejil("tokenizer", "measure", measured / tokenizer, "--on", measured / on, "--workers", 1) == 2
    found = capfd.readouterr()
    assert found.out == ""
    assert said in found.err
    assert "mend:" in found.err


def test_every_phrase_has_its_korean_and_is_said():
    """None is missing (`say` would stop), none is left over."""
    source = Path(page.__file__).read_text("utf-8").replace('"\n        "', "")
    for english, said in layout.korean("chejil.tokenizer.measuring").items():
        assert set(re.findall(r"{\w*}", english)) == set(re.findall(r"{\w*}", said))
        assert english in source


def test_charts_of_anything():
    """One tokenizer, none with an interval, nothing at all."""
    assert charts.dots("x", {"ko": [Score(1.0)]}).startswith('<svg role="img" aria-label="x"')
    assert charts.dots("x", {"ko": [Score(None)]}) == ""
    assert charts.dots("x", {"xx": [Score(2.0, 1.0, 3.0), Score(None)], "en": [Score(2.0)] * 2})


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
def test_in_a_browser(width, scheme, browser, measured):
    """It asks for nothing, complains of nothing, fits the window in both languages, and axe is content."""
    assert (
        chejil(*arguments(measured, "--html", measured / "c.html", "--parallel", measured / "pairs.tsv")) == 0
    )
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab, said, asked = context.new_page(), [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"file://{measured}/c.html")
    for language, heading in (("en", "Vocabulary"), ("ko", "어휘")):
        tab.check(f"#{language}")
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert tab.locator("#vocabulary-title").inner_text() == heading
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert problems(tab) == []
        if folder := os.environ.get("CHEJIL_SCREENSHOTS"):
            tab.screenshot(path=f"{folder}/measure-{scheme}-{width}-{language}.png", full_page=True)
    ink = tab.evaluate(
        "getComputedStyle(document.querySelector('.plots svg path[fill]:not([fill=none])')).fill"
    )
    context.close()

    assert (said, len(asked)) == ([], 1)
    assert ink != "rgb(0, 0, 0)"


def problems(tab):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    found = axe.Axe().run(
        tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
    )
    return [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found.response["violations"]]
