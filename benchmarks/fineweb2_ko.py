"""FineWeb-2's Korean thresholds on eojeol: what must change when the unit does, and to what.

Their numbers are for Kiwi morphemes, ours are for eojeol. Each of their rules that counts words is measured on both
over the same documents; our threshold is the one that as many documents fail. Where fewer than FEW fail, the
documents do not reach the edge: then theirs is multiplied with ours over theirs where FEW would fail. Rules of lines
and characters carry over and are counted beside it. Kiwi's tokens overlap ("했" is 하 and 었); here one that begins
before the last one's end is left out, since a character counts once.

It writes no preset: a person reads the table and edits `chejil/filters/presets/fineweb2-ko.yaml`, whose numbers a test
cannot check without Kiwi. `alike`: documents that fail both rules, of those that fail either.
"""

from __future__ import annotations

from _common import arguments, one_core, row, texts  # isort: skip

one_core()

import io  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NamedTuple  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import zstandard  # noqa: E402

from chejil.filters.bounds import preset  # noqa: E402
from chejil.filters.engine import score  # noqa: E402

FEW = 5
MOST_CHARS = 20_000
WEB, WIKI, LAW = 700, 100, 100
STOP_WORDS = frozenset("의다이는에을한년하은를했고가있인월로되") | {"에서", "으로"}


class Rule(NamedTuple):
    """A threshold of theirs, and the signal that stands for it here."""

    name: str
    signal: str
    side: str
    threshold: float
    counts_words: bool = True


RULES = (
    Rule("min_doc_words", "num_non_symbol_words", "low", 50),
    Rule("max_doc_words", "num_non_symbol_words", "high", 100_000),
    Rule("min_avg_word_length", "mean_non_symbol_word_chars", "low", 1),
    Rule("max_avg_word_length", "mean_non_symbol_word_chars", "high", 6),
    Rule("hashes", "hash_word_ratio", "high", 0.1),
    Rule("ellipses", "ellipsis_word_ratio", "high", 0.1),
    Rule("alpha_words", "alpha_word_share", "low", 0.791),
    Rule("min_stop_words", "num_stop_words", "low", 2),
    Rule("new_line_ratio", "newline_word_ratio", "high", 0.196),
    *(
        Rule(f"top_{n}_gram", f"top_{n}_gram_char_share", "high", t)
        for n, t in ((2, 0.282), (3, 0.228), (4, 0.185))
    ),
    *(
        Rule(f"dup_{n}_gram", f"dup_{n}_gram_char_share", "high", t)
        for n, t in ((5, 0.201), (6, 0.184), (7, 0.168), (8, 0.154), (9, 0.14), (10, 0.127))
    ),
    Rule("dup_line_frac", "dup_line_share", "high", 0.374, counts_words=False),
    Rule("line_punct_thr", "punct_line_share", "low", 0.062, counts_words=False),
    Rule("char_duplicates_ratio", "char_dup_ratio", "high", 0.1, counts_words=False),
    Rule("bullet_lines", "bullet_line_share", "high", 0.9, counts_words=False),
    Rule("ellipsis_lines", "ellipsis_line_share", "high", 0.3, counts_words=False),
)


def documents(corpus: str) -> list[str]:
    """Web pages, encyclopaedia articles and statutes, the first MOST_CHARS characters of each."""
    web = texts(corpus, "mc4-ko", 1e6)[:WEB]
    wiki = [text for path in Path(corpus, "wiki-ko").glob("*.parquet") for text in column(path)][:WIKI]
    law = [text for path in sorted(Path(corpus, "law-ko").glob("*.zst")) for text in lines(path)]
    random.Random(1).shuffle(law)
    return [text[:MOST_CHARS] for text in (*web, *wiki, *law[:LAW]) if text.strip()]


def column(path: Path) -> list[str]:
    return pq.read_table(path, columns=["text"])["text"].to_pylist()


def lines(path: Path) -> list[str]:
    with zstandard.open(path, "rb") as stream:
        return [json.loads(line)["text"] for line in io.BufferedReader(stream)]


def morphemes(found: list[str]) -> list[list[str]]:
    """What stands at each token of Kiwi that begins where the last one ended, or later."""
    try:
        from kiwipiepy import Kiwi
    except ImportError:
        sys.exit("this measurement needs kiwipiepy: install the extra 'bench'")
    return [apart(text, tokens) for text, tokens in zip(found, Kiwi().tokenize(found), strict=True)]


def apart(text: str, tokens: Iterable[Any]) -> list[str]:
    words, last = [], 0
    for token in tokens:
        if token.start >= last and token.len:
            last = token.start + token.len
            words.append(text[token.start : last])
    return words


