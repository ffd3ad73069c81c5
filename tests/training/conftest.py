"""What tests of training share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def one_thread():
    """Models this small only wait for one another's threads."""
    import torch  # tests of rows and plans do not load it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of a model to fine-tune."""
    import small_tunings

    return small_tunings.model(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file of conversations."""
    import small_tunings

    return small_tunings.conversations(tmp_path_factory.mktemp("data") / "sums.jsonl")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, base, data):
    """A fine-tuning that nobody interrupted: its folder, and what it returned."""
    import small_tunings

    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, small_tunings.tune(folder, base, data)
