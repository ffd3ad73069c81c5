"""What a user reads when something is wrong."""

import pickle

from chejil.errors import ChejilError, RecipeError, SourceError, did_you_mean, near_name


def test_an_error_says_what_where_and_how_to_mend_it():
    """The message has all three parts, in the order in which they are read."""
    error = ChejilError("no signal is called 'x'", where="r.yaml:3:5", mend="did you mean 'y'?")

    assert str(error) == "r.yaml:3:5: no signal is called 'x'\n  mend: did you mean 'y'?"


def test_an_error_survives_the_way_from_a_worker():
    """Type, place and cure are the same after pickling, which is how processes hand over exceptions."""
    error = pickle.loads(pickle.dumps(SourceError("torn", where="a.gz", mend="fetch it again")))

    assert (type(error), error.what, error.where, error.mend) == (
        SourceError,
        "torn",
        "a.gz",
        "fetch it again",
    )


def test_a_recipe_error_shows_every_problem():
    """All mistakes are shown, not the first one."""
    error = pickle.loads(pickle.dumps(RecipeError([ChejilError("one"), ChejilError("two")])))

    assert str(error) == "one\ntwo"
    assert len(error.problems) == 2


def test_a_near_name_is_offered_only_where_there_is_one():
    """A misspelling gets the nearest name; a name that resembles nothing gets the list."""
    assert near_name("hangul_shar", ["hangul_share", "lang"]) == "hangul_share"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
