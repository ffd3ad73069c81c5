"""Judging: every reason and no other, in order, against a plain reference."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.filters.bounds import Policy, judge
from chejil.filters.catalogue import LANGUAGES, SIGNALS, Bound
from chejil.filters.preset_bounds import by_preset, check_unit, preset, presets, read_preset
from chejil.filters.rules import Rule, check_rule

NAMES = ["num_chars", "num_words", "mean_word_chars", "hangul_share"]
VALUES = st.none() | st.floats(-5, 5) | st.integers(-5, 5).map(float)
BOUNDS = st.builds(Bound, VALUES, VALUES)
LIMITS = st.sampled_from(["keep", "drop"]) | st.dictionaries(st.sampled_from(NAMES), BOUNDS)
POLICIES = st.builds(Policy, st.fixed_dictionaries(dict.fromkeys(LANGUAGES, LIMITS)))
ROWS = st.lists(st.tuples(st.sampled_from([*LANGUAGES[:4], None]), st.tuples(*[VALUES] * 4)), max_size=8)


def frame(rows):
    schema = {"lang": pl.String, **dict.fromkeys(NAMES, pl.Float64)}
    return pl.DataFrame([(lang, *values) for lang, values in rows], schema=schema, orient="row")


def plain(lang, values, policy):
    """What a person would say of one document."""
    if not values[0]:
        return ["empty"]
    bounds = policy.languages[lang or "unknown"]
    if isinstance(bounds, str):
        return [f"language:{lang or 'unknown'}"] if bounds == "drop" else []
    found = []
    for name in SIGNALS:
        if name in bounds:
            value, bound = values[NAMES.index(name)], bounds[name]
            if value is None:
                found.append(f"{name}:undefined")
            elif bound.low is not None and value < bound.low:
                found.append(f"{name}:low")
            if value is not None and bound.high is not None and value > bound.high:
                found.append(f"{name}:high")
    return found


@given(ROWS, POLICIES)
def test_every_reason_is_given_and_no_other(rows, policy):
    """Null fails every bound, an open side bounds nothing, an empty text has one reason."""
    assert judge(frame(rows), policy).to_list() == [plain(lang, values, policy) for lang, values in rows]


def test_a_language_that_the_policy_forgets_is_refused():
    """Nothing passes by being forgotten."""
    with pytest.raises(ChejilError, match="no bounds for language ko"):
        judge(frame([("ko", (9.0, 1.0, 1.0, 1.0))]), Policy({"en": {}}))


@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        (Rule("r", "drop", "num_words < 3"), [True, False, False]),
        (Rule("r", "keep", "num_words < 3"), [False, True, True]),
        (Rule("r", "drop", "lang = 'ko' AND hangul_share BETWEEN 0 AND 1"), [True, True, False]),
        (Rule("r", "keep", "num_words IS NULL OR num_words > 3"), [True, False, False]),
    ],
)
def test_a_rule_is_sql_and_unknown_is_not_true(rule, dropped):
    """A drop rule needs a true condition to drop, a keep rule a true one to keep; null is neither."""
    rows = frame([("ko", (9, 1, 1, 1)), ("ko", (9, 5, 1, 1)), ("en", (9, None, 1, 1))])

    assert judge(rows, Policy({"ko": {}, "en": {}}, (rule,))).to_list() == [["rule:r"] * d for d in dropped]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("num_word < 3", "did you mean 'num_words'"),
        ("num_words <", "not a condition in SQL"),
        ("num_words", "is a Int64, not a condition"),
        ("lang < 3", "cannot be evaluated"),
        ("read_csv('x')", "not a condition in SQL"),
        ("num_words > AVG(num_words)", "looks at other documents"),
        ("current_date > '2020-01-01'", "asks the clock"),
        ("COUNT(*) > 1", "looks at other documents"),
        ("ROW_NUMBER() OVER () > 1", "looks at other documents"),
        ("LAG(num_words) OVER (ORDER BY num_words) > 1", "looks at other documents"),
    ],
)
def test_a_rule_that_is_none_is_refused_before_anything_runs(condition, message):
    """Parsing, names and types are checked on an empty table."""
    with pytest.raises(ChejilError, match=message):
        check_rule(Rule("r", "drop", condition))


def test_a_bound_in_another_unit_is_refused():
    """Fifty morphemes are about 22 eojeol: the number means nothing without its unit."""
    with pytest.raises(ChejilError, match="per morpheme, but the signal is measured per eojeol"):
        check_unit("num_words", "morpheme")


@pytest.mark.parametrize("name", presets())
def test_a_preset_bounds_known_signals_of_known_languages(name):
    """In the signals' own units, with intervals that are not empty."""
    for lang, limits in preset(name).languages.items():
        assert lang in LANGUAGES
        assert limits
        for signal, bound in limits.items():
            assert SIGNALS[signal].kind != "label"
            assert bound.low is None or bound.high is None or bound.low <= bound.high


