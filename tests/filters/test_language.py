"""The language gate and the model behind it, on the cases that peers get wrong and on the real corpora."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings

from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import score
from chejil.filters.language import SAMPLE_WINDOWS, WINDOW_BYTES, sample
from chejil.filters.prose import ENGLISH, KOREAN

from .strategies import batches

CHINESE = (
    "这座桥在春天的大部分时间里都关闭了，住在河对岸的人们不得不绕道山路。" * 3
)  # ENGLISH's first sentence
JAPANESE = "橋は春のあいだほとんど閉じられ、川の向こうに住む人々は山道を回らなければならなかった。" * 3
RUSSIAN = "Мост был закрыт почти всю весну, и людям с другого берега приходилось ехать через холмы. " * 3
SPANISH = "El puente estuvo cerrado casi toda la primavera y la gente tenía que ir por las colinas. " * 3
CODE = "for row in table:\n    total += row.amount * rates[row.currency]\nprint(total, file=sys.stderr)\n"
MIXED_SCRIPT = (
    "大韓民國의 主權은 國民에게 있고 모든 權力은 國民으로부터 나온다."  # sovereignty resides in the people
)


def languages(*texts: str) -> list[str | None]:
    return score(list(texts), ["lang"])["lang"].to_pylist()


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        (KOREAN, "ko"),
        (unicodedata.normalize("NFD", KOREAN), "ko"),
        (MIXED_SCRIPT, "ko"),
        (KOREAN + CODE * 8, "ko"),
        (KOREAN * 2 + CODE * 24 + ENGLISH, "ko"),  # a paragraph of English among code
        (ENGLISH, "en"),
        (ENGLISH + CODE * 4, "en"),
        (CHINESE, "other"),
        (CHINESE + "김밥, 비빔밥, 떡볶이, 불고기, 잡채", "other"),  # Chinese about Korean dishes
        (JAPANESE, "other"),
        (RUSSIAN, "other"),
        (SPANISH, "other"),
        (SPANISH + "김밥", "other"),
        (KOREAN + ENGLISH, "mixed"),
        (ENGLISH + KOREAN, "mixed"),
        (ENGLISH * 5 + "김밥", "en"),
        (KOREAN * 5 + "It was not to be, as they say.", "ko"),
    ],
)
def test_language_of_a_text(text, lang):
    """Script and prose decide: Hanja is not Chinese, code is not English, both proses are mixed."""
    assert languages(text) == [lang]


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("오늘 날씨 참 좋네요", "ko"),  # the weather is nice today, really: 8 syllables
        ("회의는 내일 열립니다", "ko"),  # the meeting is tomorrow
        (unicodedata.normalize("NFD", "오늘 날씨 참 좋네요"), "ko"),
        ("안녕하세", "ko"),  # the first four syllables of "hello": the fewest
        ("안녕하", None),
        ("Facebook 앱", None),  # an app: one syllable among 8 letters
        ("ok then bye now", "en"),
    ],
)
def test_four_syllables_are_korean(text, lang):
    """A syllable holds two to four letters, so a short Korean sentence has a language as an English one has."""
    assert languages(text) == [lang]


@pytest.mark.parametrize(
    "text", ["", " \n", "12:30 (3) 45%", "👍👍", "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ", "OK!", "네네"]
)
def test_too_few_letters_have_no_language(text):
    """Numbers, emoji, laughter (ㅋㅋ) and a word or two (네네: yes, yes) have neither language nor score."""
    assert score([text], ["lang", "lang_score"]).to_pylist() == [{"lang": None, "lang_score": None}]


def test_keyboard_mash_has_no_language():
    """Latin letters that the model cannot place have no language."""
    assert languages("asdf qwer zxcv hjkl uiop vbnm tyui ghjk dfgh") == [None]


@settings(deadline=None)
@given(batches)
def test_score_comes_with_the_language(texts):
    """Score and language are null together, and the score lies within 0 and 1."""
    for row in score(texts, ["lang", "lang_score"]).to_pylist():
        assert (row["lang"] is None) == (row["lang_score"] is None)
        assert row["lang_score"] is None or 0 <= row["lang_score"] <= 1


@settings(deadline=None)
@given(batches)
def test_a_batch_equals_its_rows(texts):
    """A document's language does not depend on its neighbours."""
    assert languages(*texts) == [languages(text)[0] for text in texts]


