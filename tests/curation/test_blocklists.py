"""Blocklists: which URLs a listed domain or path covers, against a plain reference; and their way through a run."""

import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chejil.curation import blocklists, manifest, shards
from chejil.curation.explain import explain
from chejil.curation.run import run
from chejil.errors import ChejilError, RecipeError


@pytest.fixture
def judged(tmp_path):
    """Which of some URLs stand on a list of these lines."""

    def found(lines, *urls):
        (tmp_path / "list").write_text("\n".join(lines) + "\n", "utf-8")
        blocklist = blocklists.read(str(tmp_path / "list"), "bad")
        return blocklists.listed(pl.Series(urls, dtype=pl.String), {"bad": blocklist})["bad"].tolist()

    return found


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("http://example.com/", True),
        ("https://sub.example.com/a?b#c", True),
        ("https://a.b.c.example.com", True),
        ("http://www.example.com", True),
        ("HTTP://EXAMPLE.COM/Path", True),
        ("http://example.com:8080/", True),
        ("http://user:word@example.com/", True),
        ("http://example.com./", True),
        ("//example.com/a", True),
        ("example.com/a", True),
        (" http://example.com/ ", True),
        ("http://example.com?q=1", True),
        ("http://example.com\\@good.net/", True),
        ("http://example.com.evil.net/", False),
        ("http://notexample.com/", False),
        ("http://example.org/example.com", False),
        ("http://good.net/?u=http://example.com/", False),
        ("http://example.com@good.net/", False),
        ("http://com/", False),
        ("http://[::1]:80/", False),
        ("", False),
        ("/path/only", False),
        (None, False),
    ],
)
def test_a_domain_lists_itself_and_all_below_it(judged, url, listed):
    """Whatever port, userinfo, case or dots stand around the host."""
    assert judged(["example.com"], url) == [listed]


@pytest.mark.parametrize("entry", ["예시.한국", "xn--vv4b11d.xn--3e0b707e", "WWW.예시.한국", "예시.한국."])
@pytest.mark.parametrize(
    "url",
    [
        "http://예시.한국/",  # example.korea
        "http://xn--vv4b11d.xn--3e0b707e/",
        "http://글.예시.한국/a",
        "http://%EC%98%88%EC%8B%9C.한국/",
        "http://예시。한국/",
        "http://\u110b\u1168\u1109\u1175.한국/",  # NFD
    ],
)
def test_a_korean_domain_is_its_punycode(judged, entry, url):
    """Both ways, percent-encoded and decomposed."""
    below_www = entry.startswith("WWW.") and "글" in url  # what lies below www.X is not below X
    assert judged([entry], url) == [not below_www]


def test_www_makes_no_other_host_and_no_wider_one(judged):
    """`www.co.kr` on a list is not all of co.kr."""
    urls = ["http://co.kr/", "http://www.co.kr/", "http://news.co.kr/", "http://a.www.co.kr/"]

    assert judged(["www.co.kr"], *urls) == [True, True, False, True]


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("http://example.com/adult", True),
        ("http://www.example.com/adult/", True),
        ("http://example.com/adult/1?x", True),
        ("http://example.com/adult?x=1", True),
        ("http://example.com/adulthood", False),
        ("http://example.com/", False),
        ("http://sub.example.com/adult", False),
        ("http://example.com/a/adult", False),
        ("http://example.com/%EA%B8%80/1", True),
        ("http://example.com/글", True),
        ("http://예시.한국/page.php?id=3&p=1", True),
        ("http://예시.한국/page.php?id=34", False),
        ("example.com/adult//x", True),
        ("http://example.com//adult", True),
        (f"http://example.com/{'a/' * 500_000}", False),  # in no time
    ],
)
def test_a_path_lists_what_begins_with_it(judged, url, listed):
    """At the ends of its parts, percent-encoded (글: writing) or not."""
    lines = ["example.com/adult/", "http://www.example.com/글", "예시.한국/page.php?id=3", "# a comment", ""]

    assert judged(lines, url) == [listed]


@pytest.mark.parametrize(
    "entry", ["||ads.example^", "*.ads.example", "ads.example:8080", "http://ads.example/"]
)
def test_other_ways_to_write_a_domain(judged, entry):
    """As the rules of browsers, with a wildcard, with a port: each is the domain and all below it."""
    assert judged([entry], "http://x.ads.example/1", "http://example/") == [True, False]


