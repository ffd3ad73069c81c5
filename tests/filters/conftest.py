"""What the tests of signals share: quality classifiers and a tokenizer, trained once."""

import pytest

from ..quality_corpus import ENGLISH_PROSE, KOREAN_PROSE, small_models
from ..tokenizer_file import write_byte_tokenizer


@pytest.fixture(scope="session")
def quality_models(tmp_path_factory):
    """A small model for each language, and a tokenizer, by slot."""
    tokenizer = write_byte_tokenizer(tmp_path_factory.mktemp("tokenizer"), [*KOREAN_PROSE, *ENGLISH_PROSE])
    return {**small_models(tmp_path_factory.mktemp("quality")), "tokenizer": tokenizer}
