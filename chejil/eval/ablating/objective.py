"""What "best" means, stated before the search: a weighted sum, or Korean best with English no worse than x %.

A value is a number to make small, in bits per byte. The tether adds `tether` bits per byte for each nat of KL
divergence from the natural mixture, so that a prediction must be worth its distance (olmix and marin use 0.05 on
losses that spread wider than ours; 0.005 is our default). A broken bound adds its excess a hundredfold, so the
search returns along it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.ablating import mixtures

PENALTY = 100.0


class AimSettings(BaseModel):
    """What the recommended mixture is best at."""

    model_config = ConfigDict(extra="forbid")

    weights: dict[str, float] = Field(
        default={}, description="of domains in the value; none: half for each language, equal within it"
    )
    english_worse_percent: float | None = Field(
        default=None, ge=0, description="Korean alone is the value; English may be so much worse than natural"
    )
    tether: float = Field(default=0.005, ge=0, description="bits per byte a nat of distance from natural")


class ObjectiveSettings(AimSettings):
    """The aim, and which domain is of which language."""

    languages: dict[str, str] = Field(description="language of each held-out domain: ko or en")


@dataclass(frozen=True)
class Objective:
    """A value of predicted bits per byte: weights, ko, en are (num_domains,) and add up to 1 each.

    english_high: English bits per byte that must not be passed, or None. prior: (num_sources,).
    """

    weights: np.ndarray
    ko: np.ndarray
    en: np.ndarray
    english_high: float | None
    tether: float
    prior: np.ndarray

    def bits(self, values_NM: np.ndarray) -> np.ndarray:
        """Weighted bits per byte, (…,), without tether and bound."""
        return values_NM @ self.weights

    def value(self, weights_NK: np.ndarray, values_NM: np.ndarray) -> np.ndarray:
        """What the search makes small, (N,)."""
        found = self.bits(values_NM) + self.tether * mixtures.kl(weights_NK, self.prior)
        if self.english_high is not None:
            found = found + PENALTY * np.maximum(values_NM @ self.en - self.english_high, 0.0)
        return found


def objective(
    settings: ObjectiveSettings, domains: Sequence[str], prior_K: np.ndarray, natural_M: np.ndarray
) -> Objective:
    """The objective over `domains`; `natural_M` are the natural mixture's bits per byte, to which the bound refers.

    Raises:
        ChejilError: a domain without a language, an unknown one, weights that do not add up to 1.
    """
    for name in domains:
        if settings.languages.get(name) not in ("ko", "en"):
            raise ChejilError(f"no language of '{name}'", where="languages", mend=f"{name}: ko, or en")
    for name in settings.weights:
        if name not in domains:
            raise ChejilError(f"unknown domain '{name}'", where="weights", mend=did_you_mean(name, domains))
    ko, en = (_of_language(settings.languages, domains, language) for language in ("ko", "en"))
    if settings.english_worse_percent is not None:
        if settings.weights:
            raise ChejilError(
                "weights and english_worse_percent",
                mend="leave one out: the bound makes Korean alone the value",
            )
        high = float(natural_M @ en) * (1 + settings.english_worse_percent / 100)
        return Objective(ko, ko, en, high, settings.tether, prior_K)
    return Objective(_weights(settings.weights, domains, ko, en), ko, en, None, settings.tether, prior_K)


def _of_language(languages: Mapping[str, str], domains: Sequence[str], language: str) -> np.ndarray:
    mine = np.array([languages[name] == language for name in domains], np.float64)
    if not mine.any():
        raise ChejilError(f"no domain is {language}", where="languages", mend="measure both languages")
    return mine / mine.sum()


def _weights(
    weights: Mapping[str, float], domains: Sequence[str], ko_M: np.ndarray, en_M: np.ndarray
) -> np.ndarray:
    if not weights:
        return (ko_M + en_M) / 2
    total = sum(weights.values())
    if abs(total - 1) > 1e-6 or min(weights.values()) < 0:
        raise ChejilError(
            f"weights of domains add up to {total:g}", where="weights", mend="make it 1, none below 0"
        )
    return np.array([weights.get(name, 0.0) for name in domains])
