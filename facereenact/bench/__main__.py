"""`python -m facereenact.bench` prints the tables: of all parts, or of one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from facereenact.console import quiet_libraries
from facereenact.errors import FacereenactError

PARTS = {  # what is measured: the module that measures it, whose `main` takes options of its own
    "tracker": "tracking",
    "drive": "driving",
    "preprocess": "preprocessing",
    "diffusion": "diffusion",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="facereenact.bench",
        description="Measure speed and memory on this machine. `PART --help` tells the options of a part.",
    )
    parser.add_argument("part", nargs="?", choices=PARTS, help="what to measure (default: all, about ten minutes)")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="of that part")
    chosen = parser.parse_args(arguments)
    quiet_libraries()
    try:
        for name in [chosen.part] if chosen.part else PARTS:
            import_module(f"facereenact.bench.{PARTS[name]}").main(chosen.options)
    except FacereenactError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
