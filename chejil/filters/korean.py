"""Korean: particles and endings, registers, spacing, laughing, and eojeol that mix scripts.

What an analyser would tell of every word, suffix tables tell of most (`suffixes.py`): 37 % of the eojeol of Korean
web pages end in a particle and 21 % in a verb ending, of a keyword list hardly any. That is enough to say whether a
text is made of sentences, where its lines end, and in which register it speaks, at 320 MB/s beside the shared tables
where Kiwi runs at 0.06 to 0.26.

Shares of suffixes are of eojeol that hold Hangul. NFD Hangul has no suffixes here: normalise first. Quantiles in
the sources are of 2,904 petitions, 2,086 pages of film reviews, 11,297 web documents in all, 1,587 statutes and
8,078 bills.
"""

from __future__ import annotations

import numpy as np

from chejil.filters.buffers import TextBuffers
from chejil.filters.korean_counts import COUNTERS, count_korean, trait_table
from chejil.filters.prose import KOREAN, PROSE
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal
from chejil.filters.suffixes import suffixes


def measure(texts: TextBuffers, shared: Counts) -> dict[str, np.ndarray]:
    """COUNTERS of each text; all 0 where there is neither Hangul nor a jamo."""
    has_hangul = shared["hangul"] + shared["conjoining"] + shared["jamo"] > 0
    counts = np.zeros((len(texts), len(COUNTERS)), np.int64)
    names = (
        "codes", "flags", "word_kinds", "word_notes", "word_begins", "word_ends", "letter_begins", "letter_ends",
        "word_starts",
    )  # fmt: skip
    tables = has_hangul, trait_table(), *suffixes()
    count_korean(*[*(shared[name] for name in names), *tables, counts])
    return dict(zip(COUNTERS, np.ascontiguousarray(counts.T), strict=True))


def _initials_share(counts: Counts) -> np.ndarray:
    words = counts["korean_eojeol"] + counts["initials_eojeol"]
    return counts["initials_eojeol"] / np.maximum(words, 1)


add_family(
    Family(
        name="korean",
        counters=COUNTERS,
        measure=measure,
        needs=("characters", "decoded", "word_table"),
        about="Suffixes of eojeol, ends of lines and sentences, registers, spacing, laughing, mixed scripts.",
    )
)

