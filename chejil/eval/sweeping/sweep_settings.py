"""What a sweep is asked for: text, the large run that it stands for, what a proxy is, and which mixtures are tried."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from chejil.curation import settings_file
from chejil.curation.executors.settings import ExecutorSettings, Local
from chejil.errors import ChejilError, RecipeError
from chejil.eval.ablating.objective import AimSettings
from chejil.eval.ablating.proposals import DrawSettings
from chejil.training import config as pretraining
from chejil.training.config import PretrainConfig
from chejil.training.modelling.model_choice import ModelChoice
from chejil.training.planning.epochs import ExpectedSource
from chejil.training.whole_numbers import Positive


class Section(BaseModel):
    """A part of the settings: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Target(Section):
    """The large run that the proxies stand for."""

    model: ModelChoice = Field(
        default_factory=lambda: ModelChoice(size="1b3"),
        description="Its model: what the sweep's cost is a share of.",
    )
    total_tokens: Positive = Field(description="Its tokens: the horizon of epochs.")
    expected: dict[str, ExpectedSource] = Field(
        default_factory=dict,
        description="Tokens that a source will hold, by the sweep's name of it; else what the token shards hold.",
    )


class HeldOut(Section):
    """Text that every proxy is measured on: one excerpt of a row's length of each document that is set aside."""

    share: float = Field(0.02, gt=0, lt=1, description="Documents set aside of each source and language.")
    excerpts: PositiveInt = Field(120, description="Of each source and language, at most; as many documents.")
    seed: int = Field(1, ge=0, lt=2**63, description="Of the choice of documents and excerpts.")


class ProxySettings(Section):
    """What a proxy is: a pretraining's config, changed."""

    config: str = Field(
        "pretrain-debug", description="A pretraining's file, or the bare name of one that ships."
    )
    settings: list[str] = Field(
        default_factory=list,
        description="`KEY=VALUE` changes of it: total_tokens=2_000_000, model.vocab=4096.",
    )
    suite: str | None = Field(
        None,
        description="Likelihood-scored items that each proxy answers at its end: `chejil eval suite` writes them.",
    )
    threads: PositiveInt = Field(1, description="Cores of a proxy on a CPU.")
    keep_checkpoints: bool = Field(False, description="Keep each proxy's last checkpoint; 12 bytes a weight.")


class Transfer(Section):
    """The next size: whether it ranks the best three, natural and the worst as the proxies do."""

    settings: list[str] = Field(
        description="`KEY=VALUE` changes of the proxy: model.layers=6, total_tokens=4_000_000."
    )
    top: int = Field(3, ge=1, description="How many of the best measured mixtures are trained again.")


class SweepSettings(Section):
    """A sweep of proxies."""

    name: str = Field(
        pattern=r"^\w[\w.+-]*$", max_length=80, description="Its name; runs/NAME is its folder."
    )
    about: str = Field("", description="One line for people.")
    tokens: Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        min_length=1, description="Folders of token shards that `chejil encode` wrote."
    )
    sources: dict[str, str] = Field(
        default_factory=dict,
        description="What is mixed: a name and which source/language it means, `web-ko: mc4-*/ko`. None: every one.",
    )
    domains: dict[str, str] = Field(
        default_factory=dict,
        description="What is measured on, likewise; it need not be mixed. None: the sources.",
    )
    target: Target | None = Field(
        None,
        description="The large run; null: proxies see all text, and nothing bounds epochs but its own length.",
    )
    held_out: HeldOut = Field(default_factory=HeldOut, description="Text that every proxy is measured on.")
    proxy: ProxySettings = Field(default_factory=ProxySettings, description="What is trained.")
    proposals: DrawSettings = Field(default_factory=DrawSettings, description="Which mixtures.")
    objective: AimSettings = Field(
        default_factory=AimSettings, description="What the best mixture is best at."
    )
    transfer: Transfer | None = Field(None, description="The next size, for `chejil ablate run --transfer`.")
    executor: ExecutorSettings = Field(default_factory=Local, description="Where proxies are trained.")

    @model_validator(mode="after")
    def _enough(self) -> SweepSettings:
        if not isinstance(self.executor, Local) and self.proxy.threads > 1:
            raise ValueError(
                "proxy.threads: on a cluster each of a task's cpus_per_task trains a proxy; make it 1"
            )
        return self

    @field_validator("sources", "domains")
    @classmethod
    def _two(cls, some: dict[str, str]) -> dict[str, str]:  # of the field, so that the error has its line
        if len(some) == 1:
            raise ValueError(f"'{next(iter(some))}' alone; name at least two, or none for every one there is")
        return some


def load(name: str, settings: Any = ()) -> SweepSettings:
    """Read a sweep's settings.

    Args:
        name: a file or URL, or the bare name of one that ships.
        settings: `KEY=VALUE` overrides.

    Raises:
        RecipeError: everything that is wrong, with line and column.
        ChejilError: it cannot be read.
    """
    return settings_file.load(SweepSettings, name, settings, shipped_as="ablate-")


def proxy_config(proxy: ProxySettings, more: list[str] | None = None) -> PretrainConfig:
    """The pretraining of a proxy, without its data.

    Raises:
        ChejilError: what is wrong in the config or its changes.
    """
    try:
        found = pretraining.load(proxy.config, [*proxy.settings, *(more or [])])
    except RecipeError as error:
        raise ChejilError(
            f"the proxy's config: {error}", where="proxy", mend="mend proxy.config or proxy.settings"
        ) from None
    if found.mixture_file is not None:
        raise ChejilError(
            "a proxy with a mixture_file", where="proxy", mend="take it out: the sweep sets the mixture"
        )
    if found.model.start_from is not None:
        what = "proxies that start from trained weights know text that no mixture gave them"
        raise ChejilError(what, where="proxy", mend="name a size")
    return found
