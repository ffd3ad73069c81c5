"""Random texts that hold what breaks text code: all scripts, odd white space, and repetition to find."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

# Words that the rules look at, beside words that they must not confuse with them.
PIECES = (
    "학교에서", "갔다.", "했습니다", "것은", "은", "이", "API는", "다.”", "요ㅎㅎ", "(끝)", "ㅋㅋㅋ", "ㅠㅠ",
    "ﾡﾢ", "나랏말ᄊᆞ미", unicodedata.normalize("NFD", "한국어"), "大韓民國은", "漢字", "金", "かな",
    "カタカナ", "ｱﾗｷ｡", "Привет", "the", "The", "that", "(with", "thatwith", "café", "ＡＢＣ", "a", "b",
    "#", "##", "...", "....", "……", "…", "……”", "-", "*", "•", "ㆍ", "12", "３", "Ⅷ",
    "??", "???", "?!??", "뭐???", "占쏙옙", "占쏙옙占쏙", "占有", "占", "쏙옙", "\ufffd", "\ue000", "\x85",
    "\x9f", "\U000f0000", "\ufffe", "👍", "👩‍👩‍👧‍👦", "🇰🇷", "1️⃣", "\u200b", "\ufeff", "\x00", "\x1c",
    "\u3164", "\uffa0", "\u2800", "\u115f\u1160",
)  # fmt: skip
# Went to school; did; thing; particles; old Hangul; "Korea" in NFD and Hanja; kana; mojibake; emoji; blanks.
SPACES = (" ", "  ", "\n", "\n\n", "\r\n", "\t", "\u3000", "\u00a0", "\u0085", "\u2028", "\u200a", "\x1f")

chars = st.characters(exclude_categories=("Cs",))
free_text = st.text(chars, max_size=60)
# Few different pieces make n-grams, lines and paragraphs repeat.
pieces = st.sampled_from(PIECES) | st.text(chars, min_size=1, max_size=3)
repetitive_text = st.lists(pieces, min_size=1, max_size=3).flatmap(
    lambda few: st.lists(st.sampled_from([*few, *few]) | st.sampled_from(SPACES), max_size=60).map("".join)
)
prose_like = st.lists(st.tuples(pieces, st.sampled_from(SPACES)), max_size=40).map(
    lambda pairs: "".join(piece + space for piece, space in pairs)
)
few_lines = st.lists(st.sampled_from(["가다.", " 가다.", "ab", "- c", "  ", ""]), max_size=30).map(
    "\n".join
)  # go.
texts = free_text | repetitive_text | prose_like | few_lines
batches = st.lists(texts, max_size=6)
