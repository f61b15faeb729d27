"""drive(): from a source and its drivers to a finished video. The one function behind `facereenact drive`."""

from __future__ import annotations

from dataclasses import asdict, replace

from facereenact.body_drive import film_body
from facereenact.diffusion import open_diffusion_renderer
from facereenact.driver import Progress
from facereenact.film import (
    Clock,
    DriveResult,
    Film,
    Original,
    Sound,
    check_outputs,
    require_still,
    unfinished_folder,
    write_film,
)
from facereenact.guide_tracking import guide_tracker, landmarks_of_still
from facereenact.mixing import open_cast
from facereenact.renderer_choice import RendererName, choose_renderer
from facereenact.renderers.base import Renderer
from facereenact.renderers.warp import WarpRenderer
from facereenact.settings import DriveSettings
from facereenact.sidecar import write_sidecar
from facereenact.source import CROP_PX, Source, read_source
from landmarks.storage import save_landmarks

__all__ = ["DriveResult", "drive"]


def drive(settings: DriveSettings, *, progress: Progress = lambda *_: None) -> DriveResult:
    """Animate the source with the motion of one driver, or of one for each part or the body, and write the result.

    Nothing is left behind when it fails or is interrupted, but for what the diffusion renderer has finished: the same
    call goes on from there. A finished result has a `.json` sidecar.

    Args:
        settings: what to do.
        progress: told the stage, the frames done, and the frames in all (None where unknown).

    Raises:
        InputError: the source or a driver cannot be used; FaceNotFoundError where it shows no face,
            PersonNotFoundError where it shows no body.
        OutputError: the result cannot be written.
    """
    clock = Clock()
    renderer = choose_renderer(settings)
    check_outputs(settings)
    make = film_face if settings.body.body_driver is None else film_body
    film, result = make(settings, renderer, clock, progress)
    write_film(film, result, settings, progress)
    clock.lap("rendering")
    film.finish()
    result.seconds = clock.laps
    write_sidecar(result.output, {"settings": asdict(settings), "result": asdict(result), **film.trackers})
    return result


def film_face(
    settings: DriveSettings, renderer: tuple[RendererName, str], clock: Clock, progress: Progress
) -> tuple[Film, DriveResult]:
    """A face alone, about to be animated, and what is known of it."""
    tracker = guide_tracker(renderer[0])
    cast = open_cast(settings, tracker)
    require_still(settings.output_path, cast.is_still)
    source = _read_source(settings, renderer[0])
    source = replace(source, landmarks=landmarks_of_still(source.image, source.mesh, tracker))
    clock.lap("source")
    tracks = cast.track(progress)
    clock.lap("tracking")
    performance = cast.perform(source.landmarks, tracks)
    animator = _open_renderer(renderer[0], source, settings, progress)
    clock.lap("preparation")
    tracked = tracks[settings.main_driver]

    def finish() -> None:
        animator.forget()
        if settings.save_landmarks:
            save_landmarks(tracked, settings.save_landmarks)

    film = Film(
        source.image,
        animator.size,
        performance.rate,
        performance.times_s,
        animator.render(performance.landmarks(), performance.mouths()),
        originals=(Original(tracked.size, performance.main_images),),
        sound=Sound(cast.audio, settings.span) if cast.audio else None,
        trackers={"tracker": tracked.tracker},
        finish=finish,
    )
    result = film.result(
        settings,
        renderer,
        frames_filled=sum(int((~track.detected).sum()) for track in tracks.values()),
        neutral_frame=performance.takes[settings.main_driver].retargeter.neutral_frame,
        parts=performance.parts,
    )
    return film, result


def _read_source(settings: DriveSettings, renderer: RendererName) -> Source:
    """The source; where the diffusion renderer gives the square of the face, it cuts that out itself."""
    cuts_itself = settings.crop and renderer == "diffusion"
    return read_source(
        settings.source,
        face=settings.face,
        crop=settings.crop and not cuts_itself,
        size=None if cuts_itself else settings.size,
    )


def _open_renderer(name: RendererName, source: Source, settings: DriveSettings, progress: Progress) -> Renderer:
    if name == "warp":
        return WarpRenderer(source.image, source.mesh, source.landmarks, matte=source.matte)
    side = settings.size[0] if isinstance(settings.size, tuple) else settings.size
    return open_diffusion_renderer(
        source,
        settings.diffusion,
        folder=unfinished_folder(settings.output_path),
        crop_px=(side or CROP_PX) if settings.crop else None,
        on_progress=progress,
    )
