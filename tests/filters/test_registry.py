"""Laws over every signal of the registry: one definition each, and each definition holds.

Signals of a model are measured with small models that the tests train, those of Kiwi where it is installed.
"""

import importlib.util
import json
import math
import subprocess
import sys
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.filters.bounds import Policy, judge
from chejil.filters.catalogue import LANGUAGES, SIGNALS, find_signal
from chejil.filters.engine import score

HAS_KIWI = importlib.util.find_spec("kiwipiepy") is not None
ALL = [name for name, signal in SIGNALS.items() if HAS_KIWI or signal.family != "morphemes"]
CASES = [
    "",
    " \n\t",
    "한국어 문장이다.",  # "it is a Korean sentence."
    unicodedata.normalize("NFD", "한국어"),
    "ㅋㅋㅋㅋ ㅠㅠ",
    "大韓民國의 憲法",  # mixed script: the constitution of Korea
    "Mixed 문장 with 漢字 and 😀👨‍👩‍👧.",
    "나랏말ᄊᆞ미",  # old Hangul
    "\u200b\ufeff\u00a0\u3000\u0085\u2028",
    "a\r\nb\rc",
    "0\u0301\u0301\u0301",
    "\U0010ffff\ufffd\ue000",
]


def examples():
    for signal in map(SIGNALS.get, ALL):
        for verdict in ("kept", "dropped"):
            for number, (lang, text) in enumerate(getattr(signal, verdict)):
                yield pytest.param(signal, verdict, lang, text, id=f"{signal.name}-{verdict}-{number}")


def rows(texts, models, names=ALL):
    """Values a text, comparable: NaN does not occur."""
    return score(texts, names, models).to_pylist()


@pytest.mark.parametrize(("signal", "verdict", "lang", "text"), list(examples()))
def test_an_example_gets_its_verdict(signal, verdict, lang, text, quality_models):
    """By this signal's own default bound, for the language that the example is given in."""
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(score([text], [signal.name], quality_models)))
    frame = frame.with_columns(
        lang=pl.lit(lang), **({} if signal.name == "num_chars" else {"num_chars": pl.lit(1)})
    )
    bounds = {signal.name: signal.bounds[lang]} if lang in signal.bounds else {}

    reasons = judge(frame, Policy({lang: bounds}))[0].to_list()

    assert bool(reasons) == (verdict == "dropped"), (reasons, frame.to_dicts())


@pytest.mark.parametrize("signal", list(SIGNALS.values()), ids=ALL)
def test_a_definition_is_complete(signal):
    """What the listing, the docs page and the tests need is there, and examples that drop exist where bounds do."""
    assert signal.about.endswith(".")
    assert signal.source
    assert len(signal.kept) == 2
    assert set(signal.bounds) <= set(LANGUAGES)
    assert bool(signal.dropped) == bool(signal.bounds)
    assert all(bound.low is not None or bound.high is not None for bound in signal.bounds.values())
    if signal.kind == "share":
        assert all(
            0 <= edge <= 1 for b in signal.bounds.values() for edge in (b.low, b.high) if edge is not None
        )


@settings(max_examples=60)
@given(st.lists(st.sampled_from(CASES) | st.text(max_size=80), max_size=8))
def test_a_batch_is_scored_row_by_row(quality_models, texts):
    """A document's signals do not depend on its neighbours."""
    assert rows(texts, quality_models) == [rows([text], quality_models)[0] for text in texts]


@settings(max_examples=60)
@given(st.text(max_size=200) | st.sampled_from(CASES))
def test_values_lie_where_their_kind_says(quality_models, text):
    """Shares and scores in 0..1, counts and means not negative, nothing is NaN or infinite."""
    for name, value in rows([text], quality_models)[0].items():
        kind = SIGNALS[name].kind
        if value is None or kind == "label":
            continue
        assert math.isfinite(value), name
        assert value >= 0, name
        if kind in ("share", "score"):
            assert value <= 1, name


def test_an_empty_text_is_null_in_every_column_and_dropped(quality_models):
    """It has no quality to measure; its one reason is that it is empty."""
    import polars as pl

    assert set(rows([""], quality_models)[0].values()) == {None}
    frame = pl.DataFrame(pl.from_arrow(score(["", "x"], ALL, quality_models)))
    assert judge(frame, Policy(dict.fromkeys(LANGUAGES, "keep"))).to_list() == [["empty"], []]


STRINGS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", STRINGS, ids=str)
def test_every_arrow_string_type_is_the_same_text(quality_models, kind):
    """Also sliced, chunked, and with nulls, which are empty texts."""
    texts = ["앞", "한국어 문장이다.", None, "An English sentence.", "뒤"]
    array = pa.chunked_array(
        [pa.array(texts[:2], pa.string()).cast(kind), pa.array(texts[2:], pa.string()).cast(kind)]
    )

    expected = rows(["한국어 문장이다.", "", "An English sentence."], quality_models)
    assert rows(array.slice(1, 3), quality_models) == expected


def test_no_rows_give_no_rows_with_all_columns(quality_models):
    """An empty batch has the schema of a full one."""
    assert score([], ALL, quality_models).schema == score(["x"], ALL, quality_models).schema


def test_an_unknown_signal_gets_a_near_name():
    """From the registry."""
    with pytest.raises(ChejilError, match="did you mean 'hangul_share'"):
        find_signal("hangul_shares")


def test_the_columns_are_what_json_can_hold(quality_models):
    """No NaN reaches a table, since JSON has none."""
    json.dumps(rows(CASES, quality_models), allow_nan=False)


@pytest.mark.parametrize("first", ["boilerplate", "pii", "registry"])
def test_the_order_is_that_of_the_catalogue_whatever_is_imported_first(first):
    """The first reason of a document must not depend on what a worker happened to import first."""
    code = f"import chejil.filters.{first}; from chejil.filters.registry import SIGNALS; print(*SIGNALS)"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.split() == list(SIGNALS)
