"""Statistics: sketches against numpy, counts against manifests, the same numbers for any workers and order of files."""

import gzip
import json
import shlex
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil.cli import app, main
from chejil.curation import manifest
from chejil.curation.run import run
from chejil.curation.statistics import batches, inputs, tallies, view
from chejil.curation.statistics.batches import in_step
from chejil.curation.statistics.buckets import (
    KEYS,
    RELATIVE_ERROR,
    SMALLEST,
    keys_of,
    lower_edges,
    upper_edges,
)
from chejil.curation.statistics.columns import Columns
from chejil.curation.statistics.counting import Settings, group_rows
from chejil.curation.statistics.statistics import collect
from chejil.curation.statistics.text_counts import text_sizes
from chejil.errors import ChejilError, RunError
from chejil.filters.buffers import TextBuffers

from ..tokenizer_file import write_word_tokenizer

FLOATS = st.floats(min_value=-1e18, max_value=1e18, allow_nan=False)
# What a signal may be: counts, shares, many zeros, a null, an infinity.
VALUES = st.one_of(
    FLOATS,
    st.integers(-300, 300).map(float),
    st.floats(0, 1),
    st.just(0.0),
    st.just(float("nan")),
    st.just(float("inf")),
)


def columns_of(values, groups=None, batches=1):
    """Columns with one column `x`, added in so many batches."""
    columns = Columns()
    groups = [0] * len(values) if groups is None else groups
    for part in np.array_split(np.arange(len(values)), batches):
        if len(part):
            keys, numbers = group_rows([pa.array([str(groups[i]) for i in part])], len(part))
            keys, places, starts = columns.ordered(keys, numbers)
            some = np.array([values[i] for i in part], np.float64)
            columns.add(["x"], [some], keys, starts, places)
    return columns


@given(st.lists(VALUES, min_size=1, max_size=300), st.integers(1, 4))
def test_quantiles_are_those_of_numpy_but_for_the_stated_error(values, batches):
    """Every rank, not only the usual ones; counts, extremes and nulls are exact."""
    summary = columns_of(values, batches=batches).summary("x")
    finite = np.sort([value for value in values if np.isfinite(value)])

    assert summary.count == len(finite)
    assert summary.nulls == sum(np.isnan(value) for value in values)
    assert summary.infinite == len(values) - summary.count - summary.nulls
    if not len(finite):
        assert summary.quantile(0.5) is None
        return
    assert (summary.low, summary.high) == (finite[0], finite[-1])
    for share in np.linspace(0, 1, 11):
        true = np.quantile(finite, share, method="lower")
        assert abs(summary.quantile(share) - true) <= RELATIVE_ERROR * abs(true) + SMALLEST


@given(st.lists(st.integers(-256, 256), min_size=1, max_size=200), st.floats(0, 1))
def test_quantiles_of_small_integers_are_exact(values, share):
    """Each has a bucket of its own, so there is nothing to estimate."""
    summary = columns_of(values).summary("x")

    assert summary.whole
    assert summary.quantile(share) == sorted(values)[int(np.floor(share * (len(values) - 1)))]


@given(FLOATS.filter(lambda value: abs(value) >= SMALLEST))
def test_a_value_lies_in_its_bucket(value):
    """Edges are those of the key, for negative numbers too."""
    (key,) = keys_of(np.array([value]))
    near, far = abs(lower_edges(np.array([key]))[0]), abs(upper_edges(np.array([key]))[0])

    assert near <= abs(value) < far
    assert far - near <= 2 * RELATIVE_ERROR * near
    assert abs(key) <= KEYS // 2


