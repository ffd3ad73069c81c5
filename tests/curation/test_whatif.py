"""What other bounds would do: the numbers of the run that would follow, with its very documents."""

import itertools
import json
import random
import subprocess
import sys

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import check, manifest, marked_yaml
from chejil.curation.filtering import Filter
from chejil.curation.run import run
from chejil.curation.whatif import parts
from chejil.curation.whatif.counting import first_reasons, single_reasons
from chejil.curation.whatif.judging import Judge, names_of
from chejil.curation.whatif.question import Question
from chejil.curation.whatif.whatif import predict
from chejil.errors import ChejilError, RecipeError, RunError
from chejil.filters import bounds
from chejil.filters.catalogue import LANGUAGES

from ..conftest import ENGLISH, KOREAN, prose

EVERY = 10_000

RECIPE = """\
name: asked
data: {data}
sources:
  web: {{format: jsonl, paths: "web/*.jsonl"}}
  blog: {{format: jsonl, paths: "blog/*.jsonl"}}
stages:
  - normalise
  - score: {{signals: [num_chars, num_words, num_lines, mean_word_chars, hangul_share]}}
{before}  - filter:
      bounds:
        ko: {{num_words: {{low: 30}}, num_lines: {{high: 14}}}}
        en: {{num_words: {{low: 40, high: 400}}, mean_word_chars: {{low: 2}}}}
        mixed: keep
        other: drop
        unknown: drop
      by_source: {{blog: {{en: {{num_words: {{low: 20}}}}}}}}
      rules: {{short_lines: {{drop: "num_chars < 54 * num_lines"}}}}
      blocklists: {{spam: lists/spam.txt}}
{behind}  - write
"""

DEDUPS = "  - exact_dedup\n  - near_dedup: {threshold: 0.5}\n"
LEAKS = """\
  - decontaminate:
      against: {shop: {paths: evals/test.jsonl, fields: q}, kobest: {map: kobest, paths: "evals/kobest/**"}}
      evidence: {max_documents: 3}
"""
CUTS = "  - line_dedup: {scope: all, max_documents: 4, min_share: 0}\n"

# Questions of a shop: how much the ferry ticket costs, when the ice house opens.
ITEMS = ("등대로 가는 배표는 한 장에 얼마인가요", "얼음 창고는 아침 몇 시에 문을 여나요")


