"""What the page says, in the language that is chosen."""

from __future__ import annotations

from collections.abc import Callable

from chejil.curation.reporting.layout import korean

LANGUAGES = {"en": "English", "ko": "한국어"}
Say = Callable[..., str]


def saying(language: str) -> Say:
    """A function from an English phrase, and values for its braces, to the phrase in that language.

    Raises:
        KeyError: by the function: the phrase is not in korean.yaml.
    """

    def say(english: str, **values: object) -> str:
        theirs = korean("chejil.eval.comparing")[english]
        return (theirs if language == "ko" else english).format(**values)

    return say
