"""Runs over web archives, pages and dumps: the law, the same bytes, taking up again, and what must be installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chejil.curation import check, manifest, marked_yaml
from chejil.curation.place import made_with
from chejil.curation.reading import sources
from chejil.curation.run import dry_run, run
from chejil.errors import RecipeError

from .test_run import content, redone, table
from .web_texts import STORY, dump, http, page, pages_archive, record, wiki_page, zipped

pytest.importorskip("lxml_html_clean", reason="needs chejil[web]")
pytest.importorskip("mwparserfromhell", reason="needs chejil[web]")

RECIPE = """\
name: web
data: {data}
sources:
  crawl: {{format: warc, paths: "crawl/*.warc.gz"}}
  pages: {{format: html, paths: "pages/*.html"}}
  wiki: {{format: mediawiki, paths: "wiki/*.xml"}}
stages: [normalise, exact_dedup, write]
"""
DOCS = Path(__file__).parents[2] / "docs" / "sources.md"


@pytest.fixture(scope="module")
def web_corpus(tmp_path_factory) -> Path:
    """Two archives, thirty pages and a dump, with records of every fate."""
    root = tmp_path_factory.mktemp("web")
    for folder in ("crawl", "pages", "wiki"):
        (root / folder).mkdir()
    bad = [record(8, http(b"", status="404 Not Found")), record(9, b"a", "request")]
    (root / "crawl/a.warc.gz").write_bytes(zipped([*pages_archive(6), *bad]))
    (root / "crawl/b.warc.gz").write_bytes(zipped(pages_archive(8))[:-100])
    for i in range(30):
        text = page(f"{STORY} {i}쪽이다.")  # page no. i
        (root / f"pages/{i:02}.html").write_bytes(
            text.encode("cp949" if i % 2 else "utf-8") if i % 10 else b""
        )
    articles = [wiki_page(i, f"문서 {i}", f"'''{STORY}''' {i}") for i in range(9)]
    (root / "wiki/kowiki.xml").write_bytes(dump([*articles, wiki_page(9, "포구", "#넘겨주기 [[항구]]")]))
    return root


def recipe(data: Path, *settings: str):
    return check.check(marked_yaml.read(RECIPE.format(data=data), "web.yaml"), settings)


@pytest.fixture(scope="module")
def web_run(web_corpus, tmp_path_factory) -> str:
    root = str(tmp_path_factory.mktemp("run") / "web")
    run(recipe(web_corpus), root)
    return root


def test_every_record_is_a_document_or_in_the_quarantine(web_run):
    """The law over all three; thirty pages are one shard."""
    found = manifest.read(web_run)

    records = sum(entry["records"] for entry in found.inputs)
    assert records == found.documents + found.quarantined.total() == 8 + 8 + 30 + 10
    assert found.quarantined == {
        "http_status": 1, "other_record": 1, "torn_stream": 1, "not_html": 3, "redirect": 1,
    }  # fmt: skip
    assert len(list(Path(web_run, "documents/pages").glob("*.parquet"))) == 1
    assert manifest.verify(web_run) == []


def test_ids_are_the_records_own_or_the_files(web_run):
    """A WARC's record id, a page's file, a wiki's page number; meta says how the charset was found."""
    documents = table(web_run, "documents")
    ids = documents.group_by("source").agg("id").sort("source")["id"].to_list()

    assert "<urn:uuid:00000000-0000-4000-8000-000000000003>" in ids[0]
    assert {"pages/01.html#0", "pages/29.html#0"} <= set(ids[1])
    assert set(ids[2]) == set("012345678")
    assert '"charset":"EUC-KR","charset_by":"bytes"' in documents.filter(id="pages/01.html#0")["meta"][0]


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_and_a_second_run_nothing(web_run, web_corpus, tmp_path):
    """Extraction has no memory of what it has seen before."""
    run(recipe(web_corpus), str(tmp_path / "two"), workers=2)

    assert content(tmp_path / "two") == content(web_run)
    assert run(recipe(web_corpus), str(tmp_path / "two")).units_done == 0


def test_a_changed_setting_reads_its_source_again_alone(web_run, web_corpus):
    """So does another version of what reads it, which no other source is read by."""
    rows = dry_run(recipe(web_corpus, "sources.pages.extraction.favour=recall"), web_run)

    assert [row["to_do"] for row in rows if row["stage"] == "documents"] == [1]
    assert redone(dry_run(recipe(web_corpus), web_run)) == set()


def test_another_version_of_the_extractor_reads_its_sources_again(web_run, web_corpus, monkeypatch):
    """Two archives and the shard of pages; the dump, which trafilatura does not read, stays."""
    monkeypatch.setattr(
        "chejil.curation.ingest.made_with",
        lambda *names: made_with(*names) | ({"trafilatura": "99"} if "trafilatura" in names else {}),
    )

    rows = dry_run(recipe(web_corpus), web_run)

    assert [row["to_do"] for row in rows if row["stage"] == "documents"] == [3]


def test_a_resolved_recipe_names_the_settings(web_corpus):
    """What stands in no recipe is written out, for those sources that have it; it gives the same recipe."""
    text = recipe(web_corpus).resolved()

    assert "statuses:\n    - 200\n" in text
    assert "favour: balanced" in text
    assert check.check(marked_yaml.read(text, "again.yaml")) == recipe(web_corpus)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("sources.pages.statuses=[200]", "'statuses' is for web archives"),
        ("sources.wiki.extraction={}", "'extraction' is for HTML and web archives"),
        ("sources.crawl.namespaces=[0]", "'namespaces' is for MediaWiki dumps"),
        ("sources.pages.unit=line", "'unit' is for plain text"),
        ("sources.pages.extraction.favor=recall", "'favor' is not known here"),
    ],
)
def test_a_setting_of_another_format_is_refused(web_corpus, setting, problem):
    """Nothing that is set is ignored."""
    with pytest.raises(RecipeError, match=re.escape(problem)):
        recipe(web_corpus, setting)


def test_a_format_whose_packages_are_missing_says_what_to_install(web_corpus, monkeypatch):
    """At check time, with the line of the source, for each source that needs them."""
    monkeypatch.setattr(sources, "find_spec", lambda name: None if name == "trafilatura" else object())

    with pytest.raises(RecipeError) as caught:
        recipe(web_corpus)

    assert [problem.mend for problem in caught.value.problems] == ["pip install 'chejil[web]'"] * 2
    assert "format 'warc' needs trafilatura" in str(caught.value)
    assert "web.yaml:4:" in str(caught.value)


def test_the_examples_of_the_page_on_sources_run(web_corpus, tmp_path, monkeypatch):
    """Each recipe of docs/sources.md, on a corpus of ours laid out as it says."""
    examples = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(web_corpus)

    for number, text in enumerate(examples):
        found = run(check.check(marked_yaml.read(text, "example.yaml")), str(tmp_path / str(number)))
        assert found.kept
    assert len(examples) == 3