def documents(rng, shard):
    """Documents in clusters: copies that are longer, shorter or equal, some with a question on a line of its own."""
    for number in range(40):
        text = prose(rng, "ko" if number % 3 else "en")
        lines = text.split("\n")
        versions = [text, "\n".join(lines[: rng.randrange(4, 11)]), text + "\n" + prose(rng, "ko")[:60]]
        for version in rng.sample(versions, rng.randrange(1, 4)):
            asked = f"\n{ITEMS[number % 2]}\n" if number % 5 == 0 else ""
            host = "spam.example" if number % 11 == 0 else "a.example"
            yield {"text": version + asked, "url": f"https://{host}/{shard}/{number}"}
    yield {"text": "", "url": None}
    yield {"text": "123 456 " * 10, "url": None}
    yield {"text": rng.choice(KOREAN) + rng.choice(ENGLISH), "url": None}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("asked")
    for folder, shard in itertools.product(("web", "blog"), range(2)):
        rng = random.Random(shard)  # both sources have copies of each other's documents
        rows = list(documents(rng, shard))
        (root / folder).mkdir(exist_ok=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (root / f"{folder}/{shard}.jsonl").write_text(text, "utf-8")
    (root / "lists").mkdir()
    (root / "lists/spam.txt").write_text("spam.example\n")
    (root / "lists/other.txt").write_text("a.example/0\n")
    (root / "evals").mkdir()
    text = "".join(json.dumps({"q": item}, ensure_ascii=False) + "\n" for item in ITEMS)
    (root / "evals/test.jsonl").write_text(text, "utf-8")
    for task, item in zip(("boolq", "sentineg"), ITEMS, strict=True):  # a published set has a reason a task
        (root / f"evals/kobest/{task}").mkdir(parents=True)
        row = {"Text": item, "Question": "", "paragraph": item, "question": item, "sentence": item}
        (root / f"evals/kobest/{task}/test.jsonl").write_text(
            json.dumps(row, ensure_ascii=False) + "\n", "utf-8"
        )
    return root


def recipe_of(data, behind=DEDUPS, before="", settings=()):
    text = RECIPE.format(data=data, behind=behind, before=before)
    return check.check(marked_yaml.read(text, "asked.yaml"), settings)


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """Finished runs by what stands before and behind the filter; not to be changed."""
    roots = {}

    def of(behind=DEDUPS, before=""):
        if (behind, before) not in roots:
            roots[behind, before] = str(tmp_path_factory.mktemp("run") / "run")
            run(recipe_of(data, behind, before), roots[behind, before])
        return roots[behind, before]

    return of


@pytest.fixture(scope="module")
def followed(data, tmp_path_factory):
    """Runs of a changed recipe, from the start."""
    roots = {}

    def of(behind, before, settings):
        key = behind, before, tuple(settings)
        if key not in roots:
            roots[key] = str(tmp_path_factory.mktemp("followed") / "run")
            run(recipe_of(data, behind, before, settings), roots[key])
        return roots[key]

    return of


def ask(root, *settings, samples=EVERY, seed=0, workers=1):
    return predict(Question.of(root, None, settings, samples, seed), workers)


def kept_ids(root):
    """Places of what a run kept, by a slow reader of decisions: ids need not be unique here."""
    content = manifest.read(root)
    rows = [
        row
        for entry in content.inputs
        for row in pq.read_table(f"{root}/decisions/{entry['shard']}.parquet").to_pylist()
    ]
    return {row["id"] for row in rows if row["kept"]}


SETTINGS = (
    ("bounds.ko.num_words.low=80",),
    ("bounds.ko.num_words.low=60", "bounds.en.num_words=null"),
    ("bounds.ko.num_lines.high=9", "by_source.blog.en.num_words.low=150"),
    ("bounds.ko.num_words.high=80", "bounds.en.num_words.high=90"),
    ("bounds.ko=drop", "bounds.other=keep", "bounds.unknown=keep"),
    ("bounds.ko=keep", "bounds.en=keep", "blocklists.spam=lists/other.txt"),
    ("rules.short_lines.drop=num_lines > 10 AND url LIKE '%/1/%'", "rules.more.keep=hangul_share < 0.9"),
)

CHAINS = {
    "dedups": (DEDUPS, ""),
    "dedups then leaks": (DEDUPS + LEAKS, ""),
    "leaks then near": (
        LEAKS + "  - near_dedup: {keep: {by: signal, signal: num_words, lowest: true}}\n",
        "",
    ),
    "leaks cut": (DEDUPS + LEAKS + "      action: cut\n  - mask_pii\n", ""),
    "exact before": ("  - near_dedup: {keep: {by: source, sources: [web, blog]}}\n", "  - exact_dedup\n"),
    "nothing behind": ("", ""),
    "lines cut": (CUTS + "  - near_dedup\n", ""),
    "leaks cut, then near": (LEAKS + "      action: cut\n  - near_dedup\n", ""),
}


def full(settings):
    return [f"stages.filter.{setting}" for setting in settings]


@pytest.mark.parametrize("chain", CHAINS)
def test_unchanged_bounds_give_the_manifest(done, chain):
    """Both funnels are those of the manifest, and nothing is sampled."""
    root = done(*CHAINS[chain])

    found = ask(root)

    assert found.funnel_before == found.funnel_after == manifest.read(root).funnel
    assert (found.samples, found.risen, found.fallen, found.changes) == ([], [], [], [])


@pytest.mark.parametrize(
    ("chain", "settings"),
    [
        *(("dedups then leaks", settings) for settings in SETTINGS),
        *((chain, settings) for chain in CHAINS for settings in SETTINGS[1:4:2]),
    ],
)
def test_the_run_that_follows_is_the_one_foretold(done, followed, chain, settings):
    """By source, language and first reason, and document by document."""
    root, changed = done(*CHAINS[chain]), full(settings)

    found = ask(root, *changed)
    then = followed(*CHAINS[chain], changed)

    assert found.funnel_after == manifest.read(then).funnel
    assert found.funnel_after != found.funnel_before
    risen = {sample.id for sample in found.samples if sample.is_kept}
    fallen = {sample.id for sample in found.samples if not sample.is_kept}
    assert kept_ids(then) == kept_ids(root) - fallen | risen
    assert not (kept_ids(root) & risen)
    assert fallen <= kept_ids(root)
    assert sum(row["documents"] for row in found.risen) == len(risen)


def test_what_an_earlier_run_kept_survives_here_too(data, tmp_path):
    """Its members come first in every cluster that is chosen again."""
    text = RECIPE.format(data=data, before="", behind="  - near_dedup: {threshold: 0.5}\n")
    alone = marked_yaml.read(text.replace('  blog: {format: jsonl, paths: "blog/*.jsonl"}\n', ""), "x.yaml")
    del alone.data["stages"][2]["filter"]["by_source"]
    run(check.check(alone, ["sources.web.paths=web/0.jsonl"]), str(tmp_path / "early"))
    behind = f"  - near_dedup: {{threshold: 0.5, against: ['{tmp_path}/early']}}\n"
    changed = full(["bounds.ko.num_lines.high=9", "by_source.blog.en.num_words.low=150"])
    run(recipe_of(data, behind), str(tmp_path / "run"))
    run(recipe_of(data, behind, settings=changed), str(tmp_path / "then"))

    found = ask(str(tmp_path / "run"), *changed)

    assert found.funnel_after == manifest.read(str(tmp_path / "then")).funnel
    assert any(row["reason"] == "duplicate:near" for row in (*found.risen, *found.fallen))


def test_survivors_and_common_sentences_do_move(done):
    """Else the tests above would show nothing: some documents change by what later stages say alone."""
    found = [ask(done(*CHAINS["dedups then leaks"]), *full(settings)) for settings in SETTINGS]
    reasons = {row["reason"] for answer in found for row in (*answer.risen, *answer.fallen)}

    assert {
        "duplicate:near",
        "duplicate:exact",
        "contaminated:kobest/sentineg",
    } <= reasons


@pytest.mark.parametrize(
    ("setting", "lang", "reason"),
    [
        ("bounds.ko.num_lines=null", "ko", "num_lines:high"),
        ("bounds.ko.num_words=null", "ko", "num_words:low"),
        ("bounds.unknown=keep", "unknown", "language:unknown"),
    ],
)
def test_what_would_be_kept_without_a_rule(done, followed, setting, lang, reason):
    """As many as a run without it keeps more; survivors move there too."""
    chain = CHAINS["dedups then leaks"]
    root, tighter = done(*chain), ("bounds.ko.num_words.low=70", "bounds.ko.num_lines.high=9")

    found = ask(root, *full(tighter), samples=0)
    then = manifest.read(followed(*chain, full([*tighter, setting])))

    (row,) = [row for row in found.rules if (row["lang"], row["reason"]) == (lang, reason)]
    assert row["kept_without"] == then.kept - found.total["kept_after"]
    assert row["only"] > 0
    assert (
        sum(r["bytes"] for r in then.funnel if r["reason"] is None) - found.total["bytes_after"]
        == (row["kept_without_bytes"])
    )


def test_rules_overlaps_and_near_misses_are_those_of_a_plain_count(done):
    """Counted again from the stored tables, document by document."""
    root = done()
    found = ask(root, *full(SETTINGS[0]))
    low, fails, only, both, near = 80, 0, 0, 0, [0, 0]
    for entry in manifest.read(root).inputs:
        signals = pq.read_table(f"{root}/signals/{entry['shard']}.parquet").to_pylist()
        urls = pq.read_table(f"{root}/documents/{entry['shard']}.parquet", columns=["url"])["url"].to_pylist()
        for row, url in zip(signals, urls, strict=True):
            if row["lang"] != "ko" or not row["num_chars"]:
                continue
            rule = row["num_chars"] < 54 * row["num_lines"]
            others = rule or row["num_lines"] > 14 or "spam.example" in (url or "")
            failing = row["num_words"] < low
            fails += failing
            only += failing and not others
            both += failing and rule
            if not others and abs(row["num_words"] - low) <= 8:
                near[not failing] += 1

    (row,) = [r for r in found.rules if (r["lang"], r["reason"]) == ("ko", "num_words:low")]
    names = found.overlap["reasons"]
    cell = found.overlap["documents"][names.index("num_words:low")][names.index("rule:short_lines")]
    assert (row["fails"], row["only"], row["near_dropped"], row["near_kept"]) == (fails, only, *near)
    assert row["bounds"] == [{"bound": 80.0, "near": 8.0}]
    english = sum(r["fails"] for r in found.rules if r["reason"] == "num_words:low") - fails
    assert both <= cell <= both + english
    assert all(near)
    assert only < fails


def test_samples_name_what_changed_and_do_not_depend_on_the_workers(done, monkeypatch):
    """The smallest hashes of the ids, with value and bounds; another seed draws others."""
    root, settings = done(), full(SETTINGS[1])
    monkeypatch.setattr(parts, "DOCUMENTS_A_PART", 40)

    one, two, other = (
        ask(root, *settings, samples=2, seed=seed, workers=workers)
        for seed, workers in ((0, 1), (0, 2), (7, 1))
    )

    assert one == two
    assert one.samples != other.samples
    sample = next(s for s in one.samples if s.reason == "num_words:low" and s.lang == "ko")
    (change,) = [change for change in sample.changes if change["reason"] == "num_words:low"]
    assert 30 <= change["value"] < 60
    assert (change["before"], change["after"], change["is_new"]) == ("30 ≤ x", "60 ≤ x", True)
    assert 0 < len(sample.text) <= 200
    drawn = [s for s in one.samples if (s.is_kept, s.reason) == (False, "num_words:low")]
    every = [s for s in ask(root, *settings).samples if (s.is_kept, s.reason) == (False, "num_words:low")]
    assert drawn == every[:2]


def test_write_makes_it_the_decision_of_the_run(data, tmp_path):
    """Only the filter and what follows is done again; without --write nothing is written."""
    root = str(tmp_path / "run")
    run(recipe_of(data), root)
    arguments = [
        "whatif",
        root,
        "--set",
        "stages.filter.bounds.ko.num_words.low=60",
        "--json",
        "--workers",
        "1",
    ]
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    asked = CliRunner().invoke(cli.app, arguments)
    unchanged = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    written = CliRunner().invoke(cli.app, [*arguments, "--write"])

    assert asked.exit_code == written.exit_code == 0, written.output
    assert unchanged == files
    said = json.loads(asked.stdout)
    assert json.loads(written.stdout)["funnel_after"] == said["funnel_after"] == manifest.read(root).funnel
    assert manifest.verify(root) == []
    same = {path for path, time in files.items() if path.exists() and path.stat().st_mtime_ns == time}
    assert any("signatures" in str(path) for path in same)
    assert any("signals" in str(path) for path in same)
    assert json.loads(CliRunner().invoke(cli.app, ["whatif", root, "--json"]).stdout)["changes"] == []


def test_a_recipe_that_differs_only_in_the_filter_is_taken(data, done, tmp_path):
    """A file in place of --set, of another name; the sources need not be there."""
    path = tmp_path / "wanted.yaml"
    path.write_text(
        RECIPE.format(data=data, behind=DEDUPS, before="")
        .replace("name: asked", "name: wanted")
        .replace("low: 30", "low: 80"),
        "utf-8",
    )
    question = Question.of(done(), str(path))

    assert predict(question).funnel_after == ask(done(), *full(SETTINGS[0])).funnel_after


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["stages.near_dedup.threshold=0.6"], "stages.near_dedup.threshold"),
        (["sources.web.paths=web/0.jsonl"], "sources.web.paths"),
        (["stages.score.signals=all"], "stages.score.signals"),
        (["stages.filter.bounds.ko.num_word.low=3"], "did you mean 'num_words'?"),
        (["stages.filter.bounds.ko.digit_share.high=0.3"], "add it to score.signals"),
        (["stages.filter.bounds.ko.num_words.low=-3"], "low: -3"),
    ],
)
def test_what_cannot_be_told_is_refused_with_a_cure(done, settings, said):
    """A change of anything else, a signal that is not known or not scored."""
    with pytest.raises((RunError, RecipeError)) as error:
        ask(done(), *settings)

    assert said in str(error.value)
    assert "mend" in str(error.value)


