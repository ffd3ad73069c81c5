"""Whole numbers as people write them in a config: 1.4e12 is a text to YAML and a fraction to Python."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _whole(value: Any) -> Any:
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return int(number) if isinstance(number, float) and number.is_integer() else value


Count = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
"""A whole number; may be written 1.4e12 or 1_400_000."""

Positive = Annotated[int, BeforeValidator(_whole), Field(gt=0)]
"""At least one; may be written 1.4e12 or 1_400_000."""