@given(
    st.lists(VALUES.filter(np.isfinite), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
def test_summaries_add_up_in_any_order(values, rng, parts):
    """What two halves say together is what the whole says, bit for bit, the mean too."""
    groups = [rng.choice("abc") for _ in values]
    pieces = [columns_of(values[i::parts], groups[i::parts]) for i in range(parts) if values[i::parts]]
    wholes = []
    for _ in range(2):
        rng.shuffle(pieces)
        whole = Columns()
        for piece in pieces:
            whole.merge(piece)
        wholes.append([whole.summary("x").as_dict(), *(whole.summary("x", [(k,)]).as_dict() for k in "abc")])

    assert wholes[0] == wholes[1]
    everything = columns_of(values, groups).summary("x")
    assert wholes[0][0]["quantiles"] == everything.as_dict()["quantiles"]
    for name, one in zip("abc", wholes[0][1:], strict=True):
        assert one["count"] == groups.count(name)


def test_the_mean_is_exact_over_batches():
    """A sum of floats in turn would lose the small one."""
    columns = columns_of([1e16, 1.0, -1e16], batches=3)

    assert columns.summary("x").total == Fraction(1)
    assert columns.summary("x").mean == 1 / 3


@given(st.lists(st.floats(-5, 5).map(lambda value: round(value, 6)), min_size=1, max_size=200))
def test_a_histogram_holds_every_value(values):
    """Drawn bins and given ones, tails included."""
    summary = columns_of(values).summary("x")
    drawn, given_edges = summary.drawn(16), summary.histogram((-1.0, 0.0, 1.0))

    assert sum(drawn.counts) == sum(given_edges.counts) == len(values)
    assert list(drawn.edges) == sorted(drawn.edges)
    assert given_edges.counts[0] == sum(value < 0 for value in values)


def test_integers_have_a_bin_each_and_long_tails_a_logarithm():
    """Three values are three bars; a median of 3 beside a million is not one bar at the left."""
    few, long = (
        columns_of([0, 1, 1, 2]).summary("x").drawn(),
        columns_of([1, 2, 3, 4, 10**6] * 40).summary("x").drawn(),
    )

    assert (few.edges, few.counts, few.scale) == ((0, 1, 2, 3), (1, 2, 1), "integer")
    assert long.scale == "log"
    assert sum(count > 0 for count in long.counts) >= 4


TEXTS = st.text(
    alphabet=st.sampled_from(
        "a1.가각힣ㅏ\u1100\u1161漢字é🙂 \n\t\x0b\x1c\x1f\x85\xa0\u1680\u2003\u200a\u200b\u2028\u202f\u205f\u3000"
    )
)


@given(st.lists(TEXTS, max_size=5))
def test_sizes_of_texts_are_those_of_python(texts):
    """Hangul, jamo, Hanja, emoji, every white space that str.split knows."""
    sizes = text_sizes(TextBuffers.of(texts))

    assert sizes["num_bytes"].tolist() == [len(text.encode()) for text in texts]
    assert sizes["num_chars"].tolist() == [len(text) for text in texts]
    assert sizes["num_words"].tolist() == [len(text.split()) for text in texts]


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, "", "c"])), max_size=30))
def test_rows_are_grouped_as_tuples(rows):
    """A null is a value of its own, and not the empty word."""
    keys, groups = group_rows([pa.array([r[i] for r in rows], pa.string()) for i in (0, 1)], len(rows))

    assert [keys[number] for number in groups] == rows
    assert len(set(keys)) == len(keys) == len(set(rows))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_counts_of_a_run_are_the_manifests(small_run, workers):
    """Documents, kept, bytes, the funnel, the quarantine, what fell as duplicates."""
    content = manifest.read(small_run)

    found = collect([small_run], workers=workers)

    assert found.part.funnel == content.funnel
    assert (found.documents, found.total.kept) == (content.documents, content.kept)
    assert found.total.bytes == sum(row["bytes"] for row in content.funnel)
    assert found.total.kept_bytes == sum(row["bytes"] for row in content.funnel if row["reason"] is None)
    assert found.part.quarantined == content.quarantined
    for group in found.groups:
        mine = [
            r
            for r in content.funnel
            if (r["source"], r["lang"]) == (group.values["source"], group.values["lang"])
        ]
        assert group.documents == sum(row["documents"] for row in mine)
        assert group.kept == sum(row["documents"] for row in mine if row["reason"] is None)
    for kind in ("exact", "near"):
        fell = sum(row["documents"] for row in content.funnel if row["reason"] == f"duplicate:{kind}")
        assert found.duplicates[kind]["dropped"] == fell
        assert found.duplicates[kind]["copies"] >= fell > 0


