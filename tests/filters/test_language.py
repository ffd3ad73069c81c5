"""The language gate and the model behind it, on the cases that peers get wrong and on the real corpora."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chejil.curation.quality.training import zeroed_memory
from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure, score
from chejil.filters.language import SAMPLE_WINDOWS, WINDOW_BYTES, code_of, sample
from chejil.filters.language_switches import COUNTERS
from chejil.filters.lexicons import lexicon
from chejil.filters.prose import ENGLISH, KOREAN

from . import reference
from .real_texts import read_texts, texts_of
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
    texts = texts_of(corpus, shards)
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


NAMES = ("김치찌개", "서울특별시", "안녕하세요", "한국어", "우리는 하나다")
"""A stew, Seoul, hello, Korean, "we are one": what a page about Korea quotes."""


def with_names(text: str, every: int) -> str:
    """A Hangul name after every so many characters."""
    pieces = [text[at : at + every] + NAMES[at // every % len(NAMES)] for at in range(0, len(text), every)]
    return "".join(pieces)


@pytest.mark.parametrize(
    "text",
    [
        CHINESE + "김밥",
        with_names(CHINESE * 3, 30),
        with_names(CHINESE * 3, 15),
        with_names(JAPANESE * 3, 30),
        with_names(JAPANESE * 3, 15),
        "「" + "안녕하세요" + "」と「" + "감사합니다" + "」は毎日使う言葉なので、最初に覚えておきましょう。",
        "我们昨天在首尔吃了김치찌개和불고기，味道非常好，下次还想再去。",  # stew and bulgogi, eaten in Seoul
        "カフェで「안녕하세요」と挨拶してからメニューを見て、冷たいコーヒーを頼みました。",  # a greeting in a café
    ],
)
def test_chinese_and_japanese_are_not_korean(text):
    """However many Hangul names and greetings (hello, thank you) they quote."""
    assert languages(text) == ["other"]


@pytest.mark.parametrize(
    "text",
    [
        "吾等은 玆에 그 決定을 宣言하고 子孫에게 그 權利를 永遠히 傳하노라.",  # we declare it and hand it down
        "本法은 公共의 安寧秩序를 維持하고 國民의 自由와 權利를 保護함을 目的으로 한다.",  # the aim of this act
        "天地玄黃 宇宙洪荒이라 함은 하늘과 땅, 집과 들을 이르는 말이다.",  # what a line of the primer means
        "學校",
    ],
)
def test_korean_with_much_hanja_is_korean(text):
    """Its Hangul is particles and endings. A Hanja word alone is no language."""
    expected = "ko" if len(text) > 9 else None
    decomposed = unicodedata.normalize("NFD", text)

    assert languages(text, decomposed) == [expected, expected]


def test_a_korean_lesson_of_japanese_is_korean():
    """Explanations in Korean around a few examples ("good morning is ohayo")."""
    assert languages(
        "아침 인사는 おはよう라고 하며, 저녁에는 こんばんは라고 합니다. 친구끼리 쓰는 말입니다."
    ) == ["ko"]


odd_lines = st.lists(st.sampled_from(["the", "the漢", "漢of,", "(to)", "a", "가", "\n"]), max_size=30).map(
    " ".join
)


@settings(deadline=None)
@given(batches | st.lists(odd_lines, max_size=4))
@example(["the漢 to漢 a b c", "the漢 b c d e 가나 다라 마바"])
def test_switches_agree_with_the_reference(texts):
    """Every counter of every document equals the plain count."""
    counts = measure(TextBuffers.of(texts), ["language_switches"])
    expected = [reference.language_switches(text) for text in texts]
    for name in COUNTERS:
        assert counts[name].tolist() == [counted[name] for counted in expected], name


LINE_KO = "마을 뒤편의 작은 도서관은 오래된 정미소를 고쳐서 만들었다."  # a library in an old mill
LINE_EN = "The small library behind the village was made of an old mill and a barn."


@pytest.mark.parametrize(
    ("text", "share", "switches"),
    [
        (KOREAN, 0.0, 0),
        (ENGLISH, 0.0, 0),
        ("\n".join([LINE_KO] * 4 + [LINE_EN] * 4), 0.5, 1),
        ("\n".join([LINE_KO, LINE_EN] * 4), 0.5, 7),
        ("\n\n".join([LINE_KO] * 3 + [LINE_EN]), 0.25, 1),
        ("\n".join([LINE_KO + f" ({LINE_EN[:30]})"] * 4), 0.0, 0),  # glosses in brackets
        ("\n".join([LINE_KO, CODE, LINE_KO]), 0.0, 0),
        ("\n".join([unicodedata.normalize("NFD", LINE_KO), LINE_EN]), 0.5, 1),
        ("1. 개요\nMenu\n목차", None, 0),  # overview, contents
        (CHINESE, None, 0),
    ],
)
def test_switches_tell_halves_from_translations_and_glosses(text, share, switches):
    """The share says how much there is of the other language, the switches how it is laid out."""
    found = score([text], ["code_switch_share", "num_language_switches"]).to_pylist()

    assert found == [{"code_switch_share": share, "num_language_switches": switches}]


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("__label__kor_Hang", "ko"),
        ("__label__eng_Latn", "en"),
        ("__label__jpn_Jpan", "ja"),
        ("__label__cmn_Hani", "zh"),
        ("__label__zh-Hans", "zh"),
        ("__label__nob_Latn", "no"),
        ("__label__ceb", "ceb"),
        ("ko", "ko"),
    ],
)
def test_labels_of_other_models_are_our_codes(label, code):
    """GlotLID and NLLB write kor_Hang, lid.176 writes ko."""
    assert code_of(label) == code


def test_every_code_of_the_table_has_two_letters():
    """A bare `no` in YAML would be false."""
    assert all(isinstance(code, str) and len(code) == 2 for code in lexicon("language_codes").values())


def test_another_model_is_asked_where_a_recipe_names_one(tmp_path):
    """Its labels become our codes; what the gate decides it is not asked."""
    import fasttext

    lines = [
        f"__label__{label} {word} {other}"
        for label, words in {"spa_Latn": "puente gente colinas", "fra_Latn": "pont gens collines"}.items()
        for word in words.split()
        for other in words.split()
    ]
    (tmp_path / "train.txt").write_text("\n".join(lines * 5) + "\n", "utf-8")
    with zeroed_memory():
        model = fasttext.train_supervised(
            str(tmp_path / "train.txt"), epoch=50, lr=0.5, dim=8, thread=1, verbose=0
        )
    model.save_model(str(tmp_path / "lid.bin"))
    models = {"language": str(tmp_path / "lid.bin")}

    found = score(["puente gente colinas", KOREAN], ["lang", "lang_code"], models).to_pylist()

    assert found == [{"lang": "other", "lang_code": "es"}, {"lang": "ko", "lang_code": "ko"}]


def test_a_file_that_is_no_model_is_refused(tmp_path):
    """With its path and what it should be."""
    (tmp_path / "lid.bin").write_bytes(b"not a model at all")

    with pytest.raises(ChejilError, match=r"no fastText model"):
        score(["puente gente colinas"], ["lang"], {"language": str(tmp_path / "lid.bin")})