add_signal(
    Signal(
        name="josa_share",
        family="korean",
        unit="eojeol",
        kind="share",
        about="Eojeol that end in a particle (`lexicons/josa.yaml`), among those with Hangul.",
        source="Own. The 0.1st percentiles are 0.09 (web), 0.22 (statutes), 0.24 (bills); lists of keywords have "
        "0 to 0.02, and so have two of 11,297 web documents, an index of an API and a list of tags.",
        value=lambda counts: counts.ratio("josa_eojeol", "korean_eojeol"),
        kept=PROSE,
        # lists of shoes, loans and removals with the names of towns
        dropped=(("ko", "강릉운동화 속초대출상담 강릉이삿짐 속초운동화 태백대출상담 태백이삿짐 동해운동화"),),
        bounds={"ko": Bound(low=0.02)},
    )
)
add_signal(
    Signal(
        name="ending_share",
        family="korean",
        unit="eojeol",
        kind="share",
        about="Eojeol that end in a verb ending, of a sentence or within one (`lexicons/korean_endings.yaml`), "
        "among those with Hangul.",
        source="Own. Medians 0.16 (statutes) to 0.21 (web). No bound: records and tables have few.",
        value=lambda counts: counts.ratio("ending_eojeol", "korean_eojeol"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="ending_line_share",
        family="korean",
        unit="line",
        kind="share",
        about="Lines whose last word ends a Korean sentence (다, 요, 죠, 까, 음, 함, 끝 …), whatever quotes, "
        "brackets, marks or laughing follow, among lines with Hangul.",
        source="Own; by words where `terminal_line_share` goes by single characters and marks. FineWeb's own set "
        "misses 다.” and 요ㅎㅎ. No bound: 1 % of web documents are headings and list items only.",
        value=lambda counts: counts.ratio("ending_lines", "hangul_lines"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="polite_sentence_share",
        family="korean",
        unit="eojeol",
        kind="share",
        about="Sentences in a polite register (-습니다, -요, -죠), among those whose ending is known.",
        source="Own; school grammar's 존댓말 against plain -다 and nominal -음, -함. Medians: petitions 1, film "
        "reviews 0.27, encyclopaedia and statutes 0. A description, not a quality: no bound.",
        value=lambda counts: counts.ratio("polite_sentences", "known_sentences"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="register_switch_share",
        family="korean",
        unit="eojeol",
        kind="share",
        about="Neighbouring sentences of one line of which one is polite and one is not, among such pairs; what "
        "is in quotation marks apart.",
        source="Own. A writer keeps the register: the median of web documents is 0, the 95th percentile 0.2; a "
        "chain of words from mixed documents has 0.35. One pair may differ, so `babble_score` weighs it.",
        value=lambda counts: counts.ratio("register_switches", "register_pairs"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="laugh_share",
        family="korean",
        unit="char",
        kind="share",
        about="ㅋ, ㅎ, ㅠ and ㅜ, typed or half-width, among the visible characters.",
        source="Own. No bound: comments laugh, and `jamo_share` judges what is nothing else.",
        value=lambda counts: counts.ratio("laugh_chars", "visible_chars"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="initials_share",
        family="korean",
        unit="eojeol",
        kind="share",
        about="Words of two initials and more (ㅇㅈ, ㄱㅅ, ㅎㄷㄷ), laughing alone apart, among all words that hold "
        "Hangul or are such.",
        source="Own. The 99.9th percentile of film reviews is 0.01, the maximum 0.013; keyboard mash and talk in "
        "initials have 0.5 to 1.",
        value=_initials_share,
        kept=(("ko", KOREAN), ("ko", "이 영화 결말은 ㅇㅈ합니다 ㅋㅋㅋ 꼭 보세요")),  # I grant the ending
        dropped=(
            ("ko", "ㅂㅈㄷㄱ ㅁㄴㅇㄹ 뭐 ㅋㅌㅊㅍ"),
            ("ko", "ㄱㅅ ㅇㅇ ㅊㅋㅊㅋ 네"),
        ),  # mash; thx, yes, congrats
        bounds={"ko": Bound(high=0.2)},
    )
)
add_signal(
    Signal(
        name="mixed_script_word_share",
        family="korean",
        unit="eojeol",
        kind="share",
        about="Eojeol that mix Hangul with Latin letters or Hanja, foreign words with a particle or ending apart "
        "(API를, commit하고).",
        source="Own. 99.9th percentiles 0.11 (web), 0.04 (statutes). No bound: an eojeol with a gloss, 사무(事務), "
        "and the tags of a linguist's blog (0.4) are good text.",
        value=lambda counts: counts.ratio("mixed_script_eojeol", "korean_eojeol"),
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="run_together_share",
        family="korean",
        unit="char",
        kind="share",
        about="Hangul in runs of more than 12 syllables without a break, among the Hangul of all eojeol.",
        source="Own. 0.04 % of the runs of web pages and bills are longer, 0.1 % of those of statutes with their "
        "compound names (99.9th percentile 0.15, maximum 0.29). Web: 0.22; above 0.7 are three petitions typed "
        "without spaces.",
        value=lambda counts: counts.ratio("long_run_syllables", "eojeol_syllables"),
        # The name of an old decree, which is repealed
        kept=(("ko", KOREAN), ("ko", "외자도입법시행령은 이를 폐지한다. 이 영은 공포한 날부터 시행한다.")),
        # It rained in the morning, but in the afternoon the sky cleared and I took a walk.
        dropped=(("ko", "아침에는비가많이내리고있었지만 오후에는하늘이맑게개어서산책을나갔다"),),
        bounds={"ko": Bound(high=0.7)},
    )
)
add_signal(
    Signal(
        name="over_spaced_share",
        family="korean",
        unit="eojeol",
        kind="share",
        about="Single syllables that stand in a row of three and more, among eojeol with Hangul.",
        source="Own. 그, 수, 것, 이 stand alone in ordinary prose, hardly three together: 99.9th percentile 0.05 "
        "(web), 0.04 (statutes), maximum 0.21 (a statute in old wording with a list of items).",
        value=lambda counts: counts.ratio("over_spaced_eojeol", "korean_eojeol"),
        # This is fairly good among the things that one can do.
        kept=(("ko", KOREAN), ("ko", "할 수 있는 것 가운데 이 일이 그 나름대로 좋다")),
        # "H e l l o , a good day too", and the days of the week
        dropped=(("ko", "안 녕 하 세 요 오 늘 도 좋 은 하루"), ("ko", "월 화 수 목 금 토 일 달력")),
        bounds={"ko": Bound(high=0.3)},
    )
)
