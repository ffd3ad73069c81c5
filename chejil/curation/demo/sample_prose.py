"""Prose of the sample corpus: a small grammar over tables of sentences, in Korean and in English.

A corpus to demonstrate on will be read by people, must belong to the project, and may hold no accidental
duplicates, or nobody can say what deduplication should find. So the sentences are written by hand
(`sample_texts/*.yaml`) and a seed chooses: a subject gives facts and words, a register gives the sentences
around them, and each sentence has alternatives and numbers of its own. Some 700 sentences give 5,150
documents of which no two share more than 0.19 of their word 5-grams (Jaccard).

Notation of a sentence: `[a|b]` one alternative, `{12~40}` a whole number, `{thing}` an entry of a list. A
Korean particle behind a bracket agrees with the syllable before it: 은/는, 이/가, 을/를, 과/와, 으로/로.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

Lang = Literal["ko", "en"]

FACTS_A_SECTION = 5
"""At most: a subject has 10 to 16 facts, and two documents about it should share few of them."""


@dataclass(frozen=True, slots=True)
class Prose:
    """A document before anything happened to it."""

    title: str
    text: str
    lang: Lang
    register: str
    subject: str


@cache
def tables(name: str) -> Any:
    """The table `sample_texts/NAME.yaml`.

    >>> sorted(tables("ko_law"))
    ['articles', 'first', 'last', 'title']
    """
    text = (resources.files("chejil.curation.demo") / "sample_texts" / f"{name}.yaml").read_text("utf-8")
    # The C loader reads the tables in 0.1 s, the Python one in 2 s; libyaml is not in every wheel.
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def lines(block: str) -> tuple[str, ...]:
    """The sentences of a YAML block, one a line."""
    return tuple(block.splitlines())


class Writer:
    """Writes sentences from one seed; names, once chosen, hold for the document.

    Args:
        rng: the source of every choice.
        words: lists by slot name; a list is dealt like cards, a word comes back only after the others.

    >>> Writer(random.Random(1), {"thing": ["벌통"]}).sentence("{thing}는 {2~2}개이다.")  # hives: there are 2
    '벌통은 2개이다.'
    """

    def __init__(self, rng: random.Random, words: Mapping[str, list[str]]) -> None:
        self.rng = rng
        self._words = words
        self._dealt: dict[str, list[str]] = {}

    def sentence(self, pattern: str) -> str:
        """Write one sentence, or several: the first letter of each a capital."""
        return _SENTENCE_START.sub(lambda match: match[0].upper(), self.fill(pattern))

    def fill(self, pattern: str) -> str:
        """Fill the slots and fit the particles, and leave the rest as it stands."""
        return fit_particles("".join(self._write(_parsed(pattern))))

    def deal(self, slot: str) -> str:
        """The next entry of a list, itself written out."""
        left = self._dealt.get(slot)
        if not left:
            # Four of a list carry a document: it stays with its things, and differs from the next document.
            words = self._words[slot]
            left = self._dealt[slot] = self.rng.sample(words, min(len(words), 4))
        return "".join(self._write(_parsed(left.pop())))

    def _write(self, parts: tuple[Part, ...]) -> list[str]:
        return [part if isinstance(part, str) else part(self) for part in parts]


Part = str | Callable[[Writer], str]

_SENTENCE_START = re.compile(r"^[a-z]|(?<=[.?!] )[a-z]")
_BRACKET = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]|\{([^{}\s]+)\}")
_PAIRS = ("은는", "이가", "을를", "과와")
"""After a consonant, after a vowel."""
_AGREE = "\0"
"""Marks a particle that has to agree; no text holds it."""
_AFTER_BRACKET = re.compile(r"(['\")]*)(?:은|는|이|가|을|를|과|와|으로|로|이란|란)(?![가-힣])")
_TO_AGREE = re.compile(
    f"([가-힣0-9A-Za-z])([^가-힣0-9A-Za-z\\s{_AGREE}]*){_AGREE}(으로|로|이란|란|[은는이가을를과와])"
)
_CLOSED_DIGITS = frozenset("013678LMNR")
"""Digits and letters whose Korean names end in a consonant: 영 일 삼 육 칠 팔, 엘 엠 엔 알."""


@cache
def _parsed(pattern: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    end = 0
    for bracket in _BRACKET.finditer(pattern):
        parts += [pattern[end : bracket.start()], _choice(bracket[1]) if bracket[1] else _slot(bracket[2])]
        end = bracket.end()
        if particle := _AFTER_BRACKET.match(pattern, end):
            parts.append(particle[1] + _AGREE)
            end = particle.end(1)
    return (*parts, pattern[end:])


def _choice(alternatives: str) -> Part:
    parsed = [_parsed(alternative) for alternative in alternatives.split("|")]

    def choose(writer: Writer) -> str:
        chosen = parsed[int(writer.rng.random() * len(parsed))]
        return "".join(writer._write(chosen))

    return choose


def _slot(name: str) -> Part:
    low, tilde, high = name.partition("~")
    if not tilde:
        return lambda writer: writer.deal(name)
    bounds = int(low.replace(",", "")), int(high.replace(",", ""))
    # Bounds that are written with commas are round, and so are the numbers between them.
    step, form = (100, ",") if "," in high else (1, "")
    return lambda writer: format(writer.rng.randrange(bounds[0], bounds[1] + 1, step), form)


def fit_particles(text: str) -> str:
    """Let every marked particle agree with the sound before it, past Hanja, quotes and brackets."""
    return _TO_AGREE.sub(_agreed, text).replace(_AGREE, "") if _AGREE in text else text


def _agreed(match: re.Match[str]) -> str:
    before, between, particle = match.groups()
    final = _final(before)
    if particle in ("으로", "로"):
        chosen = "으로" if final and final != "ㄹ" else "로"
    elif particle in ("이란", "란"):
        chosen = "이란" if final else "란"
    else:
        pair = next(pair for pair in _PAIRS if particle in pair)
        chosen = pair[0] if final else pair[1]
    return before + between + chosen


def _final(char: str) -> str:
    """The final consonant: 'ㄹ', another ('x'), or none ('')."""
    if "가" <= char <= "힣":
        number = (ord(char) - 0xAC00) % 28
        return "ㄹ" if number == 8 else "x" if number else ""
    return "ㄹ" if char in "178LR" else "x" if char in _CLOSED_DIGITS else ""


def polite(sentence: str) -> str:
    """A plain Korean sentence in the polite style: 줄어든다. → 줄어듭니다. (decreases)

    Holds for what the tables end in: -다 of verbs, adjectives and the copula, and no stem in ㄴ.
    """
    if not sentence.endswith("다."):
        return sentence
    if sentence.endswith("는다."):
        return sentence[:-3] + "습니다."
    stem, number = sentence[:-2], (ord(sentence[-3]) - 0xAC00) % 28
    if number not in (0, 4):
        return stem + "습니다."
    return stem[:-1] + chr(ord(stem[-1]) - number + 17) + "니다."


def write_prose(rng: random.Random, lang: Lang, register: str, sections: int = 1) -> Prose:
    """Write a document.

    Args:
        register: a key of `{lang}_registers.yaml`, or `law` (Korean alone).
        sections: subjects that follow one another, each under a title of its own.
    """
    if register == "law":
        return _law(rng)
    stock = tables(f"{lang}_software" if register == "docs" else f"{lang}_subjects")
    subjects = rng.sample(sorted(stock), min(sections, len(stock)))
    frames = tables(f"{lang}_registers")[register]
    # The sentences of the register are shared out: no document says one twice.
    deck = rng.sample(lines(frames["body"]), len(lines(frames["body"])))
    hands = [deck[at :: len(subjects)][: rng.randint(4, 7)] for at in range(len(subjects))]
    parts = [
        _section(rng, lang, frames, stock[subject], hand)
        for subject, hand in zip(subjects, hands, strict=True)
    ]
    text = "\n\n".join(f"{title}\n\n{body}" for title, body in parts)
    return Prose(parts[0][0], text, lang, register, subjects[0])


def _section(
    rng: random.Random, lang: Lang, frames: dict[str, Any], subject: dict[str, Any], hand: list[str]
) -> tuple[str, str]:
    writer = _writer(rng, lang, frames, subject)
    facts = _facts(writer, frames, subject)
    body = [writer.sentence(frame) for frame in hand]
    title, opening, closing = (
        writer.sentence(rng.choice(lines(frames[part]))) for part in ("title", "opening", "closing")
    )
    if frames.get("posts"):
        paragraphs = [opening, *_posts(rng, body, facts), closing]
    else:
        paragraphs = _paragraphs(rng, [opening, *_merged(rng, facts, body), closing])
    if "code" in subject:
        paragraphs.insert(rng.randint(1, len(paragraphs)), writer.fill(rng.choice(subject["code"])))
    return title, "\n\n".join(paragraphs)


def _facts(writer: Writer, frames: dict[str, Any], subject: dict[str, Any]) -> list[str]:
    chosen = writer.rng.sample(lines(subject["facts"]), writer.rng.randint(3, FACTS_A_SECTION))
    facts = [writer.sentence(fact) for fact in chosen]
    return [polite(fact) for fact in facts] if frames.get("style") == "polite" else facts


def _writer(rng: random.Random, lang: Lang, frames: dict[str, Any], subject: dict[str, Any]) -> Writer:
    common = tables(f"{lang}_registers")["common"]
    words = {slot: entry if isinstance(entry, list) else [entry] for slot, entry in subject.items()}
    # These hold for the document: where it is, who governs there, and what an encyclopedia's entry is about.
    town, neighbour = rng.sample(common["town"], 2)
    fixed = {"town": [town], "neighbour": [neighbour]}
    fixed |= {slot: [rng.choice(common[slot])] for slot in ("office", "head") if slot in common}
    fixed["headword"] = [rng.choice(subject[rng.choice(frames.get("headword", ["thing"]))])]
    return Writer(rng, {**common, **words, **fixed})


def _merged(rng: random.Random, first: list[str], second: list[str]) -> list[str]:
    # Each keeps its order, and neither comes in a lump.
    turns = [True] * len(first) + [False] * len(second)
    rng.shuffle(turns)
    queues = {True: iter(first), False: iter(second)}
    return [next(queues[turn]) for turn in turns]


def _posts(rng: random.Random, answers: list[str], facts: list[str]) -> list[str]:
    posts = list(answers)
    for fact in facts:
        at = rng.randrange(len(posts))
        posts[at] = f"{posts[at]} {fact}"
    return posts


def _paragraphs(rng: random.Random, sentences: list[str]) -> list[str]:
    paragraphs, at = [], 0
    while at < len(sentences):
        many = rng.randint(2, 4)
        paragraphs.append(" ".join(sentences[at : at + many]))
        at += many
    return paragraphs


def _law(rng: random.Random) -> Prose:
    law, stock = tables("ko_law"), tables("ko_subjects")
    subject = rng.choice(sorted(stock))
    writer = _writer(rng, "ko", law, stock[subject])
    title = writer.sentence(rng.choice(lines(law["title"])))
    chosen = [rng.choice(lines(law["first"])), *rng.sample(lines(law["articles"]), rng.randint(5, 9))]
    articles = [_article(number, writer.sentence(line)) for number, line in enumerate(chosen, 1)]
    last = f"부칙\n\n{writer.sentence(rng.choice(lines(law['last'])))}"
    return Prose(title, "\n\n".join([title, *articles, last]), "ko", "law", subject)


def _article(number: int, line: str) -> str:
    heading, _, body = line.partition(": ")
    paragraphs = body.split(" // ")
    marks = [""] if len(paragraphs) == 1 else [f"{chr(0x2460 + at)} " for at in range(len(paragraphs))]
    listed = "\n".join(mark + _items(paragraph) for mark, paragraph in zip(marks, paragraphs, strict=True))
    return f"제{number}조({heading}) {listed}"


def _items(paragraph: str) -> str:
    head, *items = paragraph.split(" ## ")
    return "\n".join([head, *(f"  {number}. {item}" for number, item in enumerate(items, 1))])
