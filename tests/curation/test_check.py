"""What `check` refuses: every mistake at once, with its place and how to mend it."""

import jsonschema
import pytest
import yaml

from chejil.curation import check, marked_yaml, shards
from chejil.curation.decontamination.decontaminate import Decontaminate
from chejil.curation.explain import explain
from chejil.curation.recipe import Recipe, find_recipe, shipped_recipes
from chejil.curation.run import run
from chejil.errors import ChejilError, RecipeError

GOOD = """\
name: good
data: {data}
sources:
  mc4-ko: {{format: mc4, paths: "mc4-ko/*.json.gz"}}
stages:
  - normalise
  - score
  - filter:
      bounds:
        ko: {{preset: koen, num_words: {{low: 30, unit: eojeol}}, hangul_share: null}}
        en: gopher
        mixed: keep
        other: drop
        unknown: drop
      by_source:
        mc4-ko:
          en: drop
      rules:
        advertising: {{drop: "url LIKE '%/ad/%' AND num_words < 50"}}
  - near_dedup:
      threshold: 0.8
      keep: {{by: signal, signal: num_words}}
  - write
"""


@pytest.fixture
def problems(small_corpus):
    """Problems of the good recipe after replacing one piece of its text, one line each."""

    def found(old="", new="", *settings):
        text = GOOD.format(data=small_corpus)
        assert old in text
        try:
            check.check(marked_yaml.read(text.replace(old, new, 1), "r.yaml"), settings)
        except RecipeError as error:
            return [str(problem) for problem in error.problems]
        return []

    return found


