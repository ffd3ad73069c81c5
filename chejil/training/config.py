"""What a pretraining does: model, data, schedule, optimiser, parallelism, checkpoints. YAML in, defaults written out.

Unknown keys are refused, faults have line and column (chejil.curation.settings_file). Values are those that the field
has settled on, with their source; what a device decides (number of GPUs, ranks) is no part of the config, so that the
same file trains the same model on 8 GPUs and on 256: a step is `batch_tokens` whatever the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

from chejil.curation import settings_file
from chejil.errors import ChejilError
from chejil.training.data.data_settings import DataSettings
from chejil.training.data.held_out import HeldOutSettings
from chejil.training.data.mixture import MixtureStages
from chejil.training.data.packing import PackingSettings
from chejil.training.modelling.model_choice import ModelChoice
from chejil.training.modelling.model_sizes import FORMULAS
from chejil.training.planning.epochs import ExpectedSource
from chejil.training.whole_numbers import Positive

Formula = Literal["6n-named", "6n-body", "6n", "6n-all", "6n+6lht", "6n+12lht"]
assert set(get_args(Formula)) == set(FORMULAS)  # a Literal cannot be made of a table


class Section(BaseModel):
    """A part of the config: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Schedule(Section):
    """The learning rate over the steps."""

    kind: Literal["wsd", "cosine"] = Field(
        "wsd", description="warm-up, stable, decay (Hu et al. 2024, MiniCPM); or warm-up and half a cosine."
    )
    learning_rate: float = Field(gt=0, lt=1, description="The highest.")
    warmup_steps: int = Field(0, ge=0, description="Steps of linear warm-up from 0.")
    decay_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="wsd: share of all steps, at the end, in which it falls. cosine has none.",
    )
    decay_shape: Literal["linear", "1-sqrt"] = Field(
        "1-sqrt",
        description="wsd: how it falls; 1-sqrt is better by a little (Hägele et al. 2024).",
    )
    final_share: float = Field(0.0, ge=0, le=1, description="What it ends at, as a share of the highest.")


class Optimiser(Section):
    """AdamW. Weight decay is on matrices of the body and an untied head, not on norms, biases and embeddings."""

    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = Field(
        (0.9, 0.95), description="Decay of the two moments; 0.95 as GPT-3, PaLM and Llama."
    )
    eps: float = Field(1e-8, gt=0, description="In the denominator.")
    weight_decay: float = Field(0.1, ge=0, description="Decoupled, times the learning rate.")
    max_grad_norm: float | None = Field(
        1.0, gt=0, description="Gradients are scaled down to this norm over all weights; null: never."
    )
    fused: bool | None = Field(None, description="One kernel for all weights; null: where the device has it.")


class Loss(Section):
    """Cross-entropy, mean over the tokens of the whole batch."""

    z_loss: float = Field(
        0.0, ge=0, description="Weight of log²Z, which keeps logits small (PaLM, section 5: 1e-4); 0: off."
    )


class SpikeGuard(Section):
    """A step is skipped whose loss or gradient norm stands out (OLMo-core's SkipStep: 6 sigma over 128 steps)."""

    sigma: float | None = Field(
        6.0, gt=0, description="Skipped beyond so many standard deviations above the mean; null: never."
    )
    window_steps: int = Field(128, ge=2, description="Steps over which mean and deviation are taken.")
    max_skips: PositiveInt = Field(
        16, description="The training stops after so many skipped steps in a row: that is no spike."
    )


class Sharding(Section):
    """How weights, gradients and optimiser are divided. Ranks that see other rows are all ranks, in each."""

    kind: Literal["none", "fsdp", "hsdp"] = Field(
        "fsdp",
        description="none: whole on each; fsdp: over all ranks; hsdp: over a group, repeated over groups.",
    )
    group_ranks: PositiveInt | None = Field(
        None, description="hsdp: ranks that share one copy; null: those of a node."
    )
    reshard_after_forward: bool = Field(
        True, description="Weights of a layer are given back between forward and backward (ZeRO-3)."
    )


