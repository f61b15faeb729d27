"""Body and face by diffusion, one after the other, over tiny random networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from body import PoseSequence
from facereenact.networks import Networks, body_networks, face_networks
from facereenact.pipelines import Sampling, default_scheduler
from facereenact.renderers.diffusion_body import BodyDiffusionRenderer
from facereenact.renderers.diffusion_clip import Diffusion
from facereenact.renderers.diffusion_clip_renderer import ClipRenderer
from facereenact.renderers.diffusion_combined import CombinedDiffusionRenderer
from facereenact.renderers.face_guidance import FaceGuidance
from facereenact.tiny_model import make_tiny
from tests.facereenact.renderers.posed_face import ScriptedTracker, pose_of, shrunk
from tests.faces import Picture, hopper

SIDE_PX = 128


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Networks, Networks]:
    face, vae, image_encoder, _, body = make_tiny(tmp_path_factory.mktemp("tiny") / "checkpoints")
    common = {"vae": vae, "image_encoder": image_encoder}
    return body_networks(body, **common), face_networks(face, **common)


BODY = Diffusion(default_scheduler(), Sampling(steps=1), window=4, overlap=1, size=(88, 96), unguided="nothing")
FACE = replace(BODY, size=(SIDE_PX, SIDE_PX), unguided="zero latents", keep_background=False)
FRAMES = 7


def small_body(frames: int = FRAMES) -> tuple[Picture, PoseSequence, FaceGuidance]:
    image = np.asarray(cv2.resize(hopper().image, (128, 150), interpolation=cv2.INTER_AREA), np.uint8)
    source = shrunk(0.25)
    moving = shrunk(0.25, frames, shift_px=[(2 * frame, 0) for frame in range(frames)])
    motion = shrunk(0.25, frames, jaw=[0.1 * (frame % 3) for frame in range(frames)])
    return image, pose_of(moving), FaceGuidance(motion, source, pose_of(source))


def combined(
    networks: tuple[Networks, Networks],
    folder: Path,
    *,
    body: Diffusion = BODY,
    face: Diffusion = FACE,
    tracker: Callable[[], Any] = ScriptedTracker,
    seen_as: object = None,
    shares: Any = None,
    on_progress: Callable[..., None] = lambda *_: None,
) -> Iterator[Picture]:
    image, pose, guidance = small_body()
    guidance = replace(guidance, shares=shares)

    def told(part: str) -> Callable[..., None]:
        return lambda stage, *count: on_progress(f"{stage} {part}", *count)

    renderer = CombinedDiffusionRenderer(
        image,
        BodyDiffusionRenderer(image, networks[0], body, folder=folder / "kept", on_progress=told("body")),
        ClipRenderer(networks[1], face, folder=folder / "kept" / "face", on_progress=told("face")),
        guidance,
        tracker=tracker,
        seen_as=seen_as,
        on_progress=on_progress,
    )
    assert renderer.size == (128, 150)
    yield from renderer.render(pose)
    renderer.forget()
    assert not (folder / "kept").exists()


@pytest.fixture(scope="module")
def body_alone(networks: tuple[Networks, Networks], tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    image, pose, _ = small_body()
    return list(BodyDiffusionRenderer(image, networks[0], BODY, folder=tmp_path_factory.mktemp("alone")).render(pose))


@pytest.fixture(scope="module")
def usual(networks: tuple[Networks, Networks], tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    return list(combined(networks, tmp_path_factory.mktemp("usual")))


def test_every_frame_gets_its_face_but_those_that_show_none(
    networks: tuple[Networks, Networks],
    body_alone: list[Picture],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []

    def tracker() -> ScriptedTracker:
        return ScriptedTracker(lost=(0, 3))

    pictures = list(combined(networks, tmp_path, tracker=tracker, on_progress=lambda stage, *_: told.append(stage)))
    changed = [not np.array_equal(*pair) for pair in zip(pictures, body_alone, strict=True)]
    assert changed == [frame not in (0, 3) for frame in range(FRAMES)]
    assert "in 2 of 7 frames" in caplog.text and "the body's own stays" in caplog.text
    assert list(dict.fromkeys(told)) == ["denoising body", "tracking faces", "denoising face"]
    corner = (slice(0, 20), slice(0, 20))
    assert all(np.array_equal(one[corner], other[corner]) for one, other in zip(pictures, body_alone, strict=True))


def test_the_face_stays_where_its_motion_is_not_known(
    networks: tuple[Networks, Networks], body_alone: list[Picture], tmp_path: Path
) -> None:
    shares = (np.arange(FRAMES) > 2).astype(float)
    pictures = combined(networks, tmp_path, shares=shares)
    pairs = zip(pictures, body_alone, strict=True)
    assert [not np.array_equal(*pair) for pair in pairs] == (shares > 0).tolist()


def test_a_body_without_a_face_stays_as_it_is(
    networks: tuple[Networks, Networks],
    body_alone: list[Picture],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def tracker() -> ScriptedTracker:
        return ScriptedTracker(lost=tuple(range(FRAMES)))

    pictures = list(combined(networks, tmp_path, tracker=tracker))
    assert np.array_equal(pictures, body_alone)
    assert "no frame of the rendered body shows a face" in caplog.text


@pytest.mark.parametrize("changed", [{"head_scale": 0.0}, {"mouth_scale": 0.0}, {"seed": 1}, {"keep_background": True}])
def test_settings_of_the_face_have_an_effect(
    networks: tuple[Networks, Networks], usual: list[Picture], tmp_path: Path, changed: dict[str, Any]
) -> None:
    assert not np.array_equal(usual, list(combined(networks, tmp_path, face=replace(FACE, **changed))))


class Stop(BaseException):
    pass


def test_an_interrupted_rendering_goes_on_to_the_same_pictures(
    networks: tuple[Networks, Networks], tmp_path: Path
) -> None:
    """Stopped in the body, in the tracking, in the face, and between pictures."""
    body, face = (replace(each, sampling=Sampling(steps=2)) for each in (BODY, FACE))
    given: dict[str, Any] = {"body": body, "face": face}
    whole = list(combined(networks, tmp_path, **given))
    views = 0

    def tracker() -> ScriptedTracker:
        nonlocal views
        views += 1
        return ScriptedTracker()

    for stage in ("denoising body", "tracking faces", "denoising face"):
        reports = 0

        def stop(now: str, done: int, total: int | None, stage: str = stage) -> None:
            nonlocal reports
            reports += now == stage
            if reports > 3:
                raise Stop

        with pytest.raises(Stop):
            list(combined(networks, tmp_path, **given, tracker=tracker, on_progress=stop))
    begun = combined(networks, tmp_path, **given, tracker=tracker)
    next(begun)
    begun.close()
    firsts: dict[str, int] = {}

    def note(stage: str, done: int, total: int | None) -> None:
        firsts.setdefault(stage, done)

    again = combined(networks, tmp_path, **given, tracker=tracker, on_progress=note)
    assert np.array_equal(whole, list(again))
    assert firsts == {}  # nothing was left to do but to decode
    assert views == 2  # stopped once, then done


def test_another_decoder_or_tracker_follows_the_face_anew(networks: tuple[Networks, Networks], tmp_path: Path) -> None:
    """It sees other pictures of the body, whose latents stay as they are."""

    def stages(seen_as: object, *, until: str = "") -> list[str]:
        told: list[str] = []

        def on_progress(stage: str, done: int, total: int | None) -> None:
            told.append(f"{stage} {done}/{total}")
            if stage == until:
                raise Stop

        with suppress(Stop):
            list(combined(networks, tmp_path, seen_as=seen_as, on_progress=on_progress))
        return told

    first = stages(("mediapipe", "full"), until="denoising face")
    again = stages(("mediapipe", "full"), until="denoising face")
    other = stages(("mediapipe", "small"))
    assert f"tracking faces {FRAMES}/{FRAMES}" in first and not any("tracking" in each for each in again)
    assert f"tracking faces {FRAMES}/{FRAMES}" in other
    assert "denoising body 1/3" in first and "denoising body 1/3" not in again + other
