"""Where the base of an adapter is: PEFT keeps the path that it had then and there."""

from __future__ import annotations

from pathlib import Path

import orjson

from chejil.errors import ChejilError

_CONFIG = "adapter_config.json"


def find(adapter: Path) -> Path:
    """The base's folder: as it was named, from here or from the adapter's folder; beside the adapter; around it.

    Raises:
        ChejilError: it is at none of these places, or the adapter's config cannot be read.
    """
    try:
        content = orjson.loads((adapter / _CONFIG).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        mend = "copy it again from where it was written"
        raise ChejilError(f"cannot be read: {error}", where=str(adapter / _CONFIG), mend=mend) from None
    named = content.get("base_model_name_or_path") if isinstance(content, dict) else None
    if not named:
        mend = f"name it: base_model_name_or_path in {_CONFIG}"
        raise ChejilError("the adapter does not say its base", where=str(adapter), mend=mend)
    then = Path(named).expanduser()
    for place in (then, adapter / then, adapter.parent / then.name, adapter, adapter.parent):
        if (place / "config.json").is_file():
            return place
    mend = "put it where it was, or beside the adapter's folder; merge-lora takes it as --base FOLDER"
    raise ChejilError(f"the adapter's base is not here: {named}", where=str(adapter), mend=mend)