def test_a_run_on_object_storage_answers_the_same(done):
    """Read through fsspec; what a stage behind the filter cuts is told on a disk only."""
    for root in (done(), done(*CHAINS["lines cut"])):
        url = f"memory://whatif{root}"
        fsspec.filesystem("memory").put(root, url, recursive=True)
    here = done(*CHAINS["lines cut"])

    assert ask(f"memory://whatif{done()}", *full(SETTINGS[1])).as_dict() | {"run": ""} == (
        ask(done(), *full(SETTINGS[1])).as_dict() | {"run": ""}
    )
    assert ask(f"memory://whatif{here}").funnel_after == manifest.read(here).funnel
    with pytest.raises(RunError, match="cuts text") as error:
        ask(f"memory://whatif{here}", *full(SETTINGS[1]))
    assert "copy the run to a disk" in str(error.value)


def test_a_run_without_filter_and_an_unfinished_one_are_refused(small_corpus, tmp_path):
    """There is nothing to compare with."""
    text = f"name: x\ndata: {small_corpus}\nsources: {{c4-en: {{format: c4, paths: 'c4-en/*.json.gz'}}}}\n"
    run(check.check(marked_yaml.read(text + "stages: [normalise, write]", "x.yaml")), str(tmp_path / "x"))

    with pytest.raises(RunError, match="this run has no filter"):
        ask(str(tmp_path / "x"))
    (tmp_path / "x/manifest.json").unlink()
    with pytest.raises(RunError, match="no finished run"):
        ask(str(tmp_path / "x"))


