"""Mixtures: shares by hand and by law, caps, what is refused, the file, the ledger, the command."""

import json
import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chejil import cli
from chejil.curation import settings_file
from chejil.errors import ChejilError, RecipeError
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.token_sizes import TokenSizes
from chejil.training.mixing import caps, mixture_file, shares
from chejil.training.mixing.mix_settings import MixSettings, Shares
from chejil.training.mixing.mixing import mix
from chejil.training.planning import epoch_ledger, epochs, ledger_page, ledger_view
from chejil.training.planning.epochs import ExpectedSource, Stream

WEB = {
    "wiki-ko/ko": {"tokens": 1_000_000, "bytes_per_token": 4.0},
    "mc4-ko/ko": {"tokens": 9_000_000, "bytes_per_token": 4.0},
    "c4/en": {"tokens": 30_000_000, "bytes_per_token": 4.0},
    "pile/en": {"tokens": 10_000_000, "bytes_per_token": 2.0},
}


def settings(total=10_000_000, **more):
    return MixSettings.model_validate({"expected": WEB, "total_tokens": total, "row_tokens": 100, **more})


def byte_shares(found):
    return {row.source: row.byte_share for row in found.sources}


def streams(*sizes):
    """Streams a/ko, b/ko, … of some tokens."""
    return [Stream("abcdefgh"[n], "ko", size, 4.0, True) for n, size in enumerate(sizes)]


# Whole numbers


@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=9), st.integers(0, 10**9))
def test_whole_parts_add_up_and_are_the_nearest(weights, total):
    """Every part is its exact value rounded down or up, as the largest remainder promises."""
    whole = math.fsum(weights)
    assume(whole > 1e-3)

    parts = shares.whole_parts(weights, total)

    assert sum(parts) == total
    for weight, part in zip(weights, parts, strict=True):
        assert abs(part - total * (weight / whole)) < 1 + total * 1e-12
        assert weight > 0 or part == 0


@given(st.lists(st.floats(1e-12, 1e6), min_size=1, max_size=9), st.integers(9, 10**9))
def test_nothing_above_zero_rounds_to_nothing(weights, total):
    """However small the weight."""
    parts = shares.whole_parts(weights, total, least=1)

    assert sum(parts) == total
    assert min(parts) >= 1


def test_the_largest_remainder_by_hand():
    """17, 36 and 47 of 7: 1.19, 2.52 and 3.29; the half goes to the second."""
    assert shares.whole_parts([17, 36, 47], 7) == [1, 3, 3]
    with pytest.raises(ChejilError, match="2 cannot be given to 3 weights"):
        shares.whole_parts([1, 1, 1], 2, least=1)


# Shares


def test_languages_first_and_sources_within_them():
    """A tenth of the Korean half is Wikipedia; English by size in bytes, 120 to 20."""
    found = byte_shares(
        mix(settings(languages={"ko": 0.5, "en": 0.5}, weights={"wiki-ko": 0.1, "*": "natural"}))
    )

    assert found == pytest.approx(
        {"wiki-ko/ko": 0.05, "mc4-ko/ko": 0.45, "c4/en": 0.5 * 6 / 7, "pile/en": 0.5 / 7}, abs=1e-8
    )


def test_all_natural_is_in_proportion_to_bytes():
    """40 MB of Korean, 120 and 20 of English: everything is read equally often."""
    found = mix(settings())

    assert [row.epochs for row in found.sources] == pytest.approx([0.2] * 4, rel=1e-6)


@given(st.lists(st.integers(1, 10**14), min_size=2, max_size=8), st.floats(0.05, 100))
def test_temperature_flattens_and_keeps_the_order(sizes, temperature):
    """Shares are powers of sizes; they add up to 1."""
    found = shares.of_stage(Shares(temperature=temperature), streams(*sizes))

    assert math.fsum(found) == pytest.approx(1)
    big, small = sizes.index(max(sizes)), sizes.index(min(sizes))
    assert found[big] >= found[small]
    if found[small] > 1e-200:
        assert math.log(found[big] / found[small]) == pytest.approx(
            math.log(sizes[big] / sizes[small]) / temperature, abs=1e-6
        )


def test_an_infinite_temperature_makes_all_alike():
    """Whatever the sizes."""
    assert shares.of_stage(Shares(temperature=math.inf), streams(1, 10**9)) == [0.5, 0.5]


