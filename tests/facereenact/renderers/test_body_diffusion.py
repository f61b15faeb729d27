"""The diffusion renderer of bodies over tiny random networks: any size, any length, any interruption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from body import PoseSequence
from body.guides import draw_guide
from checkpoints.storage import NotInstalledError
from facereenact.body_diffusion import body_diffusion_of, open_body_diffusion_renderer, open_body_networks
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.errors import FaceNotFoundError, InputError
from facereenact.renderers import chunks as chunks_module
from facereenact.renderers.diffusion_body import BodyDiffusionRenderer, Canvas, body_canvas
from facereenact.renderers.diffusion_combined import CombinedDiffusionRenderer
from facereenact.renderers.diffusion_estimate import estimate
from facereenact.renderers.face_guidance import FaceGuidance
from facereenact.tiny_model import make_tiny
from tests.facereenact.renderers.drawn_person import SIZE, person
from tests.facereenact.renderers.posed_face import pose_of
from tests.faces import Picture, acted, hopper

SOURCE = person().image


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny") / "checkpoints"
    make_tiny(root)
    return root


@pytest.fixture(scope="module")
def fast(tiny: Path) -> DiffusionSettings:
    return DiffusionSettings(
        steps=1, window=8, overlap=2, body_side=64, dtype="float32", device="cpu", checkpoints=tiny
    )


@pytest.fixture(scope="module")
def usual(fast: DiffusionSettings, tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    return rendered(fast, tmp_path_factory.mktemp("usual"))


def walk(frames: int, size: tuple[int, int] = SIZE) -> PoseSequence:
    """The drawn person walks across the picture."""
    points = np.stack([person(shift=(6 * np.sin(frame / 3), 0)).points for frame in range(frames)])
    points[:, person().scores == 0] = np.nan
    return PoseSequence.from_points(points, SIZE).resized(size)


def rendered(
    settings: DiffusionSettings,
    folder: Path,
    frames: int = 3,
    *,
    image: Picture = SOURCE,
    face: FaceGuidance | None = None,
    pose: PoseSequence | None = None,
    on_progress: Callable[..., None] = lambda *_: None,
) -> list[Picture]:
    renderer = open_body_diffusion_renderer(image, settings, folder=folder / "kept", face=face, on_progress=on_progress)
    assert renderer.size == (image.shape[1], image.shape[0])
    pictures = list(renderer.render(pose or walk(frames, renderer.size)))
    renderer.forget()
    assert not (folder / "kept").exists()
    return pictures


def same(one: list[Picture], other: list[Picture]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("frames", [1, 23, 24, 25])
def test_clips_of_any_length(fast: DiffusionSettings, tmp_path: Path, frames: int) -> None:
    told: list[tuple[str, int, int | None]] = []
    settings = replace(fast, guidance=1.0, window=24, overlap=4)
    pictures = rendered(settings, tmp_path, frames, on_progress=lambda *now: told.append(now))
    assert len(pictures) == frames
    assert all(picture.shape == SOURCE.shape and picture.dtype == np.uint8 for picture in pictures)
    assert {stage for stage, _, _ in told} == {"denoising"} and told[-1][1] == told[-1][2]


@pytest.mark.parametrize("size", [(64, 96), (75, 101), (97, 64), (301, 200)])
def test_sources_of_any_size(fast: DiffusionSettings, tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    (picture,) = rendered(fast, tmp_path, 1, image=image)
    assert picture.shape == image.shape


@pytest.mark.parametrize("size", [(64, 96), (75, 101), (301, 200), (2000, 50), (3, 5)])
def test_a_canvas_keeps_the_shape_of_its_picture(size: tuple[int, int]) -> None:
    width, height = body_canvas(size, 96)
    assert max(width, height) == 96 and width % 8 == height % 8 == 0
    canvas = Canvas(size, (width, height))
    assert all(0 <= side - inner < 8 for side, inner in zip(canvas.size, canvas.inner, strict=True))
    scale = np.array(canvas.inner) / size
    assert min(canvas.inner) < 8 or abs(scale[0] / scale[1] - 1) < 0.05
    np.testing.assert_allclose(canvas.points(np.array(size)), canvas.inner)


def test_a_picture_comes_back_from_its_canvas() -> None:
    image = np.random.default_rng(0).integers(0, 256, (61, 42, 3), dtype=np.uint8)
    canvas = Canvas((42, 61), (48, 64))
    assert canvas.inner == (44, 64)
    exact = Canvas((42, 61), (80, 61))
    assert exact.inner == (42, 61)
    placed = exact.put(image)
    assert placed.shape == (61, 80, 3) and (placed[:, 42:] == image[:, -1:]).all()
    assert np.array_equal(exact.take(placed), image)


def test_the_body_guide_is_drawn_where_the_body_is(
    fast: DiffusionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the canvas, at its scale, for every frame."""
    drawn: list[Any] = []

    def watched(points: Any, scores: Any, size: tuple[int, int]) -> Picture:
        drawn.append((points, size))
        return draw_guide(points, scores, size)

    monkeypatch.setattr("facereenact.renderers.diffusion_body.draw_guide", watched)
    rendered(fast, tmp_path, 2)
    canvas = Canvas(SIZE, body_canvas(SIZE, 64))
    for (points, size), expected in zip(drawn, walk(2).points, strict=True):
        assert size == canvas.size
        np.testing.assert_allclose(points, canvas.points(expected))


