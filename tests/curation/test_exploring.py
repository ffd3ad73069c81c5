"""What the page of `chejil explore` is made of, without the page: bounds, sliders, recipes, clusters, marked texts."""

import itertools
import math
import shlex
import socket

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import check, lookup, manifest, marked_yaml
from chejil.curation.browsing.run_documents import RunDocuments
from chejil.curation.browsing.selection import Selection
from chejil.curation.dedup.word_diff import word_diff
from chejil.curation.exploring import clusters, distributions, recipe_file, searching, server
from chejil.curation.exploring import moved_bounds as moving
from chejil.curation.exploring.moved_bounds import Scope
from chejil.curation.whatif import comparison
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.whatif import predict
from chejil.errors import ChejilError, RecipeError

from . import explored_run

KO, EN, BLOG_EN = Scope("ko"), Scope("en"), Scope("en", "blog")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return explored_run.make(tmp_path_factory.mktemp("explored"))


@pytest.fixture(scope="module")
def own(root):
    return lookup.recipe_of(root).stage("filter")


edges = st.none() | st.integers(0, 10**7) | st.floats(0, 1e12, allow_subnormal=False)


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from([KO, EN, BLOG_EN]), st.sampled_from(["num_words", "num_lines", "mean_word_chars"])
        ),
        st.tuples(edges, edges).map(lambda two: two if None in two else tuple(sorted(two))),
    )
)
def test_settings_say_exactly_what_was_moved(root, own, wanted):
    """Read back by `--set`, every bound is where it was moved to, both sides, and no other has moved."""
    moved = {}
    for (scope, signal), to in wanted.items():
        moved = moving.with_moved(own, moved, scope, signal, to)

    _, asked = comparison.asked(root, None, moving.settings_of(moved))

    for scope in moving.scopes(own):
        for signal in ("num_words", "num_lines", "mean_word_chars", "num_chars"):
            to = wanted.get((scope, signal), moving.sides(own, scope, signal))
            assert moving.sides(asked.stage("filter"), scope, signal) == to
            assert ((scope, signal) in moved) == (to != moving.sides(own, scope, signal))


def test_scopes_are_languages_with_bounds(own):
    """Not those that are dropped or kept whole; sources with bounds of their own beside them."""
    assert moving.scopes(own) == [KO, EN, BLOG_EN]
    assert moving.bounded(own, KO) == ["num_words", "num_lines"]
    assert moving.bounded(own, BLOG_EN) == ["num_words"]


def test_the_command_line_is_one_that_a_shell_takes_apart_again():
    """Braces and blanks are quoted."""
    settings = moving.settings_of({(KO, "num_words"): (30, 500.5), (BLOG_EN, "num_lines"): (None, None)})

    words = shlex.split(moving.command("runs/내 것", settings, write=True))  # "mine"

    assert words == [
        "chejil", "whatif", "runs/내 것",
        "--set", "stages.filter.by_source.blog.en.num_lines=null",
        "--set", "stages.filter.bounds.ko.num_words={low: 30, high: 500.5, unit: eojeol}",
        "--write",
    ]  # fmt: skip


def test_a_source_may_have_a_dot_in_its_name():
    """`--set` reads back what is written; the name is quoted where it must be."""
    scope = moving.Scope("ko", "law.v2 (new)")
    moved = {(scope, "num_words"): (30, None)}
    marked = marked_yaml.read("stages: [{filter: {}}]\n", "r.yaml")

    (setting,) = moving.settings_of(moved)
    marked_yaml.override(marked, setting)

    assert setting == 'stages.filter.by_source."law.v2 (new)".ko.num_words={low: 30, unit: eojeol}'
    assert marked.data["stages"][0]["filter"] == yaml.safe_load(moving.patch(moved))


