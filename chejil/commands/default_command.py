"""A group that is also a command: `chejil eval MODEL --suite …` is `chejil eval run MODEL --suite …`.

What comes first decides: the name of a subcommand is that subcommand, everything else is the default's argument or
option. A model in a folder that is named as a subcommand is written ./compare. Without the default, the group is as
any other.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

DEFAULT = "run"


class DefaultCommand(TyperGroup):
    """A group whose subcommand `run` needs not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default's name in front where no subcommand is named."""
        own = {*self.commands, *ctx.help_option_names}
        if args and args[0] not in own and DEFAULT in self.commands:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


def group(help_text: str) -> typer.Typer:
    """An empty group of that kind."""
    return typer.Typer(cls=DefaultCommand, no_args_is_help=True, rich_markup_mode=None, help=help_text)
