"""A setting that is also an option of a command: its default, and what `--help` says of it."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(default: Any, help_text: str, **more: Any) -> Any:
    """A dataclass field from which `facereenact.cli.options` makes an option; `more` is described there."""
    return field(default=default, metadata={"help": help_text, **more})
