"""The candidates of a suite as flat arrays, cut to what a model takes; what a training reads of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chejil.errors import ChejilError
from chejil.training.suites.suite_file import Suite


@dataclass(frozen=True)
class Candidates:
    """Candidates, item after item, choice after choice.

    Args:
        ids: (num_tokens) int32, context and choice.
        first: (num_candidates + 1) int64, where each begins.
        num_scored: (num_candidates) int64, tokens at its end whose log-likelihoods are added up.
        num_cut: candidates that lost their beginning.
    """

    ids: np.ndarray
    first: np.ndarray
    num_scored: np.ndarray
    num_cut: int

    @property
    def num(self) -> int:
        """How many there are."""
        return len(self.num_scored)

    @property
    def lengths(self) -> np.ndarray:
        """(num_candidates) int64, tokens of each."""
        return np.diff(self.first)

    @property
    def is_scored(self) -> np.ndarray:
        """(num_tokens) bool."""
        place = np.arange(len(self.ids)) - np.repeat(self.first[:-1], self.lengths)
        return place >= np.repeat(self.lengths - self.num_scored, self.lengths)


def candidates(suite: Suite, max_inputs: int, begin: tuple[int, ...] = ()) -> Candidates:
    """Lay the candidates of a suite out.

    Args:
        max_inputs: tokens that the model reads of one. A longer one loses its beginning, as in lm-eval; its last token
            is predicted only, so it may have one more.
        begin: what the training's model expects before a text. It is put before contexts of mode `harness` whose
            tokenizer put nothing there: the exported tokenizer does so (exporting/exported_tokenizer.py). In `polyglot`
            nothing stands there.

    Raises:
        ChejilError: a choice that alone is longer than that.
    """
    before = begin if suite.header.mode == "harness" and not suite.header.begin else ()
    parts: list[np.ndarray] = []
    num_scored, num_cut = [], 0
    for item in suite.items:
        for number, choice in enumerate(item.choices):
            if len(choice) > max_inputs:
                what = f"a choice of {len(choice):,} tokens, the training's rows have {max_inputs:,}"
                mend = f"leave the task {item.task} out of the suite"
                raise ChejilError(what, where=f"{suite.path}, item {item.id}", mend=mend)
            context = item.context(number)
            here = () if context[: len(before)] == before else before
            whole = np.array([*here, *context, *choice], np.int32)
            num_cut += len(whole) > max_inputs + 1
            parts.append(whole[-(max_inputs + 1) :])
            num_scored.append(len(choice))
    first = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return Candidates(np.concatenate(parts), first, np.array(num_scored, np.int64), num_cut)


def said(suite: Suite, found: Candidates, times: int, trained_tokens: int) -> str:
    """What a suite costs, in words: a token that is read costs a third of one that is trained on.

    Args:
        times: that it is scored.
        trained_tokens: of the whole training.
    """
    share = len(found.ids) * times / (3 * trained_tokens)
    cut = f"; {found.num_cut:,} candidates lost their beginning" if found.num_cut else ""
    return (
        f"suite {suite.header.suite}: {len(suite.items):,} items, {found.num:,} candidates, {len(found.ids):,} tokens, "
        f"scored {times:,} times: about {share:.2%} of the training's FLOPs{cut}"
    )


def begin_of(tokenizer: object) -> tuple[int, ...]:
    """Ids that a tokenizer of transformers puts before a text by itself."""
    whole, bare = (tokenizer("a", add_special_tokens=more)["input_ids"] for more in (True, False))  # type: ignore[operator]
    for number in range(len(whole) - len(bare) + 1):
        if whole[number : number + len(bare)] == bare:
            return tuple(whole[:number])
    return ()