def test_a_saved_recipe_gives_what_the_page_showed(root, own, tmp_path):
    """`chejil check` takes it, `whatif` with it says the same as with the settings, its head what was moved."""
    moved = moving.with_moved(own, {}, KO, "num_words", (60, 90))
    written = recipe_file.save(
        str(tmp_path), recipe_file.free_name(str(tmp_path), "explored"), recipe_file.text(root, moved)
    )

    recipe = check.load(str(written))
    one = predict(Question.of(root, str(written)))
    other = predict(Question.of(root, settings=moving.settings_of(moved)))

    assert written.name == "explored.explored.yaml"
    assert moving.sides(recipe.stage("filter"), KO, "num_words") == (60, 90)
    assert one.funnel_after == other.funnel_after != one.funnel_before
    assert "#   bounds.ko.num_words: 30 ≤ x → 60 ≤ x ≤ 90\n" in written.read_text("utf-8")
    assert CliRunner().invoke(cli.app, ["check", str(written)]).exit_code == 0


def test_a_recipe_that_is_no_recipe_is_not_saved(root):
    """Low above high is said, with both numbers."""
    with pytest.raises(RecipeError, match="low 9 is above high 3"):
        recipe_file.text(root, {(KO, "num_words"): (9, 3)})


@pytest.mark.parametrize(
    "name", ["../a.yaml", "/tmp/a.yaml", "a.txt", "a\\b.yaml", ".hidden.yaml", "", "b/a.yaml"]
)
def test_a_recipe_is_saved_in_its_folder_alone(tmp_path, name):
    """A name that leads elsewhere, or to no YAML, is refused, and nothing is written."""
    with pytest.raises(ChejilError, match="not the name of a YAML file"):
        recipe_file.save(str(tmp_path), name, "x")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_never_overwritten(tmp_path):
    """Not the user's own recipe with its comments; another name is proposed."""
    (tmp_path / "a.explored.yaml").write_text("# mine")

    with pytest.raises(ChejilError, match="there is such a file already"):
        recipe_file.save(str(tmp_path), "a.explored.yaml", "x")

    assert (tmp_path / "a.explored.yaml").read_text() == "# mine"
    assert recipe_file.free_name(str(tmp_path), "a") == "a.explored-2.yaml"


def test_a_slider_stands_on_values_of_its_documents(root, own):
    """Stops lie between the least and the largest value, with the bound itself, and no bound at both ends."""
    found = distributions.distribution(root, manifest.read(root), KO, "num_words")
    rows = pl.concat(
        [lookup.table(root, f"signals/{s}", ["lang", "num_words"]) for s in ("web/0.jsonl", "blog/0.jsonl")]
    )

    stops = found.stops(*moving.sides(own, KO, "num_words"), 33.25)

    assert found.values.tolist() == sorted(rows.filter(pl.col("lang") == "ko")["num_words"].to_list())
    assert (stops[0], stops[-1]) == (-math.inf, math.inf)
    assert {30, 33.25, *found.values[[0, -1]]} <= set(stops)
    assert stops == sorted(set(stops))
    assert found.bars()["documents"].sum() == len(found.values)


def test_a_scope_of_a_source_has_its_documents_alone(root):
    """And a language that no document has gives a slider with no stops between its ends."""
    content = manifest.read(root)
    every, blog = (distributions.distribution(root, content, scope, "num_words") for scope in (EN, BLOG_EN))
    none = distributions.distribution(root, content, Scope("mixed", "web"), "num_words")

    assert 0 < len(blog.values) < len(every.values)
    assert none.stops() == [-math.inf, math.inf]
    assert none.bars().is_empty()


@given(st.lists(st.floats(0, 1e9) | st.integers(0, 50).map(float), min_size=1, max_size=200))
def test_no_value_falls_out_of_a_histogram(values):
    """Whatever the tail, every document is in a bar."""
    found = distributions.Distribution("mean_word_chars", np.sort(np.array(values)), 0)

    assert found.bars()["documents"].sum() == len(values)
    assert found.stops() == sorted(set(found.stops()))


@given(st.text(), st.sampled_from([None, True, False]))
def test_a_text_is_searched_as_it_is(text, kept):
    """Quotes and wildcards in it mean nothing; SQL agrees with Python on which texts hold it."""
    texts = ["It's 100% sure", "법은 100_000 쪽", text.upper()]  # the law has 100_000 pages
    asked = searching.condition("", text, kept)
    if asked is None:
        return

    rows = pl.DataFrame({"text": texts, "kept": [True, True, True]})
    found = rows.filter(pl.sql_expr(asked).fill_null(False))["text"].to_list()

    assert all(text in texts and kept is not False for text in found)
    if text.strip() and text.strip().isascii() and kept is not False:
        assert text.upper() in found


