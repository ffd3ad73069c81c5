"""Conversations of our own for the demo: small sums, opposites and days, in Korean and English, asked in several ways.

A model of a million parameters can learn that an answer is short and ends; it will not learn to add. The same bytes
everywhere: nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from chejil.curation import shards

FILE = "conversations.jsonl"

Turns = list[tuple[str, str]]

OPPOSITES = {
    "크다": "작다", "높다": "낮다", "길다": "짧다", "덥다": "춥다", "빠르다": "느리다", "밝다": "어둡다",
    "무겁다": "가볍다", "넓다": "좁다",
    "big": "small", "high": "low", "long": "short", "hot": "cold", "fast": "slow", "bright": "dark", "heavy": "light",
    "wide": "narrow",
}  # fmt: skip
"""In both directions; the Korean ones say the same as the English ones."""

DAYS = ["월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"]
DAYS_ENGLISH = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

SUM_QUESTIONS = (
    ("{0} 더하기 {1}{topic}?", "{}입니다."),
    ("{0}에 {1}{object} 더하면 얼마인가요?", "{}입니다."),
    ("What is {0} plus {1}?", "It is {}."),
    ("Add {0} and {1}.", "It is {}."),
)
WITH_FINAL = frozenset((0, 1, 3, 6, 7, 8))
"""Digits whose Korean name ends in a consonant (일, 삼, …), behind which particles are 은 and 을, else 는 and 를."""


def write(folder: Path) -> None:
    """Write conversations.jsonl, a conversation a line: `messages` of role and content."""
    lines = b"".join(orjson.dumps({"messages": list(_messages(turns))}) + b"\n" for turns in conversations())
    shards.write_bytes(str(folder), FILE, lines)


def conversations() -> Iterator[Turns]:
    """Question and answer, turn by turn.

    >>> next(conversations())
    [('1 더하기 1은?', '2입니다.')]
    """
    for one in range(1, 10):
        for other in range(1, 10):
            for question, answer in SUM_QUESTIONS:
                yield [(_asked(question, one, other), answer.format(one + other))]
    for word, opposite in (*OPPOSITES.items(), *((value, key) for key, value in OPPOSITES.items())):
        yield from _opposites(word, opposite)
    for number, day in enumerate(DAYS):
        after, english = (number + 1) % 7, DAYS_ENGLISH[number]
        yield [
            (f"{day} 다음 날은?", f"{DAYS[after]}입니다."),
            ("그다음 날은?", f"{DAYS[(number + 2) % 7]}입니다."),
        ]
        yield [
            (f"Which day follows {english}?", f"{DAYS_ENGLISH[after]}."),
            ("And then?", f"{DAYS_ENGLISH[(number + 2) % 7]}."),
        ]


def _asked(question: str, one: int, other: int) -> str:
    """With the particles that the second number asks for.

    >>> _asked(SUM_QUESTIONS[1][0], 1, 2), _asked(SUM_QUESTIONS[1][0], 1, 3)
    ('1에 2를 더하면 얼마인가요?', '1에 3을 더하면 얼마인가요?')
    """
    topic, object_ = ("은", "을") if other in WITH_FINAL else ("는", "를")
    return question.format(one, other, topic=topic, object=object_)


def _opposites(word: str, opposite: str) -> Iterator[Turns]:
    if word.isascii():
        yield [(f"What is the opposite of {word}?", f"{opposite.capitalize()}.")]
        yield [(f"Name the opposite of '{word}'.", f"{opposite.capitalize()}.")]
    else:
        yield [(f"'{word}'의 반대말은?", f"{opposite}.")]
        yield [(f"{word}와 반대되는 말을 알려 주세요.", f"{opposite}.")]


def _messages(turns: Turns) -> Iterator[dict[str, str]]:
    for question, answer in turns:
        yield {"role": "user", "content": question}
        yield {"role": "assistant", "content": answer}
