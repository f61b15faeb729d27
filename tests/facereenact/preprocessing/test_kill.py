"""Killed at any moment and started again, a run gives what it gives undisturbed.

`make soak` does it twenty times with sixty clips, as these variables say.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facereenact.errors import InputError
from facereenact.preprocessing.manifest import read_manifest
from landmarks.storage import load_landmarks
from tests.facereenact.preprocessing.plain import files_of, write_face

KILLS = int(os.environ.get("FACEREENACT_SOAK_KILLS", "2"))
CLIPS = int(os.environ.get("FACEREENACT_SOAK_CLIPS", "6"))
SEED = 20
LONGEST_S = 300

START = "import sys; from facereenact.cli import main; sys.argv[0] = 'facereenact'; main()"


def command(inputs: Path, output: Path) -> list[str]:
    options = ["--tracker", "mediapipe", "--with-crops", "--workers", "2"]
    return [sys.executable, "-c", START, "preprocess", str(inputs), "-o", str(output), *options]


def check_nothing_is_half_made(output: Path) -> None:
    """Whatever has a final name is whole."""
    for folder in (output / "clips").glob("*"):
        record = json.loads((folder / "clip.json").read_text())
        for sequence in record["sequences"]:
            assert len(load_landmarks(folder / sequence["landmarks"])) == sequence["frames"]
            assert (folder / sequence["crop"]).stat().st_size and (folder / sequence["thumbnail"]).stat().st_size
    try:
        for row in read_manifest(output).to_pylist():
            assert row["status"] == "ok" and (output / row["landmarks"]).is_file()
    except InputError as error:
        assert "holds no manifest" in str(error)


def wait_for_clips(output: Path, count: int, run: subprocess.Popen[bytes]) -> None:
    """Until the run has begun and so many clips are in place."""
    end = time.monotonic() + LONGEST_S
    while run.poll() is None and not (output.exists() and len(list(output.glob("clips/*/clip.json"))) >= count):
        assert time.monotonic() < end, f"no {count} clips in {LONGEST_S} s"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_run_that_is_started_again_equals_an_undisturbed_one(tmp_path: Path) -> None:
    inputs = tmp_path / "clips"
    inputs.mkdir()
    for number in range(CLIPS):
        write_face(inputs / f"{number:02d}.mp4", first=3 * number, count=8)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command(inputs, tmp_path / "whole"), env=environment, check=True, timeout=LONGEST_S)
    expected = files_of(tmp_path / "whole")
    assert len(expected) == 1 + 4 * CLIPS

    chance = random.Random(SEED)
    interrupted = 0
    for kill in range(KILLS):
        output = tmp_path / f"killed{kill}"
        run = subprocess.Popen(command(inputs, output), env=environment, start_new_session=True)
        try:
            wait_for_clips(output, chance.randrange(CLIPS - 1), run)
            time.sleep(chance.uniform(0, 0.1))
            interrupted += run.poll() is None
        finally:
            run.kill()
            if kill % 2:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)  # its workers, too, as when a machine goes down
        run.wait()
        check_nothing_is_half_made(output)
        subprocess.run(command(inputs, output), env=environment, check=True, timeout=LONGEST_S)
        assert files_of(output) == expected, f"kill {kill}"
    assert interrupted > 0
