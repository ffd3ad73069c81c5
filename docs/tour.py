"""`make tour`: the commands of docs/tour.md, one after the other, each with its time.

    python docs/tour.py FOLDER [PAGE]

A command that fails ends the tour with its exit code; run again, the tour does every command again, and those that
resume have little to do.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

PAGE = Path(__file__).with_name("tour.md")


def commands(page: str) -> list[list[str]]:
    """The words of each `$ chejil …` line of a page.

    >>> commands("```console\\n$ chejil chat model --prompt '안녕 하세요'\\n```")
    [['chat', 'model', '--prompt', '안녕 하세요']]
    """
    return [shlex.split(line, comments=True) for line in re.findall(r"^\$ chejil (.+)$", page, re.MULTILINE)]


def tour(folder: Path, page: Path) -> int:
    """Run them in a folder; returns the first exit code that is not 0."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    for words in commands(page.read_text("utf-8")):
        print(f"\n\x1b[1m$ chejil {shlex.join(words)}\x1b[0m", flush=True)
        at = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "chejil", *words], cwd=folder, check=False)
        if done.returncode:
            print(f"exit code {done.returncode}: the tour ends here", file=sys.stderr)
            return done.returncode
        print(f"({time.monotonic() - at:.0f} s)", flush=True)
    print(f"\nthe tour: {(time.monotonic() - begun) / 60:.1f} minutes, in {folder}")
    return 0


if __name__ == "__main__":
    target, *page = sys.argv[1:]
    sys.exit(tour(Path(target), Path(page[0]) if page else PAGE))