def test_a_good_recipe_has_no_problems(problems):
    """Presets, own bounds, lifted bounds, rules and policies are all accepted."""
    assert problems() == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("low: 30", "lwo: 30", "r.yaml:10:40: 'lwo' is not known here … did you mean 'low'?"),
        ("num_words: {", "num_wordz: {", "r.yaml:10:28: no signal is called 'num_wordz' … did you mean 'num_words'?"),
        ("unit: eojeol", "unit: morpheme", "r.yaml:10:49:  … is given per morpheme, but the signal is"),
        ("low: 30", "low: abc", "r.yaml:10:40:  … Input should be a valid number"),
        ("hangul_share: null", "hangul_share: {high: 30}", "for 30 % write 0.3"),
        ("low: 30", "low: -5", "low: -5 is no count: 'num_words' lies above 0"),
        ("low: 30, unit: eojeol", "", "'num_words' has neither low nor high"),
        ("low: 30", "low: .nan", "r.yaml:10:40:  … Input should be a finite number"),
        ("low: 30", "low: 9, high: 3", "r.yaml:10:28: stages.2.filter.bounds.ko.num_words: low 9 is above high 3"),
        ("preset: koen", "preset: koan", "r.yaml:10:14: no preset is called 'koan' … did you mean 'koen'?"),
        ("mixed: keep", "mixed: gopher", "r.yaml:12:9: preset 'gopher' has no bounds for 'mixed'"),
        ("mixed: keep", "mixt: keep", "r.yaml:12:9: 'mixt' is not a language … did you mean 'mixed'?"),
        ("        other: drop\n", "", "r.yaml:9:7: no bounds for language 'other'"),
        ("        mc4-ko:\n", "        mc4-kr:\n", "r.yaml:16:9:  … did you mean 'mc4-ko'?"),
        ("num_words < 50", "num_word < 50", "r.yaml:19:9: no column is called 'num_word' … did you mean 'num_words'?"),
        ("num_words < 50", "num_words +", "r.yaml:19:9: not a condition in SQL"),
        ("url LIKE '%/ad/%' AND num_words < 50", "num_words + 1", "is a Int64, not a condition"),
        ("signal: num_words}", "signal: quality}", "r.yaml:22:26: no signal that is scored is called 'quality'"),
        ("threshold: 0.8", "treshold: 0.8", "r.yaml:21:7: 'treshold' is not known here … did you mean 'threshold'?"),
        ("threshold: 0.8", "threshold: 1.8", "r.yaml:21:7:  … Input should be less than or equal"),
        ("- near_dedup:", "- near_dedop:", "r.yaml:20:5: 'near_dedop' is not known here … did you mean 'near_dedup'?"),
        ("  - score\n", "", "r.yaml:7:5: 'filter' has no signals to judge"),
        ("  - normalise\n", "", "r.yaml:6:5: the first stage is 'score'"),
        ("- score\n", "- exact_dedup: {keep: {by: signal, signal: lang}}\n  - score\n", "put 'score' before it"),
        ("  - write\n", "", "the last stage is 'near_dedup'"),
        ("  - write\n", "  - score\n  - write\n", "r.yaml:23:5: 'score' stands twice"),
        ("- score", "- score: {signals: [num_chars]}", "'num_words' is not scored"),
        ("- score", "- score: {signals: [num_char]}", "r.yaml:7:23: no signal is called 'num_char'"),
        ("format: mc4", "format: mc5", "r.yaml:4:12: "),
        ("mc4-ko/*.json.gz", "mc4-ko/*.json.xz", "r.yaml:4:25: no file matches"),
        ("paths:", "path:", "r.yaml:4:25: 'path' is not known here … did you mean 'paths'?"),
        ("name: good", "name: ../bad", "r.yaml:1:1: name: letters a to z, digits, . _ - and no spaces"),
        ("name: good\n", "", "r.yaml:1:1: 'name' is missing"),
        ("  mc4-ko: {format", "  ../ko: {format", "r.yaml:4:3:  … letters, digits, spaces and . _ + -"),
        ("sources:", "source:", "r.yaml:3:1: 'source' is not known here … did you mean 'sources'?"),
        ("name: good", "name: good\nname: twice", "r.yaml:2:1: 'name' stands twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_its_cure(problems, old, new, expected):
    """One change to a good recipe gives a problem that says where and how to mend it."""
    found = problems(old, new)

    parts = expected.split(" … ")
    assert any(all(part in problem for part in parts) for problem in found), found


def test_every_mistake_is_named_at_once(small_corpus):
    """Mistakes of form and of sense, in sources and stages, several in one stage, in the order of the file."""
    text = GOOD.format(data=small_corpus)
    for old, new in (
        ('mc4-ko/*.json.gz"}', 'nothing/*.gz", path: x}'),
        ("num_words: {", "num_wordz: {"),
        ("en: gopher", "en: gofer"),
        ("        mixed: keep\n", ""),
        ("        other: drop\n", "        other: {num_chars: {lo: 1, high: 9}}\n"),
        ("num_words < 50", "num_word < 50"),
        ("threshold: 0.8", "threshold: high"),
        ("signal: num_words}", "signal: quality}"),
    ):
        assert old in text
        text = text.replace(old, new, 1)

    with pytest.raises(RecipeError) as caught:
        check.check(marked_yaml.read(text, "r.yaml"))

    found = [str(problem) for problem in caught.value.problems]
    lines = [int(problem.where.split(":")[1]) for problem in caught.value.problems]
    assert lines == sorted(lines)
    for expected in ("'path' is not known", "no file matches", "'num_wordz'", "'gofer'", "language 'mixed'", "'lo' is",
                     "'num_word'", "threshold", "'quality'"):  # fmt: skip
        assert any(expected in problem for problem in found), (expected, found)
    assert len(found) == 9


def test_an_override_reaches_into_what_a_word_is_short_for(problems):
    """`ko: koen` is `ko: {preset: koen}`, and `keep: longest` is `keep: {by: longest}`."""
    assert problems("", "", "stages.filter.bounds.en.num_words.low=25") == []
    assert (
        problems(
            "keep: {by: signal, signal: num_words}", "keep: longest", "stages.near_dedup.keep.by=longest"
        )
        == []
    )


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n", "stages: 3\n", "sources: [1]\nstages: [[]]\n"])
def test_what_is_no_recipe_at_all_is_refused_without_a_traceback(text):
    """Whatever the file holds, the answer is a list of problems."""
    with pytest.raises(RecipeError):
        check.check(marked_yaml.read(text, "r.yaml"))


def test_an_override_is_checked_like_the_file_and_points_at_itself(problems):
    """The place of a wrong override is the override."""
    assert problems("", "", "stages.near_dedup.treshold=0.7") == [
        "--set stages.near_dedup.treshold=0.7: 'treshold' is not known here\n  mend: did you mean 'threshold'?"
    ]
    assert problems("", "", "stages.near_dedup.threshold=0.7") == []


def test_the_resolved_recipe_is_the_same_recipe(small_recipe):
    """Every default is written out, and reading it again gives the same settings."""
    recipe = small_recipe()
    again = Recipe.model_validate(yaml.safe_load(recipe.resolved()))

    assert again.resolved() == recipe.resolved()
    assert "lanes: 128" in recipe.resolved()


@pytest.mark.parametrize("path", shipped_recipes(), ids=lambda path: path.stem)
def test_a_shipped_recipe_is_right_but_for_its_files(path):
    """Whoever has the data can run it as it stands."""
    try:
        check.load(str(path))
        problems = []
    except RecipeError as error:
        problems = error.problems

    assert all("no file matches" in problem.what for problem in problems)


@pytest.mark.parametrize("path", shipped_recipes(), ids=lambda path: path.stem)
def test_the_schema_accepts_a_shipped_recipe(path):
    """An editor that has it underlines nothing."""
    jsonschema.validate(yaml.safe_load(path.read_text("utf-8")), Recipe.model_json_schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("low: 30", "lwo: 30"),
        ("num_words: {", "num_wordz: {"),
        ("- near_dedup:", "- near_dedop:"),
        ("name: good", "nmae: good"),
    ],
)
def test_the_schema_refuses_a_misspelt_name(old, new):
    """Of a key, a signal, a stage, a field of the recipe."""
    recipe = yaml.safe_load(GOOD.format(data=".").replace(old, new, 1))

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(recipe, Recipe.model_json_schema())