def test_the_signals_of_a_run_are_those_that_it_stored(small_run):
    """Each column's count, nulls, extremes and median, of all and of a language, as polars reads them."""
    paths = sorted(Path(small_run, "signals").rglob("*.parquet"))
    stored = pl.concat([pl.read_parquet(path) for path in paths])
    found = collect([small_run])

    numbers = [name for name, kind in stored.schema.items() if kind.is_numeric()]
    assert set(numbers) <= set(found.names)
    for name in numbers:
        for rows, summary in (
            (stored, found.summary(name)),
            (stored.filter(pl.col("lang") == "ko"), found.summary(name, {"lang": "ko"})),
        ):
            column = rows[name].drop_nulls()
            assert (summary.count, summary.nulls) == (len(column), len(rows) - len(column))
            if len(column):
                assert (summary.low, summary.high) == (column.min(), column.max())
                assert summary.quantile(0.5) == pytest.approx(
                    column.quantile(0.5, "lower"), rel=RELATIVE_ERROR
                )
                assert summary.mean == pytest.approx(column.mean())
    assert found.total.words == stored["num_words"].sum()


def test_clusters_of_a_run_are_those_of_its_decisions(small_run):
    """Clusters, documents in them, and the largest."""
    rows = pl.concat([pl.read_parquet(p) for p in sorted(Path(small_run, "decisions").rglob("*.parquet"))])

    for kind, found in collect([small_run]).duplicates.items():
        named = rows[f"{kind}_cluster"].drop_nulls()
        assert found["documents"] == len(named)
        assert found["clusters"] == named.n_unique()
        assert found["largest"] == rows[f"{kind}_cluster_size"].max()


def told(found):
    return orjson.loads(orjson.dumps({k: v for k, v in found.as_dict().items() if k != "paths"}))


def write_shards(folder, files=5, rows=200):
    """Parquet with drift: the third has no `score`, the fourth another type for it, the fifth a new column."""
    rng = np.random.default_rng(7)
    for number in range(files):
        columns = {
            "text": [f"바다 {rng.integers(0, 50)}번 wave" for _ in range(rows)],  # "sea, number …"
            "source": rng.choice(["web", "law"], rows).tolist(),
            "lang": rng.choice(["ko", "en"], rows).tolist(),
            "url": [f"https://blog{i % 3}.example.co.kr/{i}" for i in range(rows)],
            "timestamp": [f"20{10 + i % 3}-0{1 + i % 9}-01T00:00:00Z" for i in range(rows)],
            "license": ["CC0"] * rows,
            "score": rng.normal(0, 1, rows).tolist(),
        }
        if number == 2:
            del columns["score"]
        table = pa.table(columns)
        if number == 3:
            table = table.set_column(6, "score", table["score"].cast(pa.float32()))
        if number == 4:
            table = table.append_column("stars", pa.array(rng.integers(0, 6, rows)))
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=77)


def test_workers_and_the_order_of_files_change_nothing(tmp_path):
    """One process or two, files forwards or backwards, the folder or its files: the same JSON."""
    write_shards(tmp_path)
    files = sorted(map(str, tmp_path.glob("*.parquet")))

    first = told(collect(files))

    assert told(collect(files[::-1])) == first
    assert told(collect([*files, files[2]])) == first
    assert told(collect(files, workers=2)) == first
    assert told(collect([f"{tmp_path}/*.parquet"], workers=2)) == first
    assert told(collect([str(tmp_path)])) == first


