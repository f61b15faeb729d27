"""The diffusion renderer of bodies: the published body networks over clips of any length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.guides import draw_guide
from facereenact.networks import Networks
from facereenact.pipelines.base import MULTIPLE_PX
from facereenact.renderers.diffusion import digest
from facereenact.renderers.diffusion_clip import Clip, ClipGuide, Diffusion, Drawn
from facereenact.renderers.diffusion_clip_renderer import ClipRenderer, OnProgress
from facereenact.renderers.face_guidance import FaceGuidance
from facereenact.renderers.face_in_frame import FaceInFrame
from facereenact.renderers.face_squares import count_absent

Image = NDArray[np.uint8]


class BodyDiffusionRenderer:
    """Renders a person, and everything around, in another pose.

    Args:
        image: the source (height, width, 3) RGB, of any size.
        networks: "vae", "image_encoder", "reference_net", "denoising_unet", "pose_guider".
        diffusion: how to use them; `body_canvas` gives a size that fits the source.
        folder: where to keep what is done; removed by `forget`.
        weights: what tells the weights from others, so that a rendering with others does not go on.
        face: guides the face beside the body; the networks then have "head_guider" and "mouth_guider", too.
        on_progress: told "denoising", the windows done in all steps, and all of them.
    """

    name = "diffusion"

    def __init__(
        self,
        image: Image,
        networks: Networks,
        diffusion: Diffusion,
        *,
        folder: Path,
        weights: object = None,
        face: FaceGuidance | None = None,
        on_progress: OnProgress = lambda *_: None,
    ) -> None:
        self.size = (image.shape[1], image.shape[0])
        self.folder = folder
        self.frames_without_face = 0  # of the last pose, that guide the body alone although the face is to be guided
        self._image, self._face = image, face
        self._canvas = Canvas(self.size, diffusion.size)
        self._clip = ClipRenderer(networks, diffusion, folder=folder, weights=weights, on_progress=on_progress)

    def render(self, pose: PoseSequence) -> Iterator[Image]:
        """The source with its person's points where `pose` says, frame by frame.

        Args:
            pose: retargeted to the source, pixels of it.

        Raises:
            FaceNotFoundError: the face is to be guided, and the pose does not show it.
            NotFiniteError: the networks gave numbers that are not finite.
            OutputError: the disk is full.
        """
        self.denoise(pose)
        return self.pictures()

    def denoise(self, pose: PoseSequence) -> None:
        """Do nearly all of the work of `render`."""
        points = self._canvas.points(pose.points)

        def draw(frame: int) -> Image:
            return draw_guide(points[frame], pose.scores[frame], self._canvas.size)

        guides = [ClipGuide("pose_guider", Drawn(len(pose), draw), self._clip.diffusion.body_scale)]
        content = {"source": digest(self._image), "pose": digest(points) + digest(pose.scores)}
        if self._face is not None:
            carried = self._face.carried_by(pose)
            there = self._canvas.points(carried.points).astype(np.float32)
            carried = replace(carried, points=there, size=self._canvas.size)
            shows = self._face.presence(carried)
            self.frames_without_face = count_absent(shows)
            guides += self._face_guides(FaceInFrame(carried, shows), len(pose))
            content["face"] = digest(carried.points) + digest(shows)
        self._clip.denoise(Clip(self._canvas.put(self._image), tuple(guides), content))

    def pictures(self) -> Iterator[Image]:
        """The pictures of the denoised clip, in the size of the source; they can be had again."""
        return map(self._canvas.take, self._clip.pictures())

    def forget(self) -> None:
        """Remove what was kept to go on with."""
        self._clip.forget()

    def _face_guides(self, face: FaceInFrame, count: int) -> list[ClipGuide]:
        masks, diffusion = Drawn(count, face.mask), self._clip.diffusion
        return [
            ClipGuide("head_guider", Drawn(count, face.head), diffusion.head_scale, masks),
            ClipGuide("mouth_guider", Drawn(count, face.mouth), diffusion.mouth_scale, masks),
        ]


def body_canvas(size: tuple[int, int], longer_px: int) -> tuple[int, int]:
    """The size in which a picture of `size` (width, height) is rendered: its shape, and both sides divisible by 8.

    Args:
        longer_px: the longer side, divisible by 8.
    """
    width, height = (-(-round(side * longer_px / max(size)) // MULTIPLE_PX) * MULTIPLE_PX for side in size)
    return max(width, MULTIPLE_PX), max(height, MULTIPLE_PX)


@dataclass(frozen=True)
class Canvas:
    """A picture in the size of a rendering, top left, without distortion; what is left over repeats its border.

    The published code stretches pictures instead, and people with them.
    """

    picture: tuple[int, int]  # width, height
    size: tuple[int, int]  # of the rendering

    @property
    def inner(self) -> tuple[int, int]:
        """Width, height of the picture on the canvas."""
        zoom = min(side / own for side, own in zip(self.size, self.picture, strict=True))
        width, height = (
            max(1, min(round(own * zoom), side)) for own, side in zip(self.picture, self.size, strict=True)
        )
        return width, height

    def put(self, image: Image) -> Image:
        """The picture on the canvas."""
        inner, (width, height) = self.inner, self.size
        small = _resized(image, inner)
        return np.asarray(
            cv2.copyMakeBorder(small, 0, height - inner[1], 0, width - inner[0], cv2.BORDER_REPLICATE), np.uint8
        )

    def take(self, rendered: Image) -> Image:
        """The picture back from the canvas."""
        return _resized(np.ascontiguousarray(rendered[: self.inner[1], : self.inner[0]]), self.picture)

    def points(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Points (..., 2) of the picture on the canvas."""
        return np.asarray(points, np.float64) * (np.array(self.inner) / self.picture)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    if image.shape[1::-1] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8)
