"""The keys and shapes that a file of weights must have."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Shape = tuple[int, ...]

FOLDER = Path(__file__).parent / "manifests"  # NAME.json.gz: key -> shape of one full-size network
SHOWN = 5  # of each kind of difference


@dataclass(frozen=True)
class Layout:
    """The tensors of one file: those of the named manifests together, under their current names.

    Types are not part of it: published files hold float16 or float32.
    """

    manifests: tuple[str, ...]
    without: tuple[str, ...] = ()  # keys of the manifests that this network lacks
    renames: tuple[tuple[str, str], ...] = ()  # (old, new) parts of keys, applied in order to what a file holds
    ignored: tuple[str, ...] = ()  # keys that a file may hold and that are not kept

    def shapes(self) -> dict[str, Shape]:
        """Key and shape of every tensor."""
        wanted = {key: shape for name in self.manifests for key, shape in read_manifest(FOLDER, name).items()}
        return {key: shape for key, shape in wanted.items() if key not in self.without}

    def current_name(self, key: str) -> str | None:
        """The key under its current name, or None where it is not kept."""
        if key in self.ignored:
            return None
        for old, new in self.renames:
            key = key.replace(old, new)
        return key

    def differences(self, found: Mapping[str, Shape]) -> str:
        """What is missing, left over or of another shape in `found`, in words; empty if nothing is."""
        wanted = self.shapes()
        named = {name: shape for key, shape in found.items() if (name := self.current_name(key)) is not None}
        missing = [key for key in wanted if key not in named]
        extra = [key for key in named if key not in wanted]
        changed = [
            f"{key} is {list(named[key])} instead of {list(shape)}"
            for key, shape in wanted.items()
            if key in named and named[key] != shape
        ]
        parts = [listed("missing", missing), listed("unknown", extra), listed("wrong shape", changed)]
        return "; ".join(part for part in parts if part)


def listed(kind: str, items: list[str]) -> str:
    """The first few of the items, then how many more there are."""
    if not items:
        return ""
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return f"{len(items)} {kind}: {', '.join(items[:SHOWN])}{more}"


@cache
def read_manifest(folder: Path, name: str) -> dict[str, Shape]:
    with gzip.open(folder / f"{name}.json.gz", "rt", encoding="utf-8") as text:
        return {key: tuple(shape) for key, shape in json.load(text).items()}
