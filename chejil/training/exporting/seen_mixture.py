"""What a training has read up to a checkpoint, by source: counted again from the shards, not taken from the config.

Which rows a step takes follows from the settings and the sizes of the sources (chejil/training/data/curriculum.py),
so tokens and epochs of each source are sums that need neither the loop's records nor a token of the shards: 0.1 s,
where the index of rows stands beside the shards. Without the shards only their fingerprint is known, and nothing is
said of the mixture.
"""

from __future__ import annotations

from typing import Any

from chejil.errors import ChejilError
from chejil.training.data.batches import Batches
from chejil.training.data.token_corpus import TokenCorpus
from chejil.training.exporting.trained_checkpoint import TrainedCheckpoint


def seen(trained: TrainedCheckpoint) -> tuple[list[dict[str, Any]], str | None]:
    """A row for each source and language, and why there is none.

    Keys: source, lang, rows, tokens (places of rows), share, bytes (of text), epochs.
    """
    try:
        config = trained.config
        batches = Batches(config.data(), TokenCorpus(config.tokens), config.batch_rows, config.steps)
    except ChejilError as error:
        return [], f"the token shards cannot be read: {error.what}"
    known = trained.rows.get("data")
    if known is not None and known != batches.corpus.fingerprint:
        return [], "the token shards are others now than those of the training"
    taken = batches.curriculum.taken_before(trained.step)
    epochs, total = batches.curriculum.epochs(taken), max(int(taken.sum()), 1)
    return [
        {
            "source": size.source, "lang": size.lang, "rows": int(rows), "tokens": int(rows) * config.row_tokens,
            "share": int(rows) / total, "bytes": round(int(rows) * size.num_bytes / max(size.num_rows, 1)),
            "epochs": float(epoch),
        }
        for size, rows, epoch in zip(batches.sizes, taken, epochs, strict=True)
    ], None  # fmt: skip
