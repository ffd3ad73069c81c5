"""A small run to explore: two languages, near duplicates, masked addresses, a source with bounds of its own, and a
document that would like to be more than text."""

import json
import random

from chejil.curation import check, marked_yaml
from chejil.curation.run import run

from ..conftest import prose

RECIPE = """\
name: explored
data: {data}
sources:
  web: {{format: jsonl, paths: "web/*.jsonl"}}
  blog: {{format: jsonl, paths: "blog/*.jsonl"}}
stages:
  - normalise
  - score: {{signals: [num_chars, num_words, num_lines, mean_word_chars, hangul_share]}}
  - filter:
      bounds:
        ko: {{num_words: {{low: 30}}, num_lines: {{high: 14}}}}
        en: {{num_words: {{low: 40, high: 400}}, mean_word_chars: {{low: 2}}}}
        mixed: keep
        other: drop
        unknown: drop
      by_source: {{blog: {{en: {{num_words: {{low: 20}}}}}}}}
  - exact_dedup
  - near_dedup: {{threshold: 0.5}}
{behind}  - mask_pii
  - write
"""

HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><h1>Big</h1> "
    "**bold** [link](javascript:alert(1)) :red[red] $x^2$ \u202eesrever </div></p><style>*{display:none}</style>"
)


def texts(rng):
    for number in range(30):
        text = prose(rng, "ko" if number % 3 else "en")
        yield text
        if number % 4 == 0:
            yield "\n".join(text.split("\n")[:8])
        yield "\n".join(prose(rng, "ko").split("\n")[: 1 + number % 8])
        if number % 7 == 0:
            yield text.replace("이야기는", "소식은")  # "the story is" -> "the news is"
    yield HOSTILE + "\n" + prose(rng, "en")
    yield "연락은 someone@example.com 으로 주세요.\n" + prose(rng, "ko")  # write to this address, please
    yield ""
    yield "123 456 " * 10


def make(root, behind=""):
    """Write sources below a folder and run them; returns the run's folder."""
    for folder, seed in (("web", 1), ("blog", 2)):
        rows = [
            {"text": text, "url": f"https://a.example/{n}"}
            for n, text in enumerate(texts(random.Random(seed)))
        ]
        (root / folder).mkdir()
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (root / f"{folder}/0.jsonl").write_text(lines, "utf-8")
    recipe = check.check(marked_yaml.read(RECIPE.format(data=root, behind=behind), "explored.yaml"))
    run(recipe, str(root / "run"))
    return str(root / "run")
