"""Splitting by a regex of one's own: by `tokenizers` itself, so that it cuts as the tokenizer.json will.

It takes Python strings and gives Python strings: 2 to 6 MB/s, where a compiled matcher does 200. Oniguruma gives up on
a text that takes it ten million steps back (eleven million blanks in a row, for GPT-4's regex); then the text is named.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from chejil.errors import ChejilError
from chejil.tokenizer.counting.word_counts import buffers

_PANIC = "PanicException"
"""What Rust's panics are called here; they are no Exception, and have no module to import them from."""


def word_offsets(regex: str, texts: pa.LargeStringArray) -> np.ndarray:
    """Where the words of all texts begin in their bytes, and where the last one ends, int64.

    >>> word_offsets(r"\\w+", pa.array(["a bc", "d"], pa.large_string()))
    array([0, 1, 2, 4, 5])

    Raises:
        ChejilError: Oniguruma gave up on a text.
    """
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(regex), "isolated")
    sizes = []
    for text in texts.to_pylist():
        try:
            sizes += [len(word.encode()) for word, _ in split.pre_tokenize_str(text)]
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            mend = "use a named pattern, which has no such limit, or a regex that steps back less"
            raise ChejilError(
                f"{error}, in a text of {len(text):,} characters", where=regex, mend=mend
            ) from None
    return buffers(texts)[1][0] + np.r_[0, np.cumsum(sizes, dtype=np.int64)].astype(np.int64)
