"""The report: agrees with manifest and decisions, asks for nothing, stands hostile text, stays small."""

import ast
import json
import random
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import check, manifest, marked_yaml, shards
from chejil.curation.reporting import charts, layout, page, samples, thresholds, timing
from chejil.curation.reporting.summaries import SUMMARY
from chejil.curation.run import run
from chejil.curation.stage import read_record
from chejil.filters.catalogue import SIGNALS


class Page(HTMLParser):
    """What a browser would find: sections with the cells of their tables, attributes, and whether tags are balanced."""

    VOID = ("meta", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.tables, self.tags, self.section = [], [], {}, set(), None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):  # noqa: D102
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "section":
            self.section = dict(attrs)["id"]
        if tag == "table":
            self.tables.setdefault(self.section, []).append([])
        if tag == "tr":
            self.tables[self.section][-1].append([])
        if tag in ("td", "th"):
            self.tables[self.section][-1][-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # noqa: D102
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):  # noqa: D102
        assert self.open.pop() == tag

    def handle_data(self, data):  # noqa: D102
        if any(tag in self.open for tag in ("td", "th")):
            self.tables[self.section][-1][-1][-1] += data


def read(root):
    text = Path(root, "report.html").read_text("utf-8")
    parsed = Page(text)
    assert parsed.open == []
    return text, parsed


def number(cell):
    return int(re.sub("[^0-9]", "", cell) or 0)


def decisions(root):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(root, "decisions").rglob("*.parquet"))])


def summary(root):
    return read_record(str(root), SUMMARY, "all").counts


@pytest.fixture(scope="module")
def narrow(small_run, small_recipe, tmp_path_factory):
    """A recipe and its run in which two bounds go through the middle of the Korean documents."""
    signals = pl.concat(
        [pl.read_parquet(path) for path in sorted(Path(small_run, "signals").rglob("*.parquet"))]
    )
    korean = signals.filter(lang="ko")
    low, high = korean["num_chars"].quantile(0.2, "lower"), korean["digit_share"].quantile(0.6, "lower")
    recipe = small_recipe(
        f"stages.filter.bounds.ko={{preset: koen, num_chars: {{low: {low}}}, digit_share: {{high: {high}}}}}"
    )
    root = tmp_path_factory.mktemp("narrow") / "run"
    shutil.copytree(small_run, root)
    run(recipe, str(root))
    return recipe, root


def test_its_tables_say_what_the_decisions_say(narrow):
    """Sources, languages and reasons: read, kept, first, at all and alone."""
    small_run = narrow[1]
    _, parsed = read(small_run)
    rows = decisions(small_run)

    by_source = {tuple(r[:2]): (number(r[2]), number(r[3])) for r in parsed.tables["sources"][0][1:]}
    groups = rows.with_columns(pl.col("lang").fill_null("unknown")).group_by("source", "lang")
    assert by_source == {
        (s, lang): (n, k) for s, lang, n, k in groups.agg(pl.len(), pl.col("kept").sum()).iter_rows()
    }

    every = rows.explode("reasons").filter(pl.col("reasons").is_not_null())["reasons"].to_list()
    first = rows["reason"].drop_nulls().to_list()
    alone = rows.filter(pl.col("reasons").list.len() == 1)["reason"].to_list()
    found = {r[0]: (number(r[1]), number(r[5]), number(r[6])) for r in parsed.tables["reasons"][0][1:]}
    assert found == {name: (first.count(name), every.count(name), alone.count(name)) for name in set(every)}


def test_the_funnel_ends_with_what_was_kept(small_run):
    """Each step is the one before less what it drops."""
    rows = read(small_run)[1].tables["funnel"][0][1:]
    left, less = [number(row[1]) for row in rows], [number(row[2]) for row in rows]

    assert left[0] == manifest.read(small_run).documents
    assert left[-1] == manifest.read(small_run).kept
    assert all(after == before - gone for before, after, gone in zip(left, left[1:], less[1:], strict=False))


