"""Pages that are little but marks of a machine are dropped; pages about such marks are not."""

from __future__ import annotations

import pytest

from chejil.filters.catalogue import SIGNALS
from chejil.filters.engine import score

from .real_texts import texts_of

HIGH = SIGNALS["generated_mark_share"].bounds["ko"].high


@pytest.mark.parametrize(
    "mark",
    [
        "이 문서는 기계 번역되었습니다",  # this document was machine-translated
        "자동 번역 서비스",
        "Powered by Google Translate",
        "저는 인공지능 언어 모델",  # I am an AI language model
        "As an AI language model",
        "I’m sorry, but I can’t",
        "Lorem ipsum",
        "[회사명]",  # [name of the company]
        "{{ name }}",
        "%s 님",  # Dear %s
        "TODO: insert",
        "404 Not Found",
        "자바스크립트를 활성화",  # enable JavaScript
        "페이지를 찾을 수 없습니다",  # the page cannot be found
        "준비중입니다",  # in preparation
        "쿠팡 파트너스 활동",  # a shop's affiliate programme
    ],
)
def test_a_mark_is_counted(mark):
    """Once, whatever stands around it."""
    assert score([f"오늘 {mark} 안내"], ["generated_marks"]).column(0).to_pylist() == [1]  # today … notice


@pytest.mark.parametrize(
    "text",
    [
        "신경망 기계 번역 모델을 학습한다.",  # training a neural machine translation model
        "기계 번역을 평가하는 방법은 여러 가지다.",  # there are many ways to evaluate machine translation
        "statistical machine translation",
        "수업 준비 중입니다만",  # preparing a lesson: not the start of a word
        "arr[name]",
    ],
)
def test_writing_about_machines_is_no_mark(text):
    """The field of machine translation, program code."""
    assert score([text], ["generated_marks"]).column(0).to_pylist() == [0]


@pytest.mark.parametrize(
    "text",
    [
        # this page cannot be found; back home
        "요청하신 페이지를 찾을 수 없습니다. 이전 페이지로 돌아가기 홈으로 돌아가기",
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore.",
        "[회사명]은 [지역] 최고의 [키워드] 업체입니다. [전화번호]",  # [company] is the best [keyword] in [place]
    ],
)
def test_a_page_that_is_little_else_is_dropped(text):
    """By the share of its characters."""
    assert score([text], ["generated_mark_share"]).column(0)[0].as_py() > HIGH


@pytest.mark.corpus
@pytest.mark.parametrize("shards", ["mc4-ko/*", "c4-en/*", "wiki-ko/*.parquet", "law-ko/*"])
def test_no_real_page_is_dropped(shards, corpus):
    """Lessons on HTTP codes and lorem ipsum, docs of template engines and of translation models."""
    assert max(score(texts_of(corpus, shards), ["generated_mark_share"]).column(0).to_pylist()) <= HIGH
