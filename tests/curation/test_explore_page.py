"""The page of `chejil explore` by Streamlit's own tests: what is moved, counted, searched, read, compared and saved."""

import subprocess
import sys

import fsspec
import polars as pl
import pytest

from chejil.curation import check, lookup, manifest
from chejil.curation.exploring.moved_bounds import Scope
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.whatif import predict

from . import explored_run

pytest.importorskip("streamlit", reason="the page needs the extra ui")
from streamlit.testing.v1 import AppTest

LOW = "Low, exactly"
SETTING = "stages.filter.bounds.ko.num_words={low: 60, unit: eojeol}"


def script(root, folder):
    from chejil.curation.exploring.page import page

    page(root, folder)


@pytest.fixture(autouse=True)
def same_main(monkeypatch):
    """AppTest leaves its script as `__main__`, which processes that later tests spawn would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return explored_run.make(tmp_path_factory.mktemp("explored"))


@pytest.fixture
def opened(root, tmp_path):
    """The page of the run; recipes are saved below tmp_path."""
    return page_of(root, tmp_path)


def page_of(root, folder):
    page = AppTest.from_function(script, args=(root, str(folder)), default_timeout=60).run()
    assert not page.exception
    return page


def field(page, label):
    return next(one for one in page.text_input if one.label == label)


def view(page, name):
    next(one for one in page.segmented_control if one.label == "View").set_value(name).run()


def drawn(page):
    """All HTML of the page."""
    return "\n".join(element.proto.body for element in page.get("html"))


def numbers(page):
    return {metric.label: metric.value for metric in page.metric}


def said(answer):
    total = answer.total
    return {
        "Documents kept": f"{total['kept_after']:,}",
        "Text kept, MB": f"{total['bytes_after'] / 1e6:,.2f}",
        "Newly kept": f"{total['newly_kept']:,}",
        "Newly dropped": f"{total['newly_dropped']:,}",
    }


def test_the_page_begins_with_the_counts_of_the_manifest(root, opened):
    """Nothing moved, nothing lost; by source and language it is what `whatif` says."""
    kept = sum(row["documents"] for row in manifest.read(root).funnel if row["reason"] is None)

    assert numbers(opened)["Documents kept"] == f"{kept:,}"
    assert opened.session_state.moved == {}
    assert opened.dataframe[0].value["kept after"].sum() == kept


def test_a_moved_bound_counts_what_whatif_counts(root, opened):
    """By the field and by the slider; the samples on the right are the documents that are newly dropped."""
    field(opened, LOW).set_value("60").run()
    answer = predict(Question.of(root, settings=[SETTING], samples=5))

    assert not opened.exception
    assert numbers(opened) == said(answer)
    assert answer.total["newly_dropped"] > 0
    assert opened.select_slider[0].value == (60, float("inf"))
    assert all(sample.id in drawn(opened) for sample in answer.samples[:20])
    assert SETTING in opened.code[0].value

    stop = next(
        option for option in opened.select_slider[0].options[1:] if option.isdigit() and int(option) > 60
    )
    opened.select_slider[0].set_range(int(stop), float("inf")).run()

    assert field(opened, LOW).value == stop
    assert numbers(opened) == said(predict(Question.of(root, settings=[SETTING.replace("60", stop)])))


def test_before_a_move_the_documents_nearest_to_the_bound_are_shown(root, opened):
    """Kept ones on the left, those that it drops on the right, the closest first; a signal without a bound has none."""
    tables = [lookup.table(root, f"{folder}/web/0.jsonl", None) for folder in ("decisions", "signals")]
    rows = tables[0].with_columns(num_words=tables[1]["num_words"]).filter(pl.col("lang") == "ko")
    kept = rows.filter("kept")["num_words"].min()
    dropped = rows.filter(pl.col("reasons").list.contains("num_words:low"))["num_words"].max()

    assert [head.value for head in opened.subheader][:2] == [
        "Nearest that are kept",
        "Nearest that are dropped",
    ]
    assert f"num_words {kept}<" in drawn(opened)
    assert f"num_words {dropped}<" in drawn(opened)

    opened.selectbox("signal ko").select("num_chars").run()
    assert not opened.exception
    assert [head.value for head in opened.subheader] == ["By source and language"]


def test_a_bound_goes_back(opened):
    """By its button, and all by theirs; the slider stands where the run has it."""
    before = numbers(opened)
    field(opened, LOW).set_value("60").run()
    opened.button("back").click().run()

    assert opened.session_state.moved == {}
    assert (numbers(opened), opened.select_slider[0].value) == (before, (30, float("inf")))

    field(opened, LOW).set_value("60").run()
    opened.selectbox("scope").select(Scope("en", "blog")).run()
    field(opened, LOW).set_value("").run()
    assert opened.session_state.moved == {
        (Scope("ko"), "num_words"): (60, None),
        (Scope("en", "blog"), "num_words"): (None, None),
    }
    opened.button("all back").click().run()
    assert (opened.session_state.moved, numbers(opened)) == ({}, before)


def test_low_above_high_is_said_and_moves_nothing(opened):
    """The fields show again what holds."""
    field(opened, "High, exactly").set_value("40").run()
    field(opened, LOW).set_value("50").run()

    assert "low 50 is above high 40" in drawn(opened)
    assert field(opened, LOW).value == "30"


@pytest.mark.parametrize("typed", ["many", "-1", "1e400", "nan"])
def test_what_is_no_bound_is_said_and_moves_nothing(opened, typed):
    """The field shows again what holds; the words are gone with the next click."""
    field(opened, LOW).set_value(typed).run()

    assert 'role="alert"' in drawn(opened)
    assert (opened.session_state.moved, field(opened, LOW).value) == ({}, "30")

    opened.run()
    assert 'role="alert"' not in drawn(opened)


def test_a_signal_that_is_chosen_again_shows_the_bound_that_was_moved(opened):
    """Streamlit forgets what a widget said that is not drawn."""
    field(opened, LOW).set_value("60").run()
    opened.selectbox("signal ko").select("num_chars").run()
    opened.selectbox("signal ko").select("num_words").run()

    assert field(opened, LOW).value == "60"
    assert opened.select_slider[0].value == (60, float("inf"))


def test_saving_writes_a_recipe_that_check_takes(root, opened, tmp_path):
    """With the moved bound in it; a taken name is said; the run stays as it is."""
    before = lookup.recipe_of(root)
    field(opened, LOW).set_value("60").run()
    opened.button("save").click().run()

    recipe = check.load(str(tmp_path / "explored.explored.yaml"))
    assert recipe.stage("filter").policy("web").languages["ko"]["num_words"].low == 60
    assert lookup.recipe_of(root) == before

    opened.text_input("file").set_value("explored.explored.yaml").run()
    opened.button("save").click().run()
    assert "there is such a file already" in drawn(opened)


def test_a_search_finds_and_a_wrong_one_says_why(opened):
    """SQL and text together; the rows are the documents."""
    view(opened, "Documents")
    opened.text_input("where").set_value("lang = 'ko' AND num_words > 30")
    opened.text_input("text").set_value("어부들")  # fishers
    opened.button[-1].click().run()
    rows = opened.dataframe[0].value

    assert len(rows) > 0
    assert set(rows["language"]) == {"ko"}

    opened.text_input("where").set_value("lang = ")
    opened.button[-1].click().run()
    assert 'role="alert"' in drawn(opened)
    assert not opened.exception


def test_a_document_is_read_with_its_reasons(root, opened):
    """Every reason with value and bound, every signal, changes marked; the hostile one is text."""
    decisions = pl.concat(
        [lookup.table(root, f"decisions/{s}", None) for s in ("web/0.jsonl", "blog/0.jsonl")]
    )
    low = decisions.filter(pl.col("reasons").list.contains("num_words:low"))["id"][0]
    opened.session_state.document = low
    view(opened, "Documents")
    reasons = next(frame.value for frame in opened.dataframe if "reason" in frame.value.columns)

    assert "num_words:low" in set(reasons["reason"])
    assert {"30"} >= set(reasons["low"][reasons["reason"] == "num_words:low"])

    for name, inside in (("script", "&lt;script&gt;"), ("someone", "<del")):
        where = decisions.with_columns(text=texts(root))
        document = where.filter(pl.col("text").str.contains(name))["id"][0]
        opened.session_state.document = document
        opened.run()
        assert inside in drawn(opened)
        assert "<script" not in drawn(opened)
        assert not opened.exception


def texts(root):
    tables = [lookup.table(root, f"documents/{s}", ["text"]) for s in ("web/0.jsonl", "blog/0.jsonl")]
    return pl.concat(tables)["text"]


def test_a_cluster_is_compared_word_by_word(opened):
    """Two of its documents, with the words that differ marked."""
    view(opened, "Duplicates")

    assert not opened.exception
    assert len(opened.dataframe[0].value) > 0
    assert "<del>" in drawn(opened) or "<ins>" in drawn(opened)
    assert "words only on the left" in opened.text[-1].value


def test_a_run_by_url_is_explored(root, tmp_path):
    """From any file system that fsspec knows; the command shows the URL."""
    fsspec.filesystem("memory").put(f"{root}/", "/lab/explored/", recursive=True)
    page = page_of("memory://lab/explored", tmp_path)
    field(page, LOW).set_value("60").run()

    assert numbers(page) == said(predict(Question.of(root, settings=[SETTING])))
    assert "chejil whatif memory://lab/explored" in page.code[0].value


def test_a_run_that_cuts_behind_the_filter_is_asked_by_a_button(tmp_path):
    """Since it takes as long as the stages behind it; then the counts are exact as well."""
    root = explored_run.make(tmp_path, "  - line_dedup: {scope: all, max_documents: 4, min_share: 0}\n")
    page = page_of(root, tmp_path)
    field(page, LOW).set_value("60").run()
    assert not page.metric

    next(button for button in page.button if button.label == "Say what would follow").click().run()

    assert numbers(page) == said(predict(Question.of(root, settings=[SETTING])))


def test_what_is_no_run_is_said_on_the_page(tmp_path):
    """A run that went while the page was open."""
    page = AppTest.from_function(script, args=(str(tmp_path), str(tmp_path))).run()

    assert not page.exception
    assert 'role="alert"' in drawn(page)


def test_streamlit_is_loaded_by_the_page_alone():
    """The command line and what the page is made of do without it."""
    code = (
        "import sys, chejil.cli, chejil.commands.explore\n"
        "from chejil.curation.exploring import clusters, distributions, marked_text, moved_bounds\n"
        "from chejil.curation.exploring import recipe_file, searching, server\n"
        "print('streamlit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