def test_sample_is_bounded_and_on_one_line():
    """The model sees at most four windows of a document, without line breaks and without half characters."""
    text = "가나다라 마바사\n" * 100_000
    shown = sample(TextBuffers.of(["", text]), 1)
    assert len(shown.encode()) <= SAMPLE_WINDOWS * WINDOW_BYTES
    assert "\n" not in shown
    assert set(shown) <= set(text)
    assert sample(TextBuffers.of(["짧다", ""]), 0) == "짧다"  # short


def test_plain_text_needs_no_model():
    """Korean and plain English are decided without importing fastText."""
    program = (
        "import sys; from chejil.filters.engine import score; from chejil.filters.prose import KOREAN, ENGLISH;"
        "assert score([KOREAN, ENGLISH], ['lang'])['lang'].to_pylist() == ['ko', 'en'];"
        "assert 'fasttext' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def read_texts(shard: Path) -> list[str]:
    packed = shard.read_bytes()
    if shard.suffix == ".gz":
        content = gzip.decompress(packed)
    else:
        content = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    return [json.loads(line)["text"] for line in content.split(b"\n") if line]


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("shards", "lang", "least"),
    [
        ("mc4-ko/*-0000[0126]-*.gz", "ko", 0.99),  # petitions, documentation, release notes
        ("mc4-ko/*-0002[67]-*.gz", "ko", 1.0),  # comments on films
        ("law-ko/*-00000.jsonl.zst", "ko", 1.0),  # statutes, with Hanja
        ("c4-en/*.0000[45678]-*.gz", "en", 0.99),
        ("pile/00.jsonl.zst", "en", 0.999),
        ("other-lang/*.gz", "other", 0.97),
    ],
)
def test_language_of_real_shards(shards, lang, least, corpus):
    """Nearly every document of a shard has the language that the shard is known for."""
    texts = [text for shard in sorted(corpus.glob(shards)) for text in read_texts(shard)]
    assert texts
    assert Counter(languages(*texts))[lang] / len(texts) >= least


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("operation", "least"), [("clean", 1.0), ("original", 1.0), ("half_ko_half_en", 0.9)]
)
def test_language_of_planted_documents(operation, least, corpus):
    """Clean documents have their language, and half Korean half English ones are mixed."""
    folder = corpus / "planted"
    rows = [json.loads(line) for line in (folder / "truth.jsonl").read_text("utf-8").split("\n") if line]
    rows = [row for row in rows if row["op"] == operation]
    shards = {file: read_texts(folder / file) for file in {row["file"] for row in rows}}
    found = languages(*(shards[row["file"]][row["line"]] for row in rows))
    expected = [{"ko-en": "mixed"}.get(row["lang"], row["lang"]) for row in rows]
    assert sum(map(str.__eq__, map(str, found), expected)) / len(rows) >= least


def test_english_in_capitals_is_english():
    """fastText hardly knows capitals: without lower case it gives up on them."""
    text = (
        "THE COUNCIL MET IN THE OLD HALL AND TALKED ABOUT THE FERRY UNTIL LATE. NOBODY WENT HOME BEFORE TEN."
    )

    assert score([text], ["lang"]).to_pylist() == [{"lang": "en"}]


def test_another_language_has_its_code():
    """`lang` says whether a bilingual model wants it, `lang_code` what it is."""
    texts = {
        "ja": "昔々、海の近くに小さな村がありました。村の人たちは毎朝魚を取りました。",  # a village by the sea
        "es": "El consejo se reunió ayer por la tarde en el viejo salón junto al puerto y habló del transbordador.",
        "ko": "옛날 바닷가에 작은 마을이 있었습니다.",  # once there was a small village by the sea
        "en": "Once there was a small village by the sea, and the people of it went fishing before the dawn.",
    }

    found = score(list(texts.values()), ["lang", "lang_code"]).to_pylist()

    assert [row["lang_code"] for row in found] == list(texts)
    assert [row["lang"] for row in found] == ["other", "other", "ko", "en"]