def test_tables_that_are_not_those_of_the_manifest_are_refused(data, tmp_path):
    """A prediction from signals of another run would be wrong without a word."""
    root = tmp_path / "run"
    run(recipe_of(data), str(root))
    path = root / "signals/web/0.jsonl.parquet"
    table = pq.read_table(path)
    table = table.set_column(
        table.schema.get_field_index("num_words"), "num_words", pa.array([1] * table.num_rows, pa.int64())
    )
    pq.write_table(table, path, row_group_size=1 << 20)

    with pytest.raises(RunError, match="chejil verify") as error:
        ask(str(root))
    assert "manifest" in error.value.what


def test_the_command_shows_tables_and_pipes_cleanly(done):
    """In words for people; a closed pipe is no error; an error has exit code 2."""
    arguments = [
        sys.executable,
        "-m",
        "chejil",
        "whatif",
        done(),
        "--set",
        full(SETTINGS[1])[0],
        "--workers",
        "1",
    ]

    shown = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=True).stdout
    piped = subprocess.run(
        f"{' '.join(arguments)} | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    wrong = subprocess.run([*arguments[:5], "--set", "x=1"], capture_output=True, text=True, check=False)

    for words in (
        "bounds.ko.num_words",
        "newly dropped",
        "kept without",
        "fail for both",
        "tokens are not counted",
    ):
        assert words in shown
    assert "Traceback" not in piped.stderr
    assert wrong.returncode == 2


VALUE = st.one_of(st.none(), st.floats(0, 5, allow_nan=False), st.sampled_from([0.0, 1.0, 2.0]))


@st.composite
def judged_rows(draw):
    num = draw(st.integers(1, 20))
    column = st.lists(VALUE, min_size=num, max_size=num)
    whole = st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=num, max_size=num)
    langs = st.lists(st.sampled_from([None, "ko", "en", "mixed", "other"]), min_size=num, max_size=num)
    edge = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0]))
    limits = st.fixed_dictionaries({"low": edge, "high": edge}).filter(
        lambda e: e["low"] is None or e["high"] is None or e["low"] <= e["high"]
    )
    by_signal = st.dictionaries(st.sampled_from(["hangul_share", "mean_word_chars", "num_words"]), limits)
    chosen = st.one_of(st.sampled_from(["drop", "keep"]), by_signal)
    rules = st.sampled_from([{}, {"one": {"keep": "hangul_share > 0.5"}, "two": {"drop": "lang = 'ko'"}}])
    rows = {
        "num_chars": draw(whole), "lang": draw(langs), "num_words": draw(whole),
        "hangul_share": draw(column), "mean_word_chars": draw(column),
    }  # fmt: skip
    return rows, {lang: draw(chosen) for lang in LANGUAGES}, draw(rules)


