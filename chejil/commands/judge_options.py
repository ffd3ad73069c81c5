"""Options of the commands that call an endpoint."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chejil.errors import ChejilError

PromptsOption = Annotated[
    str,
    typer.Option(
        "--prompts", help="CSV (id,question,category,task), self-instruct's JSON lines, or koen: ours."
    ),
]
EndpointOption = Annotated[
    str,
    typer.Option("--endpoint", help="An OpenAI-compatible endpoint, up to /v1: http://localhost:8000/v1."),
]
KeyEnvOption = Annotated[
    str | None,
    typer.Option("--key-env", help="The environment variable that holds the key [default: no key]."),
]
ConcurrencyOption = Annotated[int, typer.Option("--concurrency", min=1, max=256, help="Requests at a time.")]
PerMinuteOption = Annotated[
    float | None, typer.Option("--per-minute", min=0.01, help="Requests a minute at most.")
]
TriesOption = Annotated[int, typer.Option("--tries", min=1, help="Of one request, with growing waits.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds for a whole reply.")]
BodyOption = Annotated[
    list[str] | None,
    typer.Option("--body", metavar="NAME=VALUE", help="A field of each request, as YAML; null takes it out."),
]
PriceInOption = Annotated[
    float | None, typer.Option("--price-in", min=0, help="Money for a million tokens in.")
]
PriceOutOption = Annotated[
    float | None, typer.Option("--price-out", min=0, help="Money for a million tokens out.")
]
MaxCostOption = Annotated[
    float | None, typer.Option("--max-cost", min=0, help="Do not begin what is estimated dearer.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the estimate; call nothing, write nothing.")
]

EXIT_INCOMPLETE = 3
"""Done but for what got no reply, or no verdict."""


def fields(settings: list[str] | None) -> dict[str, Any]:
    """Fields of a request from NAME=VALUE.

    Raises:
        ChejilError: one is none.
    """
    import yaml

    found = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise ChejilError(
                f"--body {name[:40]}: no NAME=VALUE", mend="e.g. --body max_completion_tokens=800"
            )
        if name.strip() in ("messages", "model"):
            raise ChejilError(f"--body cannot set '{name.strip()}'", mend="leave it out")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ChejilError(f"--body {name[:40]}: the value is no YAML", mend="quote it") from None
    return found


def told(estimate: Any) -> None:
    """The estimate, on stderr."""
    from chejil import terminal

    terminal.STDERR.print(str(estimate), highlight=False, markup=False, soft_wrap=True)
