"""A corpus in which every transform has something to do, and its recipe; with ids that try the terminal."""

import json
import random
from pathlib import Path

from chejil.curation import check, marked_yaml
from chejil.curation.run import run
from tests.conftest import prose, write_json_gz

# "All editors of the harbour news wrote this together", on many pages of the site; "Does the lid close well and not
# leak a drop however long it is shaken? And why?", an evaluation item; "the person in charge is at …".
NOTICE = "이 글은 항구 소식지 편집부가 모두 함께 썼습니다"
ITEM = "뚜껑이 잘 닫혀서 아무리 오래 흔들어도 물이 한 방울도 새지 않는가? 새지 않는다면 까닭은 무엇인가?"
PHONE = "담당자 연락처는 {}이며 이메일은 keeper{}@example.com이다."
MENU = "HOME > 커뮤니티 > 자유게시판 조회 {} 추천 13 댓글 6"
FOOTER = "회사소개 | 이용약관 | 개인정보처리방침 | 청소년보호정책 | 고충처리인 | 제휴문의"

RECIPE = """\
name: changed
data: {data}
sources:
  web: {{format: jsonl, paths: "web/*.json.gz"}}
stages:
  - normalise
  - strip_boilerplate
  - score
  - filter:
      bounds:
        ko: {{num_words: {{low: 20}}, hangul_share: {{low: 0.2}}}}
        en: {{num_words: {{low: 20}}}}
        mixed: {{num_words: {{low: 20}}}}
        other: drop
        unknown: drop
      rules:
        advertising: {{drop: "url LIKE '%/ad/%'"}}
  - exact_dedup
  - near_dedup
  - decontaminate:
      against:
        shop: {{paths: "evals/test.jsonl", fields: q}}
      action: cut
  - line_dedup: {{max_documents: 3, min_share: 0.1}}
  - mask_pii
  - write
"""


def text(rng, number):
    """Prose with a menu, a footer, a notice, an evaluation item, telephones and decomposed Hangul, by its number."""
    lines = prose(rng, "en" if number % 4 == 3 else "ko").split("\n")
    lines = [
        f"{line} {''.join(rng.choices('가나다라마바사아자차', k=5))}" for line in lines
    ]  # or they would recur
    lines = lines[: 6 + number % 5]
    if number % 2 == 0:
        lines[3] += " " + PHONE.format(f"02-100-{5000 + number}", number)
    if number % 3 == 0:
        lines = [MENU.format(number), *lines, FOOTER]
    if number % 5 == 0:
        lines.insert(5, NOTICE)
    if number % 11 == 7:
        lines.insert(4, ITEM)
    if number % 13 == 2:
        lines = lines[:1]
    if number % 17 == 5:
        lines[4] += " A &amp; B"
    if number % 17 == 4:
        lines[2] += (
            " \u00a0\u1112\u1161\u11ab\u1100\u1173\u11af 👩‍👩‍👧 漢字"  # "Hangul" in jamo, a no-break space
        )
    return "\n".join(lines)


def records(shift=0):
    """Sixty documents in two files; some are copies, one id has an escape sequence in it, one has no text."""
    rng = random.Random(9 + shift)
    found = []
    for number in range(60):
        own = text(rng, number)
        record = {"id": f"page-{number:02}", "text": own, "url": f"https://a.example/{number}"}
        if number in (20, 40):
            record["text"] = found[1]["text"]
        if number == 50:
            record["text"] = found[8]["text"].replace("어제", "그제")  # "yesterday", "the day before"
        if number == 30:
            record |= {"id": "page-30 \x1b]0;owned\x07\x9b2J", "url": "https://a.example/ad/\x1b[31m"}
        found.append(record)
    return found


def write_corpus(folder: Path, every=None):
    every = records() if every is None else every
    write_json_gz(folder / "web/0.json.gz", every[:35])
    write_json_gz(folder / "web/1.json.gz", [*every[35:], b'{"text": null}'])
    (folder / "evals").mkdir(exist_ok=True)
    (folder / "evals/test.jsonl").write_text(json.dumps({"q": ITEM}, ensure_ascii=False) + "\n", "utf-8")
    return folder


def run_over(data, root, *settings):
    """A finished run of the recipe; returns its folder."""
    run(check.check(marked_yaml.read(RECIPE.format(data=data), "changed.yaml"), settings), str(root))
    return str(root)
