"""What an audit allows, and what it says: a verdict a check, with how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError

Verdict = Literal["ok", "note", "refused"]


class AuditSettings(BaseModel):
    """What the audit allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int = Field(default=4096, ge=2, description="The context: what lies behind it is not learnt.")
    max_truncated_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Conversations longer than the context; above it the audit refuses.",
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, verdict, what was seen, and how to mend it."""

    name: str
    verdict: Verdict
    said: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Args:
        sample: the first conversation of at most audit.SAMPLE_TOKENS tokens in pieces of text, learnt or not; else
            the beginning of the first.
    """

    template: str
    tokenizer: str
    conversations: int
    tokens: int
    learnt_tokens: int
    truncated: int
    findings: list[Finding]
    sample: list[dict[str, Any]]

    @property
    def refused(self) -> list[Finding]:
        """Checks that forbid to train."""
        return [finding for finding in self.findings if finding.verdict == "refused"]

    def require(self) -> None:
        """Go on only if nothing was refused.

        Raises:
            ChejilError: every check that was, with its mend.
        """
        if self.refused:
            what = "; ".join(f"{finding.name}: {finding.said}" for finding in self.refused)
            mend = "; ".join(finding.mend for finding in self.refused)
            raise ChejilError(f"the audit refuses to train: {what}", mend=mend)
