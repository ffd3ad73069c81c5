"""Speakers by place: a folder, an adapter's folder, or an endpoint's URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from chejil.errors import ChejilError
from chejil.eval.chatting.endpoint_speaker import EndpointSpeaker
from chejil.eval.chatting.folder_speaker import FolderSpeaker


def is_endpoint(place: str) -> bool:
    """Whether a place is a URL."""
    return place.startswith(("http://", "https://"))


def load(
    place: str,
    device: str = "auto",
    dtype: str = "auto",
    template: str | None = None,
    name: str | None = None,
    *,
    plain: bool = False,
    endpoint_model: str | None = None,
    key_env: str | None = None,
) -> FolderSpeaker | EndpointSpeaker:
    """What answers.

    Args:
        place: a folder of Hugging Face (`chejil export`'s, or any), an adapter's of PEFT, or `http://HOST/v1#MODEL`.
        device: auto (the freest GPU that has room, MPS, else the CPU), cpu, mps, cuda, cuda:NUMBER.
        dtype: auto, fp32, bf16 or fp16.
        template: a name of chat_templates.yaml or a Jinja file [default: the tokenizer's own].
        name: for people [default: the folder's].
        plain: continue the last message as text, without a template.
        endpoint_model: the endpoint's name of the model, where the URL has none behind `#`.
        key_env: the environment variable that holds the endpoint's key.

    Raises:
        ChejilError: nothing there can answer.
    """
    if is_endpoint(place):
        return _endpoint(place, endpoint_model, key_env, name)
    from chejil.eval.chatting import model_folders, prompting
    from chejil.training import installed

    installed.require_torch()
    found = model_folders.place_of(place)
    # First what is quick: a missing template is known before gigabytes are read.
    prompts = prompting.of_folder(found.tokenizer, template, plain)
    loaded = model_folders.load(found, device, dtype)
    return FolderSpeaker(name or Path(place).resolve().name, loaded, prompts)


def _endpoint(place: str, model: str | None, key_env: str | None, name: str | None) -> EndpointSpeaker:
    named = urlsplit(place).fragment or model
    if not named:
        raise ChejilError(
            "which model of the endpoint?", where=place[:80], mend="write it behind #: http://HOST/v1#MODEL"
        )
    return EndpointSpeaker(place.partition("#")[0], named, key_env, name)
