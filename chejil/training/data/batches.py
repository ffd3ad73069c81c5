"""Batches of a training: `batch(step)` follows from the step, the data and the settings alone.

    batches = Batches(settings, TokenCorpus(["tokens/"]), rows_per_batch=1024, num_steps=333_786)
    batches.batch(250_000)                     # at once: no step before it is replayed
    batches.batch(250_000, rank=3, world=8)    # rows 3, 11, 19 … of the same batch

There is no loader state, so a resume is exact on any number of ranks, and a checkpoint holds the step and `identity`.
Finding a row takes four sums: stage -> stream and row (mixture.Interleaving), row -> epoch, epoch and row -> window
(row_index), window -> pieces (packing). What is kept between calls only saves time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import xxhash

from chejil.errors import ChejilError
from chejil.training.data import held_out, row_index
from chejil.training.data.curriculum import Curriculum
from chejil.training.data.data_settings import DataSettings
from chejil.training.data.evaluation_rows import EvaluationRows
from chejil.training.data.mixture import StreamSize
from chejil.training.data.row_index import Windows
from chejil.training.data.rows import Filler, PlacedPieces, Rows, joined
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.data.token_streams import NOBODY, Mapped, Stream
from chejil.training.data.window_plans import WindowPlans

VERSION = 1
"""Of the order of rows: one that is told apart from an older one refuses its checkpoints."""


class Batches:
    """The batches of a training.

    Args:
        rows_per_batch: of the whole batch, over all ranks.
        num_steps: of the training; None where it is not known yet.
        kept: folder for what is computed once (windows, held-out documents); None keeps nothing. By default beside
            the shards.

    Raises:
        ChejilError: see Curriculum, TokenCorpus, and sources that are all held out.
    """

    def __init__(
        self,
        settings: DataSettings,
        corpus: TokenCorpus,
        rows_per_batch: int,
        num_steps: int | None = None,
        kept: str | None = "",
    ) -> None:
        self.settings, self.corpus, self.rows_per_batch = settings, corpus, rows_per_batch
        kept = corpus.root if kept == "" else kept
        self.held = held_out.held_out(corpus, settings.held_out, kept)
        self.streams = self._streams()
        self.windows = row_index.windows_of(
            self.streams, settings.row_tokens, settings.packing, corpus.fingerprint, kept
        )
        self._plans = [
            WindowPlans(stream, windows, settings.row_tokens, settings.packing)
            for stream, windows in zip(self.streams, self.windows, strict=True)
        ]
        self.sizes = [_size(*pair) for pair in zip(self.streams, self.windows, strict=True)]
        self.curriculum = Curriculum(
            settings.mixture, self.sizes, rows_per_batch, settings.row_tokens, num_steps
        )
        self.shards = [shard for stream in self.streams for shard in stream.shards]
        self._first_shard = np.cumsum([0, *(len(stream.shards) for stream in self.streams)])
        self._tokens, self._filler = Mapped("tokens"), self._new_filler()

    def _streams(self) -> list[Stream]:
        window, seed = self.settings.packing.window_tokens, self.settings.seed
        return [
            Stream(shards, seed, window, self.held.get(f"{source}/{lang}", (NOBODY,))[0])
            for (source, lang), shards in self.corpus.groups.items()
        ]

    def _new_filler(self) -> Filler:
        table, start = self.corpus.token_bytes().num_bytes, self.settings.packing.start_token
        return Filler(self.settings.row_tokens, self.corpus.end_id, start, table)

    @property
    def names(self) -> list[str]:
        """Source and language of each stream, as `Rows.source_B` counts them."""
        return [stream.name for stream in self.streams]

    def warnings(self) -> list[str]:
        """What a user should know before the training: see Curriculum.warnings, and settings without an effect."""
        said = self.curriculum.warnings()
        if self.settings.packing.start_token and self.corpus.end_id is None:
            said.append("the shards have no end-of-document token: documents begin without a start token")
        return said

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Rows:
        """The batch of a step, or the rows of it that a rank takes: rank, rank + world, ….

        Raises:
            ChejilError: a step behind the end, or a world that does not divide the batch.
        """
        if self.rows_per_batch % world:
            what = f"{self.rows_per_batch} rows a batch cannot be divided among {world} ranks"
            raise ChejilError(what, mend="take a batch that is a multiple of the ranks")
        source_B, row_B = self.curriculum.rows_of(step)
        pieces = self._pieces(source_B, row_B)
        if world > 1:
            mine = np.flatnonzero(pieces.row % world == rank)
            pieces, source_B = pieces.at(mine), source_B[rank::world]
            pieces = replace(pieces, row=pieces.row // world)
        return self._fill(pieces, source_B)

    def pieces(self, step: int) -> PlacedPieces:
        """Where the text of a batch lies: what was seen, and how often. `shard` is a place in `shards`."""
        return self._pieces(*self.curriculum.rows_of(step))

    def _pieces(self, source_B: np.ndarray, row_B: np.ndarray) -> PlacedPieces:
        """All pieces of some rows; the rows of each stream follow one another."""
        parts = []
        for stream in np.unique(source_B):
            rows = np.flatnonzero(source_B == stream)
            found = self._plans[stream].pieces(int(row_B[rows[0]]), int(row_B[rows[-1]]) + 1)
            shard = found.shard + int(self._first_shard[stream])
            parts.append(replace(found, row=rows[found.row], shard=shard))
        return joined(parts)

    def _fill(self, pieces: PlacedPieces, source_B: np.ndarray) -> Rows:
        numbers, shard = np.unique(pieces.shard, return_inverse=True)
        tokens = [self._tokens(self.shards[number]) for number in numbers]
        return self._filler.fill(replace(pieces, shard=shard), tokens, source_B)

    def evaluation(self, rows: int) -> EvaluationRows:
        """The held-out documents, in fixed order."""
        return EvaluationRows(self.streams, self.held, self.settings, self._filler, rows)

    def evaluation_of(self, corpus: TokenCorpus, rows: int) -> EvaluationRows:
        """Another corpus, of the same tokenizer, as if all of it were held out."""
        seed = self.settings.held_out.seed
        streams = [
            Stream(shards, seed, self.settings.packing.window_tokens) for shards in corpus.groups.values()
        ]
        held = held_out.all_documents(corpus, seed)
        return EvaluationRows(streams, held, self.settings, self._filler, rows)

    def packed(self) -> list[dict[str, Any]]:
        """What packing does to an epoch of each stream: a row each.

        Keys: source, lang, documents, held_out, tokens, rows, padded (places), padded_share, cut (documents in
        several rows), cropped (tokens that are in no row: always 0).
        """
        return [
            {
                "source": stream.source, "lang": stream.lang, "documents": int(windows.documents.sum()),
                "held_out": len(stream.held_out), "tokens": windows.num_tokens, "rows": windows.num_rows,
                "padded": windows.num_rows * self.settings.row_tokens - windows.num_tokens,
                "padded_share": windows.padded(self.settings.row_tokens), "cut": int(windows.cut.sum()),
                "cropped": 0,
            }
            for stream, windows in zip(self.streams, self.windows, strict=True)
        ]  # fmt: skip

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on with the same rows; see `refuse_another`."""
        held = {
            name: xxhash.xxh3_64_hexdigest(numbers.tobytes())
            for name, (numbers, _) in sorted(self.held.items())
        }
        return {
            "version": VERSION,
            "data": self.corpus.fingerprint,
            "tokenizer": self.corpus.tokenizer_hash,
            "held_out": xxhash.xxh3_128_hexdigest(orjson.dumps(held)),
            "rows_per_batch": self.rows_per_batch,
            "row_tokens": self.settings.row_tokens,
            "packing": self.settings.packing.model_dump(),
            "seed": self.settings.seed,
            "stages": [
                {"begin": stage.begin, "shares": stage.order.shares.tolist()}
                for stage in self.curriculum.stages
            ],
        }

    def refuse_another(self, saved: dict[str, Any], step: int) -> None:
        """A training may only go on with the rows it was begun with. Stages that begin later may have changed.

        Args:
            saved: `identity` as the checkpoint has it.
            step: the next one.

        Raises:
            ChejilError: what differs.
        """
        now, then = self.identity, dict(saved)
        for said in (now, then):
            said["stages"] = [stage for stage in said.get("stages", []) if stage["begin"] < step]
        other = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
        if other:
            shown = ", ".join(f"{_SAID[name]}{_both(then.get(name), now.get(name))}" for name in other)
            mend = "take the data and settings of the checkpoint; or begin a new training from its weights"
            raise ChejilError(f"the checkpoint was made with other rows: {shown}", mend=mend)


_SAID = {
    "version": "the order of rows (a version of chejil)",
    "data": "the token shards",
    "tokenizer": "the tokenizer",
    "held_out": "the held-out documents",
    "rows_per_batch": "rows a batch",
    "row_tokens": "tokens a row",
    "packing": "packing",
    "seed": "the seed",
    "stages": "the mixture up to this step",
}


def _both(then: Any, now: Any) -> str:
    if isinstance(now, dict) and isinstance(then, dict):
        return "".join(
            f" {key} {_both(then.get(key), now[key]).strip()}" for key in now if then.get(key) != now[key]
        )
    short = [str(value)[:12] for value in (then, now)]
    return "" if isinstance(now, list) else f" ({short[0]} then, {short[1]} now)"


def _size(stream: Stream, windows: Windows) -> StreamSize:
    """An epoch of a stream; the bytes of what is not held out follow from its tokens."""
    num_bytes = round(stream.num_bytes * windows.num_tokens / stream.num_tokens)
    return StreamSize(stream.source, stream.lang, windows.num_rows, windows.num_tokens, num_bytes)