def test_a_shipped_recipe_goes_by_its_bare_name():
    """`chejil run demo` finds recipes/demo.yaml wherever the user stands; an unknown name lists them."""
    assert find_recipe("demo").name == "demo.yaml"
    with pytest.raises(ChejilError, match="koen-web"):
        find_recipe("nothing-of-the-kind")


PRESET = """\
about: Mine
bounds:
  ko:
    num_words: {low: 15, unit: eojeol}
    digit_share: {high: 0.3, unit: char}
  en:
    num_words: {low: 40, unit: eojeol}
"""


def test_a_preset_may_be_a_path(problems, tmp_path):
    """A YAML file of the same form; a language that it does not bound is refused as ever."""
    (tmp_path / "mine.yaml").write_text(PRESET, "utf-8")

    assert problems("en: gopher", f"en: {tmp_path / 'mine.yaml'}") == []
    (found,) = problems("mixed: keep", f"mixed: {tmp_path / 'mine.yaml'}")
    assert "has no bounds for 'mixed', only for ko, en" in found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("num_words: {low: 15", "num_wordz: {low: 15", "mine.yaml:4:5: no signal is called 'num_wordz'"),
        ("unit: eojeol", "unit: morpheme", "mine.yaml:4:5: the bound of 'num_words' is given per morpheme"),
        (", unit: eojeol", "", "mine.yaml:4:5: the bound of 'num_words' does not say in what unit"),
        ("low: 15", "low: 15, high: 3", "mine.yaml:4:5: low 15 is above high 3"),
        ("low: 15", "low: fifteen", "mine.yaml:4:5: low: 'fifteen' is not a number"),
        ("low: 15", "lo: 15", "mine.yaml:4:5: 'lo' is not known here"),
        ("  ko:", "  kr:", "mine.yaml:3:3: 'kr' is not a language"),
        ("bounds:", "bonds:", "mine.yaml:1:1: not a preset"),
        ("about: Mine", "abuot: Mine", "mine.yaml:1:1: 'abuot' is not known here"),
        ("about: Mine", "about: Mine\nabout: Yours", "mine.yaml:2:1: 'about' stands twice"),
        ("digit_share: {high: 0.3, unit: char}", "lang: {high: 0.3, unit: document}", "'lang' is a label"),
        ("about: Mine", "about: [", "not YAML"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_preset_file_has_its_place_in_it(problems, tmp_path, old, new, expected):
    """Once, however many languages of the recipe name the file."""
    (tmp_path / "mine.yaml").write_text(PRESET.replace(old, new, 1), "utf-8")
    path = tmp_path / "mine.yaml"

    found = problems("en: gopher\n        mixed: keep", f"en: {path}\n        mixed: {path}")

    assert [problem for problem in found if expected in problem] == found


def test_a_preset_file_that_is_not_there_is_named_at_its_place(problems):
    """In the recipe, with where a relative path starts."""
    (found,) = problems("en: gopher", "en: nowhere/mine.yaml")

    assert found.startswith("r.yaml:11:9: cannot read the preset 'nowhere/mine.yaml'")


def test_a_run_keeps_the_content_of_a_preset_file(small_recipe, tmp_path):
    """Its recipe.yaml holds the bounds, so it can be explained when the file is gone; a changed file judges again."""
    path = tmp_path / "mine.yaml"
    path.write_text(PRESET, "utf-8")
    settings = [f"stages.filter.bounds.{lang}={{preset: {path}, digit_share: null}}" for lang in ("ko", "en")]
    root = str(tmp_path / "run")

    first = run(small_recipe(*settings), root)
    path.write_text(PRESET.replace("15", "15_000"), "utf-8")
    resolved = (tmp_path / "run" / "recipe.yaml").read_text("utf-8")
    assert "mine.yaml" not in resolved
    assert yaml.safe_load(resolved)["stages"][2]["filter"]["bounds"]["ko"]["num_words"]["low"] == 15
    assert "digit_share" not in yaml.safe_load(resolved)["stages"][2]["filter"]["bounds"]["ko"]

    second = run(small_recipe(*settings), root)
    path.unlink()

    assert second.kept < first.kept
    shard = second.inputs[-1]["shard"]
    row = shards.read_shard(f"{root}/decisions/{shard}.parquet").to_pylist()[0]
    assert explain(root, row["id"]).decision["reasons"] == ["num_words:low"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  - write", "  - write: {weights: fineweb2}", "called 'fineweb2' (did you mean 'fineweb2-ko')"),
        ("  - write", "  - write: {weights: {1: .nan}}", "each weight is a number"),
        ("  - write", "  - write: {weights: {1: 1, 2: .inf}}", "each weight is a number"),
        ("by: signal, signal: num_words", "by: source, sources: [mc4-ko, mc4-ko]", "a source twice"),
    ],
)
def test_a_setting_that_says_nothing_is_refused(problems, old, new, expected):
    """It would be taken for one that works."""
    assert expected in " ".join(problems(old, new))


def test_a_share_to_cut_belongs_to_cutting():
    """Whoever drops cuts nothing."""
    sets = {"quiz": {"paths": ["a.jsonl"], "fields": ["question"]}}
    with pytest.raises(ValueError, match="'cut_share' has no effect here"):
        Decontaminate.model_validate({"against": sets, "action": "drop", "cut_share": 0.3})


def test_weights_without_clusters_are_refused(problems):
    """Each would be that of a cluster of one."""
    dedup = "  - near_dedup:\n      threshold: 0.8\n      keep: {by: signal, signal: num_words}\n  - write\n"

    found = problems(dedup, "  - write: {weights: fineweb2-ko}\n")

    assert "'weights' has no effect here" in " ".join(found)