def test_the_same_settings_give_the_same_pictures(
    fast: DiffusionSettings, usual: list[Picture], tmp_path: Path
) -> None:
    assert same(usual, rendered(fast, tmp_path))


@pytest.mark.parametrize(
    "changed",
    [{"seed": 1}, {"body_scale": 0.5}, {"window": 2, "overlap": 1}, {"steps": 2}, {"guidance": 1.0}, {"body_side": 96}],
    ids=str,
)
def test_every_setting_has_an_effect(
    fast: DiffusionSettings, usual: list[Picture], tmp_path: Path, changed: dict[str, Any]
) -> None:
    assert not same(usual, rendered(replace(fast, **changed), tmp_path))


class Stop(BaseException):
    pass


def stopper(after: int, firsts: list[int]) -> Callable[..., None]:
    """Stops a rendering after some reports of progress, of which the first goes into `firsts`."""
    reports: list[int] = []

    def on_progress(stage: str, done: int, total: int | None) -> None:
        reports.append(done)
        if len(reports) == 1:
            firsts.append(done)
        if len(reports) > after:
            raise Stop

    return on_progress


def test_an_interrupted_rendering_goes_on_to_the_same_pictures(
    fast: DiffusionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks_module.chunks_of, "__kwdefaults__", {"length": 4})
    settings = replace(fast, steps=2, window=3, overlap=1)
    whole = rendered(settings, tmp_path, 7)
    firsts: list[int] = []
    for after in (1, 3, 5):
        with pytest.raises(Stop):
            rendered(settings, tmp_path, 7, on_progress=stopper(after, firsts))
    again = rendered(settings, tmp_path, 7, on_progress=stopper(10**6, firsts))
    assert same(whole, again)
    assert firsts[0] == 1 and firsts[-1] > 1  # it did not begin anew


def guidance(frames: int = 3, **how: Any) -> tuple[FaceGuidance, PoseSequence]:
    """Somebody whose head turns on a body that moves, and who speaks."""
    face = hopper().landmarks
    turns = [(0, 8 * np.sin(frame), 0) for frame in range(frames)]
    talking = acted(face, jaw=[0.1 * (frame % 2) for frame in range(frames)], turn_deg=turns)
    moving = acted(face, shift_px=[(5 * frame, -2 * frame) for frame in range(frames)])
    return FaceGuidance(talking, face, pose_of(face), **how), pose_of(moving)


def test_a_guided_face_without_head_and_mouth_is_the_body_alone(fast: DiffusionSettings, tmp_path: Path) -> None:
    face, pose = guidance()
    fast = replace(fast, body_side=96)  # where the face is large enough
    guided = replace(fast, combine="guided")
    image = hopper().image
    body = rendered(fast, tmp_path, image=image, pose=pose)
    nothing = replace(guided, head_scale=0.0, mouth_scale=0.0)
    assert same(body, rendered(nothing, tmp_path, image=image, pose=pose, face=face))
    both = rendered(guided, tmp_path, image=image, pose=pose, face=face)
    assert not same(body, both)
    for changed in ({"head_scale": 0.0}, {"mouth_scale": 0.5}):
        assert not same(both, rendered(replace(guided, **changed), tmp_path, image=image, pose=pose, face=face))
    other = replace(face, head_from="face")
    assert not same(both, rendered(guided, tmp_path, image=image, pose=pose, face=other))


