"""Quotas of a sample: whole numbers that add up, shortfalls, and mistakes that are named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chejil.curation import settings_file
from chejil.errors import ChejilError
from chejil.tokenizer.sampling.quotas import Quota, SampleSettings, Stratum, allot

KO, EN, LAW = Stratum("web", "ko"), Stratum("web", "en"), Stratum("law", "ko")

strata = st.dictionaries(
    st.builds(Stratum, st.sampled_from("abcde"), st.sampled_from(["ko", "en"])),
    st.integers(1, 10**12),
    min_size=1,
)


def settings(**values):
    return SampleSettings.model_validate(values)


@given(sizes=strata, share=st.floats(0, 1), temperature=st.floats(0.2, 50) | st.just(math.inf))
def test_what_is_given_adds_up_to_the_sample(sizes, share, temperature):
    """Exactly, whatever the sizes; no stratum gives more than it has."""
    total = max(1, int(sum(sizes.values()) * share))

    given = {s: one.given for s, one in allot(sizes, settings(docs=total, temperature=temperature)).items()}

    assert sum(given.values()) == total
    assert all(given[stratum] <= size for stratum, size in sizes.items())


@pytest.mark.parametrize(
    ("temperature", "asked"), [(1, (80, 20)), (2, (67, 33)), (math.inf, (50, 50)), (0.5, (94, 6))]
)
def test_the_temperature_lifts_the_small_strata(temperature, asked):
    """Sizes of 4 to 1 become their power of one over the temperature."""
    allotted = allot({KO: 40_000, EN: 10_000}, settings(docs=100, temperature=temperature))

    assert (allotted[KO].asked, allotted[EN].asked) == asked


def test_a_quota_is_divided_among_its_strata():
    """The others share what is left."""
    sizes = {KO: 3000, LAW: 1000, EN: 9000}

    allotted = allot(sizes, settings(docs=1000, quotas=[{"lang": "ko", "share": 0.8}]))

    assert [allotted[s].given for s in (KO, LAW, EN)] == [600, 200, 200]


def test_a_stratum_belongs_to_the_first_quota_that_it_matches():
    """So that an exception stands before the rule."""
    quotas = [{"source": "law", "amount": 5}, {"lang": "ko", "amount": 50}, {"amount": 45}]

    allotted = allot({KO: 1000, LAW: 1000, EN: 1000}, settings(quotas=quotas))

    assert [allotted[s].given for s in (KO, LAW, EN)] == [50, 5, 45]


@pytest.mark.parametrize(("shortfall", "given"), [("spread", (90, 10, 100)), ("fewer", (50, 10, 100))])
def test_what_a_small_stratum_lacks_is_spread_or_left(shortfall, given):
    """First over its own quota."""
    quotas = [{"lang": "ko", "amount": 100}, {"lang": "en", "amount": 100}]

    allotted = allot(
        {KO: 1000, LAW: 10, EN: 1000}, settings(quotas=quotas, shortfall=shortfall, temperature=math.inf)
    )

    assert [allotted[s].given for s in (KO, LAW, EN)] == list(given)


def test_what_a_whole_quota_lacks_is_spread_over_all_others():
    """The sample stays as large as was asked."""
    quotas = [{"lang": "ko", "amount": 100}, {"lang": "en", "amount": 100}]

    allotted = allot({KO: 40, EN: 1000}, settings(quotas=quotas))

    assert [allotted[s].given for s in (KO, EN)] == [40, 160]


def test_a_quota_of_nothing_takes_nothing():
    """Not even what the others lack; it need not match a stratum."""
    quotas = [{"lang": "ko", "amount": 60}, {"lang": "en", "amount": 0}, {"lang": "other", "amount": 0}]

    with pytest.raises(ChejilError, match="the sample asks for 60"):
        allot({KO: 50, EN: 1000}, settings(quotas=quotas))


def test_the_sample_that_ships_is_that_of_the_published_tokenizer():
    """Ten million Korean and ten million English documents, and no others."""
    path = next(str(path) for path in settings_file.shipped() if path.stem == "tokenizer-sample")
    sizes = {KO: 30_000_000, LAW: 100_000, EN: 90_000_000, Stratum("web", "mixed"): 10_000_000}

    allotted = allot(sizes, settings_file.load(SampleSettings, path))

    assert [allotted[s].given for s in (EN, Stratum("web", "mixed"))] == [10_000_000, 0]
    assert allotted[KO].given + allotted[LAW].given == 10_000_000
    assert allotted[LAW].given == 100_000


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"docs": 100, "quotas": [{"amount": 101}]}, "the quotas ask for 101 of 100 docs"),
        ({"docs": 100, "quotas": [{"amount": 99}]}, "the quotas ask for 99 of 100 docs"),
        (
            {"docs": 100, "quotas": [{"source": "wab", "amount": 1}]},
            "a quota for wab/* that takes no stratum",
        ),
        ({"bytes": 1000}, "the corpus has 60 bytes, the sample asks for 1,000"),
        (
            {"docs": 55, "shortfall": "refuse", "temperature": math.inf},
            "strata smaller than their quotas: web/en has 10 of 28 docs",
        ),
    ],
)
def test_quotas_that_cannot_be_met_are_named(values, what):
    """With what there is, and how to mend it."""
    with pytest.raises(ChejilError) as raised:
        allot({KO: 50, EN: 10}, settings(**values))

    assert raised.value.what == what
    assert raised.value.mend


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({}, "give `docs`, `bytes`, or quotas"),
        ({"docs": 0}, "greater than or equal to 1"),
        ({"docs": 1, "bytes": 1}, "exclude each other"),
        ({"quotas": [{"share": 0.5}]}, "give `docs`, `bytes`, or quotas"),
        ({"docs": 1, "temperature": 0}, "greater than 0"),
        ({"docs": 1, "temperature": math.nan}, "greater than 0"),
        ({"docs": 1, "quotas": [{"source": "a"}]}, "an `amount` or a `share`"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(values, what):
    """Before anything is read."""
    with pytest.raises(ValidationError, match=what):
        settings(**values)


def test_a_quota_matches_by_shell_patterns():
    """Capitals count."""
    assert Quota(source="w*", amount=1).takes(KO)
    assert not Quota(source="W*", amount=1).takes(KO)
