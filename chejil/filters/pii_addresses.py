"""Rules for postal addresses that lead to one household: a building and a unit in it.

A street with a building's number is in every footer and leads to an office as often as to a home: it counts behind a
label that speaks of a home alone. With 동 and 호 (or Apt) it names a household. Conservative on purpose: an address
of an office block stays.
"""

from __future__ import annotations

import re

from chejil.filters.pii_context import Window
from chejil.filters.pii_grades import LIKELY, POSSIBLE, SURE

Stretch = tuple[str, float, int]
"""A kind, its grade, and characters that it has before the window."""

_NAMED_REGIONS = "서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주"
_REGION = rf"(?:(?:{_NAMED_REGIONS}|[가-힣]{{1,9}}[시도군구읍면동리])[ ,]{{1,2}})"
_ROAD = r"[가-힣0-9·]{1,14}(?:로|길)[ ]?\d{1,4}(?:번[가-힣]?길[ ]?\d{1,4})?(?:-\d{1,4})?"
_LOT = r"[가-힣]{1,8}(?:동|리|가|읍|면)[ ]?(?:산[ ]?)?\d{1,5}(?:-\d{1,4})?(?:번지)?"
_BETWEEN = r"(?:[ ,()·가-힣A-Za-z]|(?<!\d)\d{1,3}(?=차|단지|층|블[록럭])){0,36}?"
_BLOCK, _HO = r"(?<![\d,])\d{1,4}[ ]?동[ ,]{0,2}", r"(?:지하[ ]?|[Bb]|제)?(?<![\d,])\d{2,4}호"
_HOUSES = (
    "(?:아파트|APT|빌라|맨션|주공|연립|주택|오피스텔|원룸|타운|하이츠|자이|푸르지오|래미안|힐스테이트|아이파크|더샵"
    "|e편한세상|롯데캐슬)"
)
_OFFICES = re.compile(
    "빌딩|타워|센터|상가|프라자|플라자|사무|회관|청사|본부|공단|대학|학교|병원|법률|법무|지식산업"
)

_HOUSEHOLD = re.compile(
    rf"{_REGION}{{1,5}}(?:{_ROAD}|{_LOT}){_BETWEEN}(?:{_BLOCK})?{_HO}\Z|{_ROAD}{_BETWEEN}{_BLOCK}{_HO}\Z"
)
_NAMED_HOUSE = re.compile(
    rf"{_REGION}{{0,5}}[가-힣0-9]{{0,12}}{_HOUSES}[ ,]{{0,2}}(?:제?\d{{1,2}}차[ ]?)?{_BLOCK}{_HO}\Z"
)
_BARE_UNIT = re.compile(r"(?<!\d)\d{3,4}[ ]?동[ ,]{0,2}\d{3,4}호\Z")
_BUILDING = re.compile(rf"{_REGION}{{1,5}}{_ROAD}\Z")
_STREET = re.compile(
    r"(?<!\d)\d{1,6}[ ]+(?:[NSEW]\.?[ ]+)?(?:[A-Z][a-z]+[ ]+){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Parkway)"
    r"\.?,?[ ]+\Z"
)
_APARTMENT = re.compile(
    r"\.?[ ]?#?[ ]?[A-Z]?[0-9]{0,5}[A-Z]?(?:,[ ][A-Z][a-z]+(?:[ ][A-Z][a-z]+)?,[ ][A-Z]{2}[ ]\d{5}(?:-\d{4})?)?"
)


def household(window: Window) -> Stretch | None:
    """A Korean address that ends in 호."""
    before = window.before[-90:].rpartition("\n")[2]
    text = before + window.value
    for pattern, sure in ((_HOUSEHOLD, SURE), (_NAMED_HOUSE, SURE), (_BARE_UNIT, POSSIBLE)):
        found = pattern.search(text)
        if found is None:
            continue
        grade = POSSIBLE if _OFFICES.search(found.group()) else sure
        if grade < LIKELY and window.has("home"):
            grade = LIKELY
        return "address", grade, len(text) - found.start() - len(window.value)
    return None


def building(window: Window) -> Stretch | None:
    """A Korean road address after a word for a home."""
    text = window.before[-90:].rpartition("\n")[2] + window.value
    found = _BUILDING.search(text)
    if found is None or not Window(text[: found.start()], "", "").has("home"):
        return None
    return "address", LIKELY, len(text) - found.start() - len(window.value)


def apartment(window: Window) -> tuple[str, float, int, int] | None:
    """An American street address with an apartment."""
    street, unit = _STREET.search(window.before), _APARTMENT.match(window.after)
    if street is None or unit is None or not re.search("[0-9A-Z]", unit.group()):
        return None
    return "address", SURE, len(street.group()), unit.end()