def test_a_guided_face_needs_face_points(fast: DiffusionSettings, tmp_path: Path) -> None:
    face, _ = guidance()
    with pytest.raises(FaceNotFoundError, match="--combine paste"):
        rendered(replace(fast, combine="guided"), tmp_path, face=face)


def test_settings_decide_what_is_opened(fast: DiffusionSettings, tmp_path: Path) -> None:
    face, _ = guidance()

    def opened(combine: Any, face: FaceGuidance | None) -> object:
        settings = replace(fast, combine=combine)
        return open_body_diffusion_renderer(SOURCE, settings, folder=tmp_path, face=face, on_progress=lambda *_: None)

    assert isinstance(opened("paste", face), CombinedDiffusionRenderer)
    assert isinstance(opened("guided", face), BodyDiffusionRenderer)
    assert isinstance(opened("paste", None), BodyDiffusionRenderer)


def test_published_steps_and_sizes(fast: DiffusionSettings) -> None:
    usual = replace(fast, steps=None, body_side=None)
    found = [body_diffusion_of(replace(usual, preset=name), (512, 768)) for name in ("exact", "balanced", "fast")]
    assert [each.sampling.steps for each in found] == [30, 21, 15]
    assert found[0].size == (88, 128) and found[0].unguided == "nothing"  # the tiny networks were made for 128
    assert body_diffusion_of(replace(usual, body_side=784, steps=4), (512, 784)).size == (512, 784)


def test_what_a_rendering_costs_is_measured(fast: DiffusionSettings) -> None:
    networks = open_body_networks(fast, torch.float32, torch.device("cpu"))
    found = estimate(networks, body_diffusion_of(replace(fast, steps=7), SIZE), 30)
    assert (found.chunks, found.windows, found.steps) == (1, 5, 7)
    assert found.denoising_s > 0 and found.decoding_s > 0


@pytest.mark.parametrize(
    ("missing", "combine", "has_face", "command"),
    [
        ("moore-body", "paste", False, "facereenact checkpoints pull moore-body"),
        ("moore-body", "paste", True, "facereenact checkpoints pull moore-body"),
        ("moore-face", "paste", True, "facereenact checkpoints import moore-face"),
        ("moore-face", "guided", True, "facereenact checkpoints import moore-face"),
    ],
)
def test_missing_weights_are_named_before_the_work(
    fast: DiffusionSettings, tiny: Path, tmp_path: Path, missing: str, combine: Any, has_face: bool, command: str
) -> None:
    root = tmp_path / "checkpoints"
    root.mkdir()
    for place in tiny.iterdir():
        if place.name != missing:
            (root / place.name).symlink_to(place)
    settings = replace(fast, checkpoints=root, combine=combine)
    face = guidance()[0] if has_face else None
    with pytest.raises(NotInstalledError, match=command) as told:
        open_body_diffusion_renderer(SOURCE, settings, folder=tmp_path, face=face, on_progress=lambda *_: None)
    assert f"{missing} is not installed" in str(told.value) and "\n" not in str(told.value)


def test_the_body_alone_needs_no_face_weights(fast: DiffusionSettings, tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    root.mkdir()
    for name in ("moore-body", "sd-vae-ft-mse", "image-encoder"):
        (root / name).symlink_to(tiny / name)
    assert len(rendered(replace(fast, checkpoints=root), tmp_path, 1)) == 1


@pytest.mark.parametrize(
    ("values", "told"),
    [({"body_side": 100}, "--body-side"), ({"body_side": 8}, "--body-side"), ({"body_scale": -1}, "--body-scale")],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        DiffusionSettings(**values)


def test_a_damaged_checkpoint_is_told(fast: DiffusionSettings, tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    make_tiny(root)
    face = (root / "moore-face" / "pose_guider1.safetensors").read_bytes()
    (root / "moore-body" / "motion_module.safetensors").write_bytes(face)
    with pytest.raises((InputError, NotInstalledError), match="moore-body"):
        rendered(replace(fast, checkpoints=root), tmp_path, 1)