class Checkpoints(Section):
    """When the state is saved, and what is kept of it."""

    every_steps: PositiveInt = Field(1_000, description="Steps between two.")
    keep_last: PositiveInt = Field(3, description="The newest, kept to resume from.")
    keep_every_steps: PositiveInt | None = Field(
        None, description="Those at multiples of it are kept for good; a multiple of `every_steps`."
    )
    in_background: bool = Field(True, description="Written while the training goes on.")

    @model_validator(mode="after")
    def _multiple(self) -> Checkpoints:
        if self.keep_every_steps and self.keep_every_steps % self.every_steps:
            raise ValueError(
                f"keep_every_steps {self.keep_every_steps} is no multiple of every_steps {self.every_steps}"
            )
        return self


class SuiteSettings(Section):
    """A suite of items that a training scores."""

    suite: str | None = Field(
        None, description="A file of `chejil eval suite`, whose items are scored; null: none."
    )
    suite_every_steps: PositiveInt | None = Field(
        None,
        description="Steps between two scorings; null: with each evaluation of a pretraining, each checkpoint of a "
        "fine-tuning. The last step is always scored, and the base of a fine-tuning.",
    )

    @model_validator(mode="after")
    def _some_suite(self) -> Self:
        if self.suite is None and self.suite_every_steps is not None:
            raise ValueError("suite_every_steps without a `suite`")
        return self


class Evaluation(SuiteSettings):
    """Bits per byte by source on text that is never trained on, and a suite of items."""

    tokens: str | None = Field(
        None, description="A folder of token shards to measure on; null: the documents of `held_out`."
    )
    every_steps: PositiveInt = Field(
        1_000, description="Steps between two; the last step is always measured."
    )

    @property
    def suite_steps(self) -> int:
        """Steps between two scorings of the suite."""
        return self.suite_every_steps or self.every_steps


class Logging(Section):
    """Metrics as JSON lines, and TensorBoard."""

    every_steps: PositiveInt = Field(10, description="Steps between two lines.")
    tensorboard: bool = Field(True, description="Also write TensorBoard's files.")


