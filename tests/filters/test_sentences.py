"""`koen-sentences`: corpora whose documents are a sentence or a few lose nothing that a reader would keep."""

from __future__ import annotations

import polars as pl
import pytest

from chejil.curation import check, marked_yaml
from chejil.curation.run import run
from chejil.filters.bounds import Policy, judge
from chejil.filters.engine import score
from chejil.filters.preset_bounds import preset

GOOD = [
    ("ko", "집 앞에 새 가게가 두 개 생겼다."),  # two new shops
    ("ko", "비가 오면 늘 그 노래가 듣고 싶어져요...."),  # a wish that trails off
    ("ko", "표는 1장에 3,500원, 10장에 30,000원이다."),  # prices
    ("ko", "문이 열려 있었다.\n문은 열려 있지 않았다."),  # a premise and what contradicts it
    ("ko", "진짜 웃겨서 혼났음ㅋㅋㅋㅋ"),  # a laugh
    ("ko", "새로고침을 누르면 앱을 다시 설치하라는 창이 뜬다."),  # speaks of a page
    ("en", "The kettle is on."),
    ("en", "He left.\nHe did not stay."),
]
BAD = [
    ("ko", "asdf;lkj ㅁㄴㅇㄻㄴㅇㄹ ㅂㅈㄷㄱ ㅁㄴㅇㄹ ㅋㅌㅊㅍ"),  # keys that were struck at random
    ("ko", "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ"),  # nothing but a laugh
    ("ko", "뛟쀍 봻뷁숆 긼뙳 쵊뵭 쬛흽"),  # syllables that no word has
    ("ko", "12-34 56:78 90.12 34/56 78,90 원"),  # numbers
    ("ko", "네."),  # too short to teach anything
    ("en", "!!!! ???? $$$$ #### ok"),
]

RECIPE = """
name: klue
data: {data}
sources: {{klue: {{format: klue, paths: ["klue/klue-*/*.json", "klue/klue-*/*.tsv"]}}}}
stages:
  - normalise
  - score
  - filter:
      bounds: {{ko: koen, en: koen, mixed: koen, other: drop, unknown: drop}}
      by_source: {{klue: {{ko: koen-sentences}}}}
  - write
"""


def reasons(items):
    texts = [text for _, text in items]
    columns = [
        "num_chars",
        *{name for limits in preset("koen-sentences").languages.values() for name in limits},
    ]
    rows = pl.DataFrame(pl.from_arrow(score(texts, dict.fromkeys(columns))))
    rows = rows.with_columns(lang=pl.Series([lang for lang, _ in items]))
    return judge(rows, Policy({**preset("koen-sentences").languages})).to_list()


def test_sentences_pass():
    """What koen takes for a fragment."""
    assert [why for why in zip(GOOD, reasons(GOOD), strict=True) if why[1]] == []


def test_what_is_no_sentence_is_still_dropped():
    """Lifted bounds must leave the rest to judge."""
    assert [item for item, why in zip(BAD, reasons(BAD), strict=True) if not why] == []


@pytest.mark.corpus
def test_klue_is_kept(corpus, tmp_path):
    """Premises, hypotheses, reviews and news sentences, each a document; koen alone keeps one in five."""
    recipe = check.check(marked_yaml.read(RECIPE.format(data=corpus), "klue.yaml"))

    found = run(recipe, str(tmp_path / "run"), workers=1)

    assert found.documents > 5000
    assert found.kept > 0.999 * found.documents