def test_histograms_hold_every_document_and_the_share_outside_is_exact(narrow):
    """By signal and language: the bins add up to the documents, and what falls is what the verdicts say."""
    small_run = narrow[1]
    rows = decisions(small_run).with_columns(pl.col("lang").fill_null("unknown"))
    documents = dict(rows.group_by("lang").len().iter_rows())
    found = summary(small_run)

    assert set(found["signals"]) >= {"num_words", "hangul_share"}
    for one in found["signals"].values():
        for lang, own in one["langs"].items():
            assert sum(own["counts"]) + own["undefined"] == own["documents"] == documents[lang]
            assert len(own["counts"]) == len(one["edges"]) - 1
    counted = {(r["lang"], r["reason"]): 0 for r in found["reasons"]}
    for row in found["reasons"]:
        counted[row["lang"], row["reason"]] += row["documents"]
    pairs = rows.explode("reasons").filter(pl.col("reasons").is_not_null())
    assert counted == {
        (lang, reason): n for lang, reason, n in pairs.group_by("lang", "reasons").len().iter_rows()
    }


def test_medians_are_those_of_the_signals(small_run):
    """Within the promise of the sketch."""
    signals = pl.concat(
        [pl.read_parquet(path) for path in sorted(Path(small_run, "signals").rglob("*.parquet"))]
    )
    for name in ("num_words", "digit_share"):
        for lang in ("ko", "en"):
            values = signals.filter(lang=lang)[name].drop_nulls()
            median = values.quantile(0.5, "lower")
            assert summary(small_run)["signals"][name]["langs"][lang]["median"] == pytest.approx(
                median, rel=0.004
            )


def test_samples_lie_on_the_side_that_they_are_said_to_lie_on(narrow):
    """What is just inside was kept and passes, what is outside falls by that bound; nothing nearer was left out."""
    recipe, small_run = narrow
    policy = recipe.stage("filter").policy("mc4-ko")
    signals = pl.concat(
        [pl.read_parquet(path) for path in sorted(Path(small_run, "signals").rglob("*.parquet"))]
    )
    rows = decisions(small_run).with_columns(pl.col("lang").fill_null("unknown")).drop("lang")
    rows = rows.hstack(signals.drop("id"))
    shown = [row for row in summary(small_run)["samples"] if row["kind"] == "bound"]

    assert {row["inside"] for row in shown} == {True, False}
    for row in shown:
        bound = policy.languages[row["lang"]][row["name"]]
        end = bound.low if row["side"] == "low" else bound.high
        outside = row["value"] < end if row["side"] == "low" else row["value"] > end
        assert outside == (not row["inside"]) == (f"{row['name']}:{row['side']}" in row["reasons"])
        same = rows.filter(lang=row["lang"])
        reason = pl.col("reasons").list.contains(f"{row['name']}:{row['side']}")
        nearer = same.filter(pl.col("kept") if row["inside"] else reason).filter(
            (pl.col(row["name"]) - end).abs() < abs(row["value"] - end)
        )
        assert len(nearer) < samples.EACH


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=40))
def test_the_nearest_are_the_first_of_a_sort(pairs):
    """By distance, then by hash, then by place."""
    distances, hashes = np.array([d for d, _ in pairs], float), np.array([h for _, h in pairs], np.uint64)

    found = samples.nearest(np.arange(len(pairs)), distances, hashes)

    wanted = sorted(range(len(pairs)), key=lambda row: (distances[row], hashes[row], row))
    assert found.tolist() == wanted[: samples.EACH]


def test_it_asks_for_nothing(small_run):
    """No script, no link but to its own headings, no image, no style from elsewhere."""
    text, parsed = read(small_run)

    assert parsed.tags.isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use", "image"}
    )
    targets = [
        value for _, name, value in parsed.attributes if name in ("href", "src", "action", "xlink:href")
    ]
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    assert targets
    assert all(value.startswith("#") and value[1:] in ids for value in targets)
    assert len(ids) == len(set(ids))
    assert not re.search(r"@import|url\(", text.split("</style>")[0])
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]


def test_tables_have_captions_and_scopes(small_run):
    """And every picture a name."""
    _, parsed = read(small_run)

    assert {value for tag, name, value in parsed.attributes if tag == "th" and name == "scope"} == {
        "col",
        "row",
    }
    heads = [tag for tag, _, _ in parsed.attributes if tag == "th"]
    assert len([1 for tag, name, _ in parsed.attributes if tag == "th" and name == "scope"]) >= len(
        set(heads)
    )
    labels = [value for tag, name, value in parsed.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) > 10
    assert all(labels)


