"""Answers of a model in a folder: one prompt after the other, each computed whole, so that no answer depends on others.

Replies are kept in the transcripts as those of an endpoint are. The request names the model by what is in the folder
(config, weights, tokenizer), not by its path: a folder that was exported anew answers anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chejil.curation import shards
from chejil.errors import ChejilError
from chejil.eval.chatting import loading, model_folders
from chejil.eval.chatting.speaker import Sampling, Spoken
from chejil.eval.judging.answers import Answer
from chejil.eval.judging.endpoint import NoReply, Reply
from chejil.eval.judging.prompts import Prompt
from chejil.eval.judging.transcripts import Transcripts, key_of

_KINDS = (".safetensors", ".bin", ".json", ".jinja")


class FolderAnswerer:
    """An Answerer; the model is loaded when the first prompt is new.

    Args:
        folder: see loading.load.
        transcripts: what it said before.
        options: temperature, max_tokens. There is no penalty and no top-k: as an endpoint answers that is told no more.
        system: a system message before each prompt.
    """

    def __init__(
        self,
        folder: str,
        transcripts: Transcripts,
        options: Mapping[str, Any],
        system: str | None = None,
        device: str = "auto",
        template: str | None = None,
    ) -> None:
        self.name = folder
        self._transcripts, self._options, self._system = transcripts, dict(options), system
        self._device, self._template = device, template
        self._identity = _identity(folder)
        self._speaker: Any = None
        # Drawn ones repeat, too: a file of answers is to follow from its inputs.
        self._sampling = Sampling(
            temperature=options.get("temperature", 0.0), max_new_tokens=options.get("max_tokens", 1024), top_p=1,
            top_k=0, repetition_penalty=1, seed=0,
        )  # fmt: skip

    def answer(self, prompt: Prompt) -> Answer:
        """Ask, or look up; one thread at a time.

        Raises:
            NoReply: the prompt is longer than the context, or the template refuses it.
            ChejilError: the model cannot be loaded.
        """
        body = self.body(prompt)
        reply = self._transcripts.get(body)
        if reply is None:
            reply = self._asked(body["messages"])
            self._transcripts.add(body, reply)
        return Answer(prompt.id, self.name, reply.text, prompt.hash, reply.finish)

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """What is asked, as the transcripts keep it."""
        system = [{"role": "system", "content": self._system}] if self._system else []
        return {
            "model": self._identity,
            "template": self._template,
            "messages": [*system, {"role": "user", "content": prompt.question}],
            **self._options,
        }

    def _asked(self, messages: list[dict[str, str]]) -> Reply:
        if self._speaker is None:
            self._speaker = loading.load(self.name, self._device, template=self._template)
        try:
            *_, spoken = self._speaker.speak(messages, self._sampling)
        except ChejilError as error:
            # The others may well be answered.
            raise NoReply(error.what) from None
        assert isinstance(spoken, Spoken)
        return Reply(spoken.text.strip(), spoken.finish, spoken.prompt_tokens, spoken.new_tokens)


def _identity(folder: str) -> str:
    """By what is in a folder: 3 GB/s or so."""
    place = model_folders.place_of(folder)
    folders = [place.model, *([place.adapter] if place.adapter else [])]
    files = sorted(file for one in folders for file in Path(one).iterdir() if file.suffix in _KINDS)
    hashes = {file.name: shards.file_hash(str(file)) for file in files if file.name != "lineage.json"}
    return f"folder:{key_of(hashes)}"