def test_search_reads_what_inspect_reads(root):
    """The same documents as by --where; a search that is wrong says how."""
    documents = RunDocuments(root)
    where = searching.condition("lang = 'ko'", "어부들", kept=True)  # fishers

    found = list(searching.found(documents, Selection(where=where), 1000))

    assert found
    assert all(doc.kept and doc.columns["lang"] == "ko" and "어부들" in doc.text for doc in found)
    assert len(list(searching.found(documents, Selection(where=where), 2))) == 2
    with pytest.raises(ChejilError, match="no column is called 'num_wrds'"):
        list(searching.found(documents, Selection(where="num_wrds < 3"), 5))


def test_clusters_are_those_of_the_decisions(root):
    """Counted slowly: every cluster of two or more, the largest first, with its members."""
    content = manifest.read(root)
    decisions = [
        row
        for s in lookup.shards_of(content)
        for row in lookup.table(root, f"decisions/{s}", None).to_dicts()
    ]
    by_cluster = {}
    for row in decisions:
        if row["near_cluster"] is not None:
            by_cluster.setdefault(row["near_cluster"], []).append(row)
    wanted = {name: rows for name, rows in by_cluster.items() if len(rows) > 1}

    found = clusters.largest(root, content, "near").to_dicts()

    assert wanted
    assert {row["cluster"]: row["documents"] for row in found} == {
        name: len(rows) for name, rows in wanted.items()
    }
    assert all(row["kept"] == sum(doc["kept"] for doc in wanted[row["cluster"]]) for row in found)
    assert [row["documents"] for row in found] == sorted((row["documents"] for row in found), reverse=True)
    members, total = clusters.members(root, content, "near", found[0]["cluster"])
    assert total == len(members) == found[0]["documents"]
    assert {m["id"] for m in members} == {m["id"] for m in wanted[found[0]["cluster"]]}
    one, other, diff = clusters.compared(root, lookup.recipe_of(root), *members[:2])
    assert diff == word_diff(one, other)
    assert other


def test_the_server_is_for_this_machine_and_tells_nobody():
    """Bound to the loopback address, called by its names alone, no statistics; any other address only if told."""
    words = server.command(server.EXPLORE, ("runs/demo", "/folder"), server.LOCAL, 8600)
    options = [(name, value) for name, value in itertools.pairwise(words) if name.startswith("--")]

    assert ("--server.address", "127.0.0.1") in options
    assert ("--browser.gatherUsageStats", "false") in options
    assert {value for name, value in options if name == "--server.allowedHosts"} == {"localhost", "127.0.0.1"}
    assert words[-3:] == ["--", "runs/demo", "/folder"]
    assert "--server.allowedHosts" not in server.command(server.EXPLORE, ("r", "f"), "0.0.0.0", 1)


def test_a_port_that_is_taken_is_said():
    """With how to mend it; without one the next free port is taken."""
    with socket.socket() as taken:
        taken.bind((server.LOCAL, 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(ChejilError, match="give another --port"):
            server.free_port(server.LOCAL, number)
        assert server.free_port(server.LOCAL, None) != number


def test_without_the_extra_the_command_says_what_to_install(root, monkeypatch):
    """Exit code 2 by way of ChejilError, before anything is read."""
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)

    result = CliRunner().invoke(cli.app, ["explore", root])

    assert isinstance(result.exception, ChejilError)
    assert result.exception.mend == "pip install 'chejil[ui]'"


def test_what_is_no_run_is_refused_before_a_server_starts(tmp_path, monkeypatch):
    """As by `whatif`."""
    monkeypatch.setattr(server, "check_installed", lambda: None)

    result = CliRunner().invoke(cli.app, ["explore", str(tmp_path)])

    assert isinstance(result.exception, ChejilError)