HOSTILE = (
    '</details></main><script>alert(1)</script><img src=x onerror="a()"> &amp; \x00\x1b[31m\u202ekcab\u2066 '
)


def hostile_run(tmp_path, stages, number=60):
    """Documents, ids and a source full of markup; Korean ones among them."""
    data = tmp_path / "data"
    data.mkdir()
    rng = random.Random(1)
    texts = [f"{HOSTILE} {rng.random()} " * rng.randrange(1, 40) for _ in range(number)]
    texts += ["", "가", "각" * 200_000, "👩‍👩‍👧‍👦" * 50, "漢字 と 한글 mixed " * 30]  # NFD, emoji, Hanja
    lines = [
        json.dumps({"id": f'"><b>{HOSTILE}{i}' + "x" * 3000, "text": text}) for i, text in enumerate(texts)
    ]
    (data / "a.jsonl").write_text("\n".join(lines), "utf-8")
    about = json.dumps(HOSTILE * 200)
    sources = "{s: {format: jsonl, paths: '*.jsonl'}}"
    recipe = f"name: evil\nabout: {about}\ndata: {data}\nsources: {sources}\nstages: {stages}\n"
    run(check.check(marked_yaml.read(recipe, "r.yaml")), str(tmp_path / "run"))
    return tmp_path / "run"


JUDGED = "{filter: {bounds: {ko: koen, en: koen, mixed: koen, other: keep, unknown: drop}}}"
ALL = f"[normalise, score, {JUDGED}, near_dedup, write]"


def test_hostile_text_stays_text(tmp_path):
    """Markup is shown and not obeyed; what turns or hides text is replaced; ids of 3 kB are cut."""
    text, parsed = read(hostile_run(tmp_path, ALL))

    assert parsed.tags.isdisjoint({"script", "img", "b onerror"})
    assert "&lt;script&gt;alert(1)" in text
    assert "was not masked" in text
    assert not re.search("[\x00-\x08\x0e-\x1f\u202a-\u202e\u2066-\u2069]", text)
    assert len(text.encode()) < 5_000_000


EVERY = {name: {"low": 0.5, "high": 0.6} for name, signal in SIGNALS.items() if signal.kind != "label"}


def big_summary():
    """A run of a million documents by five languages with a bound on every signal and samples of long hostile text."""
    name = HOSTILE * 40
    langs = ("ko", "en", "mixed", "other", "unknown")
    text = (HOSTILE * 10)[:301]
    row = {"source": name, "id": name, "value": 0.5, "reasons": [name] * 40, "text": text}
    bound = [
        {**row, "kind": "bound", "name": signal, "side": side, "inside": inside, "lang": lang}
        for signal in EVERY
        for side in ("low", "high")
        for inside in (True, False)
        for lang in langs
        for _ in range(samples.EACH)
    ]
    why = [
        {**row, "kind": "reason", "name": f"rule:{name}{i}", "side": "", "inside": False, "lang": "ko"}
        for i in range(600)
    ]
    clusters = [
        {**row, "kind": "cluster", "name": str(i), "side": "near", "inside": False, "lang": "ko"}
        for i in range(8)
    ]
    one = {
        "counts": [1000] * 30,
        "documents": 30_000,
        "undefined": 0,
        "median": 0.123456,
        "low": 0.0,
        "high": 1.0,
    }
    edges = np.linspace(0, 1, 31).tolist()
    found = {
        signal: {"edges": edges, "scale": "linear", "whole": False, "langs": dict.fromkeys(langs, one)}
        for signal in EVERY
    }
    sizes = [
        {
            "source": name,
            "lang": "ko",
            "kept": True,
            "documents": 10**6,
            "num_bytes": 9**9,
            "num_chars": 9**8,
            "num_words": 9,
        }
    ]
    reasons = [
        {"source": name, "lang": "ko", "reason": f"rule:{name}{i}", "documents": 9, "alone": 1}
        for i in range(600)
    ]
    return {
        "sizes": sizes,
        "reasons": reasons,
        "clusters": [["near", 2, 10**6], ["near", 5000, 5000]],
        "signals": found,
        "samples": [*bound, *why, *clusters],
    }


