"""What all tests share: the real shards, a small corpus with duplicates and bad records, and runs over it."""

import gzip
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import settings

from chejil.curation import check, marked_yaml
from chejil.curation.run import run

# The first call of a kernel compiles it, so no example has a deadline; the same examples on every machine.
settings.register_profile("chejil", deadline=None, derandomize=True)
settings.load_profile("chejil")


def pytest_make_parametrize_id(val, argname):
    """Bytes never name a test: a gzip holds the second it was made in, so two workers would name it twice."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def corpus():
    """Folder of the real shards."""
    folder = Path(os.environ.get("CHEJIL_CORPUS", Path(__file__).parents[2] / "shared" / "data")).absolute()
    if not folder.is_dir():
        pytest.skip(f"no corpus at {folder}: set CHEJIL_CORPUS")
    return folder


# The council met in the old harbour hall and talked about the ferry, the fish market, the school roof …
KOREAN = (
    "시의회는 어제 오후 항구 옆 낡은 회관에서 회의를 열었다.",
    "의원들은 여객선의 새로운 시간표를 두고 두 시간 동안 이야기했다.",
    "어시장 상인들은 얼음 창고를 넓혀 달라고 다시 요청했다.",
    "초등학교 지붕은 지난 태풍 때 크게 부서져 아직도 비가 샌다.",
    "시장은 예산이 부족하지만 아이들의 안전이 먼저라고 말했다.",
    "도서관은 다음 달부터 일요일에도 문을 열기로 했다.",
    "주민들은 밤늦게까지 남아서 서로의 의견을 들었다.",
    "회의가 끝난 뒤에 사람들은 따뜻한 국수를 나누어 먹었다.",
    "등대로 가는 길에는 작은 가게와 오래된 나무가 많다.",
    "어부들은 새벽에 나가서 해가 지기 전에 돌아온다.",
)
ENGLISH = (
    "The council met yesterday afternoon in the old hall beside the harbour.",
    "Members talked for two hours about the new timetable of the ferry.",
    "The traders of the fish market asked again for a larger ice house.",
    "The roof of the school was broken by the storm and still lets in the rain.",
    "The mayor said that money is short but the safety of the children comes first.",
    "The library will be open on Sundays from the next month.",
    "Many residents stayed until late and listened to each other with patience.",
    "After the meeting the people shared a pot of warm noodles and went home.",
    "There are small shops and very old trees on the road to the lighthouse.",
    "The fishers leave before dawn and come back before the sun is down.",
)


def prose(rng, language):
    """A document of shuffled sentences with numbers between them, so that two documents are not alike."""
    sentences = KOREAN if language == "ko" else ENGLISH
    between = "{}번째 이야기는 {}쪽에 있다." if language == "ko" else "That is note {} and it is on page {}."
    numbers = [between.format(rng.randrange(10**6), rng.randrange(10**6)) for _ in sentences]
    shuffled = rng.sample(sentences, len(sentences))
    return "\n".join(f"{sentence} {number}" for sentence, number in zip(shuffled, numbers, strict=True))


def write_json_gz(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(path, "wb", mtime=0) as stream:
        for record in records:
            line = record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()
            stream.write(line + b"\n")


RECIPE = """\
name: small
data: {data}
sources:
  mc4-ko: {{format: mc4, paths: "mc4-ko/*.json.gz"}}
  c4-en: {{format: c4, paths: "c4-en/*.json.gz"}}
stages:
  - normalise
  - score
  - filter:
      bounds: {{ko: koen, en: koen, mixed: koen, other: drop, unknown: drop}}
      rules:
        no_advertising: {{drop: "url LIKE '%/ad/%'"}}
  - exact_dedup
  - near_dedup
  - write
"""


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory) -> Path:
    """Three Korean shards and one English one: 30 documents each, some duplicated, some bad records."""
    root = tmp_path_factory.mktemp("corpus")
    rng = random.Random(3)
    for number in range(3):
        texts = [prose(rng, "ko") for _ in range(30)]
        texts[7] = texts[3]  # an exact copy within the shard
        texts[9] = texts[5].replace("어제", "그제")  # "yesterday" -> "the day before": a near duplicate
        records = [
            {
                "text": text,
                "timestamp": "2024-01-01T00:00:00Z",
                "url": f"https://a.example/{'ad/' * (i == 11)}{i}",
            }
            for i, text in enumerate(texts)
        ]
        records[13]["text"] = ""
        records[15] = b'{"text": "torn'
        records[17]["text"] = None
        write_json_gz(root / f"mc4-ko/c4-ko.{number:05}.json.gz", records)
    english = [prose(rng, "en") for _ in range(30)]
    english[4] = english[2].replace(".", " !!")
    write_json_gz(
        root / "c4-en/c4-en.00000.json.gz",
        [
            {"text": text, "timestamp": "2024-01-01T00:00:00Z", "url": "https://b.example/"}
            for text in english
        ],
    )
    return root


@pytest.fixture(scope="session")
def small_recipe(small_corpus):
    """Loads the small recipe with overrides."""

    def load(*settings):
        return check.check(marked_yaml.read(RECIPE.format(data=small_corpus), "small.yaml"), settings)

    return load


@pytest.fixture(scope="session")
def small_run(small_recipe, tmp_path_factory):
    """A finished run of the small recipe, not to be changed."""
    root = str(tmp_path_factory.mktemp("run") / "small")
    run(small_recipe(), root)
    return root
