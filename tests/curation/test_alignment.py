"""Items found in documents: the alignment against plain Python, seeds that lead to what is planted, spans."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation.decontamination.alignment import CREDIT, SKIP, aligned, matches
from chejil.curation.decontamination.evaluation_index import build, seeds_of
from chejil.curation.decontamination.match_tokens import WORD, tokens_of
from chejil.filters.buffers import TextBuffers


def extend(doc, item, weights):
    """Plain Python of one direction: doc and item are what lies ahead; gives (covered items, doc tokens used)."""
    at = place = score = best = 0
    credit, covered, kept, reached = CREDIT, [], 0, 0
    while at < len(doc) and place < len(item):
        if doc[at] == item[place]:
            covered.append(place)
            score, credit = score + 2 * weights[place], min(SKIP, credit + weights[place])
            at, place = at + 1, place + 1
            if score >= best:
                best, reached, kept = score, at, place
            continue
        gap = nearest(doc[at:], item[place:], weights[place:], credit)
        if gap is None:
            break
        score, credit = score - max(gap), credit - max(gap)
        at, place = at + gap[0], place + gap[1]
    return {place for place in covered if place < kept}, reached


def nearest(doc, item, weights, most):
    """The smallest gap, the document's share of it first, behind which enough is alike."""
    for skipped in range(1, 2 * most + 1):
        for a in range(max(0, skipped - most), min(skipped, most) + 1):
            b = skipped - a
            if a >= len(doc) or b >= len(item):
                continue
            run = 0
            while run < min(len(doc) - a, len(item) - b) and doc[a + run] == item[b + run]:
                run += 1
            alike = sum(weights[b : b + run])
            if alike >= 2 + skipped // 2 or (run and run == len(item) - b and skipped <= 4):
                return a, b
    return None


def plain_aligned(doc, last, item, place, weights):
    """Covered tokens of the item, first covered token of the document and the one behind the last."""
    if doc[last] != item[place]:
        return set(), last, last
    back, used = extend(doc[last::-1], item[place::-1], weights[place::-1])
    on, more = extend(doc[last + 1 :], item[place + 1 :], weights[place + 1 :])
    return {place - p for p in back} | {place + 1 + p for p in on}, last + 1 - used, last + 1 + more


WORDS = st.sampled_from([1, 2, 3, int(WORD) | 5, int(WORD) | 6])


@given(st.lists(WORDS, min_size=1, max_size=30), st.lists(WORDS, min_size=1, max_size=30), st.data())
def test_the_alignment_is_that_of_plain_python(doc, item, data):
    """The same tokens are covered, over the same span, from whatever seed."""
    last = data.draw(st.integers(0, len(doc) - 1))
    place = data.draw(st.integers(0, len(item) - 1))
    tokens, weights = np.array(item, np.uint32), np.array([2 if t & int(WORD) else 1 for t in item], np.int8)
    covered = np.zeros(len(item), np.uint8)
    starts = np.array([0, len(item)])
    items = (tokens, weights, starts, np.array([0, 1]), starts)

    first, behind = aligned(np.array(doc, np.uint32), len(doc), last, items, 0, place, covered)

    wanted, wanted_first, wanted_behind = plain_aligned(doc, last, item, place, weights.tolist())
    assert set(np.flatnonzero(covered).tolist()) == wanted
    assert (first, behind) == (wanted_first, wanted_behind)


# "The keeper of the lighthouse counts the waves every evening and writes the number into a green book."
KEEPER = "등대지기는 저녁마다 파도를 세어 초록색 공책에 그 수를 적는다."
ENGLISH = (
    "The keeper of the lighthouse counts the waves every evening and writes the number into a green book."
)
# "It rained on the harbour all day long. The boats stayed." / "In the market they sold herring."
BEFORE, BEHIND = "항구에는 하루 종일 비가 내렸다. 배는 나가지 않았다.", "시장에서는 청어를 팔았다."


def found(document, *items):
    return matches(
        TextBuffers.of([document]), build([[item] if isinstance(item, str) else item for item in items])
    )


@pytest.mark.parametrize("item", [KEEPER, ENGLISH])
@pytest.mark.parametrize("between", ["\n", " ", "\n\n", "\t"])
def test_a_planted_item_is_found_with_its_span(item, between):
    """Whole, and nothing beside it: the span is the item without the marks around it."""
    document = f"{BEFORE}{between}“{item}”{between}{BEHIND}"

    [row] = found(document, item).table

    text = document.encode()[row[2] : row[3]].decode()
    assert text == item.rstrip(".")
    assert row[4] == row[6] == row[7] == build([[item]]).item_weights[0]


