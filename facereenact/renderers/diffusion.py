"""The diffusion renderer: the published face networks over clips of any length."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import SchedulerMixin
from numpy.typing import NDArray
from torch import Tensor

from facereenact.networks import Networks
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.guides import GuideFeatures
from facereenact.pipelines.pictures import to_picture
from facereenact.pipelines.sampling import Progressed, Sampling, can_go_on, check_scheduler, denoise
from facereenact.pipelines.source import (
    EncodedSource,
    encode_image,
    encode_latents,
    reference_features,
    source_condition,
)
from facereenact.pipelines.windows import context_windows, sliding_windows
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.chunks import Chunk, ChunkStore, chunks_of
from facereenact.renderers.pasting import ColourMatch, FacePaste, resized
from landmarks import LandmarkSequence
from landmarks.guides import FaceCrop, PublishedStyle, find_face_crop
from landmarks.types import joined

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]

LEAST_WINDOW = 8  # frames, below which a lack of memory is not met with smaller windows
STYLE = PublishedStyle()


@dataclass(frozen=True)
class Diffusion:
    """How the networks are used."""

    scheduler: SchedulerMixin
    sampling: Sampling
    window: int = 24
    overlap: int = 4
    seed: int = 0
    head_scale: float = 1.0
    mouth_scale: float = 1.0
    side_px: int = 512  # of the square that is rendered
    keep_background: bool = True

    @property
    def context(self) -> int:
        """Frames of the chunk before that a chunk goes on from."""
        return max(2 * self.overlap, self.window // 2)

    @property
    def plan(self) -> dict[str, Any]:
        """All of it, in plain values."""
        settings = {name: value for name, value in vars(self).items() if name not in ("scheduler", "sampling")}
        return {
            **settings,
            "sampling": asdict(self.sampling),
            "scheduler": {"class": type(self.scheduler).__name__, **dict(self.scheduler.config)},
        }


class DiffusionRenderer:
    """Renders a fixed square around the face and pastes it into the source.

    First all chunks are denoised, which takes nearly all of the time, then decoded: the networks are in memory one
    after the other. Latents lie on disk: memory does not grow with the clip, and an interrupted rendering goes on.

    Args:
        image: the source (height, width, 3) RGB.
        networks: "vae", "image_encoder", "reference_net", "denoising_unet", "head_guider", "mouth_guider".
        diffusion: how to use them.
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
        on_progress: Callable[[str, int, int | None], None] = lambda *_: None,
    ) -> None:
        check_scheduler(diffusion.scheduler)
        self._image, self._matte = image, matte
        self._networks, self._diffusion = networks, diffusion
        self._folder, self._weights = folder, weights
        self._crop_px = crop_px
        self._on_progress = on_progress
        self._store: ChunkStore | None = None
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
        crop = find_face_crop(sequence)
        paste = FacePaste(
            self._image,
            crop,
            side_px=self._diffusion.side_px,
            matte=self._matte,
            keep_background=self._diffusion.keep_background,
        )
        seen = crop.apply(sequence, self._diffusion.side_px)
        self._store = ChunkStore(self._folder, self._plan(paste.square, seen, crop))
        if self._store.is_begun:
            log.warning("going on with the interrupted rendering in %s", self._folder)
        chunks = chunks_of(len(sequence), context=self._diffusion.context)
        try:
            if any(self._store.finished(chunk) is None for chunk in chunks):
                self._denoise(chunks, paste.square, seen, self._store)
        except BaseException:
            if self._store.is_begun:
                log.warning("what is done is kept in %s: the same command goes on from there", self._folder)
            raise
        return self._pictures(self._store.latents(chunks), paste)

    def forget(self) -> None:
        """Remove what was kept to go on with."""
        if self._store is not None:
            self._store.remove()

    def _plan(self, square: Image, seen: LandmarkSequence, crop: FaceCrop) -> dict[str, object]:
        """All that the latents depend on."""
        return {
            **self._diffusion.plan,
            "source": hashlib.sha256(square.tobytes()).hexdigest(),
            "motion": hashlib.sha256(seen.points.tobytes()).hexdigest(),
            "crop": crop.xyxy,
            "weights": self._weights,
        }

    def _denoise(self, chunks: list[Chunk], square: Image, seen: LandmarkSequence, store: ChunkStore) -> None:
        """Make the latents of every chunk that is not finished."""
        source = self._encoded(square)
        is_guided = self._diffusion.sampling.guided
        with self._networks.use("reference_net") as networks, torch.inference_mode():
            reference = reference_features(networks[0], source, guided=is_guided, unguided="zero latents")
            networks.clear()
        with self._networks.use("denoising_unet", "head_guider", "mouth_guider") as networks:
            unet, *guiders = networks
            with torch.inference_mode():
                condition = source_condition(unet, source, reference, guided=is_guided)
            del reference
            steps = Steps(chunks, self._diffusion, self._on_progress)
            run = _Run(self._diffusion, unet, guiders, condition, seen, store, steps)
            run(chunks)
            del run, unet, guiders, condition

    def _encoded(self, square: Image) -> EncodedSource:
        size = (self._diffusion.side_px, self._diffusion.side_px)
        with torch.inference_mode():
            with self._networks.use("image_encoder") as networks:
                embeds = encode_image(networks[0], square)
                networks.clear()
            with self._networks.use("vae") as networks:
                latents = encode_latents(networks[0], square, size)
                networks.clear()
        return EncodedSource(latents, embeds)

    def _pictures(self, latents: Iterator[Tensor], paste: FacePaste) -> Iterator[Image]:
        match: ColourMatch | None = None
        with self._networks.use("vae") as networks:
            for chunk in latents:
                for pixels in decoded(networks[0], chunk):
                    square = to_picture(pixels)
                    match = match or paste.match(square)
                    matched = match(square)
                    yield np.asarray(resized(matched, self._crop_px), np.uint8) if self._crop_px else paste(matched)