def test_a_pattern_shares_its_number_and_no_name_is_left_out():
    """`*-ko` of 1 to 9."""
    found = mix(settings(weights={"*-ko": 0.5, "c4": 0.5}))

    assert byte_shares(found) == pytest.approx(
        {"wiki-ko/ko": 0.05, "mc4-ko/ko": 0.45, "c4/en": 0.5}, abs=1e-8
    )
    assert found.left_out == ["pile/en"]


@pytest.mark.parametrize(
    ("more", "what", "mend"),
    [
        ({"weights": {"c4": 0.5, "pile": 0.6}}, "add up to 1.1, not 1: c4 0.5, pile 0.6", "normalise"),
        ({"weights": {"c4": 0.5}}, "add up to 0.5, not 1", "natural"),
        ({"weights": {"c4": 1.0, "*": "natural"}}, "nothing is left for `natural`", "lower a number"),
        ({"languages": {"ko": 0.3, "en": 0.3}}, "shares of `languages` add up to 0.6", "normalise"),
        ({"languages": {"ko": 1}, "weights": {"c4": 1}}, "of language 'ko' add up to 0", "natural"),
        ({"languages": {"ko": 0.5, "fr": 0.5}}, "no source is in language 'fr'", "known: en, ko"),
        ({"weights": {"wiki-kr": 1}}, "no source 'wiki-kr'", "did you mean 'wiki-ko'"),
        ({"weights": {"c4": 0.5, "*": 0.5}}, "'c4/en' is meant by 'c4' and by '*'", "one number"),
        ({"max_epochs": {"piel": 4}}, "no source 'piel'", "did you mean 'pile'"),
    ],
)
def test_shares_that_cannot_be_are_refused(more, what, mend):
    """With the sum, and how to mend it."""
    with pytest.raises(ChejilError) as raised:
        mix(settings(**more))

    assert what in raised.value.what
    assert mend in raised.value.mend


def test_shares_are_normalised_when_asked():
    """5 and 6 to 5/11 and 6/11."""
    found = byte_shares(mix(settings(weights={"c4": 5, "pile": 6}, normalise=True)))

    assert found == pytest.approx({"c4/en": 5 / 11, "pile/en": 6 / 11}, abs=1e-8)


def test_a_size_that_nobody_knows_has_no_natural_share():
    """But a number of its own it may have."""
    unknown = {**WEB, "klue/ko": {"bytes_per_token": 4}}
    with pytest.raises(ChejilError, match="how much there is of klue/ko"):
        mix(settings(expected=unknown))

    found = mix(settings(expected=unknown, weights={"klue": 0.1, "*": "natural"}))

    assert byte_shares(found)["klue/ko"] == pytest.approx(0.1)
    assert any("klue/ko: its epochs are not known" in one for one in found.warnings)


def test_names_with_signs_of_patterns_are_names():
    """The file's weights are patterns to the training: `[a]` must not mean `a`."""
    odd = {"web[a]/ko": WEB["mc4-ko/ko"], "weba/ko": WEB["mc4-ko/ko"]}

    found = mix(settings(expected=odd, weights={"web[[]a]": 0.25, "weba": 0.75}))

    assert byte_shares(found) == pytest.approx({"web[a]/ko": 0.25, "weba/ko": 0.75})


# Caps


def test_a_source_above_its_cap_is_refused_or_redistributed():
    """Half of 10 M tokens from 1 M unique ones: 5 times."""
    asked = {
        "weights": {"wiki-ko": 0.5, "*": "natural"},
        "languages": {},
        "max_epochs": {"*": 2},
        "headroom": 0.0,
    }
    with pytest.raises(ChejilError, match=r"wiki-ko/ko is read 4\.\d+ times, its cap allows 2"):
        mix(settings(**asked))

    found = mix(settings(**asked, over_cap="redistribute"))

    rows = {row.source: row for row in found.sources}
    assert rows["wiki-ko/ko"].epochs == pytest.approx(2, rel=1e-6)
    assert math.fsum(byte_shares(found).values()) == pytest.approx(1)
    assert rows["c4/en"].epochs == pytest.approx(rows["mc4-ko/ko"].epochs, rel=1e-6)
    assert found.changed["wiki-ko/ko"][0] == pytest.approx(0.5)