@given(st.integers(0, 11), st.sampled_from(["바람", "x", "", "그러나 아무도 모르게", "the old"]))
def test_one_word_changed_leaves_most_of_it(number, other):
    """Whichever word is another (wind, x, none, two words): the rest is found."""
    words = KEEPER.split()
    words[number % len(words)] = other

    table = found(f"{BEFORE}\n{' '.join(words)}\n{BEHIND}", KEEPER)

    assert max(table["covered"]) >= 0.6 * build([[KEEPER]]).item_weights[0]


def test_fields_are_found_together_over_labels():
    """Premise, label and alternative stand apart in the document as they do where items are printed."""
    # "The glass fell. / The glass broke. / The glass was filled."
    fields = ["유리컵이 바닥에 떨어졌다.", "유리컵이 산산이 깨졌다.", "유리컵에 물이 찼다."]

    [row] = found(f"1. {fields[0]} 결과: (1) {fields[1]} (2) {fields[2]}", fields).table

    assert row[4] == build([fields]).item_weights[0]
    assert row[8] == 3


def test_a_common_sequence_leads_nowhere_unless_a_field_has_nothing_else():
    """What six items share is no seed; an item that is nothing but that keeps two."""
    common = "나는 그렇게 생각한다고 말했다"  # "I said that I think so"
    # herring, lamp, wave, fog, boat
    others = [f"{common} {word}" for word in ("청어", "등불", "파도", "안개", "나룻배")]
    index = build([[common], *([other] for other in others)])

    table = matches(TextBuffers.of([common]), index)

    assert 0 in table["item"]
    assert (index.items == 0).sum() == 2


def test_items_that_share_a_passage_are_all_found():
    """Three questions about one text: each is an item of the set."""
    items = [[KEEPER, f"질문 {number}번입니다"] for number in range(3)]  # "question number n"

    assert sorted(found(KEEPER, *items)["item"]) == [0, 1, 2]


def test_no_items_no_documents_no_words():
    """An index of nothing finds nothing, and nothing is found in nothing."""
    assert len(found(KEEPER)) == 0
    assert len(matches(TextBuffers.of([]), build([[KEEPER]]))) == 0
    assert len(found("", KEEPER)) == 0
    assert len(found(KEEPER, ["", "?!"], [])) == 0


def test_more_matches_than_there_is_room_for(monkeypatch):
    """The table grows; nothing is lost."""
    monkeypatch.setattr("chejil.curation.decontamination.alignment._ROOM", 1)
    texts = TextBuffers.of([KEEPER] * 9)

    assert matches(texts, build([[KEEPER]]))["doc"].tolist() == list(range(9))


@pytest.mark.parametrize(
    "cell", ["\n{}\n", "a\t{}\tb", "| {} | x |", '{{"text": "{}", "label": 1}}', '1,"{}","b"']
)
def test_cells_of_tables_and_json_are_lines_of_their_own(cell):
    """Nothing stands beside an item in a line, a TSV, Markdown or CSV cell or a JSON string."""
    [row] = found(cell.format(KEEPER), KEEPER).table

    assert row[10] == 0


def test_what_stands_beside_is_weighed():
    """A quote within a sentence has the sentence beside it."""
    [row] = found(f"그는 “{KEEPER}”라고 썼다", KEEPER).table  # "he wrote: …"

    assert row[10] == len("그는라고썼다")


@given(st.lists(st.text("가나다라 abc", max_size=40), max_size=8))
def test_seeds_lie_within_their_field(texts):
    """No seed crosses into the next field, and each is as long as its last token wants."""
    tokens = tokens_of(TextBuffers.of(texts))
    room = len(tokens.tokens)
    hashes, leads = np.zeros(room, np.uint64), np.zeros(room, np.uint64)
    fields, places = np.zeros(room, np.int64), np.zeros(room, np.int64)
    weights = np.array(
        [tokens.weights[a:b].sum() for a, b in zip(tokens.starts, tokens.starts[1:], strict=False)]
    )

    num = seeds_of(tokens.tokens, tokens.starts, weights.astype(np.int64), hashes, leads, fields, places)

    for field, place in zip(fields[:num], places[:num], strict=True):
        shortest = 3 if tokens.tokens[place] & WORD else 5
        assert tokens.starts[field] <= place - shortest + 1
        assert place < tokens.starts[field + 1]
    assert (hashes[:num] != 0).all()


def test_documents_do_not_touch_each_other():
    """Half an item at the end of one document and half at the beginning of the next are none."""
    half = len(KEEPER) // 2
    texts = [BEFORE + KEEPER[:half], KEEPER[half:] + BEHIND]
    together = matches(TextBuffers.of(texts), build([[KEEPER]]))
    alone = [matches(TextBuffers.of([text]), build([[KEEPER]])) for text in texts]

    frame = pl.DataFrame(together.table)
    assert len(frame) == sum(map(len, alone))
    assert all(together["covered"] < build([[KEEPER]]).item_weights[0])
