"""Rules for numbers that a state or a bank gives: residents, firms, licences, passports, cards, accounts.

Each rule takes a window and gives a kind with its grade, or None. A check digit alone is weak evidence for digits in
a row (of random ones 1 in 10 passes), so those need a label or a second trait; groups joined by dashes are read as
meant. Formats: chejil's own notes from public forms; check digits in `pii_checksums.py`.
"""

from __future__ import annotations

import re

from chejil.filters.lexicons import lexicon
from chejil.filters.pii_checksums import has_birth_date, is_business, is_corporate, is_luhn, is_resident
from chejil.filters.pii_context import Window
from chejil.filters.pii_grades import LIKELY, POSSIBLE, PROVEN, SURE, Grade

LAST_BIRTH_YEAR = 35  # of 20YY: a resident of 2060 is not yet born
CORPORATE_TYPES = ("11", "12", "13", "14", "15", "21", "22", "31", "32", "33", "34", "35", "36", "37", "38", "39",
                   "41", "42", "43", "44", "45", "46", "47", "48", "49", "71", "81", "82")  # fmt: skip
"""Fifth and sixth digit of a 법인등록번호: the legal form (법인 및 재외국민의 등기용등록번호 부여에 관한 규칙)."""
FIRST_REGION, LAST_REGION = 11, 28  # of licences since 1992
MILLISECOND_YEARS = ("14", "15", "16", "17", "18")  # 13 digits: a time stamp of 2014 to 2030 begins so
CARD_PREFIXES = re.compile("4|5[0-5]|2[2-7]|3[0-9]|6[0-9]|9[0-9]")  # networks, and 9 of Korean domestic cards
AMEX_PREFIXES = re.compile("3[47]")
CARD_SHAPES = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3))


def resident(window: Window) -> Grade | None:
    """주민등록번호 and 외국인등록번호: YYMMDD-GNNNNNC with a day of birth that exists."""
    digits = window.digits
    if window.shape not in ((6, 7), (13,)) or not has_birth_date(digits):
        return None
    kind = "frn" if digits[6] in "5678" else "rrn"
    label, check = window.has(kind), is_resident(digits)
    if window.has("corporate") or (not check and is_formed_corporate(window)):
        return None
    is_unborn = digits[6] in "3478" and int(digits[:2]) > LAST_BIRTH_YEAR
    if is_unborn or (digits[6] in "90" and not (label and check)):
        return None
    if label:
        return kind, PROVEN if check else SURE if window.joints == ("-",) else LIKELY
    if window.shape == (6, 7):
        return kind, SURE if check or set(window.joints) <= set("-–—−‐‑－ㅡ") else POSSIBLE
    is_time = digits[:2] in MILLISECOND_YEARS
    return (kind, SURE if not window.is_weak_other and not is_time else POSSIBLE) if check else None


def corporate(window: Window) -> Grade | None:
    """법인등록번호: the shape of a resident's number, with a legal form where that has a day."""
    if window.shape not in ((6, 7), (13,)):
        return None
    check, label = is_corporate(window.digits), window.has("corporate")
    if label:
        return "corporate", PROVEN if check else LIKELY
    return ("corporate", SURE) if is_formed_corporate(window) else None


def is_formed_corporate(window: Window) -> bool:
    """Whether two groups have the check digit and the legal form of a firm."""
    is_formed = window.shape == (6, 7) and window.digits[4:6] in CORPORATE_TYPES
    return is_formed and is_corporate(window.digits)


def business(window: Window) -> Grade | None:
    """사업자등록번호: NNN-NN-NNNNN."""
    if window.shape not in ((3, 2, 5), (10,)):
        return None
    check, label = is_business(window.digits), window.has("brn")
    if label:
        return ("brn", PROVEN if check else LIKELY) if check or not window.is_one_run else None
    if window.is_one_run or set(window.joints) != {"-"}:
        return None
    return "brn", SURE if check else POSSIBLE


def driver(window: Window) -> Grade | None:
    """운전면허번호: region, year, serial, check, RR-YY-NNNNNN-CC; older ones name the region."""
    label = window.has("driver")
    if window.shape == (2, 6, 2):
        names = "|".join(lexicon("pii")["driver_regions"])
        is_named = re.search(rf"(?:{names})[\s-]*\Z", window.gap) is not None
        return ("driver", SURE if is_named and label else LIKELY) if is_named or label else None
    if window.shape not in ((2, 2, 6, 2), (12,)) or not FIRST_REGION <= int(window.digits[:2]) <= LAST_REGION:
        return None
    if window.is_one_run or " " in window.joints:
        return ("driver", LIKELY) if label else None
    return "driver", SURE