class Steps:
    """Counts windows over all steps and chunks."""

    def __init__(
        self, chunks: list[Chunk], diffusion: Diffusion, on_progress: Callable[[str, int, int | None], None]
    ) -> None:
        self._on_progress = on_progress
        self._per_chunk = [diffusion.sampling.steps * len(windows_of(chunk, chunks, diffusion)) for chunk in chunks]

    def __call__(self, chunk: Chunk, windows: int) -> None:
        """So many windows of a chunk are done, over all of its steps."""
        done = sum(self._per_chunk[: chunk.index]) + windows
        self._on_progress("denoising", done, sum(self._per_chunk))

    def finish(self, chunk: Chunk) -> None:
        self(chunk, self._per_chunk[chunk.index])


def windows_of(chunk: Chunk, chunks: Sequence[Chunk], diffusion: Diffusion) -> list[list[int]]:
    """Frames of a chunk, from 0 at the first held one, that are denoised together.

    A clip of one chunk has the published windows, of which the last ones wrap around; parts of a clip have not, since
    their ends do not meet.
    """
    windows = context_windows if len(chunks) == 1 else sliding_windows
    return windows(len(chunk.frames), size=diffusion.window, overlap=diffusion.overlap)


class _Run:
    """Denoises chunk after chunk."""

    def __init__(
        self,
        diffusion: Diffusion,
        unet: Any,
        guiders: Sequence[Any],
        condition: Any,
        seen: LandmarkSequence,
        store: ChunkStore,
        steps: Steps,
    ) -> None:
        self._diffusion, self._unet, self._guiders, self._condition = diffusion, unet, guiders, condition
        self._seen, self._store, self._steps = seen, store, steps

    def __call__(self, chunks: list[Chunk]) -> None:
        held = None
        for chunk in chunks:
            finished = self._store.finished(chunk)
            if finished is None:
                finished = self._with_less_memory_if_needed(chunk, chunks, held)
                self._store.finish(chunk, *finished)
            self._steps.finish(chunk)
            held = finished[1]

    def _with_less_memory_if_needed(self, chunk: Chunk, chunks: list[Chunk], held: Any) -> tuple[Tensor, Any]:
        try:
            return self._denoised(chunk, chunks, held)
        except torch.cuda.OutOfMemoryError:
            window = max(LEAST_WINDOW, self._diffusion.window // 2)
            if window >= self._diffusion.window:
                raise
            log.warning("the GPU is out of memory: going on with windows of %d frames", window)
            overlap = min(self._diffusion.overlap, window - 1)
            self._diffusion = replace(self._diffusion, window=window, overlap=overlap)
            torch.cuda.empty_cache()
        return self._denoised(chunk, chunks, held)

    def _denoised(self, chunk: Chunk, chunks: list[Chunk], held: Any) -> tuple[Tensor, Any]:
        """The latents of a chunk's own frames and the trajectory of the last ones."""
        diffusion, unet = self._diffusion, self._unet
        windows = windows_of(chunk, chunks, diffusion)
        side = (diffusion.side_px, diffusion.side_px)
        goes_on = can_go_on(diffusion.scheduler)
        reuse = diffusion.sampling.reuse

        def after_step(step: int, timestep: Any, done: Progressed) -> Tensor:
            if goes_on and step + 1 < diffusion.sampling.steps and (step + 1) % reuse == 0:
                self._store.progress(chunk, done)
            return done.latents

        latents, trajectory = denoise(
            unet,
            diffusion.scheduler,
            noise_for(len(chunk.frames), side, generator=generator_for(diffusion.seed, chunk)),
            self._condition,
            GuideFeatures(
                self._guiders,
                [_Guides(self._seen, chunk, "head"), _Guides(self._seen, chunk, "mouth")],
                scales=(diffusion.head_scale, diffusion.mouth_scale),
                size=side,
                unet=unet,
            ),
            windows,
            sampling=diffusion.sampling,
            held=held,
            record=slice(len(chunk.frames) - min(diffusion.context, len(chunk.frames)), None),
            progressed=self._store.progressed(chunk) if goes_on else None,
            on_window=lambda step, done: self._steps(chunk, step * len(windows) + done),
            after_step=after_step,
        )
        return latents[:, :, chunk.held :], trajectory


def generator_for(seed: int, chunk: Chunk) -> torch.Generator:
    """The source of a chunk's noise: the seed itself for the first, as in the published code."""
    return torch.Generator().manual_seed((seed + chunk.index * 0x9E3779B97F4A7C15) % 2**63)


class _Guides(Sequence[Image]):
    """The head or mouth guides of a chunk, drawn when they are asked for."""

    def __init__(self, seen: LandmarkSequence, chunk: Chunk, kind: str) -> None:
        self._points, self._size = seen.points[chunk.frames.start : chunk.frames.stop], seen.size
        self._kind = kind

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: Any) -> Any:
        return getattr(STYLE.draw(self._points[index], self._size), self._kind)
