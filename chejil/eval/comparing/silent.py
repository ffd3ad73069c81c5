"""A model that could not be loaded: in its place stands why."""

from __future__ import annotations

from collections.abc import Iterator

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Messages, Sampling, Speaker, Spoken
from chejil.eval.comparing import asked_models
from chejil.eval.comparing.asked_models import Asked


class Silent:
    """A speaker that answers every question with an error."""

    def __init__(self, name: str, error: ChejilError) -> None:
        self.name = name
        self.error = error

    def speak(self, messages: Messages, sampling: Sampling) -> Iterator[str | Spoken]:
        """
        Raises:
            ChejilError: always.
        """
        raise self.error


def speakers(asked: Asked) -> list[Speaker]:
    """All models, loaded one after the other.

    Raises:
        ChejilError: none of them could be loaded.
    """
    found: list[Speaker] = []
    for model in asked.models:
        try:
            found.append(asked_models.load(model, asked.device, asked.dtype, asked.key_env))
        except ChejilError as error:
            found.append(Silent(model.name, error))
    silent = [one for one in found if isinstance(one, Silent)]
    if len(silent) == len(found):
        raise silent[0].error
    return found
