"""Rules for telephone numbers: Korean ones in all spellings, North American ones, others after a plus.

Numbers that everybody calls are personal to nobody and stay: 15xx, 16xx and 18xx lines (four and four digits, which
no rule here reads), 080, 060, and the toll-free ones of North America, which are graded below the default.

Korea: 전기통신번호관리세칙. North America: NANP, area and exchange begin with 2 to 9. Plus: ITU-T E.164.
"""

from __future__ import annotations

import re

from chejil.filters.lexicons import lexicon
from chejil.filters.pii_context import Window
from chejil.filters.pii_grades import LIKELY, POSSIBLE, SURE, Grade

_NANP = re.compile(r"[2-9](?!11)\d\d[2-9]\d{6}")
_COUNTRY = re.compile(r"[1-9]\d{0,2}")
MIN_NATIONAL, MAX_NATIONAL = 9, 12
_SPELLED = dict(zip("공영일이삼사오육륙칠팔구Oo", "00123456678900", strict=True))


def phone(window: Window) -> Grade | None:
    """Any telephone number of digits."""
    if window.value.startswith("+"):
        return after_plus(window)
    if window.digits[0] == "0":
        return korean(window, window.digits)
    if window.digits[:2] == "82" and len(window.groups) >= 3:
        return korean(window, "0" + window.digits[2:].lstrip("0"))
    return north_american(window)


def korean(window: Window, national: str) -> Grade | None:
    """A number that is dialled as `national` within Korea."""
    if national.startswith("0082"):
        national = "0" + national[4:].lstrip("0")
    is_public_line = len(national) == 10 and national[:2] == "02" and national[2:4] in ("15", "16", "18")
    if is_public_line or national.startswith(tuple(lexicon("pii")["public_prefixes"])):
        return "phone", POSSIBLE
    is_mobile, is_area = is_korean_mobile(national), is_korean_landline(national)
    if not (is_mobile or is_area) or not is_parted_after_prefix(window, national):
        return None
    label = window.has("phone")
    if window.is_one_run and not window.value.startswith("+"):
        if label:
            return None if window.is_weak_other else ("phone", SURE if is_mobile else LIKELY)
        return ("phone", LIKELY) if national[:3] == "010" and not window.is_weak_other else None
    if is_mobile or label:
        return "phone", SURE
    return "phone", LIKELY if window.is_spaced or set(window.joints) & {".", "/", "·"} else SURE


def is_korean_mobile(national: str) -> bool:
    """Eleven digits after 010; ten or eleven after the older ones, and no zero first."""
    is_long = len(national) == 11 or (len(national) == 10 and national[:3] != "010")
    return national[:3] in lexicon("pii")["mobile_prefixes"] and is_long


def is_korean_landline(national: str) -> bool:
    """Area code, an exchange of three or four digits that begins with no zero, four digits."""
    for area in lexicon("pii")["area_codes"]:
        rest = len(national) - len(area)
        if national.startswith(area) and rest in (7, 8) and national[len(area)] != "0":
            return not (area == "070" and rest == 7)
    return False


def is_parted_after_prefix(window: Window, national: str) -> bool:
    """Whether the last group is the last four digits of the number, or more of it in a row."""
    last = len(window.groups[-1])
    return last in (4, 7, 8) or window.is_one_run or (last > 8 and len(window.groups) == 2)


def after_plus(window: Window) -> Grade | None:
    """A plus and a country code."""
    digits = window.digits
    if digits[:2] == "82":
        return korean(window, "0" + digits[2:].lstrip("0"))
    if len(window.groups[-1]) < 2 or re.search(r"[0-9A-Za-z)\]]\Z", window.before):
        return None
    if digits[0] == "1":
        return north_american(window)
    if window.is_one_run:
        return ("phone", LIKELY) if window.has("phone") else ("phone", POSSIBLE)
    is_coded = len(window.groups[0]) <= 3 and _COUNTRY.fullmatch(window.groups[0])
    # Signed numbers beside one another ("+12 3456 78901") have no code of a country first, or spaces alone.
    is_meant = window.has("phone") or (len(window.groups) >= 3 and len(digits) >= 10)
    return ("phone", LIKELY) if is_coded and is_meant else None


def north_american(window: Window) -> Grade | None:
    """Three, three and four digits, perhaps after a 1."""
    shape = window.shape
    if shape not in ((3, 3, 4), (1, 3, 3, 4), (10,), (11,), (1, 10), (1, 3, 7)):
        return None
    digits = window.digits
    if len(digits) == 11 and digits[0] != "1":
        return None
    number, label = digits[-10:], window.has("phone")
    if not _NANP.fullmatch(number):
        return None
    if number[:3] in lexicon("pii")["toll_free"]:
        return "phone", POSSIBLE
    if window.is_one_run and not window.value.startswith("+"):
        return ("phone", LIKELY) if label and not window.is_weak_other else None
    if label or window.value.startswith("+") or window.joints[-2:-1] == (")",):
        return "phone", SURE
    return "phone", POSSIBLE if window.is_spaced else LIKELY


def spelled(window: Window) -> tuple[str, float, int] | None:
    """010 or 070 with digits as syllables (공일공); also how many characters the eleven digits take."""
    digits, ends = "", []
    for place, char in enumerate(window.value, 1):
        if char in _SPELLED or char.isdecimal():
            digits += _SPELLED.get(char) or str(int(char))
            ends.append(place)
    # One more may be the particle 이 or the verb after it.
    is_phone = len(digits) in (11, 12) and digits[:3] in ("010", "070") and digits[3] != "0"
    return ("phone", SURE, ends[10]) if is_phone else None
