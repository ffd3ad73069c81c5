"""Suffixes, ends of lines, registers and spacing agree with a plain reading, and know Korean's hard cases."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.filters.buffers import TextBuffers
from chejil.filters.engine import measure, score
from chejil.filters.korean_counts import COUNTERS
from chejil.filters.lexicons import lexicon

from .reference import char_class, is_letter
from .strategies import SPACES, texts

MARKS = lexicon("korean_marks")
FINAL = ("polite", "plain", "nominal", "nominal_after_consonant", "closing")
EMPTY = {"josa:none": set(lexicon("josa")["none"]), "ending:none": set(lexicon("korean_endings")["none"])}


def value(name, text):
    return score([text], [name]).column(0)[0].as_py()


def has_final(syllable):
    return (ord(syllable) - 0xAC00) % 28


def may_follow(group, stem, letters):
    """Whether a suffix of this group may stand after these syllables; `letters` is the whole stem."""
    if group == "after_two_syllables":
        return len(letters) >= 2
    if group == "any" or not group.startswith(("after", "nominal_after")) or not stem:
        return True
    final = has_final(stem[-1])
    if group in ("after_consonant", "nominal_after_consonant"):
        return final != 0
    return final == 0 or (group == "after_vowel_or_rieul" and final == 8)


def suffix(word):
    """(table, group, suffix) of the longest that fits, or None. A word is what stands between spaces."""
    letters = "".join(char for char in word if is_letter(char) or char_class(char) == "digits")
    letters = "".join(char for char in letters if char not in MARKS["laugh"])
    # The syllables at the end with nothing but marks after them.
    shown = re.sub(r"[^가-힣]+$", lambda end: "" if not re.search("[a]", kinds(end.group())) else "x", word)
    run = re.search("[가-힣]*$", shown).group()
    for size in (3, 2, 1):
        end = run[-size:]
        if len(end) < size:
            continue
        for table in ("josa", "korean_endings"):
            for group, entries in lexicon(table).items():
                if end not in entries:
                    continue
                if group in ("none", "closing") or (
                    len(letters) > size and may_follow(group, run[:-size], letters[:-size])
                ):
                    return table, group, end
                break
            else:
                continue
            break
    return None


def kinds(text):
    """`a` for each letter or digit that is not laughing, else a dot."""
    return "".join(
        "a" if (is_letter(char) or char_class(char) == "digits") and char not in MARKS["laugh"] else "."
        for char in text
    )


def reference(text):
    """What the counters mean, a line and a word at a time."""
    counts = dict.fromkeys(COUNTERS, 0)
    for line in text.split("\n"):
        read_line(line, counts)
    return counts


def read_line(line, counts):
    last, ended, quoted, register, singles, hangul = None, False, False, None, [], False
    for word in line.split():
        read_word(word, counts)
        letters = [char for char, kind in zip(word, kinds(word), strict=True) if kind == "a"]
        is_korean = any("가" <= char <= "힣" for char in word)
        hangul |= is_korean
        if letters:
            is_single = len(letters) == 1 and is_korean
            singles = [*singles, word] if is_single else end_singles(singles, counts)
            found = suffix(word) if is_korean else None
            last = found[1] if found and found[1] in FINAL and found[0] == "korean_endings" else None
            ended = False
        marks = [
            char in MARKS["terminal"] for char, kind in zip(word, kinds(word), strict=True) if kind == "."
        ]
        after = word[kinds(word).rfind("a") + 1 :]
        quotes = [char for char in word if char in MARKS["open_quote"] + MARKS["close_quote"]]
        before = quoted
        for mark in quotes:
            quoted = not quoted if mark == '"' else mark in MARKS["open_quote"]
        if any(marks) and set(after) & set(MARKS["terminal"]) and last and not ended:
            register, ended = end_sentence(last, before or quotes, register, counts), True
    end_singles(singles, counts)
    if hangul:
        counts["hangul_lines"] += 1
        counts["ending_lines"] += last is not None
        if last and not ended:
            end_sentence(last, quoted, register, counts)


def end_singles(singles, counts):
    counts["over_spaced_eojeol"] += len(singles) if len(singles) >= 3 else 0
    return []


def end_sentence(group, quoted, register, counts):
    """The register that the line speaks from here on."""
    if group == "closing":
        return register
    counts["known_sentences"] += 1
    counts["polite_sentences"] += group == "polite"
    if quoted:
        return register
    if register is not None:
        counts["register_pairs"] += 1
        counts["register_switches"] += register != (group == "polite")
    return group == "polite"


def read_word(word, counts):
    counts["laugh_chars"] += sum(char in MARKS["laugh"] for char in word)
    syllables = re.findall("[가-힣]", word)
    letters = [char for char, kind in zip(word, kinds(word), strict=True) if kind == "a"]
    jamo = [char for char in letters if char_class(char) == "jamo"]
    laughing = sum(char in MARKS["laugh"] for char in word)
    consonants = all("ㄱ" <= char <= "ㅎ" or "\uffa1" <= char <= "\uffbe" for char in jamo)
    counts["initials_eojeol"] += bool(
        jamo and consonants and len(jamo) == len(letters) and len(jamo) + laughing > 1
    )
    if not syllables:
        return
    found = suffix(word)
    counts["korean_eojeol"] += 1
    counts["eojeol_syllables"] += len(syllables)
    counts["long_run_syllables"] += sum(len(run) for run in re.findall("[가-힣]+", word) if len(run) > 12)
    means = bool(found) and found[1] != "none"
    counts["josa_eojeol"] += means and found[0] == "josa"
    counts["ending_eojeol"] += means and found[0] == "korean_endings" and found[1] != "closing"
    scripts = "".join({"hangul": "k", "latin": "f", "hanja": "f"}.get(char_class(char), "") for char in word)
    scripts = re.sub(r"(.)\1+", r"\1", scripts)
    run = re.search("[가-힣]*$", re.sub("[^가-힣]+$", "", word)).group()
    counts["mixed_script_eojeol"] += scripts != "k" and not (
        scripts == "fk" and means and len(run) <= len(found[2]) + 1
    )


PIECES = (
    "나무가", "작가", "작가가", "결과", "필요", "책을", "도서관은", "것을", "서울로", "강으로", "나의", "우리의",
    "추가", "끝", "(끝)", "했습니다.", "그렇다.", "갔어요ㅎㅎ", "없음", "다음", "마음", "가죠?", "“간다.”",
    '"왔어요."', "그", "수", "것", "이", "API를", "commit하고", "개발API", "API개발", "ㅇㅈ", "ㅋㅋ", "ㅎㄷㄷ", "ㅏㅑ",
    "大法院은", "事務(사무)", "가나다라마바사아자차카타파하", "가.나", ".", "1", "요", "ﾡﾢ",
)  # fmt: skip
# A tree, writer, result, need, book, library, … ended, said, went, none, next, heart, going?, initials, court, office.
korean = st.lists(st.sampled_from(PIECES) | st.text("다요가은.ㅋㅇa1”“\n", max_size=4), max_size=14).flatmap(
    lambda words: st.sampled_from(SPACES[:3]).map(lambda space: space.join(words))
)
spaced = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from([" ", "\n"])), max_size=14).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)


@given(st.lists(korean | spaced | texts, max_size=4))
def test_kernel_agrees_with_the_reference(batch):
    """Every counter of every document equals the plain reading."""
    counts = measure(TextBuffers.of(batch), ["korean"])
    expected = [reference(text) for text in batch]
    for name in COUNTERS:
        assert counts[name].tolist() == [row[name] for row in expected], name


@pytest.mark.parametrize(
    "word", ["나무가", "책이", "우리의", "서울로", "산으로", "학교에서는", "너를", "API를", "법원(法院)은”"]
)
def test_particles(word):
    """A particle after the sound that it follows. A tree, a book, our, to Seoul, to the hill, at school, you, …"""
    assert value("josa_share", word) == 1


@pytest.mark.parametrize(
    "word", ["작가", "결과", "추가", "회의", "정도", "많이", "어린이", "마을", "서로", "도로", "은", "가"]
)
def test_nouns_and_adverbs_that_look_like_particles(word):
    """Writer, result, addition, meeting, degree, much, child, village, each other, road; bare syllables."""
    assert value("josa_share", word) == 0


@pytest.mark.parametrize(
    "line",
    ["그렇다.”", "(끝)", "갔어요ㅎㅎ", "이상이 없음", "했습니다~!! ^^", "가죠?)", "보고함.", "“갑니까?” "],
)
def test_lines_that_end_a_sentence(line):
    """Quotes, brackets, marks and laughing may follow. So it is; the end; I went; nothing found; did; going?"""
    assert value("ending_line_share", line) == 1


@pytest.mark.parametrize(
    "line", ["자주 묻는 질문", "다음", "개요", "푸른 바다", "회원 모임", "그렇다 2", "게임"]
)
def test_lines_that_end_none(line):
    """Frequent questions, next, overview, the blue sea, members' meeting, a note's number, game."""
    assert value("ending_line_share", line) == 0


def test_registers():
    """Polite of those known; what is quoted does not switch, and a new line begins anew."""
    mixed = "비가 왔습니다. 바람이 분다. 춥네요."  # It rained. The wind blows. It is cold.
    assert value("polite_sentence_share", mixed) == pytest.approx(2 / 3)
    assert value("register_switch_share", mixed) == 1
    assert value("register_switch_share", "비가 왔다. “춥네요.” 바람이 분다.") == 0
    assert value("register_switch_share", "비가 왔다.\n춥네요.") is None
    assert value("polite_sentence_share", "안내 표지") is None  # a sign


def test_spacing():
    """Single syllables count from three on, long runs from thirteen syllables."""
    assert value("over_spaced_share", "할 수 있다 그 것 이 좋다") == pytest.approx(3 / 7)
    assert value("over_spaced_share", "할 수\n있 다 가") == pytest.approx(3 / 5)
    assert value("run_together_share", "가" * 12) == 0
    assert value("run_together_share", "가" * 13 + " 나" * 13) == 0.5


def test_initials_are_not_laughing():
    """ㅇㅈ is, ㅋㅋㅋ is not, nor a vowel or a list's ㄱ."""
    assert value("initials_share", "ㅇㅈ") == 1
    assert value("initials_share", "ㅋㅋㅋ ㅠㅠ ㅏㅏ ㄱ.") == 0
    assert value("laugh_share", "ㅋㅋ가나") == 0.5


def test_mixed_scripts():
    """A foreign word may be inflected; compounds and glosses mix."""
    assert value("mixed_script_word_share", "API를 commit하고 法院은 나무") == 0
    assert value("mixed_script_word_share", "API개발자 법원法院 나무 나무") == 0.5


def test_nfd_has_no_suffixes_until_it_is_normalised():
    """The counts of composed Hangul are those after NFC."""
    nfd = unicodedata.normalize("NFD", "나무가 컸다.")
    assert value("josa_share", nfd) is None
    assert value("josa_share", unicodedata.normalize("NFC", nfd)) == 0.5


def test_tables_are_sound():
    """Entries are Hangul of at most three syllables, and no entry stands twice in a group."""
    for table in ("josa", "korean_endings"):
        for group, entries in lexicon(table).items():
            assert all(re.fullmatch("[가-힣]{1,3}", entry) for entry in entries), group
            assert len(set(entries)) == len(entries), group
