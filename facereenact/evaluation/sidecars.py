"""What the sidecar of a result says about how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facereenact.sidecar import sidecar_path


def driving_tracker(result: Path) -> str | None:
    """The tracker of the driver; None without a sidecar of ours."""
    tracker = _read(result).get("tracker")
    return tracker if isinstance(tracker, str) else None


def window_step(result: Path) -> int | None:
    """Frames from the start of one window of the diffusion renderer to the next; None for other results."""
    content = _read(result)
    try:
        chosen = content["settings"]["diffusion"]
        step = int(chosen["window"]) - int(chosen["overlap"])
        return step if content["result"]["renderer"] == "diffusion" and step > 1 else None
    except (KeyError, TypeError, ValueError):
        return None


def _read(result: Path) -> dict[str, Any]:
    try:
        content = json.loads(sidecar_path(result).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
