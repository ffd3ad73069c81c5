"""SQuAD's exact match and F1 of words, which lm-eval's ReCoRD takes from transformers; transformers 5 has them no more.

`provide` puts this module where lm-eval looks for it, if nothing is there: lm-eval 0.4.13's ReCoRD does not load
otherwise. Source: Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1, and its evaluation script.
"""

from __future__ import annotations

import re
import string
import sys
from collections import Counter
from types import ModuleType

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PLACE = "transformers.data.metrics"


def normalized(text: str) -> str:
    """Lower case without punctuation, articles and surplus blanks.

    >>> normalized("The  Old-Pier.")
    'oldpier'
    """
    plain = "".join(char for char in text.lower() if char not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def compute_exact(gold: str, predicted: str) -> int:
    """1 where both are the same but for the normalisation, else 0."""
    return int(normalized(gold) == normalized(predicted))


def compute_f1(gold: str, predicted: str) -> float:
    """F1 of the words that both have.

    >>> compute_f1("the old pier", "a pier")
    0.6666666666666666
    """
    words = [normalized(text).split() for text in (gold, predicted)]
    if not words[0] or not words[1]:
        return float(words[0] == words[1])
    common = sum((Counter(words[0]) & Counter(words[1])).values())
    precision, recall = common / len(words[1]), common / len(words[0])
    return 2 * precision * recall / (precision + recall) if common else 0.0


def provide() -> None:
    """Put it where lm-eval looks for it, unless transformers has its own."""
    try:
        __import__(f"{_PLACE}.squad_metrics")
    except ModuleNotFoundError:
        folder = ModuleType(_PLACE)
        folder.__path__ = []
        folder.squad_metrics = sys.modules[__name__]  # type: ignore[attr-defined]
        sys.modules[_PLACE] = folder
        sys.modules[f"{_PLACE}.squad_metrics"] = sys.modules[__name__]
