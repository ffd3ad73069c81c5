"""The report card as a page: one self-contained file in English and Korean, no script, no request to anywhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from chejil.curation.report import megabytes
from chejil.curation.reporting import layout
from chejil.curation.reporting.layout import LANGUAGES, code, details, document, section, table, text
from chejil.tokenizer.measuring import charts, view
from chejil.tokenizer.measuring.report_card import Group, ReportCard
from chejil.tokenizer.measuring.scores import Score

DRAWN = (
    ("tokens_per_word", "tokens a word"),
    ("bytes_per_token", "bytes a token"),
    ("chars_per_token", "characters a token"),
    ("whole_share", "words kept whole"),
)
_STYLE = ".plots figure { display: block; } .key { border-bottom-style: solid; }\n"
say = partial(layout.say, phrases_of="chejil.tokenizer.measuring")


def page(card: ReportCard) -> str:
    """The whole page."""
    body = "".join(
        [_head(card), _languages(card), _sources(card), _parity(card), _morphemes(card), _vocabulary(card),
         _numbers(card), _probes(card), _speed(card)]
    )  # fmt: skip
    skip = f'<a class=skip href="#main">{say("Skip to the content")}</a>'
    return document("Tokenizers", body, _STYLE, f"<header>{skip}{LANGUAGES}</header>\n")


def _head(card: ReportCard) -> str:
    of = card.sample
    said = say(
        "{documents} of {found} documents, {megabytes}: of each source the {docs} with the smallest hashes at most. "
        "Intervals are 95 %, by bootstrap over documents.",
        documents=f"{of['documents']:,}", found=f"{of['documents_found']:,}", megabytes=megabytes(of["bytes"]),
        docs=f"{of['docs_per_source']:,}",
    )  # fmt: skip
    rows = [
        (_name(number, one["name"]), code(one["spec"]), text(one["kind"]), code(one["pattern"] or "–"))
        for number, one in enumerate(card.tokenizers, 1)
    ]
    listed = table("", [say(one) for one in ("tokenizer", "path", "read as", "pattern")], rows)
    paths = ", ".join(code(path) for path in card.paths)
    return f"<h1>{say('Report card of tokenizers')}</h1><p>{paths}</p><p>{said}</p>{listed}"


def _name(number: int, name: str) -> str:
    return f"{number} {text(name)}"


def _languages(card: ReportCard) -> str:
    groups = [group for group in card.languages() if group.lang]
    body = f"<div class=plots>{''.join(_plot(card, groups, *one) for one in DRAWN)}</div>"
    body += "".join(_scores(card, group) for group in card.languages())
    return section("languages", say("By language"), body)


def _plot(card: ReportCard, groups: Sequence[Group], measure: str, title: str) -> str:
    shown = [group for group in groups if group.num_words][:3]
    scores = {str(group.lang): [group.scores[name][measure] for name in card.names] for group in shown}
    names = "".join(f'<span class="key key-{html.escape(lang)}">{text(lang)}</span>' for lang in scores)
    drawn = charts.dots(f"{title}, by tokenizer and language; the tables below say the same", scores)
    return (
        f"<figure><figcaption><h3>{say(title)}</h3><p>{names}</p></figcaption>{drawn}</figure>"
        if drawn
        else ""
    )


def _scores(card: ReportCard, group: Group) -> str:
    rows = []
    for number, name in enumerate(card.names, 1):
        found = group.scores[name]
        cells = [_interval(found[measure], measure == "whole_share") for measure, _ in DRAWN]
        cells += [_interval(found["against_first"], True), f"{found['same_share']:.1%}"]
        rows.append((_name(number, name), *cells))
    titles = [*(title for _, title in DRAWN), "tokens, by the first", "come back unchanged"]
    heads = [say("tokenizer"), *(f">{say(title)}" for title in titles)]
    return table(text(view.group_title(group)), heads, rows)


def _interval(score: Score, is_share: bool = False) -> str:
    return view.percent(score) if is_share else view.number(score)


def _sources(card: ReportCard) -> str:
    rows = [
        (text(group.name), f"{group.documents:,}",
         *(view.number(group.scores[name]["tokens_per_word"]) for name in card.names))
        for group in card.groups if group.source
    ]  # fmt: skip
    caption = say("Tokens a word, in Korean an eojeol. Less is better.")
    heads = [say("text"), f">{say('documents')}", *_heads(card)]
    return section("sources", say("By source"), table(caption, heads, rows))


def _heads(card: ReportCard) -> list[str]:
    return [f">{_name(number, name)}" for number, name in enumerate(card.names, 1)]


def _by_tokenizer(
    card: ReportCard, caption: str, titles: Iterable[str], rows: Mapping[str, Sequence[str]]
) -> str:
    body = [(_name(number, name), *rows[name]) for number, name in enumerate(card.names, 1) if name in rows]
    return table(caption, [say("tokenizer"), *(f">{title}" for title in titles)], body)


def _parity(card: ReportCard) -> str:
    if card.parity is None:
        return ""
    found = card.parity
    caption = say(
        "{pairs} pairs of sentences that say the same. Ratio: Korean tokens by English ones; in bytes it is {bytes}.",
        pairs=f"{found['pairs']:,}", bytes=f"{found['bytes_ratio']:.3f}",
    )  # fmt: skip
    rows = {
        name: (f"{one['ko_tokens']:,}", f"{one['en_tokens']:,}", view.number(one["ratio"]))
        for name, one in found["tokenizers"].items()
    }
    titles = (say("Korean tokens"), say("English tokens"), say("ratio"))
    return section(
        "parity", say("Korean and English by parallel text"), _by_tokenizer(card, caption, titles, rows)
    )


def _morphemes(card: ReportCard) -> str:
    found = card.morphemes
    title = say("Morphemes")
    if found["left_out"]:
        return section(
            "morphemes", title, f"<p>{say('Left out: {reason}', reason=text(found['left_out'], 200))}</p>"
        )
    caption = say(
        "{boundaries} beginnings of morphemes between two syllables in {kilobytes} kB, by Kiwi.",
        boundaries=f"{found['boundaries']:,}", kilobytes=f"{found['bytes'] / 1e3:,.0f}",
    )  # fmt: skip
    rows = {
        name: (
            *(view.share(one[key]) for key in ("precision", "recall", "f1")),
            f"{one['inside_syllables']:,}",
        )
        for name, one in found["tokenizers"].items()
    }
    titles = [say(one) for one in ("precision", "recall", "F1", "cuts inside a syllable")]
    return section("morphemes", title, _by_tokenizer(card, caption, titles, rows))


def _vocabulary(card: ReportCard) -> str:
    langs = list(card.tokenizers[0]["renyi"])[:3]
    rows = {}
    for one in card.tokenizers:
        found = one["vocabulary"]
        counts = [f"{found[name]:,}" for name in ("tokens", "hangul", "partial", "unreachable", "dead")]
        renyi = [f"{one['renyi'][lang]:.3f}" if one["renyi"].get(lang) else "–" for lang in langs]
        rows[one["name"]] = (*counts, view.share(found["dead_share"]), *renyi)
    names = ("tokens", "with Hangul", "no whole characters", "unreachable", "dead", "dead share")
    titles = [*map(say, names), *(say("Rényi, {lang}", lang=text(lang)) for lang in langs)]
    caption = say(
        "Tokens of the vocabulary. Dead ones were never used on this text, so their number falls as the sample grows."
    )
    body = _by_tokenizer(card, caption, titles, rows) + "".join(map(_examples, card.tokenizers))
    return section("vocabulary", say("Vocabulary"), body)


_EXAMPLES = {
    "longest": "longest", "longest_korean": "longest with Hangul", "unreachable": "unreachable", "dead": "dead",
    "partial": "no whole characters",
}  # fmt: skip


def _examples(one: Mapping[str, Any]) -> str:
    found = one["vocabulary"]["examples"]
    rows = [
        (say(title), f"<span class=t>{' '.join(code(_visible(token)) for token in found[name])}</span>")
        for name, title in _EXAMPLES.items()
        if found[name]
    ]
    body = "".join(f"<h3>{title}</h3><p>{tokens}</p>" for title, tokens in rows)
    return details(say("Examples: {name}", name=text(one["name"])), body)


def _visible(token: str) -> str:
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")


def _numbers(card: ReportCard) -> str:
    rows = {
        one["name"]: (code(found["cuts"]["8"]), view.share(found["friendly_share"]),
                      f"{found['tokens_per_digit']:.3f}", str(found["most_digits"]))
        for one in card.tokenizers for found in [one["numbers"]]
    }  # fmt: skip
    caption = say(
        "How numbers of one to eight digits are cut. Sums are learned better where the cut depends on the length alone."
    )
    names = ("eight digits", "cut by their length alone", "tokens a digit", "most digits in a token")
    return section("numbers", say("Numbers"), _by_tokenizer(card, caption, map(say, names), rows))


def _probes(card: ReportCard) -> str:
    rows = [
        (text(name), *(_probe(one["probes"][name]) for one in card.tokenizers))
        for name in card.tokenizers[0]["probes"]
    ]
    body = table(say("Tokens a character."), [say("text"), *_heads(card)], rows)
    return section("probes", say("Code, other scripts, emoji"), body)


def _probe(found: Mapping[str, Any]) -> str:
    return f"{found['tokens_per_char']:.2f}" + ("" if found["same"] else f" {say('changed')}")


def _speed(card: ReportCard) -> str:
    langs = [lang for lang in ("ko", "en") if lang in card.tokenizers[0]["speed"]]
    if not langs:
        return ""
    rows = {one["name"]: [*(f"{one['speed'][lang]:,.1f}" for lang in langs)] for one in card.tokenizers}
    caption = say("MB by second of one core; the only numbers here that differ from one time to the next.")
    return section("speed", say("Encode speed"), _by_tokenizer(card, caption, langs, rows))
