"""Whether what evaluates is installed: lm-eval with torch is an extra."""

from __future__ import annotations

from importlib.util import find_spec

from chejil.errors import ChejilError


def require(*more: str) -> None:
    """Refuse to evaluate without them.

    Raises:
        ChejilError: one is not installed.
    """
    wanted = {
        "lm_eval": "lm-eval",
        "torch": "torch",
        "transformers": "transformers",
        "accelerate": "accelerate",
    }
    wanted |= {name: name for name in more}
    missing = [shown for name, shown in wanted.items() if find_spec(name) is None]
    if missing:
        raise ChejilError(f"{' and '.join(missing)} not installed", mend="pip install 'chejil[eval,sft]'")
