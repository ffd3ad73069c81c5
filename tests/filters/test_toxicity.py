"""Words of abuse are found with the endings that Korean attaches, and not inside harmless words."""

from __future__ import annotations

import pytest

from chejil.filters.catalogue import SIGNALS
from chejil.filters.engine import score

from .real_texts import planted, texts_of

HIGH = SIGNALS["toxic_word_share"].bounds["ko"].high


def words_found(text: str) -> int:
    return score([text], ["toxic_words"]).column(0)[0].as_py()


@pytest.mark.parametrize(
    "text",
    [
        # words of abuse with particles and endings
        "저 새끼는", "새끼들이", "새끼야", "개새끼라고", "병신이냐", "병신들은", "지랄하고", "시발놈들아", "씨발은",
        "쪽바리들이", "짱깨는", "맘충들의", "틀딱들", "한남들은", "미친년이", "쓰레기같은", "느금마가",
        # and in disguise
        "ㅅㅂ", "ㅆㅂ", "ㅂㅅ", "ㅄ", "시1발", "씨1발놈", "씨.발", "씨 발", "씨♥발", "병1신", "개.새.끼",
        "ㅅㅣㅂㅏㄹ", "개\u200b새끼", "ㅆㅣㅂㅏㄹ", "씨-발", "ｆｕｃｋ",
        "fuck", "You FUCKING", "f*ck", "bullshit!", "niggers", "assholes",
    ],
)  # fmt: skip
def test_abuse_is_found(text):
    """One word each."""
    assert words_found(f"정말 {text} 그만") == 1  # "really … enough"


@pytest.mark.parametrize(
    "text",
    [
        "시발점이다", "시발역에서", "시발택시를", "다시 발표", "다시발견", "동시발생", "3시발 열차",  # starts, times
        "새끼손가락", "새끼고양이들", "새끼 돼지", "새끼를 낳았다", "새끼줄",  # little finger, kittens, straw rope
        "병신년", "병신년에", "2023년", "오개년 계획", "청소년들",  # years, young people
        "보지 마", "보지를 못했다", "자지 않고", "자지도",  # do not look, without sleeping
        "감염병", "전염병을", "나아갈", "성매매",  # epidemics, to go on
        "등신대", "팔등신", "정신병원", "피해자가", "애자일", "애비로드",  # life-size, patients, agile, Abbey Road
        "한남동", "한남대교", "쓰레기통", "쓰레기 분리수거",  # a district and a bridge, rubbish
        "불이 꺼져 있다", "위기가 닥쳐", "껌을 씹는",  # the light is out, a crisis came, chewing
        # old equipment, staff of public bodies, newly-wed, elementary teachers, would go on, like lightning, full heart
        "노후장비", "산후장애", "공공기관종사자", "일등신랑감", "초등신규교사", "나아가리라", "번개같은",
        "가슴가득",
        # delivery business, quick orders, animism, year-end income tax, public reading, opening work, kind man, clinic
        "배달창업", "주문빠른", "애니미즘", "연말종합소득세", "공개독서", "개수작업",
        "착한남자", "삼일한의원", "품질싸움",
        "딱따구리가 나무를 쪼다", "chinks in the armour",  # a woodpecker pecks
        "Scunthorpe", "class", "assess", "Dickens", "cocktail", "shitake", "pass", "analysis", "snigger",
    ],
)  # fmt: skip
def test_harmless_words_are_not(text):
    """They hold the letters of a word of abuse."""
    assert words_found(text) == 0


def test_one_word_in_a_sentence_is_kept():
    """Who quotes an insult does not insult. "He said: you fool." """
    texts = ["그는 나에게 병신이라고 말했다.", "병신 새끼 지랄하네 꺼져라 씨발"]
    kept, dropped = score(texts, ["toxic_word_share"]).column(0).to_pylist()
    assert kept == 0
    assert dropped > HIGH


def test_a_text_of_abuse_alone_has_a_share_below_one():
    """Words are counted by where abuse begins in them."""
    assert score(["씨발새끼들 " * 50], ["toxic_word_share"]).column(0)[0].as_py() == 0.98


@pytest.mark.corpus
@pytest.mark.parametrize(
    "shards",
    ["law-ko/*", "wiki-ko/*.parquet", "bills-ko/assembly*", "mc4-ko/*-0000[01]-*", "mc4-ko/*-0002[67]-*"],
)
def test_no_real_document_is_called_abuse(shards, corpus):
    """Laws on epidemics, angry petitions, reviews that swear at films."""
    shares = score(texts_of(corpus, shards), ["toxic_word_share"]).column(0).to_pylist()
    assert max(shares) <= HIGH


@pytest.mark.corpus
def test_threads_of_abuse(corpus):
    """Documents of twelve UnSmile comments: nearly all hateful ones are dropped, and hardly a harmless one."""
    rows = [
        row.split("\t")
        for row in (corpus / "noisy-ko/unsmile_train_v1.0.tsv").read_text("utf-8").split("\n")[1:]
    ]
    rows = [row for row in rows if len(row) > 10]
    kinds = [[r[0] for r in rows if r[9] == r[10] == "0"], [r[0] for r in rows if r[10] == "1"]]
    hateful, harmless = (
        score(["\n".join(kind[i : i + 12]) for i in range(0, len(kind), 12)], ["toxic_word_share"]).column(0)
        for kind in kinds
    )
    assert sum(share > HIGH for share in hateful.to_pylist()) / len(hateful) > 0.9
    assert sum(share > HIGH for share in harmless.to_pylist()) / len(harmless) < 0.02


@pytest.mark.corpus
def test_planted_comments(corpus):
    """Three of the eight planted documents of hateful comments swear enough to be seen; no control is dropped."""
    hateful = score(planted(corpus, "toxic_comments"), ["toxic_word_share"]).column(0).to_pylist()
    controls = score(planted(corpus, "comments_not_toxic"), ["toxic_word_share"]).column(0).to_pylist()
    assert sum(share > HIGH for share in hateful) >= 3
    assert max(controls) <= HIGH