def test_pieces_of_a_file_add_up(tmp_path, monkeypatch):
    """A large file is counted a few row groups at a time; its footer counts once."""
    from chejil.curation.statistics import counting

    write_shards(tmp_path, files=1)
    whole = told(collect([str(tmp_path)]))
    monkeypatch.setattr(counting, "_SMALL_BYTES", 0)
    monkeypatch.setattr(counting, "PIECE_ROW_GROUPS", 1)

    pieces = told(collect([str(tmp_path)]))

    assert pieces["sizes"] == whole["sizes"]
    assert pieces["total"] == whole["total"]
    assert pieces["duplicates"] == whole["duplicates"]
    assert pieces["columns"]["score"]["quantiles"] == whole["columns"]["score"]["quantiles"]


def test_bare_shards_tell_what_they_hold(tmp_path):
    """Sizes, exact duplicates, domains, months, licences and schemas, against plain Python."""
    write_shards(tmp_path)
    rows = pl.concat([pl.read_parquet(path) for path in sorted(tmp_path.glob("*"))], how="diagonal_relaxed")
    texts = rows["text"].to_list()

    found = told(collect([str(tmp_path)]))

    assert found["total"]["documents"] == 1000
    assert found["total"]["bytes"] == sum(len(text.encode()) for text in texts)
    assert found["total"]["words"] == sum(len(text.split()) for text in texts)
    counts = Counter(texts)
    exact = found["duplicates"]["exact"]
    assert exact["clusters"] == sum(n > 1 for n in counts.values())
    assert exact["copies"] == len(texts) - len(counts)
    assert exact["largest"] == max(counts.values())
    assert (
        found["domains"]["top"][0] == {"value": "example.co.kr", "documents": 1000}
        or found["domains"]["kind"] == "host"
    )
    assert sum(row["documents"] for row in found["month"]) == 1000
    assert found["license"] == [{"value": "CC0", "documents": 1000}]
    assert found["columns"]["stars"]["missing"] == 800
    assert found["schemas"] == 4
    assert {(r["column"], r["other"], *r["files"]) for r in found["schema_differences"]} == {
        ("score", None, "2.parquet"), ("score", "float", "3.parquet"), ("stars", "int64", "4.parquet"),
    }  # fmt: skip
    assert found["sizes"]["row_group_rows"] == {"min": 46, "median": 77, "max": 77}


