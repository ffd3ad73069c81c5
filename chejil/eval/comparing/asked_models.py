"""Which models are compared: places, names and templates as the command line gives them, and what the page is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from pydantic import BaseModel, ConfigDict, Field

from chejil.errors import ChejilError, did_you_mean
from chejil.eval.chatting.speaker import Sampling, Speaker
from chejil.eval.comparing.rounds import LETTERS

_NAMED = re.compile(r"(?P<name>[^=/\\:#]+)=(?P<place>.+)", re.DOTALL)
PLAIN = "plain"
"""In place of a template: the model continues the question as text, as base models do."""

_MEND_SEVERAL = "name two or more: folders, adapters, or endpoints (http://HOST/v1#MODEL)"


class AskedModel(BaseModel):
    """A model that answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="Unique; votes are on names.")
    place: str = Field(min_length=1, description="A folder, an adapter's folder, or an endpoint.")
    template: str | None = Field(None, description="A chat template in place of the model's own.")


class Asked(BaseModel):
    """All that a page or a terminal needs to begin."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[AskedModel, ...] = Field(description="Two or more.")
    prompts: str | None = Field(None, description="A file of prompts, or koen.")
    votes: str = Field("votes.jsonl", description="The file that votes are appended to.")
    blind: bool = Field(False, description="Hide names until the vote.")
    seed: int = Field(1, ge=0, description="Of the order in blind rounds.")
    voter: str | None = Field(None, description="A label of who votes.")
    device: str = Field("auto", description="As `chejil chat` takes it.")
    dtype: str = Field("auto", description="As `chejil chat` takes it.")
    key_env: str | None = Field(None, description="The environment variable with the endpoints' key.")
    sampling: Sampling = Field(default_factory=Sampling, description="How tokens are chosen.")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all models."""
        return tuple(model.name for model in self.models)


def models_of(places: Sequence[str], templates: Sequence[str] = ()) -> tuple[AskedModel, ...]:
    """Models from `PLACE` or `NAME=PLACE`, and templates from `NAME=TEMPLATE`.

    Raises:
        ChejilError: fewer than two, a place or a name that comes twice, or a template of an unknown name.
    """
    named = [_named(place) for place in places]
    if len(named) < 2:
        said = "one model is" if named else "no models are"
        raise ChejilError(f"{said} nothing to compare", mend=_MEND_SEVERAL)
    if len(named) > len(LETTERS):
        raise ChejilError(f"{len(named)} models are too many to compare", mend=f"at most {len(LETTERS)}")
    chosen = _templates(templates, [name for name, _ in named])
    models = tuple(AskedModel(name=name, place=place, template=chosen.get(name)) for name, place in named)
    _refuse_twins(models)
    return models


def _named(place: str) -> tuple[str, str]:
    """
    >>> _named("old=runs/a"), _named("runs/a=b/last"), _named("http://h:1/v1#org/m")
    (('old', 'runs/a'), ('last', 'runs/a=b/last'), ('m', 'http://h:1/v1#org/m'))
    """
    found = _NAMED.fullmatch(place)
    if found:
        return found["name"].strip(), found["place"]
    rest = place.rstrip("/")
    return PurePath(rest.rpartition("#")[2] if "://" in rest else Path(rest).absolute()).name or rest, place


def _templates(templates: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    found = {}
    for template in templates:
        name, equals, value = template.partition("=")
        if not equals or not value:
            raise ChejilError(
                f"--template {template[:60]}: no NAME=TEMPLATE", mend="e.g. --template old=my.jinja"
            )
        if name not in names:
            raise ChejilError(f"--template {name[:60]}: no such model", mend=did_you_mean(name, names))
        found[name] = value
    return found


def _refuse_twins(models: Sequence[AskedModel]) -> None:
    names: set[str] = set()
    places: set[tuple[str, str | None]] = set()
    for model in models:
        place = model.place if "://" in model.place else str(Path(model.place).resolve())
        if (place, model.template) in places:
            mend = "compare two models, or one with two templates: --template NAME=TEMPLATE"
            raise ChejilError("a model comes twice", where=model.place, mend=mend)
        if model.name in names:
            mend = f"give it another: other-{model.name}={model.place}"
            raise ChejilError(f"two models are called '{model.name}'", where=model.place, mend=mend)
        names.add(model.name)
        places.add((place, model.template))


def load(model: AskedModel, device: str, dtype: str, key_env: str | None = None) -> Speaker:
    """Load a model.

    Raises:
        ChejilError: it cannot be.
    """
    from chejil.eval.chatting import loading

    is_plain = model.template == PLAIN
    return loading.load(
        model.place,
        device=device,
        dtype=dtype,
        template=None if is_plain else model.template,
        name=model.name,
        plain=is_plain,
        key_env=key_env,
    )