_NEW_PASSPORT = re.compile(r"[MSRGDO]\d{3}[A-Z]\d{4}", re.ASCII)
_OLD_PASSPORT = re.compile(r"[MSRGDOPT]\d{8}|[A-Z]{2}\d{7}", re.ASCII)
_ANY_PASSPORT = re.compile(r"[A-Z]{1,2}\d{3}[A-Z]?\d{4,5}", re.IGNORECASE | re.ASCII)


def passport(window: Window) -> Grade | None:
    """여권번호: M12345678, since 2021 M123A4567; regions with two letters before 2008. With a label, any such."""
    if window.has("passport") and _ANY_PASSPORT.fullmatch(window.value):
        return "passport", SURE
    is_new, is_old = (form.fullmatch(window.value) for form in (_NEW_PASSPORT, _OLD_PASSPORT))
    if not (is_new or is_old) or window.is_weak_other:
        return None
    return "passport", LIKELY if is_new else POSSIBLE


def us_ssn(window: Window) -> Grade | None:
    """Social security number AAA-GG-SSSS; neither 000, 666 and 900 to 999 nor zeros are given out (SSA)."""
    if window.shape not in ((3, 2, 4), (9,)):
        return None
    digits, label = window.digits, window.has("us_ssn")
    if digits[:3] in ("000", "666") or digits[0] == "9" or digits[3:5] == "00" or digits[5:] == "0000":
        return None
    if label:
        return "us_ssn", SURE
    return ("us_ssn", LIKELY) if window.joints == ("-", "-") else None


def card(window: Window) -> Grade | None:
    """Payment card, 13 to 19 digits. In groups the shape alone will do, in a row it takes Luhn and a label."""
    digits, label = window.digits, window.has("card") or window.label_after("card")
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return None
    check = is_luhn(digits)
    if window.is_one_run:
        return one_run_card(window, check, label)
    if window.shape not in CARD_SHAPES or len(set(window.joints)) != 1 or window.joints[0] not in "-– .":
        return None
    if label:
        return "card", PROVEN if check else LIKELY
    if window.is_spaced and is_in_a_table(window):
        return None
    if window.shape != (4, 4, 4, 4) and not (check and CARD_PREFIXES.match(digits)):
        return None
    return "card", SURE if check else LIKELY if window.joints[0] == "-" else POSSIBLE


def one_run_card(window: Window, check: bool, label: bool) -> Grade | None:
    """Digits in a row: check digit and label; a label beside 15 or 16; the check digit and a network of these."""
    if label and (check or len(window.digits) in (15, 16)):
        return "card", PROVEN if check else LIKELY
    prefixes = {15: AMEX_PREFIXES, 16: CARD_PREFIXES}.get(len(window.digits))
    is_network = prefixes is not None and prefixes.match(window.digits) is not None
    if not check or not is_network or window.is_weak_other:
        return None
    return "card", LIKELY


def is_in_a_table(window: Window) -> bool:
    """Whether numbers go on before or after it, or it is a row of years or of growing numbers."""
    numbers = [int(group) for group in window.groups]
    goes_on = re.search(r"\d[ \t]{1,3}\Z", window.before) or re.match(r"[ \t]{1,3}\d", window.after)
    return bool(goes_on) or numbers == sorted(numbers) or all(1900 <= number < 2100 for number in numbers)


_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_MAX_GROUP = 8


def account(window: Window) -> Grade | None:
    """Bank account, 10 to 16 digits: only beside a bank, or after 계좌, 입금 and their like."""
    digits, bank, label = window.digits, window.bank, window.has("account")
    if not (bank or label) or not 10 <= len(digits) <= 16 or len(window.groups) > 4:
        return None
    is_day = _DAY.match(digits) is not None and len(window.groups[0]) in (4, 8)
    is_other = window.is_other if bank and not window.is_one_run else window.is_weak_other
    if is_day or is_other or (len(digits) == 13 and digits[:3] in ("978", "979")):
        return None
    if window.is_one_run:
        return (
            ("account", LIKELY) if bank or "계좌" in window.gap or "account" in window.gap.lower() else None
        )
    if set(window.joints) - set("-–— ") or (window.is_spaced and not bank):
        return None
    return "account", SURE if bank else LIKELY
