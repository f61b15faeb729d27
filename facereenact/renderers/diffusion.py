"""The diffusion renderer of faces: the published face networks over clips of any length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facereenact.networks import Networks
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.diffusion_clip import Clip, ClipGuide, Diffusion, Drawn
from facereenact.renderers.diffusion_clip_renderer import ClipRenderer, OnProgress
from facereenact.renderers.pasting import ColourMatch, FacePaste, resized
from landmarks import LandmarkSequence
from landmarks.guides import PublishedStyle, find_face_crop
from landmarks.types import joined

Image = NDArray[np.uint8]

STYLE = PublishedStyle()


class DiffusionRenderer:
    """Renders a fixed square around the face and pastes it into the source.

    Args:
        image: the source (height, width, 3) RGB.
        networks: "vae", "image_encoder", "reference_net", "denoising_unet", "head_guider", "mouth_guider".
        diffusion: how to use them; the rendering is a square.
        folder: where to keep what is done; removed by `forget`.
        weights: what tells the weights from others, so that a rendering with others does not go on.
        matte: (height, width) 0 background to 1 person; estimated where None.
        crop_px: give the square alone, of this side, instead of pasting it.
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
        matte: NDArray[np.float32] | None = None,
        crop_px: int | None = None,
        on_progress: OnProgress = lambda *_: None,
    ) -> None:
        self._clip = ClipRenderer(networks, diffusion, folder=folder, weights=weights, on_progress=on_progress)
        self._image, self._matte = image, matte
        self._crop_px = crop_px
        self.size = (crop_px, crop_px) if crop_px else (image.shape[1], image.shape[0])

    def render(
        self, motion: Iterable[LandmarkSequence], driver: Iterable[DriverFrame] | None = None
    ) -> Iterator[Image]:
        """See `Renderer.render`; nothing is borrowed from the driver.

        Raises:
            NotFiniteError: the networks gave numbers that are not finite.
            OutputError: the disk is full.
        """
        sequence = joined(motion)
        crop, diffusion = find_face_crop(sequence), self._clip.diffusion
        side = diffusion.size[0]
        paste = FacePaste(self._image, crop, side_px=side, matte=self._matte, keep_background=diffusion.keep_background)
        self._clip.denoise(face_clip(paste.square, crop.apply(sequence, side).points, diffusion))
        return self._pasted(paste)

    def forget(self) -> None:
        """Remove what was kept to go on with."""
        self._clip.forget()

    def _pasted(self, paste: FacePaste) -> Iterator[Image]:
        match: ColourMatch | None = None
        for square in self._clip.pictures():
            match = match or paste.match(square)
            matched = match(square)
            yield np.asarray(resized(matched, self._crop_px), np.uint8) if self._crop_px else paste(matched)


def face_clip(square: Image, points: NDArray[np.float32], diffusion: Diffusion) -> Clip:
    """A face that moves in a square as published.

    Args:
        square: the source's face (side, side, 3).
        points: (frames, 68, 2) where its points go, pixels of the rendering.
        diffusion: how it is rendered.
    """
    count, size = len(points), diffusion.size
    return Clip(
        square,
        (
            ClipGuide("head_guider", Drawn(count, lambda at: STYLE.draw(points[at], size).head), diffusion.head_scale),
            ClipGuide(
                "mouth_guider", Drawn(count, lambda at: STYLE.draw(points[at], size).mouth), diffusion.mouth_scale
            ),
        ),
        {"source": digest(square), "motion": digest(points)},
    )


def digest(array: NDArray[np.generic]) -> str:
    """What tells the contents of an array from others."""
    return hashlib.sha256(array.tobytes()).hexdigest()
