"""Check digits of the numbers that carry one. All take ASCII digits without separators.

A check digit is evidence, not a gate: a random number passes with a chance of 1 in 10 (11 for residents), and
resident numbers given out since October 2020 are random after the seventh digit and pass by chance alone.

Resident number: python-stdnum `kr.rrn`. Corporate number: weights 1 and 2 in turn. Business number: weights of the
National Tax Service (python-stdnum `kr.brn` looks at the shape alone). Cards: ISO/IEC 7812-1, annex B (Luhn).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

_RESIDENT = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_BUSINESS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_CORPORATE = (1, 2) * 6


def _dot(digits: str, weights: Iterable[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def resident_check_digit(digits: str) -> int:
    """Thirteenth digit of a 주민등록번호 whose first twelve are given.

    >>> resident_check_digit("000101300000")
    8
    """
    return (11 - _dot(digits[:12], _RESIDENT) % 11) % 10


def foreigner_check_digit(digits: str) -> int:
    """Thirteenth digit of a 외국인등록번호: two more than a resident's, modulo ten."""
    return (resident_check_digit(digits) + 2) % 10


def business_check_digit(digits: str) -> int:
    """Tenth digit of a 사업자등록번호 whose first nine are given."""
    return -(_dot(digits[:9], _BUSINESS) + int(digits[8]) * 5 // 10) % 10


def corporate_check_digit(digits: str) -> int:
    """Thirteenth digit of a 법인등록번호 whose first twelve are given."""
    return -_dot(digits[:12], _CORPORATE) % 10


def luhn_check_digit(digits: str) -> int:
    """Digit that makes these and itself pass.

    >>> luhn_check_digit("411111111111111")
    1
    """
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return -sum(number - 9 * (number > 9) for number in doubled) % 10


def is_resident(digits: str) -> bool:
    """Whether the check digit of a resident's or a foreigner's number holds."""
    check = foreigner_check_digit if digits[6] in "5678" else resident_check_digit
    return int(digits[12]) == check(digits)


def is_business(digits: str) -> bool:
    """Whether the check digit of a 사업자등록번호 holds; neither 000 nor 00 are given out."""
    return digits[:3] >= "101" and digits[3:5] != "00" and int(digits[9]) == business_check_digit(digits)


def is_corporate(digits: str) -> bool:
    """Whether the check digit of a 법인등록번호 holds."""
    return int(digits[12]) == corporate_check_digit(digits)


def is_luhn(digits: str) -> bool:
    """Whether the last digit is Luhn's; zeros alone are no number."""
    return digits.strip("0") != "" and int(digits[-1]) == luhn_check_digit(digits[:-1])


def has_birth_date(digits: str) -> bool:
    """Whether YYMMDD and the century that the seventh digit tells (9 and 0: 18xx) are a day."""
    century = 18 + (int(digits[6]) + 1) % 10 // 2 if digits[6] in "901234" else 19 + (digits[6] in "78")
    try:
        date(century * 100 + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return False
    return True