def big_manifest(small_run):
    """A million documents from 300 sources, 20,000 input files, 600 rules, names of 4 kB."""
    name = HOSTILE * 40
    content = manifest.read(small_run)
    content.funnel = [
        {"source": f"{i}{name}", "lang": lang, "reason": reason, "documents": 1111, "bytes": 10**9}
        for i in range(300)
        for lang, reason in (("ko", None), ("en", f"rule:{name}{i}"), (None, "duplicate:near"))
    ]
    entry = {**content.inputs[0], "shard": name}
    content.inputs = [
        {**entry, "files": [{**entry["files"][0], "name": f"{name}{i}"}]} for i in range(20_000)
    ]
    content.failed = [{"shard": name, "what": name, "where": name} for _ in range(3000)]
    content.shared = {"near_dedup": {f"{i}{name}": {f"{k}{name}": 5 for k in range(300)} for i in range(300)}}
    found = {"items": 9, "items_found": 1, "documents": 1, "items_common": 0}
    content.contamination = {f"{name}{i}": found for i in range(3000)}
    return content


def test_it_stays_small_whatever_the_run(small_run):
    """All signals, five languages, hostile names of kilobytes, thousands of files, a recipe of a megabyte."""
    bounds = dict.fromkeys(("ko", "en", "mixed", "other", "unknown"), EVERY)
    text = page.page(
        big_manifest(small_run), "x: '<&>'\n" * 100_000, {"bounds": bounds, "by_source": {}}, big_summary()
    )

    assert 500_000 < len(text.encode()) < 5_000_000
    assert Page(text).open == []
    assert "<script" not in text


def test_bounds_of_single_sources_are_drawn_dotted():
    """Each once, in the language's colour, beside those of the language; a language that only a source judges, too."""
    one = {"counts": [3, 4, 5], "documents": 12, "undefined": 0, "median": 2.0, "low": 0.0, "high": 3.0}
    found = {
        "edges": [0.0, 1.0, 2.0, 3.0],
        "scale": "linear",
        "whole": False,
        "langs": {"ko": one, "en": one},
    }
    own = {"ko": {"num_words": {"low": 1.5, "high": None}}, "en": {"num_words": {"low": 2.5, "high": 99.0}}}
    judged = {
        "bounds": {"ko": {"num_words": {"low": 0.5, "high": None}}},
        "by_source": {"a": own, "b": {**own, "ko": {"num_words": {"low": 0.5, "high": None}}}},
    }

    drawn = thresholds.drawings({"num_words": found}, judged)["num_words"]
    lines = re.findall(r"<line[^>]*stroke-dasharray[^>]*>", drawn)

    dotted = [line for line in lines if 'stroke-dasharray="2,4"' in line]
    assert sorted(re.search(r"--\w+", line).group() for line in dotted) == ["--en", "--ko"]
    assert len([line for line in lines if 'stroke-dasharray="4,2"' in line]) == 1


@pytest.mark.parametrize(
    "stages",
    [
        "[normalise, write]",
        "[normalise, score, write]",
        "[normalise, exact_dedup, write]",
        "[normalise, score, mask_pii, "
        "{filter: {bounds: {ko: keep, en: keep, mixed: keep, other: keep, unknown: drop}}}, write]",
        "[normalise, score, {filter: {bounds: {ko: koen, en: koen, mixed: koen, other: drop, unknown: drop}, "
        "by_source: {s: {ko: keep, en: {num_words: {low: 3}}}}}}, write]",
    ],
)
@pytest.mark.parametrize("number", [0, 30])
def test_a_run_without_some_of_it_has_a_page(tmp_path, stages, number):
    """Whatever was not done is not there; the head always is."""
    root = hostile_run(tmp_path, stages, number)

    text, parsed = read(root)

    assert ("signals" in parsed.tables) == ("koen" in stages)
    assert ("exact_dedup" in text) == ("exact_dedup" in stages)
    assert manifest.verify(str(root)) == []