def test_text_is_not_read_where_it_is_not_needed(tmp_path, monkeypatch, small_run):
    """With --no-text, for a run, and where the sizes are columns."""
    read = []
    real = pq.ParquetFile.iter_batches

    def iter_batches(self, *arguments, **options):
        read.extend(options["columns"])
        return real(self, *arguments, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
    write_shards(tmp_path)
    found = collect([str(tmp_path)], Settings(text=False))
    collect([small_run])
    sized = {"text": ["a"], "num_bytes": [1], "num_chars": [1], "num_words": [1]}
    pq.write_table(pa.table(sized), tmp_path / "sized.parquet")
    collect([f"{tmp_path}/sized.parquet"])

    assert "score" in read
    assert "num_words" in read
    assert "text" not in read
    assert found.total.bytes is None
    assert found.duplicates == {}


RECORDS = [
    {
        "text": "등대가 보인다.",
        "source": "sea",
        "lang": "ko",
        "url": "https://a.example/1",
        "timestamp": "2024-05-01",
    },
    {
        "text": "A lighthouse.",
        "source": "sea",
        "lang": "en",
        "url": "http://b.example:80/",
        "timestamp": "2024-06-01",
    },
    {"text": "등대가  보인다.", "source": "sea", "lang": "ko"},  # "one sees the lighthouse", spaced otherwise
]


@pytest.mark.parametrize("ending", [".jsonl", ".json.gz", ".jsonl.zst"])
def test_json_lines_are_counted_as_records(tmp_path, ending):
    """Packed or not; fields that went into meta are grouped by; a torn line is quarantined, not lost."""
    content = b"\n".join([*map(orjson.dumps, RECORDS), b'{"text": "torn', b'{"text": ""}'])
    packed = {".jsonl": lambda b: b, ".json.gz": gzip.compress, ".jsonl.zst": zstandard.compress}[ending](
        content
    )
    (tmp_path / f"a{ending}").write_bytes(packed)

    found = collect([str(tmp_path)])

    by_lang = {(g.values["source"], g.values["lang"]): g for g in found.groups}
    assert by_lang["sea", "ko"].documents == 2
    assert by_lang["sea", "en"].words == 2
    assert found.documents + sum(found.part.quarantined.values()) == 5
    assert found.part.quarantined["bad_json"] == 1
    assert found.duplicates["exact"]["copies"] == 1
    assert found.part.tallies["month"]["2024-05"] == 1


def test_a_format_of_recipes_is_read_by_its_name(tmp_path):
    """KLUE's sentences have no field `text`."""
    rows = [
        {"guid": "1", "premise": "비가 온다.", "hypothesis": "땅이 젖는다."}
    ]  # "it rains", "the ground gets wet"
    (tmp_path / "klue-nli.json").write_text(json.dumps(rows), "utf-8")

    found = collect([f"klue:{tmp_path}/klue-nli.json"])

    assert (found.documents, found.total.words) == (1, 4)


@pytest.mark.parametrize("rows", [[], [""], [None], ["가" * (16 << 20)], [" \n\t"]])
def test_odd_texts_are_counted(tmp_path, rows):
    """No rows, an empty text, a null, one line of 48 MB, white space alone."""
    pq.write_table(pa.table({"text": pa.array(rows, pa.large_string())}), tmp_path / "a.parquet")

    found = collect([str(tmp_path)])

    assert found.documents + found.part.quarantined["null_text"] == len(rows)
    assert (found.total.bytes or 0) == sum(len((text or "").encode()) for text in rows)
    assert told(found)["duplicates"].get("exact", {"copies": 0})["copies"] == 0


def test_columns_without_numbers_are_no_numbers(tmp_path):
    """Truth values and decimals are; lists, structs, dates and a column of nulls are not, and stop nothing."""
    table = pa.table({
        "flag": [True, None, True],
        "price": pa.array([1, 2, 3]).cast(pa.decimal128(21, 2)),
        "tags": [["a"], [], None],
        "meta": [{"a": 1}] * 3,
        "none": pa.nulls(3),
        "timestamp": pa.array([0, 10**6, None], pa.timestamp("ms", "UTC")),
        "big": pa.array([2**63 - 1, -(2**63), 0]),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")

    found = collect([str(tmp_path)])

    assert found.names == ["flag", "price", "big"]
    assert found.summary("flag").mean == 1
    assert found.summary("flag").nulls == 1
    assert found.summary("price").quantile(0.5) == 2
    assert found.summary("big").low == -(2.0**63)
    assert found.part.tallies["month"] == {"1970-01": 2, None: 1}


def test_hosts_and_registered_domains():
    """Ports, users, capitals and missing schemes; ties go by name."""
    urls = [
        "https://u@Blog.Example.co.kr:80/a",
        "//example.co.kr",
        "shop.example.co.kr/b",
        "https://example.org.?q",
        None,
    ]
    hosts = tallies.tally("url", pa.array(urls))

    assert hosts == {
        "blog.example.co.kr": 1,
        "example.co.kr": 1,
        "shop.example.co.kr": 1,
        "example.org": 1,
        None: 1,
    }
    kind, domains = tallies.registered(hosts)
    if kind == "registered domain":
        assert domains == {"example.co.kr": 3, "example.org": 1, None: 1}
    assert tallies.most_common(Counter({"b": 1, "a": 1, None: 1}), 2) == [("a", 1), ("b", 1)]


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer whose tokens are words."""
    return write_word_tokenizer(tmp_path)


def test_tokens_and_bytes_per_token(tmp_path, tokenizer, small_run):
    """All of bare shards; of a run what it kept; a sample is told as one."""
    write_shards(tmp_path / "shards")
    every = collect([str(tmp_path / "shards")], Settings(tokenizer=tokenizer))
    some = collect([str(tmp_path / "shards")], Settings(tokenizer=tokenizer, tokenizer_sample=0.5))
    run = collect([small_run], Settings(tokenizer=tokenizer))
    clean = collect([f"{small_run}/clean"])

    assert every.total.tokens == every.total.words
    assert every.total.bytes_per_token == every.total.bytes / every.total.words
    assert 0 < some.summary("num_tokens").count < 1000
    assert some.total.tokens == pytest.approx(every.total.tokens, rel=0.05)
    assert run.total.tokens == clean.total.words
    assert {g.values["lang"]: g.tokens for g in run.groups if g.kept}["en"] is not None


def test_stored_tokens_are_those_of_what_was_kept(small_recipe, small_run, tokenizer, tmp_path):
    """No text is read for them; beside a run that has none the sum is not told, with --tokenizer it is counted."""
    root = str(tmp_path / "run")
    run(small_recipe(f"stages.score.models={{tokenizer: {tokenizer}}}"), root)
    found, every = collect([root]), collect([root, small_run])

    assert found.total.tokens == collect([f"{root}/clean"]).total.words
    assert found.total.tokens < int(found.summary("num_tokens").total)
    assert every.total.tokens is None
    assert collect([root, small_run], Settings(tokenizer=tokenizer)).total.tokens == 2 * found.total.tokens


def test_a_language_that_is_null_is_shown_as_unknown():
    """As everywhere else; nothing else has a name where it has no value."""
    assert [view.shown(None, name) for name in ("lang", "language", "source")] == ["unknown", "unknown", "–"]
    assert view.shown("ko", "lang") == "ko"


def test_small_row_groups_are_counted_together(tmp_path):
    """With the words of all of them, which Parquet codes anew in each."""
    table = pa.table({"lang": [["ko", "en", None][i % 3] for i in range(999)], "x": range(999)})
    rows = [table.slice(first, 10) for first in range(0, 999, 10)]
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema) as writer:
        for part in rows:
            writer.write_table(part)
    with batches.opened(str(tmp_path / "a.parquet"), coded=["lang", "none"]) as parquet:
        (found,) = batches.of_parquet(parquet, range(100), Settings(by=("lang",)).wanted)

    assert found.words["lang"].cast(pa.string()).to_pylist() == table["lang"].to_pylist()
    sums = {g.values["lang"]: g.documents for g in collect([str(tmp_path)], Settings(by=("lang",))).groups}
    assert sums == {"ko": 333, "en": 333, None: 333}


def test_a_torn_file_stops_alone(tmp_path, capsys):
    """Its name is said, the others are counted, the exit code tells."""
    write_shards(tmp_path, files=2)
    (tmp_path / "1.parquet").write_bytes((tmp_path / "1.parquet").read_bytes()[:500])

    done = CliRunner().invoke(app, ["stats", str(tmp_path), "--json", "--workers", "1"])

    assert done.exit_code == 3
    found = json.loads(done.stdout)
    assert found["total"]["documents"] == 200
    assert [row["file"] for row in found["failed"]] == ["1.parquet"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{here}/none.parquet"], "no file matches"),
        (["{here}", "--by", "langs"], "did you mean 'lang'"),
        (["{here}", "--by", "url"], "more than 1,024 groups"),
        (["{here}", "--by", ","], "--by names no column"),
        (["{here}/note.txt"], "FORMAT:PATH"),
        (["{here}/empty"], "no shards in this folder"),
        (["{here}/unfinished"], "no finished run here"),
        (["{here}", "--tokenizer", "{here}/none.json"], "tokenizer"),
        (["{here}", "--tokenizer-sample", "0"], "no share"),
        (["{here}", "--tokenizer-sample", "0.5"], "is for --tokenizer"),
        (["{here}", "--html", "{here}"], "name a file"),
        ([""], "an empty path"),
    ],
)
def test_what_the_user_can_mend_is_said(tmp_path, capsys, arguments, said):
    """Exit code 2, what and how to mend it."""
    write_shards(tmp_path, files=1, rows=3000)
    table = pq.read_table(tmp_path / "0.parquet")
    pq.write_table(
        table.set_column(3, "url", pa.array([f"u{i}" for i in range(3000)])), tmp_path / "0.parquet"
    )
    (tmp_path / "note.txt").write_text("a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / manifest.UNFINISHED).touch()

    with pytest.raises(SystemExit) as ended:
        main(["stats", *(argument.format(here=tmp_path) for argument in arguments), "--workers", "1"])

    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert "mend:" in error


def test_tables_of_different_lengths_are_an_error():
    """A row of one table beside a row of another document would be a silent mistake."""
    table = pa.table({"a": [1, 2, 3]})

    assert [
        [t.num_rows for t in pair] for pair in in_step([iter([table]), iter([table[:1], table[1:]])], "")
    ] == [[1, 1], [2, 2]]
    with pytest.raises(RunError):
        list(in_step([iter([table]), iter([table[:1]])], "shard"))


def test_the_terminal_and_the_page_show_it(small_run, tmp_path):
    """Tables with blocks; one page that asks for nothing, with what documents say escaped."""
    page = tmp_path / "stats.html"
    write_shards(tmp_path / "shards", files=1)
    table = pq.read_table(tmp_path / "shards" / "0.parquet")
    pq.write_table(
        table.set_column(5, "license", pa.array(["<script>x"] * 200)), tmp_path / "shards" / "0.parquet"
    )

    done = CliRunner().invoke(
        app, ["stats", small_run, str(tmp_path / "shards"), "--html", str(page), "--workers", "1"]
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert "mc4-ko" in done.stdout
    assert "█" in done.stdout
    assert "num_words" in done.stdout
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;x" in text
    assert "http" not in text.replace("https://blog", "")
    assert text.count("<svg") > 50


def test_the_real_command_pipes(small_run):
    """JSON on stdout alone, and `| head` ends quietly."""
    command = [sys.executable, "-m", "chejil", "stats", small_run, "--workers", "1"]
    found = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True).stdout)
    head = subprocess.run(
        f"{' '.join(command)} | head -1", shell=True, capture_output=True, text=True, check=True
    )

    assert found["total"]["documents"] == manifest.read(small_run).documents
    assert "Traceback" not in head.stderr
    assert head.stdout.count("\n") == 1


def test_inputs_that_two_paths_name_are_one(small_run):
    """A run, with a slash or without."""
    assert inputs.find([small_run, f"{small_run}/"]) == inputs.find([small_run])
    with pytest.raises(ChejilError):
        inputs.find([f"{small_run}/none"])


@pytest.mark.slow
def test_the_commands_of_the_documentation_run(tmp_path, monkeypatch, capsys):
    """As they are written, on the demo's corpus and a run of it."""
    from chejil.curation import check
    from chejil.curation.demo.sample_corpus import write_sample_corpus
    from chejil.curation.run import run

    text = (Path(__file__).parents[2] / "docs/statistics.md").read_text("utf-8")
    commands = [
        line.split("#")[0].split(">")[0] for line in text.split("\n") if line.startswith("chejil stats ")
    ]
    monkeypatch.chdir(tmp_path)
    write_sample_corpus("demo-corpus", documents=100)
    run(check.load("demo", ["data=demo-corpus"]), "runs/demo")
    for command in commands:
        done = CliRunner().invoke(app, [*shlex.split(command)[1:], "--workers", "1"])
        assert done.exit_code == 0, done.output

    assert len(commands) == 4
    assert Path("stats.html").stat().st_size > 10_000