def test_the_excess_stays_in_its_language():
    """Korean keeps its half; a Korean whose sources are all full is refused, with what there is."""
    asked = {
        "languages": {"ko": 0.5, "en": 0.5}, "weights": {"wiki-ko": 0.9, "*": "natural"},
        "over_cap": "redistribute", "max_epochs": {"*": 2}, "headroom": 0.0,
    }  # fmt: skip
    found = byte_shares(mix(settings(**asked)))

    assert found["wiki-ko/ko"] + found["mc4-ko/ko"] == pytest.approx(0.5, abs=1e-7)
    with pytest.raises(
        ChejilError, match=r"all at their caps: together 2e.07 tokens, 25\.00% of the training"
    ):
        mix(settings(80_000_000, **{**asked, "max_epochs": {"*-ko": 2}}))


def test_headroom_keeps_a_cap_below_what_training_counts():
    """2 % less of the text: the training holds documents out and counts padding."""
    found = mix(
        settings(weights={"wiki-ko": 0.5, "*": "natural"}, max_epochs={"*": 2}, over_cap="redistribute")
    )

    assert {row.source: row.epochs for row in found.sources}["wiki-ko/ko"] == pytest.approx(1.96, rel=1e-6)


@given(
    st.lists(st.lists(st.integers(0, 100), min_size=4, max_size=4), min_size=1, max_size=3),
    st.lists(st.floats(2, 6), min_size=4, max_size=4),
    st.lists(st.floats(1, 2000), min_size=3, max_size=3),
    st.booleans(),
)
def test_redistribution_keeps_sums_and_caps(stages, ratios, limits, by_language):
    """The sum of each group in each stage stays, none is above its limit, and who has no cap never loses."""
    assume(all(stage[3] for stage in stages))  # the last has no cap and takes what is left
    groups = [[0, 1, 2, 3]] if not by_language else [[0], [1, 2, 3]]
    limits = [math.inf if by_language else limits[0], *limits[1:], math.inf]
    before = [[part / sum(stage) for part in stage] for stage in stages]
    lengths = [1000.0] * len(stages)

    after = caps.within(before, lengths, ratios, limits, groups)

    for one, two in zip(before, after, strict=True):
        for group in groups:
            assert math.fsum(two[at] for at in group) == pytest.approx(math.fsum(one[at] for at in group))
        assert two[3] >= one[3] * (1 - 1e-7)
    seen = caps.seen_tokens(after, lengths, ratios)
    assert all(tokens <= limit * (1 + 1e-8) for tokens, limit in zip(seen, limits, strict=True))


@given(st.floats(0.05, 0.95), st.floats(1.001, 3), st.floats(2, 6), st.floats(2, 6))
def test_a_group_that_just_fits_under_its_caps_is_filled(part, spare, first, second):
    """Both have caps, together a little more than is asked for: no false alarm."""
    stages, ratios = [[0.5 * part, 0.5 * (1 - part), 0.5]], [first, first, second]
    asked = caps.seen_tokens(stages, [1000.0], ratios)
    limits = [0.5 * (asked[0] + asked[1]) * spare] * 2 + [math.inf]

    (after,) = caps.within(stages, [1000.0], ratios, limits, [[0, 1], [2]])

    assert after[0] + after[1] == pytest.approx(0.5)


def test_without_caps_nothing_moves():
    """To the bit."""
    before = [[0.1, 0.2, 0.7]]

    assert caps.within(before, [10], [1, 2, 3], [math.inf] * 3, [[0, 1, 2]]) == before


# Small weights, small sources


def test_a_weight_of_less_than_a_row_is_refused_and_of_few_is_named():
    """100,000 rows: 5e-6 of the bytes is half a row, 5e-4 is fifty."""
    with pytest.raises(ChejilError, match="wiki-ko/ko has a share of 5e-06: less than one row of 100,000"):
        mix(settings(weights={"wiki-ko": 5e-6, "*": "natural"}))

    found = mix(settings(weights={"wiki-ko": 5e-4, "*": "natural"}))

    assert 30 <= found.sequences["wiki-ko/ko"] <= 60
    assert any("wiki-ko/ko gets" in one and "fewer than 100" in one for one in found.warnings)
    assert sum(found.sequences.values()) == 100_000


