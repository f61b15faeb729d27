"""The diffusion renderer over tiny random networks: any length, any interruption, the same pictures."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from checkpoints.errors import InputError, OutputError
from facereenact.networks import Networks, face_networks
from facereenact.pipelines import NotFiniteError, Sampling, default_scheduler
from facereenact.pipelines.batching import WindowsAtOnce
from facereenact.renderers import chunks as chunks_module
from facereenact.renderers import diffusion_clip_renderer
from facereenact.renderers.chunks import chunks_of
from facereenact.renderers.diffusion import DiffusionRenderer
from facereenact.renderers.diffusion_clip import Diffusion, windows_of
from facereenact.tiny_model import SIDE_PX, make_tiny
from landmarks import LandmarkSequence
from tests.faces import Picture, acted, hopper

ROOT = Path(__file__).resolve().parents[3]
FAST = Diffusion(default_scheduler(), Sampling(steps=2), window=8, overlap=2, size=(SIDE_PX, SIDE_PX))


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    root = tmp_path_factory.mktemp("tiny") / "checkpoints"
    face, vae, image_encoder, *_ = make_tiny(root)
    return face_networks(face, vae=vae, image_encoder=image_encoder)


@pytest.fixture(scope="module")
def usual(networks: Networks, tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """Four frames by FAST."""
    return rendered(networks, tmp_path_factory.mktemp("usual"), 4)


def motion(frames: int) -> LandmarkSequence:
    turns = [(0, 12 * np.sin(frame / 3), 0) for frame in range(frames)]
    return acted(hopper().landmarks, turn_deg=turns)


def rendered(
    networks: Networks,
    folder: Path,
    frames: int = 3,
    *,
    diffusion: Diffusion = FAST,
    crop_px: int | None = None,
    on_progress: Callable[..., None] = lambda *_: None,
) -> list[Picture]:
    renderer = DiffusionRenderer(
        hopper().image, networks, diffusion, folder=folder / "kept", crop_px=crop_px, on_progress=on_progress
    )
    pictures = list(renderer.render(motion(frames)))
    renderer.forget()
    assert not (folder / "kept").exists()
    return pictures


def same(one: list[Picture], other: list[Picture]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("frames", [1, 8, 9])
def test_clips_of_any_length(networks: Networks, tmp_path: Path, frames: int) -> None:
    told: list[tuple[str, int, int | None]] = []
    pictures = rendered(networks, tmp_path, frames, on_progress=lambda *now: told.append(now))
    assert len(pictures) == frames
    assert all(picture.shape == hopper().image.shape and picture.dtype == np.uint8 for picture in pictures)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1][1] == told[-1][2]


def test_the_background_stays_and_the_square_can_be_had_alone(networks: Networks, tmp_path: Path) -> None:
    picture = rendered(networks, tmp_path, 1)[0]
    assert np.array_equal(picture[:60, 430:], hopper().image[:60, 430:])
    assert rendered(networks, tmp_path, 1, crop_px=96)[0].shape == (96, 96, 3)


def test_the_same_settings_give_the_same_pictures(networks: Networks, tmp_path: Path, usual: list[Picture]) -> None:
    assert same(usual, rendered(networks, tmp_path, 4))


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"head_scale": 0.0},
        {"mouth_scale": 0.5},
        {"window": 3, "overlap": 1},
        {"window": 3, "overlap": 2},
        {"sampling": Sampling(steps=3)},
        {"sampling": Sampling(steps=2, guidance=1.0)},
        {"sampling": Sampling(steps=2, guided_share=(0.0, 0.5))},
        {"sampling": Sampling(steps=2, reuse=2)},
        {"keep_background": False},
    ],
    ids=str,
)
def test_every_setting_has_an_effect(
    networks: Networks, tmp_path: Path, usual: list[Picture], changed: dict[str, Any]
) -> None:
    assert not same(usual, rendered(networks, tmp_path, 4, diffusion=replace(FAST, **changed)))


class Stop(BaseException):
    pass


def stopper(after: int, firsts: list[int] | None = None) -> Callable[..., None]:
    """Stops a rendering after some reports of progress, of which the first goes into `firsts`."""
    reports: list[int] = []

    def on_progress(stage: str, done: int, total: int | None) -> None:
        reports.append(done)
        if firsts is not None and len(reports) == 1:
            firsts.append(done)
        if len(reports) > after:
            raise Stop

    return on_progress


def test_an_interrupted_rendering_goes_on_to_the_same_pictures(
    networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped again and again: within the first step, within a chunk, and between chunks."""
    monkeypatch.setattr(chunks_module.chunks_of, "__kwdefaults__", {"length": 5})
    diffusion = replace(FAST, window=4, overlap=1)
    told: list[int] = []
    whole = rendered(networks, tmp_path, 10, diffusion=diffusion, on_progress=lambda _, now, __: told.append(now))
    firsts = []
    for after in (1, 4, len(told) // 3):
        with pytest.raises(Stop):
            rendered(networks, tmp_path, 10, diffusion=diffusion, on_progress=stopper(after, firsts))
    again = rendered(networks, tmp_path, 10, diffusion=diffusion, on_progress=lambda _, now, __: firsts.append(now))
    assert same(whole, again)
    assert firsts[0] == 1 and firsts[3] > 3  # it did not begin anew


def test_another_process_goes_on_with_it() -> None:
    """It compares its plan with that of the one before."""
    code = "import json; from tests.facereenact.renderers.test_diffusion import FAST; print(json.dumps(FAST.plan))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}  # the order of sets differs from process to process
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    assert json.loads(done.stdout) == json.loads(json.dumps(FAST.plan))


def test_another_rendering_does_not_go_on(networks: Networks, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        rendered(networks, tmp_path, 3, on_progress=stopper(1))
    assert (tmp_path / "kept").is_dir()
    other = replace(FAST, seed=5)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert same(rendered(networks, tmp_path, 3, diffusion=other), rendered(networks, fresh, 3, diffusion=other))


def test_long_clips_are_cut_into_chunks_with_context() -> None:
    chunks = chunks_of(1000, context=12)
    assert [chunk.start for chunk in chunks[1:]] == [chunk.stop for chunk in chunks[:-1]]
    assert (chunks[0].start, chunks[-1].stop, chunks[0].held) == (0, 1000, 0)
    assert all(chunk.held == 12 and chunk.stop - chunk.start <= 320 for chunk in chunks[1:])
    for chunk in chunks:
        covered = {frame for window in windows_of(chunk, chunks, FAST) for frame in window}
        assert covered == set(range(len(chunk.frames)))
    (only,) = chunks_of(320, context=12)
    assert windows_of(only, [only], FAST)[-1][-1] < FAST.window  # the published windows end at the beginning


def test_a_full_disk_is_told_and_what_was_done_is_kept(
    networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Stop):
        rendered(networks, tmp_path, 3, on_progress=stopper(1))
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    monkeypatch.setattr(chunks_module, "save_file", full)
    with pytest.raises(OutputError, match=r"No space left on device.*goes on"):
        rendered(networks, tmp_path, 3)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == kept


def test_numbers_that_are_not_finite_stop_it(networks: Networks, tmp_path: Path) -> None:
    def spoilt() -> Any:
        unet = networks.load("denoising_unet")
        unet.conv_norm_out.weight[0] = torch.nan
        return unet

    broken = Networks({**networks.loaders, "denoising_unet": spoilt})
    with pytest.raises(NotFiniteError, match="step 1 of 2"):
        rendered(broken, tmp_path, 2)


def test_a_scheduler_that_predicts_something_else_is_refused(networks: Networks, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="v_prediction"):
        rendered(networks, tmp_path, 1, diffusion=replace(FAST, scheduler=DDIMScheduler()))


def crowded(networks: Networks, most_frames: int) -> Networks:
    """Networks for a GPU that holds windows of at most so many frames."""

    def unet() -> Any:
        loaded = networks.load("denoising_unet")

        def before(module: Any, given: tuple[torch.Tensor, ...]) -> None:
            if given[0].shape[2] > most_frames:
                raise torch.cuda.OutOfMemoryError("out of memory")

        loaded.register_forward_pre_hook(before)
        return loaded

    return Networks({**networks.loaders, "denoising_unet": unet})


def test_a_lack_of_gpu_memory_is_met_with_smaller_windows(
    networks: Networks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = rendered(crowded(networks, 8), tmp_path, 12, diffusion=replace(FAST, window=16))
    assert len(pictures) == 12
    assert "out of memory: going on with windows of 8 frames" in caplog.text


def test_smaller_windows_go_on_from_the_same_frames(
    networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks were cut for the context of larger windows, which the chunk before keeps handing on."""
    monkeypatch.setattr(chunks_module.chunks_of, "__kwdefaults__", {"length": 12})
    held: list[int] = []
    original = diffusion_clip_renderer.denoise

    def spy(*arguments: Any, **options: Any) -> Any:
        held.append(0 if options["held"] is None else options["held"].frames)
        return original(*arguments, **options)

    monkeypatch.setattr(diffusion_clip_renderer, "denoise", spy)
    told: list[tuple[int, int]] = []
    rendered(
        crowded(networks, 8),
        tmp_path,
        24,
        diffusion=replace(FAST, window=16),
        on_progress=lambda _, done, total: told.append((done, total)),
    )
    assert held == [0, 0, 8]  # the first chunk begins anew with smaller windows
    assert told[-1][0] == told[-1][1] and all(done <= total for done, total in told)


def test_a_gpu_that_is_too_small_whatever_is_done_is_told(
    networks: Networks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InputError, match="the GPU has too little memory"):
        rendered(crowded(networks, 3), tmp_path, 9, diffusion=replace(FAST, window=9))
    assert "windows of 8 frames" in caplog.text and "weights in main memory" in caplog.text


def test_windows_at_once_render_the_same(networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as one chunk has learned there is room for serve the next ones, too."""
    monkeypatch.setattr(chunks_module.chunks_of, "__kwdefaults__", {"length": 6})
    diffusion = replace(FAST, window=3, overlap=1)
    alone = rendered(networks, tmp_path, 12, diffusion=diffusion)
    made: list[WindowsAtOnce] = []

    def three(device: torch.device) -> WindowsAtOnce:
        made.append(WindowsAtOnce(device))
        made[-1].count = 3
        return made[-1]

    monkeypatch.setattr(diffusion_clip_renderer, "WindowsAtOnce", three)
    told: list[int] = []
    together = rendered(networks, tmp_path, 12, diffusion=diffusion, on_progress=lambda _, done, __: told.append(done))
    assert len(made) == 1 and told[0] == 3
    assert (np.abs(np.stack(together).astype(int) - alone) > 1).mean() < 1e-4  # random weights enlarge a last bit


def test_weights_in_main_memory_render_the_same(networks: Networks, usual: list[Picture], tmp_path: Path) -> None:
    def offloaded() -> Any:
        unet = networks.load("denoising_unet")
        main = torch.device("cpu")
        unet.enable_group_offload(onload_device=main, offload_device=main, offload_type="leaf_level")
        return unet

    pictures = rendered(Networks({**networks.loaders, "denoising_unet": offloaded}), tmp_path, 4)
    np.testing.assert_array_equal(pictures, usual)


def test_seams_between_chunks_are_no_larger_than_the_changes_inside(
    networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random weights make noise that changes much from frame to frame: a weak proof, but a seam would add to it."""
    monkeypatch.setattr(chunks_module.chunks_of, "__kwdefaults__", {"length": 8})
    pictures = np.stack(rendered(networks, tmp_path, 24, crop_px=SIDE_PX)).astype(float)
    changes = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    seams, inside = changes[[7, 15]], np.delete(changes, [7, 15])
    with capsys.disabled():
        print(f"\nchange at seams {np.round(seams, 1)}, inside mean {inside.mean():.1f} most {inside.max():.1f}")
    assert seams.max() <= 1.05 * inside.max()
