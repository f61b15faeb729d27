"""Rendering a clip by diffusion: chunk after chunk, network after network, and resumable."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facereenact.errors import InputError
from facereenact.networks import Networks
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.batching import WindowsAtOnce
from facereenact.pipelines.guides import GuideFeatures
from facereenact.pipelines.pictures import to_picture
from facereenact.pipelines.sampling import Progressed, denoise
from facereenact.pipelines.schedulers import can_go_on, check_scheduler
from facereenact.pipelines.source import (
    EncodedSource,
    encode_image,
    encode_latents,
    reference_features,
    source_condition,
)
from facereenact.renderers.chunks import Chunk, ChunkStore, chunks_of
from facereenact.renderers.diffusion_clip import Clip, ClipGuide, Diffusion, Drawn, Item, generator_for, windows_of

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]
OnProgress = Callable[[str, int, int | None], None]

LEAST_WINDOW = 8  # frames, below which a lack of memory is not met with smaller windows


class ClipRenderer:
    """Renders one clip: first `denoise`, which takes nearly all of the time, then `pictures`.

    The networks are in memory one after the other. Latents lie on disk: memory does not grow with the clip, and an
    interrupted rendering goes on.

    Args:
        networks: "vae", "decoder", "image_encoder", "reference_net", "denoising_unet", and guiders as the clip names.
        diffusion: how to use them.
        folder: where to keep what is done; removed by `forget`.
        weights: what tells the weights from others, so that a rendering with others does not go on.
        on_progress: told "denoising", the windows done in all steps, and all of them.

    Raises:
        InputError: a scheduler that does not fit the networks.
    """

    def __init__(
        self,
        networks: Networks,
        diffusion: Diffusion,
        *,
        folder: Path,
        weights: object = None,
        on_progress: OnProgress = lambda *_: None,
    ) -> None:
        check_scheduler(diffusion.scheduler)
        self.diffusion, self.folder = diffusion, folder
        self._networks, self._weights, self._on_progress = networks, weights, on_progress
        self._store: ChunkStore | None = None
        self._chunks: list[Chunk] = []

    def denoise(self, clip: Clip) -> None:
        """Make the latents of every frame, as far as they are not there.

        Raises:
            NotFiniteError: the networks gave numbers that are not finite.
            InputError: the GPU has too little memory.
            OutputError: the disk is full.
        """
        scales = {guide.guider: guide.scale for guide in clip.guides}
        plan = {**self.diffusion.plan, **clip.content, "scales": scales, "weights": self._weights}
        self._store = ChunkStore(self.folder, plan)
        if self._store.is_begun:
            log.warning("going on with the interrupted rendering in %s", self.folder)
        self._chunks = chunks_of(clip.frames, context=self.diffusion.context)
        try:
            if any(self._store.finished(chunk) is None for chunk in self._chunks):
                with _memory_error_told():
                    self._denoise(clip, self._store)
        except BaseException:
            if self._store.is_begun:
                log.warning("what is done is kept in %s: the same command goes on from there", self.folder)
            raise

    def pictures(self) -> Iterator[Image]:
        """The frames of the denoised clip (height, width, 3), decoded one at a time; they can be had again."""
        assert self._store is not None
        with _memory_error_told(), self._networks.use("decoder") as networks:
            for chunk, latents in zip(self._chunks, self._store.latents(self._chunks), strict=True):
                yield from map(to_picture, decoded(networks[0], latents, first_frame=chunk.start))

    def forget(self) -> None:
        """Remove what was kept to go on with."""
        if self._store is not None:
            self._store.remove()

    def _denoise(self, clip: Clip, store: ChunkStore) -> None:
        source = self._encoded(clip.source)
        diffusion, guides = self.diffusion, [guide for guide in clip.guides if guide.scale != 0]
        is_guided = diffusion.sampling.guided
        with self._networks.use("reference_net") as networks, torch.inference_mode():
            reference = reference_features(networks[0], source, guided=is_guided, unguided=diffusion.unguided)
            networks.clear()
        with self._networks.use("denoising_unet", *(guide.guider for guide in guides)) as networks:
            unet, *guiders = networks
            with torch.inference_mode():
                condition = source_condition(unet, source, reference, guided=is_guided)
            del reference
            steps = Steps(self._chunks, diffusion, self._on_progress)
            run = _Run(diffusion, unet, list(zip(guiders, guides, strict=True)), condition, store, steps)
            run(self._chunks)
            del run, unet, guiders, condition

    def _encoded(self, source: Image) -> EncodedSource:
        with torch.inference_mode():
            with self._networks.use("image_encoder") as networks:
                embeds = encode_image(networks[0], source)
                networks.clear()
            with self._networks.use("vae") as networks:
                latents = encode_latents(networks[0], source, self.diffusion.size)
                networks.clear()
        return EncodedSource(latents, embeds)


@contextmanager
def _memory_error_told() -> Iterator[None]:
    """Raises InputError for a GPU that is too small whatever is done."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise InputError(
            "the GPU has too little memory, even with small windows and the weights in main memory; close what "
            "else uses it, or give --device cpu, --dtype float16 or a smaller --window"
        ) from error


