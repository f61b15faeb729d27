"""`python -m facereenact.bench` prints the tables."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from facereenact.bench.driving import SIDE_PX, print_memory, print_speed
from facereenact.bench.media import resized
from facereenact.bench.tracking import print_tracker
from facereenact.console import quiet_libraries
from facereenact.errors import FacereenactError

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="facereenact.bench", description="Measure the speed and memory of `facereenact` on this machine."
    )
    parser.add_argument("--source", type=Path, default=SAMPLES / "face.png", help="portrait (default: the sample)")
    parser.add_argument("--driver", type=Path, default=SAMPLES / "talk.mp4", help="video (default: the sample)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median is printed (default: 3)")
    parser.add_argument("--tracker", action="store_true", help="the OpenSeeFace tracker alone")
    parser.add_argument(
        "--memory", action="store_true", help="peak memory with 10 s and 10 minutes of driver (minutes)"
    )
    arguments = parser.parse_args()
    quiet_libraries()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _print(arguments, Path(folder))
    except FacereenactError as error:
        raise SystemExit(f"error: {error}") from error


def _print(arguments: argparse.Namespace, folder: Path) -> None:
    print_tracker(arguments.driver, folder, rounds=arguments.rounds)
    if arguments.tracker:
        return
    driver = resized(arguments.driver, folder / "driver.mp4", side_px=SIDE_PX)
    print_speed(arguments.source, driver, folder, rounds=arguments.rounds)
    if arguments.memory:
        print_memory(arguments.source, driver, folder)


if __name__ == "__main__":
    main()
