"""Where a recipe's work is done: on this machine, by Slurm, or by Ray. It is in no key: the bytes are the same.

A cluster only schedules. It gets, for each stage, a number of tasks; task r does the units r, r + N, r + 2N …, and each
unit leaves its record when it is done, as on one machine. So a task that died costs the unit that it was at.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Local(_Settings):
    """Processes of this machine; `--workers` says how many."""

    kind: Literal["local"] = "local"


class Resources(_Settings):
    """What a task asks for."""

    cpus_per_task: int = Field(1, ge=1, description="Processes of a task; each does a unit on one core.")
    mem_per_cpu_gb: int = Field(2, ge=1, description="Memory of a process; a map unit stays below 1.5 GB.")


class Cluster(Resources):
    """What Slurm and Ray have in common."""

    tasks: int = Field(
        100, ge=1, description="Tasks of a stage at most; task r does the units r, r + tasks …"
    )
    at_once: int | None = Field(None, ge=1, description="Tasks that run at the same time at most [all].")
    gather: Resources | None = Field(
        None,
        description="What a gather stage asks for: one task that holds 5 bytes a document [as the others].",
    )
    folder: str | None = Field(
        None, description="Job scripts and logs; all nodes see it [RUN/jobs; must be set where RUN is a URL]."
    )
    poll_seconds: float = Field(
        5.0, gt=0, le=600, description="How often is looked for finished units, at most."
    )

    def resources(self, gather: bool) -> Resources:
        """What a task of a stage asks for."""
        return self.gather if gather and self.gather is not None else self


class Slurm(Cluster):
    """Array jobs, one a stage, submitted from a login node that waits for them."""

    kind: Literal["slurm"]
    partition: str = Field(description="Slurm's partition.")
    time: str = Field(
        "24:00:00",
        pattern=r"^(\d+-)?\d+(:\d+){0,2}$",
        description="Time limit of a task, as Slurm writes it.",
    )

    @field_validator("time", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError("YAML reads 24:00:00 as a number of seconds: write it in quotes, '24:00:00'")
        return value

    qos: str | None = Field(None, description="Quality of service [the cluster's default].")
    account: str | None = Field(None, description="Account that is charged [the user's default].")
    sbatch: dict[str, str | int] = Field({}, description="More options of sbatch, without their dashes.")
    env_command: str | None = Field(
        None, description="Shell line that sets up a task [put this Python's folder first in PATH]."
    )


class Ray(Cluster):
    """Tasks on a Ray cluster that runs already."""

    kind: Literal["ray"]
    address: str = Field(
        "auto", description="host:port of its head; auto: the cluster that runs on this host."
    )
    autoscale: bool = Field(
        False,
        description="Wait for nodes that are large enough, where no present one is; else that is an error.",
    )
    silent_seconds: float = Field(
        300.0, ge=30, description="A task that gives no sign of life for so long is taken for dead."
    )


ExecutorSettings = Annotated[Local | Slurm | Ray, Field(discriminator="kind")]
