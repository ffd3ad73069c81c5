"""Mixture: shares of bytes, spread evenly, each source with its rows; stages, epochs, caps, and what is refused."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.training.data.curriculum import Curriculum
from chejil.training.data.mixture import Interleaving, MixtureStages, StreamSize, row_shares

KO = StreamSize("web", "ko", 1000, 1000 * 64, 1000 * 64 * 5)
EN = StreamSize("web", "en", 3000, 3000 * 60, 3000 * 60 * 4)
LAW = StreamSize("law", "ko", 50, 50 * 64, 50 * 64 * 6)
SIZES = [KO, EN, LAW]

positive = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=8)


def normal(weights):
    return [weight / sum(weights) for weight in weights]


def sainte_lague(shares, rows):
    """Seat by seat: the next goes to the smallest (seats + ½) / share, of equals to the first."""
    queue = [(0.5 / share, number, 0) for number, share in enumerate(shares) if share]
    heapq.heapify(queue)
    found = []
    for _ in range(rows):
        _, number, seat = heapq.heappop(queue)
        found.append((number, seat))
        heapq.heappush(queue, ((seat + 1.5) / shares[number], number, seat + 1))
    return found


@given(positive, st.integers(0, 400), st.integers(0, 50))
@settings(max_examples=200, deadline=None)
def test_rows_are_those_of_seat_by_seat(weights, begin, num):
    """Any part of the order is found without what lies before it; the counts are the method's."""
    shares = normal([*weights, *weights[:2]])  # some alike, so that there are ties
    expected = sainte_lague(shares, begin + num)

    stream, row = Interleaving(shares).between(begin, begin + num)

    assert list(zip(stream.tolist(), row.tolist(), strict=True)) == expected[begin:]
    assert (
        Interleaving(shares).counts(begin).tolist()
        == np.bincount([number for number, _ in expected[:begin]], minlength=len(shares)).tolist()
    )


@given(positive, st.integers(1, 10**10))
@settings(max_examples=200, deadline=None)
def test_shares_are_exact_after_any_number_of_rows(weights, rows):
    """All rows are given out, each stream within one rounding of its share, after billions too."""
    shares = normal(weights)
    counts = Interleaving(shares).counts(rows)

    assert counts.sum() == rows
    assert (np.abs(counts - np.array(shares) * rows) <= 0.5 + np.array(shares) * len(shares) / 2 + 1e-4).all()


def test_a_weight_is_bytes_of_text():
    """Half the bytes each: a source whose rows hold less text gets more rows."""
    shares = row_shares({"law": 1, "web/en": 1}, SIZES, 64)
    num_bytes = [share * size.num_bytes / size.num_rows for share, size in zip(shares, SIZES, strict=True)]

    assert num_bytes == pytest.approx([0, num_bytes[2], num_bytes[2]])
    assert sum(shares) == pytest.approx(1)


def test_streams_of_one_name_share_by_size():
    """`web` has both languages, in proportion to their bytes; without weights that holds for all."""
    shares = row_shares({"web": 3.5}, SIZES, 64)

    assert shares == pytest.approx([0.25, 0.75, 0])
    assert row_shares({}, SIZES, 64) == pytest.approx([1000 / 4050, 3000 / 4050, 50 / 4050])


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"wab": 1}, "no source 'wab'"),
        ({"web": 1, "web/ko": 1}, "'web/ko' is meant by 'web' and by 'web/ko'"),
        ({"web": 0}, "all weights are 0"),
        ({"tiny": 1}, "'tiny' has 63 tokens, less than a row of 64"),
        ({"none": 1}, "'none' has no text to train on"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, said):
    """With the name, and how to mend it."""
    sizes = [*SIZES, StreamSize("tiny", "ko", 1, 63, 100), StreamSize("none", "ko", 1, 200, 0)]

    with pytest.raises(ChejilError, match=said) as error:
        row_shares(weights, sizes, 64)
    assert error.value.mend


def stages(*pairs, **caps):
    return MixtureStages.of(pairs, caps)


def test_a_stream_goes_on_where_the_stage_before_stopped():
    """Over three stages each row of each stream comes once, in order, and counts are those of each stage."""
    mixture = stages((0, {"web": 1}), (64 * 8 * 10, {"web/ko": 1, "law": 3}), (64 * 8 * 25, {"*": 1}))
    curriculum = Curriculum(mixture, SIZES, 8, 64, 40)
    seen = [[], [], []]
    for step in range(40):
        assert curriculum.taken_before(step).tolist() == [len(one) for one in seen]
        for stream, row in zip(*curriculum.rows_of(step), strict=True):
            seen[stream].append(row)

    assert [stage.begin for stage in curriculum.stages] == [0, 10, 25]
    assert all(rows == list(range(len(rows))) for rows in seen)
    assert curriculum.table()[2]["rows"] == 0
    assert sum(row["rows"] for row in curriculum.table()) == 40 * 8
    with pytest.raises(ChejilError, match="the training ends at 40"):
        curriculum.rows_of(40)


def test_a_longer_training_has_the_same_beginning():
    """Neither more steps nor another later stage changes what was trained on before."""
    short = Curriculum(stages((0, {"web": 1})), SIZES, 8, 64, 30)
    longer = Curriculum(stages((0, {"web": 1}), (64 * 8 * 30, {"law": 1})), SIZES, 8, 64)

    for step in range(30):
        for before, after in zip(short.rows_of(step), longer.rows_of(step), strict=True):
            assert np.array_equal(before, after)


def test_a_source_without_a_row_is_refused():
    """The error names a weight that gives it one, and that is true."""
    with pytest.raises(ChejilError, match="'law' gets none of 80 rows") as error:
        Curriculum(stages((0, {"web": 1, "law": 1e-4})), SIZES, 8, 64, 10)

    weight = float(error.value.mend.split("a weight of ")[1].split()[0])
    table = Curriculum(stages((0, {"web": 1, "law": weight})), SIZES, 8, 64, 10).table()
    assert table[-1]["rows"] == 1


def test_a_language_without_a_row_is_said():
    """Where its source has one, it is a warning."""
    assert Curriculum(stages((0, {})), SIZES, 8, 64, 2).warnings() == ["stage 1: law/ko gets no row"]


def test_epochs_are_counted_and_capped():
    """Repeated sources are said, and refused beyond their cap, with what would fit."""
    mixture = [(0, {"web": 1, "law": 1})]
    assert "law/ko has been read 8.1 times" in Curriculum(stages(*mixture), SIZES, 100, 64, 10).warnings()[0]

    with pytest.raises(ChejilError, match=r"'law/ko' is read 8.08 times, its cap is 4") as error:
        Curriculum(stages(*mixture, law=4), SIZES, 100, 64, 10)
    factor = float(error.value.mend.removeprefix("take ").split()[0])
    mended = Curriculum(stages((0, {"web": 1, "law": factor}), law=4), SIZES, 100, 64, 10)
    assert mended.table()[2]["epochs"] > 3.8
    with pytest.raises(ChejilError) as error:
        Curriculum(stages((0, {"law": 1}), law=4), SIZES, 100, 64, 10)
    assert error.value.mend == "train on fewer tokens, or raise max_epochs"


def test_stages_without_a_step_are_refused():
    """Two that begin at the same step, or one that begins behind the end."""
    for begins, steps in (((0, 100), None), ((0, 64 * 8 * 10), 10)):
        with pytest.raises(ChejilError, match="has no step"):
            Curriculum(stages(*((begin, {}) for begin in begins)), SIZES, 8, 64, steps)
