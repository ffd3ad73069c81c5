"""The pass over the lexicons finds what a plain search finds, and each rule of the notation holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure
from chejil.filters.lexicon_hits import COUNTERS, MAX_GAP_CHARS, WAITING
from chejil.filters.lexicon_tables import LEXICONS, phrase_rules, spellings
from chejil.filters.lexicons import lexicon

from . import reference_lexicons
from .strategies import SPACES, pieces

PHRASES = [
    spelling
    for name in LEXICONS
    for listed in lexicon(name).values()
    for entry in listed
    for spelling in spellings(entry)
]
FULL_WIDTH = {code: chr(code + 0xFEE0) for code in range(0x21, 0x7F)}

phrases = st.sampled_from(PHRASES)
joints = st.sampled_from(("\u200b", ".", " ", "♥", "-", "\n", "    ", "3", "ㅋ", "", "1"))
# Phrases as they are, with something between the letters, in other widths, or cut off at the end.
written = (
    phrases
    | st.tuples(phrases, joints).map(lambda pair: pair[1].join(pair[0]))
    | st.sampled_from(PHRASES).map(str.upper)
    | phrases.map(lambda phrase: phrase.translate(FULL_WIDTH))
    | phrases.map(lambda phrase: phrase[:-1])
    | st.sampled_from([p for name in LEXICONS for p in lexicon(name).get("letter_by_letter", ())]).flatmap(
        lambda phrase: joints.map(lambda joint: joint.join(phrase))
    )
)
between = st.sampled_from(("", "", " ", "는", "x", "7", *SPACES))  # 는: a particle
lexicon_texts = st.lists(st.tuples(written | pieces, between), max_size=12).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)


def counters(text: str) -> dict[str, int]:
    """Those that are not 0."""
    counts = measure(TextBuffers.of([text]), ["lexicons"])
    return {name: int(counts[name][0]) for name in COUNTERS if counts[name][0]}


@given(st.lists(lexicon_texts, max_size=4))
def test_kernel_agrees_with_the_reference(texts):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(texts), ["lexicons"])
    expected = [reference_lexicons.lexicon_hits(text) for text in texts]
    for name in COUNTERS:
        assert counts[name].tolist() == [counted[name] for counted in expected], name


@pytest.mark.parametrize("name", LEXICONS)
def test_every_phrase_is_found_alone(name):
    """Each entry of each list but the safe ones is a hit of its lexicon where it stands alone, or ends a compound."""
    for category, listed in lexicon(name).items():
        texts = [f"가{s}" if entry[0] == "+" else s for entry in listed for s in spellings(entry)]
        hits = measure(TextBuffers.of(texts), ["lexicons"])[f"{name}_hits"] if category != "safe" else []
        missed = [text for text, found in zip(texts, hits, strict=False) if not found]
        if category != "letter_by_letter":
            assert not missed, category


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("먹튀 검증", 1),  # "checking for cheats": of two phrases the longer
        ("토토 카지노", 2),
        ("온라인카지노에서는", 1),  # "in an online casino": a compound before, particles after
        ("서울토토로 가게", 0),  # a shop of the film Totoro
        ("포항이사견적", 1),  # "estimate of removals in Pohang"
        ("강릉배관견적", 1),  # the trade is in no list, its end is
        ("견적", 0),
        ("강릉배관견적을", 0),
        ("free followers", 1),
        ("free\nfollowers", 1),
        ("carefree followers", 0),
        ("free followersx", 0),
    ],
)
def test_edges_and_overlaps(text, hits):
    """Which spam phrases count, and where."""
    assert counters(text).get("spam_hits", 0) == hits


@pytest.mark.parametrize(
    "text",
    [
        "카.지.노",
        "카 지 노",
        "바♥카♥라",
        "토 토",
        "ㅌㅗㅌㅗ",
        "카\u200b지노",
        "ＣＡＳＩＮＯ ＢＯＮＵＳ",
        "(카)(지)(노)",
    ],
)
def test_a_disguise_is_seen_through(text):
    """Casino, baccarat, Toto; the hit counts as disguised."""
    assert counters(f"지금 {text} 가능")["spam_disguised"] == 1  # "… now possible"


@pytest.mark.parametrize(
    "text",
    [
        "카드 지노",  # card, Gino
        "카.지.노에서",  # the last letter does not stand alone
        "온카.지.노",
        "카\n지\n노",
        "카     지     노",
        "CASINO BONUS casino bonus",
    ],
)
def test_ordinary_text_is_no_disguise(text):
    """Letters apart count only where every letter stands alone, near the next, on one line."""
    assert "spam_disguised" not in counters(text)


def test_a_word_counts_once_however_many_phrases_begin_in_it():
    """So that the share of words stays within 1."""
    found = counters("씨발새끼들 지랄")  # swearing: three words of abuse, two eojeol
    assert (found["toxic_hits"], found["toxic_eojeol"]) == (3, 2)


def test_lexicons_do_not_see_one_another():
    """A phrase of one lexicon neither hides nor cuts one of another."""
    found = counters("제3조 카지노 404 Not Found")  # Article 3, casino
    assert (found["legal_hits"], found["spam_hits"], found["generated_hits"]) == (1, 1, 1)


@pytest.mark.parametrize("batch", [[], [""], ["", ""], ["", "카지노", ""]])
def test_empty_texts_have_no_phrase(batch):
    """Nor does a batch without a single character, in which there is nothing to look at."""
    hits = measure(TextBuffers.of(batch), ["lexicons"])["spam_hits"]
    assert hits.tolist() == [int(text != "") for text in batch]  # casino


def test_a_phrase_may_end_where_the_batch_ends():
    """The characters behind a beginning are looked at only as far as the text goes."""
    texts = [text[:size] for text in ("카지노", "casino bonus", "븅") for size in range(len(text) + 1)]
    for text in texts:
        hits = measure(TextBuffers.of([text]), ["lexicons"])
        expected = reference_lexicons.lexicon_hits(text)
        assert all(hits[name][0] == expected[name] for name in COUNTERS), text


def test_the_matches_that_wait_have_room():
    """As many phrases as may begin in the longest stretch of text that one can cover are fewer than the rows."""
    whole, apart = phrase_rules()
    most_here = max(sum(phrase[:size] in whole for size in range(1, len(phrase) + 1)) for phrase in whole)
    longest = max(max(map(len, whole)), max(map(len, apart)) * (MAX_GAP_CHARS + 1))
    most_apart = max(sum(phrase[:size] in apart for size in range(1, len(phrase) + 1)) for phrase in apart)
    assert (most_here + most_apart) * longest < WAITING
