"""The body of a person, moved by one driver, and its face, moved by another: what `--body-driver` makes."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.retargeting import Retargeter
from body.storage import save_pose
from facereenact.body_diffusion import open_body_diffusion_renderer
from facereenact.body_driver import BodyDriver, open_body_driver
from facereenact.body_passes import BodyPass, DiffusionPass, FacePass, shares_of
from facereenact.body_source import BodySource, read_body_source
from facereenact.driver import Progress, in_step
from facereenact.film import (
    BodyResult,
    Clock,
    DriveResult,
    Film,
    Original,
    Sound,
    require_still,
    unfinished_folder,
)
from facereenact.guide_tracking import guide_tracker, landmarks_of_still
from facereenact.mixing import Cast, Performance, open_cast
from facereenact.renderer_choice import RendererName
from facereenact.renderers.body_head import BodyHead
from facereenact.renderers.body_warp import BodyWarp
from facereenact.renderers.face_guidance import FaceGuidance
from facereenact.settings import DriveSettings
from landmarks import LandmarkSequence
from landmarks.storage import save_landmarks
from landmarks.types import joined

if TYPE_CHECKING:
    from landmarks.trackers import TrackerName

log = logging.getLogger(__name__)


def film_body(
    settings: DriveSettings, renderer: tuple[RendererName, str], clock: Clock, progress: Progress
) -> tuple[Film, DriveResult]:
    """A person about to be animated, and what is known of it; the figures of its body fill in as it is rendered.

    Raises:
        InputError: a driver or the source cannot be used, or they do not fit.
        NotInstalledError: the estimator or the renderer needs networks that are not installed.
    """
    tracker = guide_tracker(renderer[0]) if settings.drivers else "mediapipe"
    driver, cast = open_body_driver(settings), open_cast(settings, tracker)
    require_still(settings.output_path, driver.is_still and all(each.is_still for each in cast.drivers.values()))
    source = _source(settings, driver, cast, tracker)
    clock.lap("source")
    track, faces = driver.track(progress), cast.track(progress)
    retargeter = Retargeter(track, source.pose)
    figures = _figures(settings, driver, track, retargeter)
    clock.lap("tracking")
    performance = cast.perform(source.face.landmarks, faces) if source.face else None
    times_s, rate = _timing(settings, driver, track, performance)
    performance = performance and replace(performance, times_s=times_s, rate=rate)
    animator = (
        _warp_pass(source, track, retargeter, performance, figures)
        if renderer[0] == "warp"
        else _diffusion_pass(settings, source, track, retargeter, performance, figures, progress, tracker)
    )
    clock.lap("preparation")

    originals = [Original(track.size, lambda: in_step(driver.images(), track.timestamps_s, times_s))]
    trackers = {"estimator": track.estimator}
    if performance:
        originals.append(Original(faces[settings.main_driver].size, performance.main_images))
        trackers["tracker"] = faces[settings.main_driver].tracker

    def finish() -> None:
        animator.forget()
        _save(settings, track, faces)

    film = Film(
        source.image,
        source.pose.size,
        rate,
        times_s,
        animator.pictures(times_s),
        originals=tuple(originals),
        sound=_sound(settings, driver, cast),
        trackers=trackers,
        finish=finish,
    )
    return film, film.result(
        settings,
        renderer,
        frames_filled=sum(int((~each.detected).sum()) for each in faces.values()),
        neutral_frame=performance and performance.takes[settings.main_driver].retargeter.neutral_frame,
        parts=performance.parts if performance else {},
        body=figures,
    )


def _source(settings: DriveSettings, driver: BodyDriver, cast: Cast, tracker: TrackerName) -> BodySource:
    """The person to animate, the face seen as that of the drivers will be."""
    source = read_body_source(
        settings.source, driver.estimator, person=settings.face, size=settings.size, needs_face=bool(cast.drivers)
    )
    if source.face is None:
        return source
    landmarks = landmarks_of_still(source.image, source.face.mesh, tracker)
    return replace(source, face=replace(source.face, landmarks=landmarks))


def _figures(settings: DriveSettings, driver: BodyDriver, track: PoseSequence, retargeter: Retargeter) -> BodyResult:
    filled = int((~track.detected).sum())
    if filled:
        log.warning("%s: %d of %d frames show nobody; their motion is filled in", driver.path, filled, len(track))
    return BodyResult(
        driver.path,
        estimator=driver.estimator,
        estimator_reason=driver.estimator_reason,
        head_from=settings.head_from,
        frames_filled=filled,
        neutral_frame=retargeter.neutral_frame,
        legs=retargeter.legs,
    )


def _timing(
    settings: DriveSettings, driver: BodyDriver, track: PoseSequence, performance: Performance | None
) -> tuple[NDArray[np.float64], Fraction]:
    """When the frames of the result show, and their rate: those of whoever leads; the face's where both are as long."""
    own = track.timestamps_s, driver.rate
    if performance is None or settings.length_from == "body":
        return own
    face = performance.times_s, performance.rate
    if settings.length_from is not None:
        return face
    return max(face, own, key=lambda timing: round(float(timing[0][-1] + 1 / timing[1]), 3))  # to the millisecond


def _warp_pass(
    source: BodySource,
    track: PoseSequence,
    retargeter: Retargeter,
    performance: Performance | None,
    figures: BodyResult,
) -> BodyPass:
    body = BodyWarp(source.image, source.pose.points[0], source.pose.scores[0], matte=source.matte)
    face = None
    if source.face and performance:
        face = FacePass(BodyHead(body.person, source.face.mesh, source.face.landmarks), performance)
    return BodyPass(body, track, retargeter, face, figures)


def _diffusion_pass(
    settings: DriveSettings,
    source: BodySource,
    track: PoseSequence,
    retargeter: Retargeter,
    performance: Performance | None,
    figures: BodyResult,
    progress: Progress,
    tracker: TrackerName,
) -> DiffusionPass:
    face = None
    if source.face and performance:
        face = FaceGuidance(
            joined(performance.landmarks()),
            source.face.landmarks,
            source.pose,
            head_from=settings.head_from,
            shares=shares_of(performance),
        )
    folder = unfinished_folder(settings.output_path)
    animator = open_body_diffusion_renderer(
        source.image, settings.diffusion, folder=folder, face=face, tracker=tracker, on_progress=progress
    )
    return DiffusionPass(animator, track, retargeter, figures)


def _sound(settings: DriveSettings, driver: BodyDriver, cast: Cast) -> Sound | None:
    """What is heard: the face's unless it has no sound or another is asked for."""
    face = Sound(cast.audio, settings.span) if cast.audio else None
    body = Sound(driver.path, settings.body_span) if driver.has_audio else None
    wanted = settings.body.audio_from
    if wanted is None:
        return face or body
    sound = {"face": face, "body": body}[wanted]
    if sound is None:
        log.warning("--audio-from %s: that driver has no sound", wanted)
    return sound


def _save(settings: DriveSettings, track: PoseSequence, faces: dict[Path, LandmarkSequence]) -> None:
    if settings.body.save_pose:
        save_pose(track, settings.body.save_pose)
    if settings.save_landmarks:
        save_landmarks(faces[settings.main_driver], settings.save_landmarks)