def table_of(rows):
    kinds = {"lang": pa.string(), "num_chars": pa.int64(), "num_words": pa.int64()}
    return pa.table({name: pa.array(values, kinds.get(name, pa.float64())) for name, values in rows.items()})


@given(judged_rows(), judged_rows())
def test_judging_again_is_judging(drawn, other):
    """Whatever filter the words are of; also one that differs by an edge alone."""
    rows, by_language, rules = drawn
    table = table_of(rows)
    batch = {name: table[name] for name in table.column_names}
    moved = {
        lang: chosen if isinstance(chosen, str) else {**chosen, "hangul_share": {"low": 0.5}}
        for lang, chosen in by_language.items()
    }
    filters = [(by_language, rules), (moved, rules), (other[1], rules), (by_language, other[2])]
    judges = [
        Judge(Filter.model_validate({"bounds": limits, "rules": some}), ("web",)) for limits, some in filters
    ]

    for one, two in itertools.permutations(judges, 2):
        again = one.judge_again(batch, "web", two, two.judge(batch, "web"))
        assert (again == one.judge(batch, "web")).all()


@given(judged_rows())
def test_bits_are_the_reasons_of_the_slow_judge(drawn):
    """Every reason of every document, in the order of a decision; the lowest bit is the first of them."""
    rows, by_language, rules = drawn
    settings = Filter.model_validate({"bounds": by_language, "rules": rules})
    table = table_of(rows)
    judge = Judge(settings, ("web",), ("duplicate:exact",))

    words = judge.judge({name: table[name] for name in table.column_names}, "web")

    slow = bounds.judge(pl.DataFrame(table), settings.policy("web")).to_list()
    assert [names_of(row, judge.reasons) for row in words] == slow
    first = first_reasons(words, np.zeros(len(words), np.uint64), len(judge.reasons))
    assert [None if bit < 0 else judge.reasons[bit] for bit in first] == [(row or [None])[0] for row in slow]
    single = single_reasons(words)
    assert [(-1 if not r else judge.bits[r[0]] if len(r) == 1 else -2) for r in slow] == single.tolist()


def test_a_language_of_no_name_is_refused():
    """Not counted as another one."""
    judge = Judge(Filter.model_validate({"bounds": dict.fromkeys(LANGUAGES, "keep")}), ("web",))
    batch = {"lang": pa.chunked_array([["zz"]]), "num_chars": pa.chunked_array([[1]])}

    with pytest.raises(ChejilError, match="'zz' is no language"):
        judge.judge(batch, "web")
