"""Coherence: whether words come back, brackets close, and the register holds, as in a text that somebody wrote.

A chain of words trained on real pages passes every statistic of words and lines: each pair of words is real. What
it lacks is memory. The topic of a writer recurs within a few lines: of the words that do not recur in any text,
30 % within the next 50 in Korean web pages, of a chain's words 3 %. Nor does a chain remember that a bracket is
open or that it speaks politely: its seams. `babble_score` wants both, since a page of film reviews has little
recurrence and a page of code has open brackets.

Own; the recurrence is lexical cohesion (Halliday and Hasan 1976, 6) counted as in Hearst 1997 (TextTiling),
without its blocks.
"""

from __future__ import annotations

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.coherence_counts import COUNTERS, common_stems, count_coherence, mark_table, stem_factors
from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal

MIN_TOPIC_WORDS = 60
LOW_RECURRENCE, HIGH_SEAMS = 0.1, 0.25
SURE_PLACES = 5  # places without a seam that are added to those seen: one bracket of one proves nothing
MIN_SEAMS = 3  # a page of short comments has one or two by chance


_TABLES = (
    "codes", "flags", "word_notes", "word_begins", "word_ends", "letter_begins", "letter_ends", "word_starts",
)  # fmt: skip


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text."""
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    count_coherence(
        *[*(shared[name] for name in _TABLES), mark_table(), stem_factors(), common_stems(), counts]
    )
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


def _recurrence(counts: Counts) -> np.ndarray:
    words = counts["topic_words"]
    return np.divide(
        counts["recurring_topic_words"],
        words,
        out=np.full(len(words), np.nan),
        where=words >= MIN_TOPIC_WORDS,
    )


def _babble_score(counts: Counts) -> np.ndarray:
    places = counts["register_pairs"] + counts["paired_marks"] + SURE_PLACES
    seams = counts["register_switches"] + counts["unpaired_marks"]
    forgets = np.maximum(1 - np.nan_to_num(_recurrence(counts), nan=1) / LOW_RECURRENCE, 0)
    return np.where(seams >= MIN_SEAMS, forgets * np.minimum(seams / places / HIGH_SEAMS, 1), 0)


def _spread(counts: Counts) -> np.ndarray:
    num, words, squares = counts["sentences"], counts["sentence_words"], counts["sentence_words_squared"]
    variance = np.maximum(num * squares.astype(float) - words.astype(float) ** 2, 0)
    return np.divide(np.sqrt(variance), words, out=np.full(len(num), np.nan), where=num > 1)


add_family(
    Family(
        name="coherence",
        counters=COUNTERS,
        measure=measure,
        needs=("korean", "word_table"),
        about="Whether words come back, brackets close and the register holds.",
    )
)

# Words of mills, tides, courts and ovens in a chain: no topic returns, brackets stay open, registers change.
_CHAINS = both(
    "물레방아가 삐걱이던 (저녁놀 항구마다 갈매기 떼가 판결문을 읽었습니다. 오븐에 밀가루 반죽 씨앗을 "
    "심었다. [별자리 지도책 연못가 버드나무 밑에서 기차표를 끊어요. 파도 높이 계산기 단추 실밥이 풀렸다. "
    "“감자밭 이랑 너머 망원경 렌즈 닦던 세탁소 간판이 붉습니다. 호루라기 소리 들판 메뚜기 잡던 변호사 "
    "가운을 걸쳤다. {양초 심지 타는 냄새 지하철 노선 끝 온천장 수건을 말려요. 대장간 쇳물 튀는 골목 자전거 "
    "바퀴살 부러졌다. (해바라기 씨 볶던 냄비 뚜껑 천둥 번개 우산살 꺾였습니다. 도자기 가마 불꽃 튀던 겨울밤 "
    "썰매 끌던 당나귀 방울이 울렸다. 현미경 슬라이드 유리 조각 모자이크 벽화 속 기린 목이 길어요. 수박 껍질 "
    "무침 양념장 고추 빻던 절구 손잡이 닳았다. 빙하 녹은 계곡 송어 낚던 할머니 안경테 고쳤습니다.",
    "millers grinding barley (harbour gulls verdict sandwich orbit lantern plough velvet tariff glacier. "
    "Pickled onions orchestra [bishop carburettor meadow sonnet invoice walrus pepper dentist. “Canoe "
    "marble thunder ledger tulip furnace monk saddle biscuit comet. Umbrella quarry {violin tadpole senator "
    "mustard lighthouse zipper prairie anvil goblet. Hedgehog rivet opera swamp button (turnip admiral "
    "chisel candle piano moth rudder cellar goose. Pancake trumpet gravel [widow beetle kettle harvest "
    "mirror trowel duchess. Fennel rocket blanket otter sermon “pulley ribbon cactus barrel juggler melon. "
    "Thimble fjord donkey parsley cannon wizard",
)

add_signal(
    Signal(
        name="topic_recurrence",
        family="coherence",
        unit="eojeol",
        kind="share",
        about="Words whose beginning stood among the 50 before, among the topic words: two letters and "
        "more, not one of the beginnings that stand in any text (`lexicons/common_stems.yaml`). Null under "
        "60 such words.",
        source="Own; lexical cohesion as in Hearst 1997. Medians 0.30 (web), 0.58 (statutes), 0.25 "
        "(encyclopaedia), 0.19 (The Pile); 1st percentiles 0.07 (pages of film reviews), 0.40, 0.13, 0.06; "
        "chains of words 0.02 to 0.03. No bound of its own: short news items have as little.",
        value=_recurrence,
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="unpaired_mark_share",
        family="coherence",
        unit="char",
        kind="share",
        about="Brackets and quotation marks without a partner in their paragraph, among all such; labels as "
        "in 1) and faces as in :) apart.",
        source="Own; `lexicons/paired_marks.yaml`. Medians 0, 95th percentiles 0.09 (Korean web, code among "
        "it) and 0.11 (The Pile); chains of words 0.13. No bound: a text that is cut has one.",
        value=lambda counts: counts.ratio("unpaired_marks", "paired_marks"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="sentence_length_spread",
        family="coherence",
        unit="eojeol",
        kind="mean",
        about="Standard deviation of the words of a sentence, over their mean; a sentence ends with a mark "
        "or a line. Null under two sentences.",
        source="Own. Medians 0.77 (Korean web), 1.0 (statutes), 0.31 (bills), 0.5 (The Pile). No bound: "
        "chains of words have 0.8 like the web.",
        value=_spread,
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="babble_score",
        family="coherence",
        unit="document",
        kind="score",
        about="How much a text is like a chain of words: how far `topic_recurrence` is below 0.1, times the "
        "share of seams (register switches in a line, unpaired marks) among their places, a quarter of "
        "which is full. 0 where there are fewer than three seams or 60 topic words.",
        source="Own. None of 11,297 Korean and 24,306 English web documents, 8,078 bills and 1,587 statutes "
        "is above 0.3; the highest are pages of film reviews (0.26) and of news (0.23). Chains of 100 to "
        "800 words of mixed documents: 62 % are (of those with 100 topic words nine in ten) in Korean, 27 % "
        "in English, where seams are marks alone; of second-order chains 3 % and 11 %.",
        value=_babble_score,
        kept=PROSE,
        dropped=_CHAINS,
        bounds={lang: Bound(high=0.3) for lang in ("ko", "en", "mixed")},
    )
)
