"""What all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The first call of a kernel compiles it, so no example has a deadline; the same examples on every machine.
settings.register_profile("chejil", deadline=None, derandomize=True)
settings.load_profile("chejil")


@pytest.fixture(scope="session")
def corpus():
    """Folder of the real shards."""
    folder = Path(os.environ.get("CHEJIL_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no corpus at {folder}: set CHEJIL_CORPUS")
    return folder