class PretrainConfig(Section):
    """A pretraining."""

    name: str = Field(
        pattern=r"^\w[\w.+-]*$", max_length=80, description="Its name; runs/NAME is its folder."
    )
    about: str = Field("", description="One line for people.")
    model: ModelChoice = Field(description="What is trained.")
    tokenizer: str | None = Field(
        None,
        description="tokenizer.json or a folder with one; null: the one the token shards were made with.",
    )
    tokens: Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        min_length=1, description="Folders of token shards that `chejil encode` wrote."
    )
    mixture: MixtureStages = Field(default_factory=MixtureStages, description="How much of each source.")
    mixture_file: str | None = Field(
        None,
        description="A YAML file with `stages` and `max_epochs`, as `chejil mix` writes it, as `mixture`.",
    )
    expected: dict[str, ExpectedSource] = Field(
        default_factory=dict,
        description="What sources hold, for `chejil plan` before there are token shards, which overrule it.",
    )
    packing: PackingSettings = Field(
        default_factory=PackingSettings, description="How documents become rows."
    )
    held_out: HeldOutSettings = Field(
        default_factory=HeldOutSettings, description="Documents that are never trained on."
    )
    context_tokens: PositiveInt | None = Field(
        None, description="Tokens of a row; null: the context of the model."
    )
    batch_tokens: Positive = Field(description="Tokens of a step, over all ranks: whole rows.")
    micro_batch_rows: PositiveInt = Field(
        1, description="Rows that a rank takes at once; the rest of its part of the batch is accumulated."
    )
    total_tokens: Positive = Field(description="Tokens of the whole training, rounded up to whole steps.")
    schedule: Schedule = Field(description="The learning rate.")
    optimiser: Optimiser = Field(default_factory=Optimiser, description="AdamW.")
    loss: Loss = Field(default_factory=Loss, description="What is minimised.")
    spikes: SpikeGuard = Field(default_factory=SpikeGuard, description="Steps that are skipped.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one.")
    precision: Literal["bf16", "fp32"] = Field(
        "bf16", description="Of products and activations; weights, moments and sums over ranks are fp32."
    )
    attention: Literal["auto", "sdpa", "flex", "split"] = Field(
        "auto",
        description="sdpa: masks scores between documents; flex: leaves them out, GPUs only; split: a document at a "
        "time, not compiled. auto: flex on a GPU, elsewhere split, or sdpa if compiled.",
    )
    compile: bool = Field(True, description="torch.compile, layer by layer.")
    activation_checkpointing: Literal["none", "selective", "full"] = Field(
        "none",
        description="What is computed again in the backward pass: nothing; all but attention and every second "
        "matrix product; all but the input of each layer.",
    )
    sharding: Sharding = Field(default_factory=Sharding, description="Over ranks.")
    checkpoints: Checkpoints = Field(default_factory=Checkpoints, description="Saved states.")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="Held-out text.")
    logging: Logging = Field(default_factory=Logging, description="Metrics.")
    flops: Formula = Field(
        "6n", description="FLOPs of a token, for MFU and plans: see `chejil plan`, which shows all of them."
    )
    seed: int = Field(1, ge=0, lt=2**63, description="Of initial weights and the order of documents.")
    deterministic: bool = Field(
        False, description="The same bits in every run on the same ranks, where the device can; slower."
    )

    @model_validator(mode="after")
    def _whole_rows(self) -> PretrainConfig:
        if self.model.start_from is None or self.context_tokens is not None:
            self._refuse_parts_of_rows()
        return self  # else its context is known when its folder has been read: see require_whole_rows

    def _refuse_parts_of_rows(self) -> None:
        model, row = self.model.resolved(), self.row_tokens
        if row > model.context_tokens:
            raise ValueError(f"context_tokens {row} is more than the model's {model.context_tokens}")
        if self.batch_tokens % row:
            near = max(1, round(self.batch_tokens / row)) * row
            raise ValueError(f"batch_tokens is no whole number of rows of {row}: {near} is near")

    def require_whole_rows(self) -> None:
        """What could not be checked before the folder of `start_from` was read.

        Raises:
            ChejilError: rows longer than its context, or a batch of parts of rows.
        """
        try:
            self._refuse_parts_of_rows()
        except ValueError as error:
            raise ChejilError(str(error), mend="set context_tokens and batch_tokens") from None

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> PretrainConfig:
        decay = self.schedule.decay_share if self.schedule.kind == "wsd" else 0.0
        if self.schedule.warmup_steps + round(decay * self.steps) > self.steps:
            raise ValueError(f"warm-up and decay take more than the {self.steps} steps")
        return self

    @property
    def row_tokens(self) -> int:
        """Tokens of a row."""
        return self.context_tokens or self.model.resolved().context_tokens

    @property
    def batch_rows(self) -> int:
        """Rows of a step."""
        return self.batch_tokens // self.row_tokens

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return -(-self.total_tokens // self.batch_tokens)

    @model_validator(mode="after")
    def _one_mixture(self) -> PretrainConfig:
        if self.mixture_file is not None and self.mixture != MixtureStages():
            raise ValueError("`mixture` and `mixture_file` exclude each other")
        return self

    def with_mixture(self) -> PretrainConfig:
        """The config with the mixture of its file, if it names one: what a training keeps.

        Raises:
            RecipeError: what is wrong in the file.
        """
        if self.mixture_file is None:
            return self
        mixture = settings_file.load(MixtureStages, self.mixture_file)
        return self.model_copy(update={"mixture": mixture, "mixture_file": None})

    def data(self) -> DataSettings:
        """What decides which tokens are seen, and in which order."""
        return DataSettings(
            row_tokens=self.row_tokens,
            packing=self.packing,
            mixture=self.with_mixture().mixture,
            held_out=self.held_out,
            seed=self.seed,
        )


def load(name: str, settings: Sequence[str] = ()) -> PretrainConfig:
    """Read a config: a file, a URL, or the bare name of one that ships; see settings_file.load."""
    return settings_file.load(PretrainConfig, name, settings, "pretrain-")