def test_a_source_with_less_than_a_row_of_text_is_refused():
    """The training would refuse it, too."""
    tiny = {**WEB, "klue/ko": {"tokens": 99, "bytes_per_token": 4}}

    with pytest.raises(ChejilError, match="klue/ko has 99 tokens, less than a row of 100"):
        mix(settings(expected=tiny, weights={"klue": 0.1, "*": "natural"}))


# Stages and the file


def test_stages_and_the_file_that_a_training_reads(tmp_path):
    """Two stages; the file is what the training's own model reads, and its weights add up to 1."""
    later = [{"from_tokens": 8_000_000, "weights": {"wiki-ko": 0.25, "c4": 0.75}}]
    found = mix(settings(later=later, name="two", max_epochs={"*": 4}))
    mixture_file.write(found, str(tmp_path / "new" / "mixture.yaml"))

    read = settings_file.load(MixtureStages, str(tmp_path / "new" / "mixture.yaml"))

    assert read == found.mixture
    assert [stage.from_tokens for stage in read.stages] == [0, 8_000_000]
    assert [math.fsum(stage.weights.values()) for stage in read.stages] == [1.0, 1.0]
    assert read.stages[1].weights == {"wiki-ko/ko": 0.25, "c4/en": 0.75}
    text = (tmp_path / "new" / "mixture.yaml").read_text("utf-8")
    assert text.startswith("# two: ")
    assert "wiki-ko/ko" in text.split("stages:")[0]
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"later": [{"from_tokens": 10_000_000}]}, "behind the end"),
        ({"later": [{"from_tokens": 5}, {"from_tokens": 5}]}, "follow one another"),
        ({"expected": {}}, "give `tokens`"),
    ],
)
def test_settings_that_cannot_be(more, what):
    """Said when they are read."""
    with pytest.raises(ValueError, match=what):
        settings(**more)


# The ledger


def stages_of(*weights):
    return MixtureStages.of([(begin, named) for begin, named in weights], {})


def known(**sizes):
    return {name.replace("__", "/"): ExpectedSource(tokens=n, bytes_per_token=4) for name, n in sizes.items()}


NOTHING = TokenSizes({}, [], None)


def test_new_and_repeated_tokens_and_what_runs_out_first():
    """a: 1,000 of 1,000 tokens after 2,000; b lasts; a second stage reads c out at 5,000."""
    sizes = known(a__ko=1000, b__en=10_000, c__en=500)
    two = stages_of((0, {"a": 1, "b": 1}), (4000, {"c": 1, "b": 1}))

    found = epoch_ledger.of(two, sizes, NOTHING, 6000)

    rows = {row.source: row for row in found.rows}
    assert (rows["a/ko"].new_tokens, rows["a/ko"].repeated_tokens, rows["a/ko"].runs_out_at) == (
        1000,
        1000,
        2000,
    )
    assert (rows["b/en"].repeated_tokens, rows["b/en"].runs_out_at) == (0, None)
    assert (rows["c/en"].repeated_tokens, rows["c/en"].runs_out_at) == (500, 5000)
    assert found.runs_out_first.source == "a/ko"
    assert "a/ko runs out first: after 2 K tokens, 33.3% of the training" in ledger_view.first_out(found)


def test_shares_of_korean_and_their_discount():
    """The facts: 213 B unique tokens of 1.4 T; 10, 20, 30 and 50 % are 0.66, 1.31, 1.97 and 3.29 epochs."""
    sizes = known(polyglot__ko=213_000_000_000, web__en=2_000_000_000_000)

    found = epoch_ledger.of(stages_of((0, {"*": 1})), sizes, NOTHING, 1_400_000_000_000)

    at = {round(one.byte_share, 2): one for one in found.shares}
    assert [round(at[share].epochs, 2) for share in (0.1, 0.2, 0.3, 0.5)] == [0.66, 1.31, 1.97, 3.29]
    assert [round(at[share].worth, 3) for share in (0.1, 0.2, 0.3, 0.5)] == [1.0, 0.998, 0.985, 0.951]
    assert found.possible[2].token_share == pytest.approx(4 * 213 / 1400)
    assert found.possible[-1].token_share == 1.0


