"""What is asked: a finished run, its recipe, the one asked about, and how both judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chejil.curation import blocklists, filtering, manifest
from chejil.curation.manifest import Manifest
from chejil.curation.recipe import Recipe
from chejil.curation.whatif import comparison, deciders
from chejil.curation.whatif.judging import Judge
from chejil.filters.tokens import NUM_TOKENS


@dataclass
class Question:
    """A run, its recipe and the one asked about, and how they judge."""

    root: str
    content: Manifest
    own: Recipe
    wanted: Recipe
    before: Judge
    after: Judge
    late: tuple[str, ...]
    samples: int = 3
    seed: int = 0

    @classmethod
    def of(
        cls,
        root: str,
        recipe: str | None = None,
        settings: Sequence[str] = (),
        samples: int = 3,
        seed: int = 0,
    ) -> Question:
        """Read the run's manifest and both recipes.

        Raises:
            RunError: no finished run, one without a filter, or more than the filter differs.
            RecipeError: what is wrong with the recipe asked about.
        """
        content = manifest.read(root)
        own, wanted = comparison.asked(root, recipe, settings)
        early, late = deciders.around_filter(own)
        sources = tuple(sorted({entry["shard"].split("/")[0] for entry in content.inputs}))
        said = deciders.reasons_of(content, early)
        before, after = (Judge(one.stage("filter"), sources, said, _lists(one)) for one in (own, wanted))
        return cls(
            root, content, own, wanted, before, after, deciders.reasons_of(content, late), samples, seed
        )

    @property
    def has_tokens(self) -> bool:
        """Whether the run has counted tokens."""
        score = self.own.stage("score")
        return score is not None and NUM_TOKENS in score.names

    @property
    def is_changed(self) -> bool:
        """Whether the filters differ at all."""
        one, other = self.before, self.after
        return (one.policies, one.lists, one.reasons) != (other.policies, other.lists, other.reasons)


def _lists(recipe: Recipe) -> dict[str, tuple[str, str]]:
    urls = filtering.list_urls(recipe.stage("filter"), recipe.data)
    return {name: (url, blocklists.content_hash(url, name)) for name, url in urls.items()}