def test_a_word_in_quotes_is_no_part_of_a_rule():
    """Only what a condition does is looked at, not what it compares with."""
    check_rule(Rule("r", "drop", "url LIKE '%Agg%' OR lang = 'Len' OR id IN ('Over', 'Window')"))


def test_a_cast_that_a_value_does_not_stand_names_its_rule():
    """It cannot be known before the values are; then it says how to write it."""
    with pytest.raises(ChejilError, match=r"rule 'r' cannot be evaluated") as caught:
        judge(
            frame([("ko", (9, 1, 1, 1))]), Policy({"ko": {}}, (Rule("r", "drop", "CAST(lang AS INT) > 5"),))
        )

    assert "TRY_CAST" in str(caught.value)


def test_a_listed_url_is_the_first_reason_but_empty():
    """It needs no measuring; an empty text has one reason alone."""
    rows = frame([("ko", (9, 1, 1, 1)), ("ko", (0, 1, 1, 1)), ("ko", (9, 9, 1, 1))])
    policy = Policy({"ko": {"num_words": Bound(low=3)}})

    found = judge(rows, policy, {"adult": np.array([True, True, False])})

    assert found.to_list() == [["url:adult", "num_words:low"], ["empty"], []]


@pytest.mark.parametrize("content", [None, [], {"bounds": {}}, {"bounds": 3}, {"about": 1}, "koen"])
def test_what_is_no_preset_is_refused(content):
    """Whatever a YAML file may hold."""
    with pytest.raises(ChejilError, match="not a preset"):
        read_preset("mine", content, lambda path: "mine")


def test_all_mistakes_of_a_preset_are_named():
    """An unknown language, an unknown signal, a bound without a number: an error to mend, no assertion."""
    content = {
        "bounds": {"kr": {}, "ko": {"num_wordz": {}, "num_chars": {"unit": "char"}, "num_words": 5}, "en": 1}
    }

    with pytest.raises(ChejilError) as caught:
        read_preset("mine", content, lambda path: ".".join(path))

    for place in ("bounds.kr: 'kr' is not a language", "bounds.ko.num_wordz: no signal", "neither low nor high",
                  "bounds.ko.num_words: 'num_words' is no interval", "bounds.en: 'en' holds no bounds"):  # fmt: skip
        assert place in str(caught.value)


def test_bounds_by_preset_are_those_of_the_presets():
    """Presets and languages that do not bound a signal are left out."""
    found = by_preset("num_words")

    assert found["koen"] == {
        lang: preset("koen").languages[lang]["num_words"] for lang in ("ko", "en", "mixed")
    }
    assert by_preset("lang") == {}


def test_a_preset_may_start_from_another():
    """Its own bounds stand in the place of the other's, and null lifts one."""
    entries = {"preset": "koen", "num_words": {"low": 2, "unit": "eojeol"}, "short_line_share": None}

    found = read_preset("mine", {"bounds": {"ko": entries}}, ".".join).languages["ko"]

    koen = preset("koen").languages["ko"]
    assert found["num_words"] == Bound(low=2)
    assert found.keys() == koen.keys() - {"short_line_share"}
    assert found["digit_share"] == koen["digit_share"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"preset": "koan"},
            r"bounds\.ko\.preset: no preset that ships is called 'koan'; a file cannot start",
        ),
        ({"preset": "koen", "num_wordz": None}, r"bounds\.ko\.num_wordz: no signal is called 'num_wordz'"),
        ({"num_words": None}, r"bounds\.ko\.num_words: 'num_words' is no interval"),
    ],
)
def test_what_a_preset_cannot_start_from_or_lift_is_refused(entries, message):
    """A name that is wrong must not lift nothing in silence."""
    with pytest.raises(ChejilError, match=message):
        read_preset("mine", {"bounds": {"ko": entries}}, ".".join)


def test_a_language_that_the_other_preset_has_not_inherits_nothing_silently():
    """koen says nothing of other languages."""
    with pytest.raises(ChejilError, match=r"bounds\.other\.preset: preset 'koen' has no bounds for 'other'"):
        read_preset("mine", {"bounds": {"other": {"preset": "koen"}}}, ".".join)
