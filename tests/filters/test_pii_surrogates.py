"""Replacements: typed placeholders, and surrogates of the same shape that belong to no one."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from chejil.filters import pii
from chejil.filters.buffers import TextBuffers
from chejil.filters.pii_checksums import has_birth_date, is_business, is_corporate, is_luhn, is_resident
from chejil.filters.pii_surrogates import PLACEHOLDERS, canonical, surrogate

from .test_pii import DECOYS, POSITIVES

CASES = [pytest.param(kind, text, id=text) for kind, text, _ in POSITIVES]


def masked(text: str, style: str, seed: int = 0) -> str:
    """The text with every span replaced."""
    texts = TextBuffers.of([text])
    spans = pii.find(texts)
    raw, made, at = text.encode(), b"", 0
    for start, end, new in zip(
        spans.start, spans.end, pii.replacements(texts, spans, style, seed), strict=True
    ):
        made += raw[at:start] + new.encode()
        at = end
    return (made + raw[at:]).decode()


def shape(value: str) -> str:
    """Digits as 0 (an O for a zero too), spelled ones as 공, letters as a, all else as it is."""
    value = re.sub("[０-９]", "０", re.sub("[공영일이삼사오육칠팔구]", "공", value).replace("O1O", "010"))
    return re.sub("[a-z]", "a", re.sub("[0-9]", "0", value), flags=re.IGNORECASE)


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_a_placeholder_names_the_kind_and_is_not_found_again(kind, text):
    """A second pass changes nothing."""
    once = masked(text, "placeholder")
    assert PLACEHOLDERS[kind] in once
    assert masked(once, "placeholder") == once
    assert len(pii.find(TextBuffers.of([once]))) == 0


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_a_surrogate_is_another_value_and_the_same_each_time(kind, text):
    """Never the original; the seed decides."""
    once = masked(text, "surrogate")
    assert once != text
    assert once == masked(text, "surrogate")
    assert kind == "email" or once != masked(text, "surrogate", seed=1)


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_a_surrogate_is_not_taken_for_another_kind(kind, text):
    """It is found as the same kind or not at all."""
    texts = TextBuffers.of([masked(text, "surrogate")])
    assert {pii.KINDS[rule] for rule in pii.find(texts).rule} <= {kind}


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, _, value in POSITIVES if kind not in ("email", "ip")]
)
def test_a_surrogate_keeps_the_shape(kind, value):
    """Length, separators and script; spelled digits stay spelled."""
    made = surrogate(kind, value, 7)
    assert len(made) == len(value)
    assert shape(made) == shape(value)


def test_one_value_has_one_surrogate_in_all_spellings():
    """Separators, width and the code of the country do not matter."""
    spellings = [
        "010-2345-6789",
        "01023456789",
        "０１０ ２３４５ ６７８９",
        "+82 10 2345 6789",
        "공일공-이삼사오-육칠팔구",
    ]
    assert {canonical("phone", value) for value in spellings} == {"01023456789"}
    made = {canonical("phone", surrogate("phone", value, 3)) for value in spellings}
    assert len(made) == 1
    assert made.pop().startswith("0100")


def digits(value: str) -> str:
    return re.sub("[^0-9]", "", value)


@pytest.mark.parametrize("seed", range(20))
def test_no_surrogate_can_be_anyones(seed):
    """Days of birth exist and check digits are wrong; ranges are those that are not given out."""
    resident = digits(surrogate("rrn", "000229-3123456", seed))
    assert has_birth_date(resident)
    assert not is_resident(resident)
    foreigner = digits(surrogate("frn", "850101-5123456", seed))
    assert has_birth_date(foreigner)
    assert not is_resident(foreigner)
    assert not is_business(digits(surrogate("brn", "123-45-67890", seed)))
    assert not is_corporate(digits(surrogate("corporate", "110111-1234567", seed)))
    assert not is_luhn(digits(surrogate("card", "4111-1111-1111-1111", seed)))
    assert surrogate("us_ssn", "219-09-9998", seed)[0] == "9"
    assert surrogate("phone", "02-765-4321", seed).startswith("02-0")
    assert surrogate("phone", "+82 10 2345 6789", seed).startswith("+82 10 0")
    assert re.fullmatch(r"\(\d{3}\) 555-01\d\d", surrogate("phone", "(303) 867-5309", seed))
    assert re.fullmatch(r"[a-z]{6}\d@example\.(com|net|org)", surrogate("email", "reader9@mail.kr", seed))
    assert surrogate("ip", "211.202.15.44", seed).startswith("198.51.100.")
    assert surrogate("ip", "2400:cb00:2048:1::c629:d7a2", seed).startswith("2001:db8:")


@pytest.mark.parametrize("text", DECOYS)
def test_decoys_stay_byte_for_byte(text):
    """In both styles."""
    assert masked(text, "placeholder") == text == masked(text, "surrogate")


def test_k12_another_process_gives_the_same_surrogate():
    """A peer's random digits differ from run to run; ours hang on the seed alone."""
    code = (
        "from chejil.filters.pii_surrogates import surrogate; print(surrogate('phone', '010-2345-6789', 5))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert runs == {surrogate("phone", "010-2345-6789", 5) + "\n"}