def theirs(text: str, words: list[str]) -> dict[str, float]:
    """Their value of each rule that counts words, as datatrove computes it from these words."""
    from datatrove.pipeline.filters.gopher_repetition_filter import (
        find_all_duplicate,
        find_top_duplicate,
        get_n_grams,
    )
    from datatrove.utils.text import PUNCTUATION_SET

    spoken = [len(word) for word in words if not PUNCTUATION_SET.issuperset(word)]
    mean = sum(spoken) / max(len(spoken), 1)
    top = {n: find_top_duplicate(get_n_grams(words, n)) if len(words) >= n else 0 for n in (2, 3, 4)}
    return {
        "min_doc_words": len(spoken),
        "max_doc_words": len(spoken),
        "min_avg_word_length": mean,
        "max_avg_word_length": mean,
        "hashes": text.count("#") / len(words),
        "ellipses": (text.count("...") + text.count("…")) / len(words),
        "alpha_words": sum(any(map(str.isalpha, word)) for word in words) / len(words),
        "min_stop_words": len(STOP_WORDS.intersection(words)),
        "new_line_ratio": text.count("\n") / len(words),
        **{f"top_{n}_gram": top[n] / len(text) for n in (2, 3, 4)},
        **{f"dup_{n}_gram": find_all_duplicate(words, n) / len(text) for n in range(5, 11)},
    }


def compare(rule: Rule, ours: np.ndarray, peers: np.ndarray) -> dict[str, Any]:
    """Our threshold, how it was found, and who fails both."""
    fails = failing(peers, rule.side, rule.threshold)
    quantile, ratio = (
        matched(ours, rule.side, int(fails.sum())),
        scaled(ours, peers, rule.side) * rule.threshold,
    )
    wanted = quantile if fails.sum() >= FEW else ratio
    if not rule.counts_words:
        wanted = rule.threshold
    ours_fails = failing(ours, rule.side, wanted)
    either = (fails | ours_fails).sum()
    bound = preset("fineweb2-ko").languages["ko"].get(rule.signal)
    return row(f"{rule.name} ({rule.side})", wanted, rule.threshold, "FineWeb-2", "bound") | {
        "by": "carried over" if not rule.counts_words else "quantile" if fails.sum() >= FEW else "ratio",
        "by_quantile": quantile,
        "by_ratio": ratio,
        "fail_theirs": int(fails.sum()),
        "fail_ours": int(ours_fails.sum()),
        "alike": float((fails & ours_fails).sum() / either) if either else None,
        "preset": None if bound is None else getattr(bound, rule.side),
    }


def failing(values: np.ndarray, side: str, threshold: float) -> np.ndarray:
    return values < threshold if side == "low" else values > threshold


def matched(values: np.ndarray, side: str, number: int) -> float:
    """The threshold that so many values fail: half-way between the last that fails and the first that passes."""
    ordered = np.sort(values) if side == "low" else -np.sort(-values)
    return float(ordered[max(number - 1, 0) : number + 1].mean())


def scaled(ours: np.ndarray, peers: np.ndarray, side: str) -> float:
    """Ours over theirs where FEW documents would fail, the furthest edge that the documents show."""
    return matched(ours, side, FEW) / (matched(peers, side, FEW) or 1.0)


def measure(found: list[str]) -> list[dict[str, Any]]:
    """A row a rule, and one of all rules together, where ours are those of the preset."""
    names = list(dict.fromkeys(rule.signal for rule in RULES))
    columns = zip(names, score(found, names).columns, strict=True)
    ours = {name: column.to_numpy().astype(float) for name, column in columns}
    peers = [theirs(text, words) for text, words in zip(found, morphemes(found), strict=True)]
    by_rule = {name: np.array([peer[name] for peer in peers]) for name in peers[0]}
    pairs = [(rule, ours[rule.signal], by_rule.get(rule.name, ours[rule.signal])) for rule in RULES]
    return [*(compare(*pair) for pair in pairs), together(pairs)]


def together(pairs: list[tuple[Rule, np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Documents that fail any rule."""
    bounds = preset("fineweb2-ko").languages["ko"]
    theirs = np.any([failing(peers, rule.side, rule.threshold) for rule, _, peers in pairs], axis=0)
    limits = [(ours, rule.side, getattr(bounds[rule.signal], rule.side)) for rule, ours, _ in pairs]
    fails = np.any([failing(*limit) for limit in limits], axis=0)
    return row("any rule", int(fails.sum()), int(theirs.sum()), "FineWeb-2", "documents") | {
        "by": "preset",
        "by_quantile": None,
        "by_ratio": None,
        "fail_theirs": int(theirs.sum()),
        "fail_ours": int(fails.sum()),
        "alike": float((fails & theirs).sum() / (fails | theirs).sum()),
        "preset": None,
    }


def main() -> None:
    """Print what was measured."""
    options = arguments(__doc__ or "")
    found = documents(options.corpus)
    rows = measure(found)
    if options.json:
        print(json.dumps({"name": "fineweb2_ko", "rows": rows}, ensure_ascii=False))
        return
    print(f"{len(found)} documents")
    print(
        f"{'rule':<28}{'theirs':>10}{'fail':>6}{'quantile':>10}{'ratio':>10}{'fail':>6}{'alike':>7}{'preset':>8}  by"
    )
    for r in rows:
        shown = {
            key: "–" if value is None else f"{value:.3g}"
            for key, value in r.items()
            if not isinstance(value, str)
        }
        widths = {
            "peer": 10,
            "fail_theirs": 6,
            "by_quantile": 10,
            "by_ratio": 10,
            "fail_ours": 6,
            "alike": 7,
            "preset": 8,
        }
        print(
            f"{r['case']:<28}"
            + "".join(f"{shown[key]:>{width}}" for key, width in widths.items())
            + f"  {r['by']}"
        )


if __name__ == "__main__":
    main()
