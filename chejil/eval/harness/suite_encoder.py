"""lm-eval's Hugging Face model without a model: what it would ask, as ids."""

from __future__ import annotations

from typing import Any

from lm_eval.api.model import TemplateLM

from chejil.eval.harness.model import HarnessModel, PolyglotModel, Request


class HarnessEncoder(HarnessModel):
    """Encodes requests as HarnessModel does; its `loglikelihood` gives texts, ids of the context and of the choice."""

    def __init__(self, tokenizer: Any) -> None:
        TemplateLM.__init__(self)
        self.tokenizer, self.add_bos_token, self.custom_prefix_token_id = tokenizer, None, None
        self.enable_thinking = None

    def _loglikelihood_tokens(self, requests: list[Request], *args: Any, **options: Any) -> Any:
        return requests


class PolyglotEncoder(HarnessEncoder, PolyglotModel):
    """Encodes them as PolyglotModel does."""
