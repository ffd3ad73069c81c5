"""Whether what trains is installed: torch and transformers are an extra."""

from __future__ import annotations

from importlib.util import find_spec

from chejil.errors import ChejilError


def require_torch() -> None:
    """Refuse to train without them.

    Raises:
        ChejilError: one is not installed.
    """
    missing = [name for name in ("torch", "transformers", "safetensors") if find_spec(name) is None]
    if missing:
        raise ChejilError(f"{' and '.join(missing)} not installed", mend="pip install 'chejil[train]'")
