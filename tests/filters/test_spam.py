"""Spam is told by how much of a text it covers, in disguise or not, and talk about it is kept."""

from __future__ import annotations

import pytest

from chejil.filters.catalogue import SIGNALS
from chejil.filters.engine import score

from .real_texts import planted, texts_of

HIGH = SIGNALS["spam_hit_share"].bounds["ko"].high


def share(text: str) -> float:
    return score([text], ["spam_hit_share"]).column(0)[0].as_py()


SPAM = [
    # town + trade: "Sokcho urgent cash, Sokcho removals estimate, Sokcho casino …"
    "속초급전 속초이사견적 속초카지노 속초누수탐지 속초임플란트할인 속초흥신소 속초대출상담",
    # the same in sentences: "Worried about personal loans? Find out now free of charge"
    "개인돈대출 고민이 많으시죠? 속초 지역 1등 사채대환 에서 "
    "지금 바로 무료로 알아보실 수 있습니다! 급전 상담도 환영합니다.",
    "★ 강릉 카지노사이트 ★ 첫충 꽁머니 당일 지급 ★ 텔레 @abcd1234 ★ 먹튀없는 안전놀이터",  # betting
    "강릉배관견적 동해간판시공 태백배관수리 동해유리교체 태백간판업체 강릉유리청소",  # trades in no list
    "카.지.노 바.카.라 토.토 추천 카톡 문의",  # letters set apart
    "카\u200b지노 ｂａｃｃａｒａｔ 바♥카♥라 ㅌㅗㅌㅗ 지금 가입하세요",
    "Dover payday loans Hull casino bonus Dover free followers Hull replica watches Dover diet pills",
    "Are you searching for cheap followers in Hull? Call now! 100% guaranteed results, lowest price, DM me.",
]
PROSE = [
    "강원랜드 카지노가 다시 문을 열었다.",  # a headline: the casino opened again
    # a complaint about betting sites
    "중학생 아들이 불법 토토 사이트에 빠졌습니다. 친구가 보낸 문자에서 시작했다고 합니다. 사설 도박 사이트를 운영하는 "
    "사람들을 찾아서 벌을 주시고, 학교에서도 아이들에게 도박이 얼마나 무서운지 가르쳐 주시기를 부탁드립니다.",
    # a statute about casinos
    "제21조(허가 요건) ① 카지노업의 허가를 받으려는 자는 카지노영업소의 시설을 갖추어야 한다. ② 카지노사업자는 "
    "카지노기구를 검사받아야 하며, 사행행위로 인한 피해를 막기 위하여 대통령령으로 정하는 조치를 하여야 한다.",
    # bonds, not loan sharks; recruiting people
    "회사는 사채권자 집회를 열어 사채의 상환을 논의했다. 인사채용 자료는 따로 보관하였다.",
    "영화 속 섹스 장면은 길지 않았고, 배우들의 연기는 좋았다. 야한 영화라기보다 슬픈 영화다.",  # a film review
    # documentation: slots, replicas
    "슬롯은 자식 컴포넌트가 부모의 내용을 받는 자리다. 이름 있는 슬롯과 기본 슬롯이 있다. "
    "레플리카셋은 파드의 수를 지킨다.",
    "이사 견적을 세 곳에서 받았는데 비용이 모두 달랐다. 그래서 업체를 고르는 데 시간이 걸렸다.",  # removals, in prose
    # "making ready, health masks, checks of the network, points for innovation, all on one issue, the change of years"
    "여건마련과 보건마스크, 통신점검, 혁신점수, 쟁점집중, 세월변화, 세력주도, 급등주택 조사, 급전직하한 여론",
    "The casino scene was filmed in Reno. Click here to read the review, or buy the book at the museum shop.",
    "Loan approval takes a week. If your credit is poor the bank may ask for a guarantor, and the price is higher.",
]


@pytest.mark.parametrize("text", SPAM)
def test_spam_is_dropped(text):
    """Lists, lines and sentences of trades, known and unknown ones, disguised or not."""
    assert share(text) > HIGH


@pytest.mark.parametrize("text", PROSE)
def test_talk_about_it_is_kept(text):
    """News, complaints, statutes, reviews and documentation name such things in passing."""
    assert share(text) <= HIGH


def test_categories_are_counted_once_each():
    """Betting, loans, beauty: three, however often each is named. Come-ons are one more."""
    text = "카지노 바카라 급전 대환대출 임플란트할인 토토"
    assert score([text, text + " 카톡 문의"], ["spam_categories"]).column(0).to_pylist() == [3, 4]


def test_disguised_hits_are_counted():
    """A plain casino is none."""
    texts = ["카지노", "카.지.노 토 토 카\u200b지노"]
    assert score(texts, ["disguised_hits"]).column(0).to_pylist() == [0, 3]


@pytest.mark.corpus
def test_planted_spam_is_dropped(corpus):
    """Keyword lists, advertising lines and template sentences of both languages, with room to spare."""
    shares = score(planted(corpus, "machine_spam"), ["spam_hit_share"]).column(0).to_pylist()
    assert shares
    assert min(shares) > 5 * HIGH


@pytest.mark.corpus
@pytest.mark.parametrize(
    "shards",
    ["law-ko/*", "wiki-ko/*.parquet", "bills-ko/assembly*", "mc4-ko/*-0000[01]-*", "mc4-ko/*-0002[67]-*"],
)
def test_no_real_document_is_called_spam(shards, corpus):
    """Statutes and bills on casinos, petitions against betting sites, film reviews."""
    shares = score(texts_of(corpus, shards), ["spam_hit_share"]).column(0).to_pylist()
    assert max(shares) <= HIGH
