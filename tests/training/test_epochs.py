"""Tokens and epochs by source, by hand, and the laws of the discount."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.token_sizes import TokenSize, TokenSizes
from chejil.training.planning.epochs import ExpectedSource, effective_tokens, ledger

NOTHING = TokenSizes({}, [], None)


def shards(**groups):
    """TokenSizes of `source__lang=(documents, tokens, bytes)`."""
    return TokenSizes({tuple(name.split("__")): TokenSize(*size) for name, size in groups.items()}, [], 100)


def mixture(*stages, **caps):
    return MixtureStages.model_validate(
        {
            "stages": [{"from_tokens": begin, "weights": weights} for begin, weights in stages],
            "max_epochs": caps,
        }
    )


@pytest.mark.parametrize(
    ("epochs", "worth"), [(1, 1.0), (2, 0.984), (4, 0.931), (8, 0.828), (16, 0.661), (40, 0.379)]
)
def test_the_discount_of_the_paper(epochs, worth):
    """Muennighoff et al. 2023 with R* = 15.39, computed by hand."""
    assert effective_tokens(1e9, epochs * 1e9) / (epochs * 1e9) == pytest.approx(worth, abs=6e-4)


@given(st.floats(1, 1e13), st.floats(0, 1e3), st.floats(0, 1e3))
def test_more_tokens_are_never_worth_less(unique, few, more):
    """It grows with what is seen, never above it, never above 16.39 of what is unique."""
    few, more = sorted((few, more))
    low, high = effective_tokens(unique, few * unique), effective_tokens(unique, more * unique)

    assert low <= high * (1 + 1e-12)
    assert high <= more * unique * (1 + 1e-12)
    assert high <= 16.39 * unique * (1 + 1e-12)


def test_equal_bytes_are_more_tokens_of_the_language_that_is_cut_finer():
    """3 bytes a token against 6: two thirds of the tokens, half of the text."""
    sizes = shards(a__ko=(10, 1000, 3000), b__en=(10, 1000, 6000))

    ko, en = ledger(mixture((0, {"a": 1, "b": 1})), {}, sizes, 3000)

    assert (ko.source, ko.tokens, ko.epochs, ko.byte_share) == ("a/ko", 2000, 2.0, 0.5)
    assert (en.tokens, en.epochs, en.effective_tokens) == (1000, 1.0, 1000)
    assert ko.effective_tokens == round(effective_tokens(1000, 2000))
    assert ko.measured


def test_without_weights_everything_is_read_as_often():
    """In proportion to the bytes means equal epochs."""
    sizes = shards(a__ko=(10, 700, 2000), b__en=(10, 1300, 6000))

    assert [row.epochs for row in ledger(mixture((0, {})), {}, sizes, 6000)] == pytest.approx([3.0, 3.0])


def test_stages_add_up():
    """1,000 tokens of the one, then 3,000 half and half; what follows the end does not count."""
    expected = {name: ExpectedSource(tokens=1000, bytes_per_token=4) for name in "ab"}
    stages = mixture((0, {"a": 1}), (1000, {"a": 5, "b": 5}), (9000, {"b": 1}))

    a, b = ledger(stages, expected, NOTHING, 4000)

    assert (a.tokens, b.tokens) == (2500, 1500)
    assert a.tokens + b.tokens == 4000
    assert not a.measured


def test_a_pattern_shares_its_weight_by_size():
    """`mc4-*` of 3 parts to 1; what no name means is left out."""
    sizes = shards(**{"mc4-a__ko": (1, 300, 900), "mc4-b__ko": (1, 100, 300), "c__en": (1, 100, 300)})

    rows = ledger(mixture((0, {"mc4-*": 7})), {}, sizes, 400)

    assert {row.source: row.tokens for row in rows} == {"mc4-a/ko": 300, "mc4-b/ko": 100}


def test_shards_overrule_what_is_expected():
    """And what nobody knows is None, never a guess."""
    sizes = shards(a__ko=(1, 500, 1500))
    expected = {"a": ExpectedSource(tokens=9, bytes_per_token=1), "b": ExpectedSource(bytes_per_token=3)}

    a, b, c = ledger(mixture((0, {"a": 1, "b": 1, "c": 1}), a=0.5), expected, sizes, 3000)

    assert (a.unique_tokens, a.bytes_per_token, a.epochs, a.max_epochs) == (500, 3.0, 2.0, 0.5)
    assert (b.unique_tokens, b.epochs, b.effective_tokens) == (None, None, None)
    assert (c.source, c.bytes_per_token, c.tokens) == ("c", None, 1000)


def test_a_source_that_two_names_mean_is_refused():
    """As the training refuses it."""
    with pytest.raises(ChejilError, match="'mc4/ko' is meant by 'mc4/ko'"):
        ledger(mixture((0, {"m*": 1, "mc4/ko": 1})), {}, shards(mc4__ko=(1, 5, 9)), 10)
