"""What a training reads: its batches, and the rows that it is measured on."""

from __future__ import annotations

from dataclasses import dataclass

from chejil.errors import ChejilError
from chejil.tokenizer.files import byte_level
from chejil.training.config import PretrainConfig
from chejil.training.data.batches import Batches
from chejil.training.data.evaluation_rows import EvaluationRows
from chejil.training.data.token_corpus import TokenCorpus


@dataclass(frozen=True)
class Data:
    """Batches of the training and held-out rows."""

    batches: Batches
    held_out: EvaluationRows

    @property
    def num_streams(self) -> int:
        """Sources and languages that rows are of."""
        return len(self.batches.names)

    @property
    def corpus(self) -> TokenCorpus:
        """The token shards."""
        return self.batches.corpus


def read(config: PretrainConfig) -> Data:
    """Open the token shards of a training; the index of rows and the held-out documents are made if they are not there.

    Raises:
        ChejilError: no shards, shards of another tokenizer, more ids than the model has rows; see Batches.
    """
    tokenizer = byte_level.read(config.tokenizer).hash if config.tokenizer else None
    corpus = TokenCorpus(config.tokens, tokenizer)
    _refuse_many_ids(config, corpus)
    batches = Batches(config.data(), corpus, config.batch_rows, config.steps)
    return Data(batches, _held_out(config, batches))


def _refuse_many_ids(config: PretrainConfig, corpus: TokenCorpus) -> None:
    ids, rows = corpus.folders[0].manifest["num_ids"], config.model.resolved().vocab
    if ids > rows:
        what = f"the tokenizer has {ids:,} ids, the model {rows:,} rows for them"
        raise ChejilError(
            what, where=corpus.root, mend=f"set model.vocab to {-(-ids // 128) * 128} (a multiple of 128)"
        )


def _held_out(config: PretrainConfig, batches: Batches) -> EvaluationRows:
    folder = config.evaluation.tokens
    if folder is None:
        return batches.evaluation(config.micro_batch_rows)
    corpus = TokenCorpus([folder], batches.corpus.tokenizer_hash)
    if corpus.fingerprint in {one.fingerprint for one in batches.corpus.folders}:
        mend = "name a folder of other documents, or leave it out to measure on `held_out`"
        raise ChejilError("evaluation.tokens is trained on", where=folder, mend=mend)
    return batches.evaluation_of(corpus, config.micro_batch_rows)
