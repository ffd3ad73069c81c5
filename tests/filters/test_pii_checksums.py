"""Check digits: each algorithm against a plain walk, and every change of one digit that it must see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters import pii_checksums as checks


def digits(number: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=number, max_size=number)


# Published for testing by the networks; none is a card of anyone.
TEST_CARDS = ("4111111111111111", "4242424242424242", "5555555555554444", "378282246310005", "6011111111111117",
              "30569309025904", "3530111333300000")  # fmt: skip


@pytest.mark.parametrize("number", TEST_CARDS)
def test_public_test_cards_pass(number):
    """And none of them with another last digit."""
    assert [last for last in "0123456789" if checks.is_luhn(number[:-1] + last)] == [number[-1]]


@given(digits(15))
def test_luhn_is_the_walk_from_the_right(body):
    """Every second digit doubled, digits of the doubles added, the sum a multiple of ten."""
    number = body + str(checks.luhn_check_digit(body))
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (1 + place % 2)
        total += sum(map(int, str(doubled)))
    assert total % 10 == 0


@given(digits(12))
def test_residents_and_foreigners_differ_by_two(body):
    """The weighted sum and the check digit make 11, for foreigners 13, modulo 11 and then 10."""
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    rest = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
    assert checks.resident_check_digit(body) == (11 - rest) % 10
    assert checks.foreigner_check_digit(body) == (13 - rest) % 10
    foreign = body[:6] + "5" + body[7:]
    assert checks.is_resident(foreign + str(checks.foreigner_check_digit(foreign)))


@given(digits(12))
def test_corporate_weights_are_one_and_two_in_turn(body):
    """Odd places once and even places twice."""
    total = sum(map(int, body[::2])) + 2 * sum(map(int, body[1::2]))
    assert (total + checks.corporate_check_digit(body)) % 10 == 0


@given(st.integers(101, 999), digits(6), st.integers(0, 8), st.integers(1, 9))
def test_a_business_number_sees_a_wrong_digit(office, rest, place, change):
    """Weights are prime to ten, so any one digit that is changed is seen."""
    body = f"{office}9{rest[1:]}"
    number = body + str(checks.business_check_digit(body))
    changed = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    assert checks.is_business(number)
    assert place == 8 or not checks.is_business(changed)


@pytest.mark.parametrize(
    ("digits", "is_day"),
    [
        ("0002293", True),  # 2000 was a leap year
        ("0002291", False),  # 1900 was none
        ("0002299", False),  # nor was 1800
        ("9912311", True),
        ("9913011", False),
        ("9904311", False),
        ("0001005", False),
    ],
)
def test_days_of_birth(digits, is_day):
    """The seventh digit tells the century."""
    assert checks.has_birth_date(digits + "000000") == is_day


def test_numbers_that_are_never_given_out():
    """Zeros alone pass Luhn's sum and are no card; offices begin with 101."""
    assert not checks.is_luhn("0" * 16)
    assert not checks.is_business("0000000000")
