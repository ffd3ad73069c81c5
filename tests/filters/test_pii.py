"""What is personal data and what only looks like it; counting and the laws of spans."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters import pii
from chejil.filters.buffers import TextBuffers
from chejil.filters.pii_checksums import (
    business_check_digit,
    corporate_check_digit,
    foreigner_check_digit,
    luhn_check_digit,
    resident_check_digit,
)

from .strategies import batches


def found(text: str, min_confidence: float = pii.MIN_CONFIDENCE) -> list[tuple[str, str]]:
    """Kind and value of each span."""
    texts = TextBuffers.of([text])
    spans = pii.find(texts, min_confidence)
    return [(spans.rules[rule], value) for rule, value in zip(spans.rule, spans.texts(texts), strict=True)]


def grade(text: str) -> float:
    """Of the one span."""
    (confidence,) = pii.find(TextBuffers.of([text]), 0).confidence.tolist()
    return round(confidence, 3)


# Numbers made by the algorithms: a resident born on 29 February 2000, a foreigner, firms, a card.
RRN = "000229-3" + "12345" + str(resident_check_digit("000229312345"))
WRONG_RRN = RRN[:-1] + str((int(RRN[-1]) + 1) % 10)
FRN = "850101-5" + "12345" + str(foreigner_check_digit("850101512345"))
BRN = "123-45-6789" + str(business_check_digit("123456789"))
WRONG_BRN = BRN[:-1] + str((int(BRN[-1]) + 1) % 10)
CORPORATE = "110111-123456" + str(corporate_check_digit("110111123456"))
CARD = "4000-1234-5678-901" + str(luhn_check_digit("400012345678901"))
BARE_CARD = CARD.replace("-", "")

# Glosses: 주민등록번호 resident number, 외국인등록번호 foreigner's, 사업자등록번호 business,
# 법인등록번호 corporate number, 운전면허 driving licence, 여권 passport, 휴대폰/전화/연락처 phone,
# 계좌/입금 account/pay in, 카드/결제 card/payment, 이메일 e-mail, 아이피/접속 IP/access, 골뱅이 "at", 닷/점 "dot".
POSITIVES = [
    ("rrn", f"주민등록번호 {RRN}", RRN),
    ("rrn", f"주민번호: {WRONG_RRN} 입니다", WRONG_RRN),
    ("rrn", f"{RRN}", RRN),
    ("rrn", f"적힌 것은 {WRONG_RRN}이다", WRONG_RRN),
    ("rrn", f"주민등록번호 {RRN.replace('-', '')}", RRN.replace("-", "")),
    ("rrn", f"실명확인 {WRONG_RRN.replace('-', '')} 완료", WRONG_RRN.replace("-", "")),
    ("rrn", f"({RRN.replace('-', '')})", RRN.replace("-", "")),
    ("rrn", f"민증 {RRN.replace('-', ' - ')}", RRN.replace("-", " - ")),
    ("rrn", f"주민번호 {RRN.replace('-', ' ')}", RRN.replace("-", " ")),
    ("rrn", f"주민번호 {RRN.replace('-', '–')}", RRN.replace("-", "–")),
    ("rrn", "주민등록번호 ０００２２９－３１２３４５６", "０００２２９－３１２３４５６"),
    ("frn", f"외국인등록번호 {FRN}", FRN),
    ("frn", f"{FRN}", FRN),
    ("frn", f"Alien registration no. {FRN.replace('-', '')}", FRN.replace("-", "")),
    ("brn", f"사업자등록번호 {BRN}", BRN),
    ("brn", f"{BRN}", BRN),
    ("brn", f"사업자번호: {WRONG_BRN}", WRONG_BRN),
    ("brn", f"세금계산서는 {BRN} 앞으로", BRN),
    ("brn", f"Business registration {BRN.replace('-', '')}", BRN.replace("-", "")),
    ("corporate", f"법인등록번호 {CORPORATE}", CORPORATE),
    ("corporate", f"{CORPORATE}", CORPORATE),
    ("corporate", "법인번호 110111-7654321", "110111-7654321"),
    ("driver", "운전면허 11-15-681234-96", "11-15-681234-96"),
    ("driver", "번호판 옆에 28-02-100200-30 이라고", "28-02-100200-30"),
    ("driver", "면허번호 131512345678", "131512345678"),
    ("driver", "면허 서울 99-123456-12", "99-123456-12"),
    ("passport", "여권번호 M12345678", "M12345678"),
    ("passport", "passport no. M123A4567", "M123A4567"),
    ("passport", "분실한 것은 M123A4567 이다", "M123A4567"),
    ("passport", "여권 JR1234567", "JR1234567"),
    ("passport", "여권(S87654321)", "S87654321"),
    ("phone", "휴대폰 010-2345-6789", "010-2345-6789"),
    ("phone", "010.2345.6789", "010.2345.6789"),
    ("phone", "010 2345 6789로 문자", "010 2345 6789"),
    ("phone", "010 - 2345 - 6789", "010 - 2345 - 6789"),
    ("phone", "(010)2345-6789", "(010)2345-6789"),
    ("phone", "(010) 2345-6789", "(010) 2345-6789"),
    ("phone", "0102345-6789", "0102345-6789"),
    ("phone", "010-23456789", "010-23456789"),
    ("phone", "01023456789", "01023456789"),
    ("phone", "연락처01023456789입니다", "01023456789"),
    ("phone", "T.010-2345-6789", "010-2345-6789"),
    ("phone", "HP010-2345-6789", "010-2345-6789"),
    ("phone", "010–2345–6789", "010–2345–6789"),
    ("phone", "010ㅡ2345ㅡ6789", "010ㅡ2345ㅡ6789"),
    ("phone", "011-783-9226", "011-783-9226"),
    ("phone", "휴대폰 0117839226", "0117839226"),
    ("phone", "+82 10 2345 6789", "+82 10 2345 6789"),
    ("phone", "+82-10-2345-6789", "+82-10-2345-6789"),
    ("phone", "+82 (0)10-2345-6789", "+82 (0)10-2345-6789"),
    ("phone", "+821023456789", "+821023456789"),
    ("phone", "82-10-2345-6789", "82-10-2345-6789"),
    ("phone", "+82-2-765-4321", "+82-2-765-4321"),
    ("phone", "０１０－２３４５－６７８９", "０１０－２３４５－６７８９"),
    ("phone", "０１０ ２３４５ ６７８９", "０１０ ２３４５ ６７８９"),
    ("phone", "공일공-이삼사오-육칠팔구", "공일공-이삼사오-육칠팔구"),
    ("phone", "공일공 이삼사오 육칠팔구로 전화", "공일공 이삼사오 육칠팔구"),
    ("phone", "영일영이삼사오육칠팔구", "영일영이삼사오육칠팔구"),
    ("phone", "공1공-2345-육칠89", "공1공-2345-육칠89"),
    ("phone", "010-이삼사오-6789", "010-이삼사오-6789"),
    ("phone", "O1O-2345-6789", "O1O-2345-6789"),
    ("phone", "공일공이삼사오육칠팔이이에요", "공일공이삼사오육칠팔이"),  # "it is 010-…-6782"
    ("phone", "02-765-4321", "02-765-4321"),
    ("phone", "02)765-4321", "02)765-4321"),
    ("phone", "(02) 3765-4321", "(02) 3765-4321"),
    ("phone", "사무실 0237654321", "0237654321"),
    ("phone", "053-765-4321", "053-765-4321"),
    ("phone", "064 765-4321", "064 765-4321"),
    ("phone", "전화 031.765.4321", "031.765.4321"),
    ("phone", "070-8765-4321", "070-8765-4321"),
    ("phone", "0505-765-4321", "0505-765-4321"),
    ("phone", "0507-1376-4321", "0507-1376-4321"),
    ("phone", "전화:02-765-4321/팩스", "02-765-4321"),
    ("phone", "+1 (303) 555-0145", "+1 (303) 555-0145"),
    ("phone", "(303) 555-0145", "(303) 555-0145"),
    ("phone", "512.555.0164", "512.555.0164"),
    ("phone", "202-555-0164", "202-555-0164"),
    ("phone", "call 1-303-555-0145 now", "1-303-555-0145"),
    ("phone", "+13035550145", "+13035550145"),
    ("phone", "phone 3035550145", "3035550145"),
    ("phone", "cell: 303 555 0145", "303 555 0145"),
    ("phone", "+44 20 7946 0958", "+44 20 7946 0958"),
    ("phone", "Tel. +49 30 90182045", "+49 30 90182045"),
    ("us_ssn", "SSN 219-09-9998", "219-09-9998"),
    ("us_ssn", "social security number: 219 09 9998", "219 09 9998"),
    ("us_ssn", "SS# 219099998", "219099998"),
    ("us_ssn", "it said 219-09-9998.", "219-09-9998"),
    ("account", "신한은행 110-123-456789", "110-123-456789"),
    ("account", "계좌번호: 301-0123-4567-89", "301-0123-4567-89"),
    ("account", "카카오뱅크 3333-01-2345678 (예금주 본인)", "3333-01-2345678"),
    ("account", "3333-01-2345678 카카오뱅크", "3333-01-2345678"),
    ("account", "입금은 국민 123456-01-234567", "123456-01-234567"),
    ("account", "농협 3010123456789", "3010123456789"),
    ("account", "하나 599211-35-201694", "599211-35-201694"),
    ("account", "우체국 020-668611-28-959 132번 창구", "020-668611-28-959"),
    ("account", "Bank account 110-123-456789", "110-123-456789"),
    ("card", CARD, CARD),
    ("card", f"카드 {BARE_CARD} 승인", BARE_CARD),
    ("card", f"체크카드 {CARD.replace('-', ' ')}", CARD.replace("-", " ")),
    ("card", f"paid with {BARE_CARD}", BARE_CARD),
    ("card", "9443-5412-4899-2059", "9443-5412-4899-2059"),
    ("card", "visa 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("card", "amex 3782-822463-10005", "3782-822463-10005"),
    ("email", "reader@mail.example", "reader@mail.example"),
    ("email", "이메일은 a.b-c_1@post.co.kr입니다", "a.b-c_1@post.co.kr"),
    ("email", "mailto:reader+tag@example.com?subject", "reader+tag@example.com"),
    ("email", "<reader@example.org>,", "reader@example.org"),
    ("email", "reader＠example.org", "reader＠example.org"),
    ("email", "reader 골뱅이 example.net 로", "reader 골뱅이 example.net"),
    ("email", "reader골뱅이example점com", "reader골뱅이example점com"),
    ("email", "reader(a)example.or.kr", "reader(a)example.or.kr"),
    ("email", "reader[at]example.com", "reader[at]example.com"),
    ("email", "reader (at) example (dot) com", "reader (at) example (dot) com"),
    ("email", "reader AT example DOT org", "reader AT example DOT org"),
    ("email", "reader at example dot co dot uk", "reader at example dot co dot uk"),
    ("email", "reader99 골뱅이 네이버 닷컴", "reader99 골뱅이 네이버 닷컴"),
    ("email", "reader99(골뱅이)naver.com", "reader99(골뱅이)naver.com"),
    ("email", "reader {at} example {dot} org", "reader {at} example {dot} org"),
    ("email", "e-mail: reader-1 AT example.com", "reader-1 AT example.com"),
    ("ip", "접속 아이피 211.202.15.44", "211.202.15.44"),
    ("ip", "from 61.72.3.5", "61.72.3.5"),
    ("ip", "(211.202.150.44)", "211.202.150.44"),
    ("ip", "peer 2400:cb00:2048:1::c629:d7a2", "2400:cb00:2048:1::c629:d7a2"),
    ("address", "서울시 마포구 월드컵북로 396, 101동 1203호", "서울시 마포구 월드컵북로 396, 101동 1203호"),
    ("address", "고양시 화정동 123-4 은빛아파트 101동 502호", "고양시 화정동 123-4 은빛아파트 101동 502호"),
    ("address", "자택: 부산광역시 해운대구 달맞이길 30", "부산광역시 해운대구 달맞이길 30"),
    ("address", "at 12 Old Mill Road, Apt 4B, Salem, OR 97301", "12 Old Mill Road, Apt 4B, Salem, OR 97301"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "value"), POSITIVES, ids=[text for _, text, _ in POSITIVES])
def test_personal_data_is_found(kind, text, value):
    """With its kind, from the first to the last character."""
    assert found(text) == [(kind, value)]


# Statutes, dates, prices, codes, coordinates, versions, networks, programs: none of it is personal.
DECOYS = [
    "2023-09-05", "2023.09.05 08:41:09", "2020-06-09 일부개정, 2020-12-10 시행", "20201117084109", "1609459200000",
    "2024-01-31T23:59:59+09:00", "2024/03/11-2024/04/11", "1998~2003", "09:30-18:00", "2020.11.17 08:41:09",
    "ISBN 978-89-1234-567-8", "ISBN 979-11-6050-312-8", "ISBN 89-7914-123-4", "ISBN 9788912345678", "ISSN 1225-1234",
    "주문번호 20230905123", "주문번호 01023456789", "주문 번호: 202309-0512345", "order #112-7741093-5526631",
    "order number 010-2345-6789", "운송장번호 6891234567890", "송장 1234-5678-9012", "접수 202011-170041",
    "접수 123456-789012", "접수번호 2023-0102-345678", "모델명 880315-A-0420017", "모델 M12345678",
    "자재코드 0203-44-871",
    "품번 010-2345-6789", "일련번호 000229-3123456", "serial M123A4567", "S/N 4000-1234-5678-9010",
    "part no. 219-09-9998",
    "쿠폰 1234-5678-9012-3456", "인증번호 482913", "학번 2019123456", "사건번호 2019헌바123456", "의안번호 2101234",
    "제12345호", "대통령령 제30833호", "제3조제2항제1호", "법률 제19234호, 2023. 3. 4.", "110-123-456789",
    "20230905123", "1,234,567,890원", "1234567890원", "3,500,000,000", "₩12345678901", "$1234567890",
    "약 1234567890123년",
    "총 3285086157924910 bytes", "0.1234567890123456", "3.14159265358979", "-37.123456, 127.123456",
    "위도 35.1796, 경도 129.0756", "37.5665° N, 126.9780° E", "버전 3.4.12.1", "릴리스 13.4.120.201 변경 사항",
    "version 4.0.11.2 was tagged", "v1.2.3.4", "Chrome/120.0.6099.129", "1.2.3.4", "10.0.0.0/8 대역", "192.0.2.0/24",
    "211.202.150.0/24", "10.1.2.3", "192.168.0.1", "172.16.254.1", "127.0.0.1:8080", "0.0.0.0 으로 바인딩",
    "255.255.255.0", "8.8.8.8", "198.51.100.7", "fe80::1ff:fe23:4567:890a", "2001:db8::1:2:3", "::1",
    "00:1a:2b:3c:4d:5e", "1.3.6.1.4.1.311.21.20", "페이지 1024-2048 사이", "pp. 1024-2048", "1024 2048 4096 8192",
    "2019 2020 2021 2022", "4000 1234 5678 9012 3456 7890", "대표번호 1588-1234", "1577-0000", "1899-0000",
    "080-123-4567", "1-800-555-0199", "112, 119, 1345", "git@github.com:team/repo.git",
    "git@localhost:~/repo$ make test",
    "@Override public int size()", "@pytest.mark.slow", "react@18.2.0", "sprite@2x.png", "std::array<int, 12>",
    "this@Outer.name", "ubuntu@build.example.com:~$ ls", "https://user:secret@db.example.com/x",
    "look at example.com",
    "a at b", "f(a).b", "x(a)y", "dot product at scale", "550e8400-e29b-41d4-a716-446655440000",
    "d41d8cd98f00b204e9800998ecf8427e", "9f86d081884c7d659a2feaa0c55ad015", "0x12345678", "sha256:01023456789abcdef",
    "https://news.example/article/01023456789", "/img/000229-3123456.jpg", "?id=01023456789", "id_01023456789",
    "+1 -2 +3", "1/2/3", "16:9", "3-2-1", "555-0145", "123-456-7890", "911-12-3456", "000-12-3456", "666-12-3456",
    "991332-1234567", "000229-0123456", "서울 101동", "12345호", "302호 법정", "공공기관", "영일만", "공일공사",
    "이삼사오육칠팔구", "바다로 30 킬로미터", "가로 1200 세로 600", "153만 5,000호", "M1234", "A12B3456", "5동 3층",
    "RFC 2606", "1234 5678", "8801234567893", "바코드 8801234567893", "KR1234567890123", "IBM 1401", "3 × 10^12",
    "경기 결과 2-3-4, 6-7", "0123-4567-8901", "10-2023-0123456",
    "고객번호 010-2345-6789", "자산번호 000229-3123456", "증권번호 4000-1234-5678-9010", "기기 번호 01023456789",
]  # fmt: skip
# "Article 3", "about … years", "won", "waiver"; "to the sea, 30 km", "width, height", "153 … houses", "courtroom 302".


@pytest.mark.parametrize("text", DECOYS)
@pytest.mark.parametrize("frame", ["{}", "본문은 {} 이다.", "It reads {} there."])  # "the text is …"
def test_what_only_looks_like_personal_data_stays(text, frame):
    """Alone and within a sentence of either language."""
    assert found(frame.format(text)) == []


def test_both_sets_are_large():
    """The promise of the page on personal data."""
    assert len(POSITIVES) >= 80
    assert len(DECOYS) >= 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"주민등록번호 {RRN}", 1.0),
        (RRN, 0.9),
        (f"주민등록번호 {WRONG_RRN}", 0.9),
        (WRONG_BRN, 0.5),
        (f"사업자등록번호 {WRONG_BRN}", 0.7),
        (f"사업자등록번호 {BRN}", 1.0),
        (f"카드 {BARE_CARD}", 1.0),
        (BARE_CARD, 0.7),
        ("9443 5412 4899 2051", 0.5),
        ("080-123-4567", 0.5),
        ("1.2.3.4", 0.5),
    ],
)
def test_grades(text, expected):
    """Check digit and label 1.0, one of them 0.9, context 0.7, shape alone 0.5, which is not masked."""
    assert grade(text) == expected


def test_check_digits_of_residents_are_no_gate():
    """Numbers since October 2020 are random behind the seventh digit."""
    assert found(WRONG_RRN) == [("rrn", WRONG_RRN)]
    assert found(WRONG_RRN.replace("-", "")) == []


def test_k12_the_peers_false_alarms():
    """An ISO date is no account, an order number no phone, an ISBN no account, an account no phone with a rest."""
    for text in ("2023-09-05", "주문 20230905123", "ISBN 978-89-1234-567-8", "110-123-456789"):
        assert found(text) == [], text
    assert found("국민은행 110-123-456789") == [("account", "110-123-456789")]


def test_numbers_beside_a_slash():
    """A slash parts two phones; in a path of a file it is a part of it."""
    assert len(found("010-2345-6789/010-9876-5432")) == 2
    assert len(found("Tel/010-2345-6789")) == 1
    assert found("see img/010-2345-6789/a.png") == []


def test_neighbours_do_not_lend_their_labels():
    """A label counts for the number after it, not for the next one."""
    text = (
        "입금 신한은행 110-123-456789 접수 202011-170041 휴대폰 010-2345-6789 0.0.0.0 ISBN 979-11-6050-312-8"
    )
    assert [kind for kind, _ in found(text)] == ["account", "phone"]


def test_an_email_that_begins_with_a_phone_is_one_span():
    """The longer one; its digits are a name there."""
    assert found("01023456789@example.com") == [("email", "01023456789@example.com")]


def test_kinds_are_chosen_after_overlaps_are_settled():
    """An account that stays is not taken for something else."""
    texts = TextBuffers.of([f"주민등록번호 {RRN}, 010-2345-6789"])
    spans = pii.find(texts, kinds=["phone"])
    assert list(spans.texts(texts)) == ["010-2345-6789"]


def test_counts_are_by_kind():
    """And all together."""
    from chejil.filters.engine import score

    names = ["num_pii", "num_phones", "num_emails", "num_rrn"]
    text = f"010-2345-6789, 010-9876-5432, reader@example.com, {RRN}"
    assert score([text, "없다"], names).to_pylist() == [
        dict(zip(names, (4, 2, 1, 1), strict=True)),
        dict.fromkeys(names, 0),
    ]


ODD = st.sampled_from([value for _, _, value in POSITIVES] + DECOYS)


@given(st.lists(ODD | st.text(max_size=12), max_size=8).map(" ".join))
def test_spans_lie_at_characters_and_do_not_overlap(text):
    """Each cut leaves valid UTF-8, in order."""
    texts = TextBuffers.of([text])
    spans = pii.find(texts, 0)
    assert all(spans.end[:-1] <= spans.start[1:])
    assert all(value in text for value in spans.texts(texts))


@given(batches)
def test_a_batch_is_searched_row_by_row(texts):
    """A document's spans do not depend on its neighbours."""
    together = pii.find(TextBuffers.of(texts), 0)
    for doc, text in enumerate(texts):
        alone = pii.find(TextBuffers.of([text]), 0)
        assert together.start[together.doc == doc].tolist() == alone.start.tolist()


def test_nfd_text_is_searched_as_it_stands():
    """Digits are found beside decomposed Hangul; labels need NFC, which normalising gives."""
    text = unicodedata.normalize("NFD", "휴대폰 010-2345-6789 입니다")
    assert [value for _, value in found(text)] == ["010-2345-6789"]


MEGABYTES = 1 << 20


@pytest.mark.parametrize(
    "piece",
    [
        "7",
        "12-",
        "0101 ",
        "2020 ",
        "1.1.1.",
        "a@",
        "::1",
        "공일",
        "(a)",
        "1호 ",
        "a at b dot ",
        "+1 ",
        "로 3",
    ],
)
def test_sixteen_megabytes_of_near_misses(piece):
    """Nothing is quadratic: digits, separators and signs without end in one line."""
    size = 16 * MEGABYTES if piece == "7" else MEGABYTES // 4
    pii.find(TextBuffers.of([piece * (size // len(piece.encode()))]))
