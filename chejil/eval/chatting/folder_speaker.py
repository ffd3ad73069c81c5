"""A model in a folder that answers: a loop of our own around `model.forward`.

`generate` of transformers gives its pieces only through a thread and a queue, which goes on when the reader has gone
and swallows Ctrl-C. This loop is a generator: closing it, or Ctrl-C, stops the model at this token, and there is no
thread. Measured on the 1M-parameter debug model, where the loop counts most: see docs/chat.md.

The keys and values of the last answer are kept, and the next prompt computes only what is new. But with a seed or with
temperature 0 every prompt is computed whole: sums in another order could change a token, and such answers are to depend
on the messages and the settings alone.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chejil.errors import ChejilError
from chejil.eval.chatting import history
from chejil.eval.chatting.model_folders import Loaded
from chejil.eval.chatting.prompting import Prompting
from chejil.eval.chatting.speaker import Messages, Sampling, Spoken
from chejil.eval.chatting.token_choice import TokenChoice

if TYPE_CHECKING:
    import torch

_UNKNOWN_CONTEXT = 2048


@dataclass
class _Past:
    """Tokens that were computed, and their keys and values."""

    ids: list[int] = field(default_factory=list)
    cache: Any = None


class FolderSpeaker:
    """See Speaker.

    Args:
        name: of the model, for people.
        loaded: the model on its device.
        prompting: of its tokenizer.
    """

    def __init__(self, name: str, loaded: Loaded, prompting: Prompting) -> None:
        self.name = name
        self.device, self.dtype, self.template = loaded.device, loaded.dtype, prompting.template
        self._model, self._prompting = loaded.model, prompting
        self.notes = [*loaded.notes, *prompting.notes]
        context = _of_config(loaded.model.config, "max_position_embeddings")
        self.context_tokens = context or _UNKNOWN_CONTEXT
        if context is None:
            self.notes.append(f"its config names no longest context: {_UNKNOWN_CONTEXT:,} tokens are taken")
        generation = loaded.model.generation_config
        configured = (generation.eos_token_id, _of_config(loaded.model.config, "eos_token_id"))
        self._ends = prompting.ends.union(*map(_ids, configured))
        self._never = sorted(_ids(generation.suppress_tokens))
        takes = inspect.signature(loaded.model.forward).parameters
        self._last_logits = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._past: _Past | None = None

    def speak(self, messages: Messages, sampling: Sampling) -> Iterator[str | Spoken]:
        """See Speaker.

        Raises:
            ChejilError: the prompt is longer than the context, the template refuses it, or the device is full.
        """
        start = time.perf_counter()
        fitted = history.fit(messages, self._prompting.encode, self.context_tokens, sampling.max_new_tokens)
        if not len(fitted.ids):
            raise ChejilError("the prompt has no token", mend="write something")
        characters = self._prompting.characters()
        text, new, first, finish = "", 0, 0.0, "length"
        with closing(self._tokens(fitted.ids, fitted.room, sampling)) as tokens:
            for token in tokens:
                new += 1
                first = first or time.perf_counter() - start
                if token in self._ends:
                    finish = "stop"
                    break
                piece = characters.add(token)
                if piece := piece if text or self._prompting.keeps_spaces else piece.lstrip():
                    text += piece
                    yield piece
        seconds = time.perf_counter() - start
        yield Spoken(text, finish, first, seconds, len(fitted.ids), new, fitted.left_out)

    def close(self) -> None:
        """Let go of what the last chat computed."""
        self._past = None

    def _tokens(self, prompt: Sequence[int], room: int, sampling: Sampling) -> Generator[int, None, None]:
        """Tokens of an answer, its end among them."""
        # Who comes while it is taken computes anew: two threads never share a cache, and nobody waits.
        past, self._past = self._past or _Past(), None
        repeats = sampling.seed is not None or not sampling.temperature
        common = 0 if repeats else _cut_to_common(past, prompt)
        if not common:
            past = _Past()
        choice = TokenChoice(sampling, prompt, self._model.device, self._never)
        ids, whole = list(prompt[common:]), False
        try:
            for _ in range(room):
                whole = False
                ids = [choice.next(self._logits(ids, past))]
                whole = True
                yield ids[0]
        finally:
            # Ctrl-C inside of the model leaves layers of different lengths.
            self._past = past if whole else None

    def _logits(self, ids: Sequence[int], past: _Past) -> torch.Tensor:
        """(vocabulary) logits behind `ids`, which are added to the past."""
        import torch

        with torch.inference_mode():
            given = torch.tensor([ids], device=self._model.device)
            try:
                made = self._model(given, past_key_values=past.cache, use_cache=True, **self._last_logits)
            except torch.OutOfMemoryError:
                raise ChejilError(
                    f"{self.device} has no memory left at {len(past.ids) + len(ids):,} tokens",
                    mend="/reset begins a new chat; --device auto looks for a free device",
                ) from None
        past.cache = made.past_key_values
        past.ids += ids
        return made.logits[0, -1]


def _cut_to_common(past: _Past, prompt: Sequence[int]) -> int:
    """Cut the past to what it has in common with a prompt; how many tokens that is. The last is always computed."""
    from transformers.cache_utils import DynamicLayer

    pairs = zip(past.ids, prompt[: len(prompt) - 1], strict=False)
    common = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
    if common is None:
        common = min(len(past.ids), len(prompt) - 1)
    surplus = len(past.ids) - common
    if surplus and common:
        # Layers with a window or a state cannot go back.
        if not all(type(layer) is DynamicLayer for layer in getattr(past.cache, "layers", ())):
            return 0
        past.cache.crop(-surplus)
        del past.ids[common:]
    return common


def _of_config(config: Any, name: str) -> Any:
    """A field of a model's config, or of its text model's."""
    found = getattr(config, name, None)
    return found if found is not None else getattr(getattr(config, "text_config", None), name, None)


def _ids(given: Any) -> frozenset[int]:
    """Ids of a field that holds one, several or none."""
    return frozenset([given] if isinstance(given, int) else given or ())
