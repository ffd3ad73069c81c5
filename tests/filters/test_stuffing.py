"""Frequent words, templates and keywords agree with a plain count, and prose has none."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure, score
from chejil.filters.lexicons import lexicon
from chejil.filters.prose import ENGLISH, KOREAN
from chejil.filters.stuffing_counts import COUNTERS

from .reference import char_class, is_letter
from .strategies import SPACES, texts
from .test_korean import suffix

FREQUENT = {word for lang in ("en", "ko") for word in lexicon("frequent_words")[lang]}


def value(name, text):
    return score([text], [name]).column(0)[0].as_py()


def letters_of(word):
    shown = (char for char in word if is_letter(char) or char_class(char) == "digits")
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in shown)


def sentences_of(text):
    """Words with letters, as lists of sentences."""
    sentences = [[]]
    for line in text.split("\n"):
        for word in line.split():
            if letters_of(word):
                sentences[-1].append(word)
            last = max((at for at, char in enumerate(word) if letters_of(char)), default=-1)
            if set(word[last + 1 :]) & set(lexicon("korean_marks")["terminal"]):
                sentences.append([])
        sentences.append([])
    return [sentence for sentence in sentences if sentence]


def template_of(sentence, spread):
    """The sentence with its slots blanked, or None where too little stays."""
    second = sorted(spread[word] for word in sentence)[-2] if len(sentence) > 1 else 0
    kept = [word if 10 * spread[word] >= 7 * second else None for word in sentence]
    num_kept = sum(word is not None for word in kept)
    if len(sentence) < 3 or num_kept < 2 or 2 * num_kept < len(sentence) or second < 3:
        return None
    return tuple(
        word for at, word in enumerate(kept) if word is not None or at == 0 or kept[at - 1] is not None
    )


def is_candidate(word):
    return re.fullmatch("[가-힣]{4,12}", letters_of(word)) and (
        not (found := suffix(word)) or found[1] == "none"
    )


def reference(text):
    spoken = sentences_of(text)
    shown = [word for sentence in spoken for word in sentence]
    words = [letters_of(word) for word in shown]
    times = Counter(words)
    whole = words if len(words) < 200 else words[: len(words) // 200 * 200]
    windows = [whole[at : at + 200] for at in range(0, len(whole), 200)]
    spread = Counter(word for sentence in spoken for word in set(map(letters_of, sentence)))
    templates = [template_of([letters_of(word) for word in sentence], spread) for sentence in spoken]
    often = {template for template, num in Counter(templates).items() if template and num >= 3}
    first = {letters_of(word): word for word in reversed(shown)}
    different = [word for word, as_written in first.items() if is_candidate(as_written)]
    heads, tails = Counter(word[:2] for word in different), Counter(word[-2:] for word in different)
    return {
        "stuffing_words": len(words),
        "top_word_times": max((num for word, num in times.items() if word not in FREQUENT), default=0),
        "window_words": len(whole),
        "window_distinct_words": sum(len(set(window)) for window in windows),
        "template_words": sum(
            len(sentence) for sentence, template in zip(spoken, templates, strict=True) if template in often
        ),
        "keyword_words": sum(
            bool(is_candidate(word))
            and heads[letters_of(word)[:2]] >= 4
            and tails[letters_of(word)[-2:]] >= 4
            for word in shown
        ),
    }


few = st.sampled_from(
    ["이사", "속초", "the", "The", "수", "지금", "바로", "전화", "주세요.", "오늘!", "a", ".", "12"]
)
sentences = st.lists(st.tuples(few, st.sampled_from([" ", "\n"])), max_size=60).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)
keywords = st.lists(
    st.tuples(
        st.sampled_from(["속초", "강릉", "태백", "동해", "가"]),
        st.sampled_from(["이사", "포장이사", "운동화", "은행은", "대출"]),
    ),
    max_size=40,
).map(lambda pairs: " ".join(town + service for town, service in pairs))
templates = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8).map(
    lambda slots: "".join(f"x{one} 걱정 끝! 지금 y{two} 전문점 바로 전화 " for one, two in slots)
)


spelled = st.lists(  # words in which marks stand anywhere, capitals too, and some are very long
    st.text(st.sampled_from("aBz가나1.!-’(é漢𠀀"), min_size=1, max_size=9)
    | st.sampled_from(["b" * 64, "b" * 65, "B" * 70]),
    max_size=30,
).map(" ".join)


@given(st.lists(sentences | keywords | templates | spelled | texts, max_size=4))
def test_kernel_agrees_with_the_reference(batch):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(batch), ["stuffing"])
    expected = [reference(text) for text in batch]
    for name in COUNTERS:
        assert counts[name].tolist() == [row[name] for row in expected], name


@pytest.mark.parametrize("text", [KOREAN, ENGLISH])
def test_prose_is_not_stuffed(text):
    """Nothing is a template or a keyword."""
    assert value("template_share", text) == 0
    assert value("keyword_share", text) == 0
    assert value("distinct_word_share", text) > 0.7


def test_distinct_words_do_not_fall_with_length():
    """A text that goes on in the same way keeps its share; a repeated one falls to that of its window."""
    window = " ".join(f"w{number}" for number in range(200))
    assert value("distinct_word_share", window) == 1
    assert value("distinct_word_share", " ".join([window] * 9)) == 1
    assert value("distinct_word_share", "a b " * 400) == 0.01


def test_the_top_word_of_a_short_text_is_among_twenty():
    """Under 20 words one word is no surprise; function words never are."""
    assert value("top_word_share", "신발 " * 5) == 0.25  # shoes
    assert value("top_word_share", "신발 " * 20) == 1
    assert value("top_word_share", "the " * 19 + "shoe") == 0.05


@pytest.mark.parametrize("num_values", [2, 8])
def test_templates_with_few_and_many_values(num_values):
    """A slot with two values is a slot as one with eight is."""
    ads = [
        f"[곳{n % num_values}] 물건{n % num_values} 당일 배송 전국 어디든 방문 문의{n}\n" for n in range(16)
    ]
    if num_values == 8:
        assert value("template_share", "".join(ads)) == 1
    assert value("template_share", "".join(ads)) > 0.4


def test_keywords_need_both_halves():
    """Towns with one service, or services of one town, are an ordinary list. Sokcho, Gangneung: removals, loans."""
    towns, services = ("속초", "강릉", "태백", "동해"), ("포장이사", "대출상담", "누수탐지", "도배장판")
    assert value("keyword_share", " ".join(town + services[0] for town in towns)) == 0
    assert value("keyword_share", " ".join(towns[0] + service for service in services)) == 0
    assert value("keyword_share", " ".join(town + service for town in towns for service in services)) == 1


@pytest.mark.parametrize("space", SPACES)
def test_any_white_space_parts_words(space):
    """As `str.split()` does."""
    assert value("top_word_share", ("신발" + space) * 20) == 1