class Steps:
    """Counts windows over all steps and chunks."""

    def __init__(self, chunks: list[Chunk], diffusion: Diffusion, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self.recount(chunks, diffusion)

    def recount(self, chunks: list[Chunk], diffusion: Diffusion) -> None:
        """Count with the windows of other settings from now on."""
        self._per_chunk = [diffusion.evaluations * len(windows_of(chunk, chunks, diffusion)) for chunk in chunks]

    def __call__(self, chunk: Chunk, windows: int) -> None:
        """So many windows of a chunk are done, over all of its steps."""
        done = sum(self._per_chunk[: chunk.index]) + windows
        self._on_progress("denoising", done, sum(self._per_chunk))

    def finish(self, chunk: Chunk) -> None:
        self(chunk, self._per_chunk[chunk.index])


class _Run:
    """Denoises chunk after chunk."""

    def __init__(
        self,
        diffusion: Diffusion,
        unet: Any,
        guides: Sequence[tuple[Any, ClipGuide]],  # each with its guider
        condition: Any,
        store: ChunkStore,
        steps: Steps,
    ) -> None:
        self._diffusion, self._unet, self._guides, self._condition = diffusion, unet, guides, condition
        self._store, self._steps = store, steps
        self._context = diffusion.context  # for which the chunks were cut, whatever becomes of the windows
        self._at_once = WindowsAtOnce(unet.device)
        self._is_offloaded = False

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
        while True:
            try:
                return self._denoised(chunk, chunks, held)
            except torch.cuda.OutOfMemoryError:
                if not self._saves_memory():
                    raise
            torch.cuda.empty_cache()
            self._steps.recount(chunks, self._diffusion)

    def _saves_memory(self) -> bool:
        """Smaller windows; if that is not enough, weights that come to the GPU layer by layer. False after that."""
        if self._diffusion.window > LEAST_WINDOW:
            window = max(LEAST_WINDOW, self._diffusion.window // 2)
            log.warning("the GPU is out of memory: going on with windows of %d frames", window)
            overlap = min(self._diffusion.overlap, window - 1)
            self._diffusion = replace(self._diffusion, window=window, overlap=overlap)
            return True
        if self._is_offloaded:
            return False
        log.warning("the GPU is still out of memory: going on with the weights in main memory, which is slower")
        device, main = self._unet.device, torch.device("cpu")
        self._unet.enable_group_offload(onload_device=device, offload_device=main, offload_type="leaf_level")
        self._is_offloaded = True
        return True

    def _denoised(self, chunk: Chunk, chunks: list[Chunk], held: Any) -> tuple[Tensor, Any]:
        """The latents of a chunk's own frames and the trajectory of the last ones."""
        diffusion = self._diffusion
        windows = windows_of(chunk, chunks, diffusion)
        goes_on, steps = can_go_on(diffusion.scheduler), diffusion.evaluations
        reuse = diffusion.sampling.reuse
        generator = generator_for(diffusion.seed, chunk)

        def after_step(step: int, timestep: Any, done: Progressed) -> Tensor:
            if goes_on and step + 1 < steps and (step + 1) % reuse == 0:
                self._store.progress(chunk, done)
            return done.latents

        latents, trajectory = denoise(
            self._unet,
            diffusion.scheduler,
            noise_for(len(chunk.frames), diffusion.size, generator=generator),
            self._condition,
            self._features(chunk),
            windows,
            sampling=diffusion.sampling,
            generator=generator,
            held=held,
            record=slice(len(chunk.frames) - min(self._context, len(chunk.frames)), None),
            progressed=self._store.progressed(chunk) if goes_on else None,
            at_once=self._at_once,
            on_window=lambda step, done: self._steps(chunk, step * len(windows) + done),
            after_step=after_step,
        )
        return latents[:, :, chunk.held :], trajectory

    def _features(self, chunk: Chunk) -> GuideFeatures:
        return GuideFeatures(
            [guider for guider, _ in self._guides],
            [_of_chunk(guide.pictures, chunk) for _, guide in self._guides],
            scales=[guide.scale for _, guide in self._guides],
            masks=[None if guide.masks is None else _of_chunk(guide.masks, chunk) for _, guide in self._guides],
            size=self._diffusion.size,
            unet=self._unet,
        )


def _of_chunk(pictures: Sequence[Item], chunk: Chunk) -> Drawn[Item]:
    return Drawn(len(chunk.frames), lambda frame: pictures[chunk.frames[frame]])
