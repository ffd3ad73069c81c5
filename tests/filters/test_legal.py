"""Statutes, decrees and judgments have a high legal score, other writing a low one."""

from __future__ import annotations

import pytest

from chejil.filters.engine import score
from chejil.filters.prose import PROSE

from .real_texts import texts_of


def legal_score(text: str) -> float:
    return score([text], ["legal_score"]).column(0)[0].as_py()


LAW = [
    # An Act on shared kitchens: purpose, definitions, amendment note, addenda
    "제1조(목적) 이 법은 공유주방의 운영에 필요한 사항을 규정함을 목적으로 한다.\n"
    "제2조(정의) 이 법에서 사용하는 용어의 뜻은 다음 각 호와 같다. <개정 2020. 3. 4.>\n"
    "1. “공유주방”이란 둘 이상의 영업자가 함께 쓰는 주방으로서 대통령령으로 정하는 시설을 말한다.\n"
    "부칙 <제12345호, 2019. 1. 2.>\n이 법은 공포한 날부터 시행한다.",
    # A civil judgment: order, claim, reasons
    "주 문\n1. 원고의 청구를 기각한다.\n2. 소송비용은 원고가 부담한다.\n청구취지\n"
    "피고는 원고에게 3,000,000원을 지급하라.\n이 유\n갑 제1호증의 기재와 변론 전체의 취지를 종합하면, "
    "피고가 물건을 인도한 사실을 인정할 수 있다. "
    "따라서 원고의 주장은 이유 없으므로 주문과 같이 판결한다.\n재판장 판사",
    # A criminal judgment of the Supreme Court
    "대법원 2001. 2. 3. 선고 2000도1234 판결\n상고를 기각한다.\n상고이유를 판단한다. 원심판결 이유를 기록에 비추어 "
    "살펴보면, 피고인에 대한 공소사실을 유죄로 인정한 원심의 판단에 법리를 오해한 잘못이 없다. "
    "관여 법관의 일치된 의견으로 주문과 같이 판결한다.",
]
OTHER = [
    PROSE[0][1],
    PROSE[1][1],
    # documentation in the words of duty: "the option must be set; it can be left out"
    "설정 파일에 따라 값을 읽는다. 이 옵션은 반드시 지정해야 한다. "
    "필요하면 생략할 수 있다. 실패하면 다시 시도하여야 한다.",
    "편집자는 원고를 세 번 읽었다. 원고지 팔백 매가 넘는 소설이었다. 그는 다음 날 전화를 걸었다.",  # a manuscript
    # news of a trial
    "한편 시장 상인들은 어제 저녁 늦게까지 남아 불에 탄 가게를 치웠다. 방화 혐의로 붙잡힌 남자는 다음 주에 재판을 "
    "받는다. 상인회는 손해가 얼마나 되는지 아직 알지 못한다고 말했고, 구청은 천막을 빌려주기로 했다.",
]


@pytest.mark.parametrize("text", LAW)
def test_law_has_a_high_score(text):
    """A statute, a civil and a criminal judgment."""
    assert legal_score(text) > 0.8


@pytest.mark.parametrize("text", OTHER)
def test_other_writing_has_a_low_score(text):
    """Prose, documentation full of duties, a manuscript (which is spelled like the plaintiff), news."""
    assert legal_score(text) < 0.25


def test_verbs_of_duty_alone_are_no_law():
    """They count only as far as marks of law do."""
    assert legal_score("하여야 한다. 할 수 있다. 대통령령으로 정하는 바에 따라 하여야 한다.") == 0


@pytest.mark.corpus
def test_every_statute_has_a_high_score(corpus):
    """Among them short ones that only move the border of a district."""
    assert min(score(texts_of(corpus, "law-ko/*"), ["legal_score"]).column(0).to_pylist()) > 0.6


@pytest.mark.corpus
@pytest.mark.parametrize("shards", ["mc4-ko/*-0000[2-9]-*", "mc4-ko/*-0001*", "mc4-ko/*-0002[67]-*"])
def test_no_web_page_has(shards, corpus):
    """Documentation, blogs, film reviews."""
    assert max(score(texts_of(corpus, shards), ["legal_score"]).column(0).to_pylist()) < 0.5
