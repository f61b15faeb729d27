"""Body and face by diffusion, one after the other: the body, then a sharper face for each of its frames."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.types import LEFT_HAND, RIGHT_HAND
from facereenact.errors import FaceNotFoundError
from facereenact.renderers.diffusion import face_clip
from facereenact.renderers.diffusion_body import BodyDiffusionRenderer
from facereenact.renderers.diffusion_clip_renderer import ClipRenderer, OnProgress
from facereenact.renderers.face_guidance import FaceGuidance
from facereenact.renderers.face_squares import FaceSquares, count_absent
from facereenact.renderers.head_pasting import HeadPaste
from facereenact.renderers.head_tracking import track_head
from facereenact.renderers.pasting import cut
from landmarks import LandmarkSequence
from landmarks.guides import find_face_crop
from landmarks.mediapipe_tracker import MediaPipeTracker
from landmarks.smoothing import Smoother, fill_gaps
from landmarks.storage import SUFFIX, load_landmarks, save_landmarks
from landmarks.tracking import Tracker

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]


class CombinedDiffusionRenderer:
    """Renders a person in another pose, then the face of each frame anew, and pastes it in.

    The face is tracked in the rendered body. It keeps place and size, and gets the mouth and the eyes of the guidance.
    Frames in which it is not found, is too small or turned away keep the body as it is.

    Args:
        image: the source (height, width, 3) RGB.
        body: renders the body.
        face: renders the face, by the face networks; its folder lies in that of the body, and goes with it.
        guidance: what the face does.
        tracker: makes what follows the face in the rendered body.
        seen_as: what tells it, and what decodes the body for it, from others; the face is then followed anew.
        on_progress: told "tracking faces", the frames done, and all of them.
    """

    name = "diffusion"

    def __init__(
        self,
        image: Image,
        body: BodyDiffusionRenderer,
        face: ClipRenderer,
        guidance: FaceGuidance,
        *,
        tracker: Callable[[], AbstractContextManager[Tracker]] = MediaPipeTracker,
        seen_as: object = None,
        on_progress: OnProgress = lambda *_: None,
    ) -> None:
        self.size = body.size
        self.frames_without_face = 0  # of the last pose, that keep the body as it is
        self._image, self._body, self._face, self._guidance = image, body, face, guidance
        self._tracker, self._seen_as, self._on_progress = tracker, seen_as, on_progress

    def render(self, pose: PoseSequence) -> Iterator[Image]:
        """See `BodyDiffusionRenderer.render`."""
        self._body.denoise(pose)
        try:
            seen = self._tracked(pose)
        except FaceNotFoundError:
            log.warning("no frame of the rendered body shows a face; all of them stay as they are")
            self.frames_without_face = len(pose)
            return self._body.pictures()
        smooth = Smoother()(fill_gaps(seen))
        shows = self._guidance.presence(smooth)
        self.frames_without_face = count_absent(shows)
        if not shows.any():
            return self._body.pictures()
        moved, side = self._guidance.on(smooth), self._face.diffusion.size[0]
        squares = FaceSquares.around(smooth)
        points = squares.inside(moved.points, side)
        self._face.denoise(face_clip(self._square(side), points, self._face.diffusion))
        hands = squares.inside(_hands(pose).reshape(len(pose), -1, 2), side).reshape(len(pose), 2, -1, 2)
        paste = HeadPaste(squares, points, shows, hands=hands, keep_background=self._face.diffusion.keep_background)
        return self._pasted(paste)

    def forget(self) -> None:
        """Remove what was kept to go on with."""
        self._body.forget()

    def _tracked(self, pose: PoseSequence) -> LandmarkSequence:
        """The face in the rendered body; kept beside its latents, so that the face is the same when it goes on."""
        name = hashlib.sha256(json.dumps(self._seen_as, sort_keys=True).encode()).hexdigest()[:16]
        path = self._body.folder / f"faces-{name}{SUFFIX}"
        if path.is_file():
            return load_landmarks(path)

        def on_frame(done: int) -> None:
            self._on_progress("tracking faces", done, len(pose))

        with self._tracker() as tracker:
            seen = track_head(self._body.pictures(), pose, tracker, on_frame=on_frame)
        save_landmarks(seen, path)
        return seen

    def _square(self, side_px: int) -> Image:
        """The source's face as the face networks see it."""
        return cut(self._image, find_face_crop(self._guidance.source), side_px)

    def _pasted(self, paste: HeadPaste) -> Iterator[Image]:
        for index, (frame, square) in enumerate(zip(self._body.pictures(), self._face.pictures(), strict=True)):
            yield paste(frame, square, index)


def _hands(pose: PoseSequence) -> NDArray[np.float32]:
    """(frames, 2, 21, 2) pixels, NaN where a point is not seen."""
    points = np.where(pose.visible[..., None], pose.points, np.nan)
    return np.stack([points[:, hand] for hand in (LEFT_HAND, RIGHT_HAND)], axis=1).astype(np.float32)
