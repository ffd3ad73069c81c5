"""Calibration: the joint share is kept, the preset that it writes is one, and what cannot be said is not."""

import json
import math
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import preset_files
from chejil.curation.calibration import calibration_page, proposed_presets, tails
from chejil.curation.calibration.calibrate import calibrate
from chejil.curation.calibration.proposed_presets import write_presets
from chejil.curation.calibration.tails import outward
from chejil.errors import ChejilError
from chejil.filters.catalogue import SIGNALS
from chejil.filters.engine import score

from ..conftest import prose


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """Two shards of 120 Korean and 20 English documents each, with sources."""
    folder = tmp_path_factory.mktemp("reference")
    rng = random.Random(5)
    for number in range(2):
        texts = [prose(rng, "ko")[: rng.randrange(150, 600)] for _ in range(120)]
        texts += [prose(rng, "en") for _ in range(20)]
        sources = ["mc4-ko"] * 120 + ["c4-en"] * 20
        table = pa.table({"text": texts, "source": sources})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=50)
    return folder


def texts_of(reference, lang):
    table = pa.concat_tables(pq.read_table(path) for path in sorted(reference.glob("*.parquet")))
    found = score(table["text"], ["lang"])["lang"].to_pylist()
    return [text for text, own in zip(table["text"].to_pylist(), found, strict=True) if own == lang]


@pytest.mark.parametrize("share", [0.8, 0.95, 0.99])
def test_the_share_of_the_reference_passes_all_bounds_together(small_run, reference, share):
    """Judged anew, by nothing but the preset that is written; and no tail that is one document larger would do."""
    found = calibrate(small_run, str(reference), share)

    for group in found.groups:
        texts = texts_of(reference, group.lang)
        table = score(texts, [one.signal for one in group.proposals])
        passes = np.ones(len(texts), bool)
        for one in group.proposals:
            column = table[one.signal].cast(pa.float64()).to_numpy()
            alone = (column >= (-math.inf if one.low is None else one.low)) & (
                column <= (math.inf if one.high is None else one.high)
            )
            assert one.passes == pytest.approx(alone.mean(), abs=1e-6)
            passes &= alone
        assert group.reference_documents == len(texts)
        assert group.passes == pytest.approx(passes.mean(), abs=1e-6)
        assert group.passes >= share


def test_a_preset_that_is_written_is_one(small_run, reference, tmp_path):
    """In the signals' units, with a comment on each line, and the same bytes every time."""
    out = str(tmp_path / "mine.yaml")
    found = calibrate(small_run, str(reference), 0.9)

    assert write_presets(found, out) == [out]
    first = (tmp_path / "mine.yaml").read_text("utf-8")
    write_presets(calibrate(small_run, str(reference), 0.9), out)

    assert (tmp_path / "mine.yaml").read_text("utf-8") == first
    languages = preset_files.find(out).languages
    for group in found.groups:
        bounds = {one.signal: (one.low, one.high) for one in group.proposals}
        assert {name: (b.low, b.high) for name, b in languages[group.lang].items()} == bounds
    lines = [line for line in first.splitlines() if "unit:" in line]
    assert lines
    assert all("# at " in line and "n = " in line for line in lines)


def test_by_source_there_is_a_preset_a_source(small_run, reference, tmp_path):
    """Of the sources that the run has."""
    found = calibrate(small_run, str(reference), 0.9, "source,lang")

    written = write_presets(found, str(tmp_path / "presets"))

    assert [path.rsplit("/")[-1] for path in written] == ["c4-en.yaml", "mc4-ko.yaml"]
    assert {(group.source, group.lang) for group in found.groups} == {("mc4-ko", "ko"), ("c4-en", "en")}


def test_a_run_may_be_the_reference(small_run):
    """Its stored signals are read; every document of the run that is within them stays."""
    found = calibrate(small_run, small_run, 0.9)

    for group in found.groups:
        assert group.reference_documents == group.run_documents
        assert group.falls <= 0.1 + 1e-9


def test_few_documents_are_warned_of_and_none_are_left_out(small_run, reference, tmp_path):
    """Forty English documents; then none."""
    few = calibrate(small_run, str(reference), 0.9)
    (english,) = [group for group in few.groups if group.lang == "en"]
    assert any("only 40 documents of en" in warning for warning in english.warnings)

    korean = tmp_path / "ko.parquet"
    pq.write_table(pa.table({"text": texts_of(reference, "ko")}), korean)
    none = calibrate(small_run, str(korean), 0.9)
    assert [group.lang for group in none.groups] == ["ko"]
    assert none.left_out == ["en: the reference has no documents of it"]


def test_signals_that_no_preset_bounds_get_both_sides(small_run, reference):
    """Named ones alone are calibrated."""
    found = calibrate(small_run, str(reference), 0.9, signals=["num_lines", "digit_share"])

    korean = next(group for group in found.groups if group.lang == "ko")
    sides = {one.signal: (one.low is not None, one.high is not None) for one in korean.proposals}
    assert sides == {"digit_share": (False, True), "num_lines": (True, True)}


def test_a_signal_that_is_undefined_for_many_is_left_out(small_run, reference):
    """A null passes no bound: it would cost more than the share allows."""
    found = calibrate(
        small_run, str(reference), 0.99, signals=["num_chars", "code_switch_share", "num_lines"]
    )

    for group in found.groups:
        assert group.passes >= 0.99


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 1.0}, "not between 0 and 1"),
        ({"signals": ["num_word"]}, "did you mean 'num_words'"),
        ({"signals": ["lang"]}, "is a label"),
        ({"reference": "nowhere"}, "no reference here"),
        ({"run": "nowhere"}, "no finished run here"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(small_run, reference, arguments, message):
    """With how to mend it."""
    given_ = {"run": small_run, "reference": str(reference), **arguments}

    with pytest.raises(ChejilError) as caught:
        calibrate(**given_)

    assert message in str(caught.value)


def test_a_shard_without_text_is_refused(small_run, tmp_path):
    """With the columns that it has."""
    pq.write_table(pa.table({"content": ["a"]}), tmp_path / "a.parquet")

    with pytest.raises(ChejilError, match="no column 'text'") as caught:
        calibrate(small_run, str(tmp_path))

    assert "content" in str(caught.value)


def test_the_page_is_one_file_and_draws_every_signal(small_run, reference):
    """Without script or request; the figures are XML; the result is JSON."""
    import xml.etree.ElementTree as ET

    found = calibrate(small_run, str(reference), 0.9)

    page = calibration_page.page(found)

    assert "<script" not in page
    assert "http" not in page
    pictures = [part.split("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]
    assert len(pictures) == sum(len(group.proposals) for group in found.groups)
    for picture in pictures:
        assert "nan" not in picture
        ET.fromstring("<svg" + picture)
    json.dumps(found.as_dict(), allow_nan=False)


@given(st.floats(1e-12, 1e12), st.booleans())
def test_outward_never_drops_what_the_value_passes(value, down):
    """And stays within a hundredth of it; YAML reads it back as the same number."""
    rounded = outward(value, down=down)

    assert (rounded <= value) if down else (rounded >= value)
    assert rounded == pytest.approx(value, rel=0.011)
    assert yaml.safe_load(proposed_presets._number(rounded)) == pytest.approx(rounded, rel=1e-15)


def test_sides_are_those_of_the_presets():
    """A share of repetition has no low side, an undecided signal both."""
    assert tails.sides("dup_line_share") == (False, True)
    assert tails.sides("mean_word_chars") == (True, True)
    assert tails.sides("num_lines") == (True, True)
    assert all(any(tails.sides(name)) for name in SIGNALS)
