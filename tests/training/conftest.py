"""What tests of training share."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Models this small only wait for one another's threads."""
    import torch  # tests of rows and plans do not load it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
