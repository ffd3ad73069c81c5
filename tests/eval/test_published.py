"""Published numbers: they give the averages that were printed beside them."""

import pytest

from chejil.errors import ChejilError
from chejil.eval import published
from chejil.eval.comparison_view import rounded

PRINTED = [
    (name, model)
    for name, suite in published.published().suites.items()
    for model in suite.models
    if model.average is not None
]


@pytest.mark.parametrize(("name", "model"), PRINTED, ids=lambda one: getattr(one, "name", one))
def test_the_unweighted_mean_is_the_printed_average(name, model):
    """To three digits, halves up."""
    assert rounded(published.mean(model.values)) == rounded(model.average)


def test_all_were_run_with_the_polyglot_branch():
    """English, too: a run of both suites is in one mode, and that one is comparable."""
    assert {suite.mode for suite in published.published().suites.values()} == {"polyglot"}


def test_the_two_means_that_are_the_target():
    """0.549 over four KoBEST tasks, 0.492 over 21 English rows."""
    means = {}
    for name in ("kobest", "en14"):
        suite = published.suite(name)
        (model,) = [one for one in suite.models if one.name == "42dot LLM-PLM 1.3B"]
        means[name] = rounded(published.mean(model.values)), len(suite.rows)

    assert means == {"kobest": ("0.549", 4), "en14": ("0.492", 21)}


def test_weighted_by_items_it_is_another_number():
    """0.518, as lm-eval's group would give: why the mean is said to be unweighted."""
    suite = published.suite("kobest")
    values = suite.models[-1].values
    items = [row.items for row in suite.rows.values()]

    weighted = sum(value * count for value, count in zip(values, items, strict=True)) / sum(items)

    assert rounded(weighted) == "0.518"


def test_errors_are_those_of_the_test_sizes():
    """BoolQ 0.013, COPA 0.014 at 0.704, the mean of four 0.0094: a lead of 0.010 is within it."""
    suite = published.suite("kobest")
    errors = [
        published.standard_error(value, row.items)
        for value, row in zip(suite.models[-1].values, suite.rows.values(), strict=True)
    ]

    assert [round(error, 3) for error in errors] == [0.013, 0.014, 0.022, 0.023]
    assert round(published.mean_error(errors), 4) == 0.0094


def test_a_mean_needs_every_row():
    """A mean over the rows that happen to be there is another number."""
    assert published.mean([0.5, None]) is None
    assert published.mean([]) is None
    assert published.mean_error([0.1, None]) is None


def test_every_source_is_described():
    """No number without where it stands."""
    known = published.published()

    assert {model.source for suite in known.suites.values() for model in suite.models} == set(known.sources)


def test_an_unknown_suite_names_the_near_one():
    """With what can be named."""
    with pytest.raises(ChejilError, match="did you mean 'kobest'"):
        published.suite("kobes")
