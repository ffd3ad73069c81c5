"""Whether what fits is installed: LightGBM and SciPy are in an extra."""

from __future__ import annotations

from importlib.util import find_spec

from chejil.errors import ChejilError


def require() -> None:
    """Refuse to fit without them.

    Raises:
        ChejilError: one is not installed.
    """
    missing = [name for name in ("lightgbm", "scipy") if find_spec(name) is None]
    if missing:
        raise ChejilError(f"{' and '.join(missing)} not installed", mend="pip install 'chejil[eval]'")