LABELS = st.sampled_from(["a", "b", "www", "ab", "co", "kr"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


@given(st.lists(NAMES, max_size=6), st.lists(NAMES, min_size=1, max_size=10))
def test_look_up_agrees_with_the_reference(entries, hosts):
    """Equal to one of them, below one, or `www.` away."""
    from chejil.filters.buffers import TextBuffers

    table = np.zeros(64, np.uint64)
    buffers = TextBuffers.of(entries)
    assert blocklists.enter(buffers.data, buffers.offsets, table) == len(set(entries))
    found = np.zeros(len(hosts), bool)
    names = TextBuffers.of(hosts)
    blocklists.look_up(names.data, names.offsets, table, blocklists._WWW, found)

    expected = [any(f".{h}".endswith(f".{e}") or f"www.{h}" == e for e in entries) for h in hosts]
    assert found.tolist() == expected


def test_a_list_is_a_file_or_a_folder_of_ut1(tmp_path):
    """Plain or .gz, the category's folder or the one above it; the hash is that of the content."""
    (tmp_path / "plain").write_bytes(b"bad.example\r\nworse.example\r\n")
    folder = tmp_path / "lists" / "adult"
    folder.mkdir(parents=True)
    (folder / "domains.gz").write_bytes(gzip.compress(b"bad.example\nworse.example\n", mtime=0))
    (folder / "urls").write_bytes(b"good.example/bad\n\xff\xfe.example/\n")
    (folder / "expressions").write_bytes(b"(sex)")

    assert blocklists.read(str(tmp_path / "plain"), "adult").num_domains == 2
    for path in (folder, folder.parent):
        found = blocklists.read(str(path), "adult")
        assert (found.num_domains, list(found.paths)) == (3, ["good.example"])
        assert blocklists.content_hash(str(path), "adult") == blocklists.content_hash(str(folder), "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"good.example\n0.0.0.0 bad.example\n",
            r"list:2: '0.0.0.0 bad.example' is neither a domain nor a path",
        ),
        (b"# nothing but a comment\n\n", "the blocklist is empty"),
        (b"ads.*.example\n", r"list:1: 'ads.\*.example' is neither"),
        (None, "no such blocklist"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path, content, message):
    """With its line."""
    if content:
        (tmp_path / "list").write_bytes(content)

    with pytest.raises(ChejilError, match=message):
        blocklists.read(str(tmp_path / "list"), "bad")


def test_a_run_drops_what_is_listed_and_says_so(small_recipe, small_corpus, tmp_path):
    """The reason is the first but `empty`, `explain` and `verify` agree, and a changed list judges again."""
    (tmp_path / "ads").write_text("a.example/ad\n", "utf-8")
    setting = f"stages.filter.blocklists={{ads: {tmp_path / 'ads'}}}"
    root = str(tmp_path / "run")

    first = run(small_recipe(setting), root)

    dropped = [row for row in first.funnel if row["reason"] == "url:ads"]
    assert sum(row["documents"] for row in dropped) == 3
    assert manifest.verify(root) == []
    decisions = shards.read_shard(f"{root}/decisions/{first.inputs[-1]['shard']}.parquet").to_pylist()
    (row,) = [row for row in decisions if row["reason"] == "url:ads"]
    assert row["reasons"][:2] == ["url:ads", "rule:no_advertising"]
    assert explain(root, row["id"]).decision["reason"] == "url:ads"

    (tmp_path / "ads").rename(tmp_path / "moved")
    moved = run(small_recipe(setting.replace("/ads}", "/moved}")), root)
    assert [stage["keys"] for stage in moved.stages] == [stage["keys"] for stage in first.stages]
    (tmp_path / "moved").write_text("b.example\n", "utf-8")
    second = run(small_recipe(setting.replace("/ads}", "/moved}")), root)
    assert {row["source"] for row in second.funnel if row["reason"] == "url:ads"} == {"c4-en"}


def test_check_names_a_list_that_is_not_there(small_recipe):
    """At its place in the recipe."""
    with pytest.raises(RecipeError, match="no such blocklist"):
        small_recipe("stages.filter.blocklists={ads: nowhere/ads}")
