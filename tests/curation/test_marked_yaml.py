"""YAML with places: where each value stands, what is refused, how overrides are laid over it."""

import pytest

from chejil.curation import marked_yaml
from chejil.errors import ChejilError, RecipeError

TEXT = """\
name: demo
stages:
  - score
  - filter:
      bounds: {ko: koen}
"""


def read(text=TEXT):
    return marked_yaml.read(text, "r.yaml")


def test_every_value_knows_its_line_and_column():
    """A key's place is where its name begins; a path that is not written has the place of what encloses it."""
    marked = read()

    assert marked.where(("stages", 1, "filter", "bounds", "ko")) == "r.yaml:5:16"
    assert marked.where(("stages", 1, "filter", "bounds", "en")) == "r.yaml:5:7"
    assert marked.where(("nothing",)) == "r.yaml:1:1"


def test_a_key_that_stands_twice_is_a_problem_with_both_places():
    """YAML would silently take the last one."""
    marked = read("a: 1\nb: 2\na: 3\n")

    assert [str(problem) for problem in marked.problems] == [
        "r.yaml:3:1: 'a' stands twice\n  mend: it is first set at r.yaml:1:1"
    ]


@pytest.mark.parametrize(
    ("text", "place"), [("a: [1, 2\n", "r.yaml:2:1"), ("a: b: c\n", "r.yaml:1:5"), ("\tx", "r.yaml:1:1")]
)
def test_what_is_not_yaml_says_where_reading_stopped(text, place):
    """The place is that of the parser's problem."""
    with pytest.raises(RecipeError) as caught:
        read(text)

    assert str(caught.value).startswith(f"{place}: not YAML")


def test_yaml_tags_run_no_code():
    """Only plain values are built."""
    with pytest.raises(RecipeError):
        read("a: !!python/object/apply:os.system ['true']\n")


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("name=other", ("name",), "other"),
        ("stages.filter.bounds.ko=drop", ("stages", 1, "filter", "bounds", "ko"), "drop"),
        ("stages.1.filter.bounds={en: keep}", ("stages", 1, "filter", "bounds"), {"en": "keep"}),
        ("stages.filter={bounds: {}}", ("stages", 1, "filter"), {"bounds": {}}),
        ("stages.score=7", ("stages", 0, "score"), 7),
        ("stages.score.signals=[lang]", ("stages", 0, "score", "signals"), ["lang"]),
        ("data=../shared=x", ("data",), "../shared=x"),
        ('sources."a.b".format=c4', ("sources", "a.b", "format"), "c4"),
    ],
)
def test_an_override_reaches_its_value_and_points_at_itself(setting, path, value):
    """A stage is reached by its name or its number, also one that was written as a bare word."""
    marked = read()

    marked_yaml.override(marked, setting)

    found = marked.data
    for step in path:
        found = found[step]
    assert found == value
    assert marked.where(path) == f"--set {setting}"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("name", "sets nothing"),
        ("=x", "sets nothing"),
        ("stages.filtr.bounds=x", "did you mean 'filter'?"),
        ("name.x=1", "nothing to stand in"),
        ("name=[1", "not YAML"),
        ('sources."a.b=1', "do not close"),
    ],
)
def test_an_override_that_reaches_nothing_is_refused(setting, message):
    """Nothing that the user set is silently ignored."""
    with pytest.raises(ChejilError) as caught:
        marked_yaml.override(read(), setting)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("about: 2024-99-99\n", "r.yaml:1:8: not YAML: month must be in 1..12"),
        ("name: !!int abc\n", "r.yaml:1:7: not YAML"),
        ("a: &a {w: *a}\n", "an alias to what it stands in"),
        ("[" * 5000, "nested too deeply"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{y}: &{y} [{', '.join([f'*{x}'] * 10)}]\n"
                for x, y in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "too many values",
        ),
    ],
    ids=("date", "tag", "circle", "depth", "laughs"),
)
def test_a_trap_of_yaml_is_a_problem_and_no_traceback(text, message):
    """What only looks like a value is refused with its place."""
    with pytest.raises(RecipeError) as caught:
        read(text)

    assert message in str(caught.value)


def test_a_merge_is_overruled_by_own_keys():
    """`<<` is legal YAML, and no key stands twice."""
    marked = read("w: &w {format: mc4, paths: x}\nv: {<<: *w, format: pile}\n")

    assert marked.data["v"] == {"format": "pile", "paths": "x"}
    assert marked.problems == []