def test_a_run_of_no_documents_has_a_page(tmp_path):
    """Nothing is divided by nothing."""
    (tmp_path / "a.jsonl").write_text("torn\n", "utf-8")
    recipe = (
        f"name: none\ndata: {tmp_path}\nsources: {{s: {{format: jsonl, paths: '*.jsonl'}}}}\nstages: {ALL}\n"
    )

    run(check.check(marked_yaml.read(recipe, "r.yaml")), str(tmp_path / "run"))

    _, parsed = read(tmp_path / "run")
    assert parsed.tables["quarantine"][0][1] == ["bad_json", "1"]


def test_masked_data_is_masked_in_samples(tmp_path):
    """Samples show the text after all edits: a report is read by more people than the documents are."""
    texts = [
        f"{'글을 길게 쓴다 ' * i}연락처는 mail{i}@example.com 입니다." for i in range(30)
    ]  # "contact: …"
    lines = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    stages = ALL.replace("near_dedup", "mask_pii")
    recipe = f"name: masked\ndata: {tmp_path}\nsources: {{s: {{format: jsonl, paths: '*.jsonl'}}}}\nstages: {stages}\n"

    run(check.check(marked_yaml.read(recipe, "r.yaml")), str(tmp_path / "run"))

    text, parsed = read(tmp_path / "run")
    assert "연락처는" in text
    assert "@example.com" not in text
    assert ["mask_pii", "email", "30"] in parsed.tables["edits"][0]
    assert "was not masked" not in text


def test_only_the_section_on_time_differs_between_two_runs(small_run, small_recipe, tmp_path):
    """Other workers, another day, taken up again: the same page but for the time; verify knows which part that is."""
    root = tmp_path / "run"
    shutil.copytree(small_run, root)
    shutil.rmtree(root / "work/report")
    (root / "timings.json").unlink()
    run(small_recipe(), str(root), workers=2)
    once, again = Path(small_run, "report.html").read_bytes(), (root / "report.html").read_bytes()

    assert once != again
    assert timing.without(once) == timing.without(again)
    assert (root / "manifest.json").read_bytes() == Path(small_run, "manifest.json").read_bytes()
    assert manifest.verify(str(root)) == []
    (root / "report.html").write_bytes(again.replace(b"</h1>", b"!</h1>", 1))
    assert manifest.verify(str(root)) == ["report.html: other content"]


def test_time_is_told_of_every_stage(small_run):
    """Also of those that another session of the run has done."""
    rows = read(small_run)[1].tables["time"][0][1:]
    times = shards.read_json(f"{small_run}/timings.json")

    assert [row[0] for row in rows] == [stage["name"] for stage in manifest.read(small_run).stages]
    assert times["stages"]["signals"]["documents"] == manifest.read(small_run).documents
    assert set(times["stages"]) == {row[0] for row in rows}


def test_every_phrase_has_its_korean():
    """`say` stops at a phrase that is missing; here the values: they name the same places."""
    for english, korean in layout.korean().items():
        assert re.findall(r"{\w*}", english) == [] or set(re.findall(r"{\w*}", english)) == set(
            re.findall(r"{\w*}", korean)
        )
    files = [path.read_text("utf-8") for path in Path(page.__file__).parent.glob("*.py")]
    calls = [node for text in files for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "say"]
    phrases = {call.args[0].value for call in named if isinstance(call.args[0], ast.Constant)}
    assert len(phrases) > 60
    assert phrases - layout.korean().keys() == set()


@pytest.mark.parametrize(
    ("edges", "scale"), [([0.0, 1.0], "linear"), ([1e-9, 1.0, 1e12], "log"), ([-5.0, 0.0, 5.0], "linear")]
)
def test_axes_of_any_kind_are_drawn(edges, scale):
    """With bounds inside, at the ends and outside, which are not drawn."""
    shares = {"ko": [1.0] * (len(edges) - 1), "en": [0.0] * (len(edges) - 1)}

    drawn = charts.histogram(
        'a "name" <', edges, scale, shares, {"ko": [edges[0], edges[-1], edges[-1] * 10]}
    )

    assert Page(drawn).open == []
    assert drawn.count('stroke-dasharray="4,2"') == 2
    assert "&quot;name&quot; &lt;" in drawn
    assert "NaN" not in drawn
