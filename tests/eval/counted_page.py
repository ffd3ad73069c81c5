"""The page of `chejil compare`, run by Streamlit, with every loading of a model noted: `counted_page.py SETTINGS LOG`.

A loaded model holds 32 MB more than it needs, so that one that is loaded and never freed shows in the process's memory.
"""

import sys
import time
from pathlib import Path

from chejil.eval.comparing import asked_models
from chejil.eval.comparing.page import page

BALLAST = 32 << 20
SLOWLY = "천천히"
"""Slowly: asked so, a model takes half a second a piece."""


def slowly(speak):
    def spoken(messages, sampling):
        for piece in speak(messages, sampling):
            if messages[-1]["content"] == SLOWLY:
                time.sleep(0.5)
            yield piece

    return spoken


def counted(model, *more):
    with Path(sys.argv[2]).open("a") as log:
        log.write(f"{model.name}\n")
    speaker = asked_models.load_of_one(model, *more)
    speaker.ballast = b"x" * BALLAST
    speaker.speak = slowly(speaker.speak)
    return speaker


if __name__ == "__main__":  # not where doctests are collected
    if not hasattr(asked_models, "load_of_one"):
        asked_models.load_of_one = asked_models.load
        asked_models.load = counted
    page(sys.argv[1])