@given(
    st.lists(st.integers(1, 10**9), min_size=2, max_size=5),
    st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
)
def test_no_division_is_worth_more_than_equal_epochs(sizes, weights):
    """The law is concave."""
    names = {f"{'abcde'[n]}__ko": size for n, size in enumerate(sizes)}
    named = {name.replace("__", "/"): weights[n] for n, name in enumerate(names)} | {"z/en": 1.0}

    found = epoch_ledger.of(stages_of((0, named)), known(**names, z__en=10**9), NOTHING, 10**9)

    for one in found.shares:
        assert one.worth <= one.worth_at_best * (1 + 1e-9)
        assert one.most_epochs >= one.epochs * (1 - 1e-9)


def test_the_ledger_agrees_with_the_plan_and_names_what_nobody_knows():
    """Same streams, same tokens; what is unknown is left out of the language and named."""
    sizes = {**known(a__ko=1000, b__en=10_000), "c/ko": ExpectedSource(bytes_per_token=4)}
    mixture = stages_of((0, {"a": 1, "b": 2, "c": 1}))

    found, rows = epoch_ledger.of(mixture, sizes, NOTHING, 8000), epochs.ledger(mixture, sizes, NOTHING, 8000)

    assert [(row.source, row.tokens, row.effective_tokens) for row in found.rows] == [
        (row.source, row.tokens, row.effective_tokens) for row in rows
    ]
    assert found.unknown == ["c/ko"]
    assert found.effective_tokens is None
    assert {one.most_read for one in found.shares} == {"a/ko"}


def test_the_page_is_drawn_and_says_all_in_korean():
    """Self-contained; a name is text."""
    sizes = known(**{"a<b>__ko": 1000, "b__en": 10_000})
    found = epoch_ledger.of(stages_of((0, {"*": 1})), sizes, NOTHING, 20_000)

    page = ledger_page.page("<mix>", found)

    assert page == ledger_page.page("<mix>", found)
    assert page.count("<svg ") == 1
    assert "에폭 장부" in page  # "ledger of epochs"
    assert "&lt;mix&gt;" in page
    assert "a<b>" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


# The command


def command(tmp_path, monkeypatch, *arguments, **more):
    monkeypatch.chdir(tmp_path)
    written = {"expected": WEB, "total_tokens": 10_000_000, "row_tokens": 100, **more}
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(written), "utf-8")
    return CliRunner().invoke(cli.app, ["mix", "m.yaml", *arguments])


def test_the_command_prints_writes_and_draws(tmp_path, monkeypatch):
    """Tables, and JSON with what they show."""
    shown = command(tmp_path, monkeypatch, "--out", "x.yaml", "--html", "x.html")

    assert shown.exit_code == 0, shown.output
    assert "wiki-ko/ko" in shown.stdout
    assert (tmp_path / "x.html").stat().st_size > 5000
    assert settings_file.load(MixtureStages, "x.yaml").stages[0].weights

    found = json.loads(command(tmp_path, monkeypatch, "--json").stdout)

    assert {row["source"] for row in found["sources"]} == set(WEB)
    assert {"bytes", "tokens", "byte_share", "token_share", "epochs", "effective_tokens"} <= set(
        found["sources"][0]
    )
    assert len(found["ledger"]["shares"]) == 10


def test_the_command_says_where_a_fault_stands(tmp_path, monkeypatch):
    """Line and column, and a near name."""
    with pytest.raises(RecipeError, match="did you mean 'temperature'"):
        settings_file.load(MixSettings, None, ["temprature=2"])
    shown = command(tmp_path, monkeypatch, "--shards", "out")
    assert isinstance(shown.exception, ChejilError) or shown.exit_code == 2


def test_the_shipped_settings_are_read():
    """And mean the shards of the demo."""
    found = settings_file.load(MixSettings, "mix-koen", shipped_as="mix")

    assert found.languages == {"ko": 0.5, "en": 0.5}
    assert found.documents.rehydration[2] == 1.5


def test_the_example_of_the_page_says_what_the_page_says(tmp_path):
    """Its first settings, and the lines below them."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "mix.md").read_text("utf-8")
    (tmp_path / "m.yaml").write_text(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0], "utf-8")
    shown = CliRunner().invoke(cli.app, ["mix", str(tmp_path / "m.yaml")])

    lines = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[0].strip().split("\n")
    assert len(lines) == 3
    assert [line for line in lines if line.removesuffix("…").strip() not in shown.stdout] == []
