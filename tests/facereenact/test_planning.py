"""`--dry-run`: what would be done, from a measured step; nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from facereenact.cli import main
from facereenact.diffusion import choose_device, choose_dtype
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.errors import InputError
from facereenact.planning import plan
from facereenact.settings import DriveSettings
from facereenact.tiny_model import make_tiny

ROOT = Path(__file__).resolve().parents[2]
SOURCE, DRIVER = ROOT / "samples" / "face.png", ROOT / "samples" / "talk.mp4"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny") / "checkpoints"
    make_tiny(root)
    return root


def test_warp_needs_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["drive", "-s", str(SOURCE), "-d", str(DRIVER), "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "face-talk.mp4" in done.stdout and "180, 25 per second" in done.stdout and "warp" in done.stdout
    assert not list(tmp_path.iterdir())


def test_diffusion_is_measured_and_counted(tiny: Path) -> None:
    own = DiffusionSettings(checkpoints=tiny, steps=7, window=12, overlap=2, dtype="float32", device="cpu")
    found = plan(DriveSettings(source=SOURCE, driver=DRIVER, diffusion=own))
    assert (found.renderer, found.frames, found.dtype) == ("diffusion", 180, "float32")
    (estimate,) = found.estimates
    assert (estimate.chunks, estimate.windows, estimate.windows_at_once, estimate.steps) == (1, 18, 1, 7)
    assert estimate.denoising_s > 0 and estimate.decoding_s > 0


def test_devices_and_numbers_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="no such device"):
        choose_device("cuda:77")
    with pytest.raises(InputError, match="float16 is for GPUs"):
        choose_dtype("float16", choose_device("cpu"))
    assert str(choose_dtype("bfloat16", choose_device("cpu"))) == "torch.bfloat16"


def test_the_tiny_model_replaces_nothing(tiny: Path) -> None:
    before = sorted(tiny.rglob("*"))
    done = CliRunner().invoke(main, ["checkpoints", "make-tiny", str(tiny)])
    assert done.exit_code == 1 and "is not empty" in done.stderr
    assert sorted(tiny.rglob("*")) == before


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    make_tiny(root)
    (root / "moore-face" / "pose_guider1.safetensors").unlink()
    arguments = ["-s", str(SOURCE), "-d", str(DRIVER), "--renderer", "diffusion", "--checkpoints", str(root)]
    done = CliRunner().invoke(main, ["drive", *arguments, "-o", str(tmp_path / "a.mp4")])
    assert done.exit_code == 1 and "moore-face" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "a.mp4").exists()


def test_auto_takes_diffusion_once_it_is_installed(tiny: Path, tmp_path: Path) -> None:
    arguments = ["-s", str(SOURCE), "-d", str(DRIVER), "--end", "0.12", "--steps", "1", "--checkpoints", str(tiny)]
    done = CliRunner().invoke(main, ["drive", *arguments, "-o", str(tmp_path / "a.mp4")])
    assert done.exit_code == 0, done.stderr
    assert "diffusion (auto: its checkpoints are installed)" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.mp4"]
