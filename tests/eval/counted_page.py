"""The page of `chejil compare`, run by Streamlit, with every loading of a model noted: `counted_page.py SETTINGS LOG`.

A loaded model holds 32 MB more than it needs, so that one that is loaded and never freed shows in the process's memory.
"""

import sys
from pathlib import Path

from chejil.eval.comparing import asked_models
from chejil.eval.comparing.page import page

BALLAST = 32 << 20

if not hasattr(asked_models, "load_of_one"):
    asked_models.load_of_one = asked_models.load

    def counted(model, *more):
        with Path(sys.argv[2]).open("a") as log:
            log.write(f"{model.name}\n")
        speaker = asked_models.load_of_one(model, *more)
        speaker.ballast = b"x" * BALLAST
        return speaker

    asked_models.load = counted

page(sys.argv[1])
