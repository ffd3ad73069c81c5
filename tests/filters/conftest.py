"""What the tests of signals share: quality classifiers, trained once."""

import pytest

from ..quality_corpus import small_models


@pytest.fixture(scope="session")
def quality_models(tmp_path_factory):
    """A small model for each language, by slot."""
    return small_models(tmp_path_factory.mktemp("quality"))
