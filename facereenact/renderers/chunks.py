"""A long clip in chunks, and what is kept of them on disk so that an interrupted rendering goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from facereenact.errors import OutputError
from facereenact.pipelines.sampling import Progressed, Trajectory

FRAMES = 320  # of a chunk, as published
PLAN = "plan.json"


@dataclass(frozen=True)
class Chunk:
    """Frames that are denoised together: first those held from the chunk before, then the chunk's own."""

    index: int
    start: int  # the first frame of its own
    stop: int
    held: int  # frames before `start` that are its context

    @property
    def frames(self) -> range:
        return range(self.start - self.held, self.stop)


def chunks_of(frames: int, *, context: int, length: int = FRAMES) -> list[Chunk]:
    """Chunks of about equal length, none longer than `length` and its context."""
    count = -(-frames // length)
    bounds = [frames * index // count for index in range(count + 1)]
    return [Chunk(index, start, stop, min(context, start)) for index, (start, stop) in enumerate(pairwise(bounds))]


class ChunkStore:
    """A folder with the latents of finished chunks and of the last finished step of the chunk in progress.

    What another plan left there is removed. Files appear under their names only when complete.

    Args:
        folder: made when the first file is stored.
        plan: everything that the latents depend on; a folder is only gone on with if its plan is the same.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, plan: dict[str, object]) -> None:
        self.folder = folder
        self._plan = json.dumps(plan, sort_keys=True, default=str)
        if folder.exists() and self._stored_plan() != self._plan:
            self.remove()

    @property
    def is_begun(self) -> bool:
        """Whether something is there to go on with."""
        return any(self.folder.glob("*.safetensors"))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def finished(self, chunk: Chunk) -> tuple[Tensor, Trajectory] | None:
        """The latents (1, 4, frames, height, width) of a chunk's own frames and the trajectory of its last frames."""
        tensors = self._read(f"chunk-{chunk.index:05d}")
        return None if tensors is None else (tensors.pop("latents"), _trajectory(tensors))

    def finish(self, chunk: Chunk, latents: Tensor, trajectory: Trajectory) -> None:
        self._write(f"chunk-{chunk.index:05d}", {"latents": latents, **_states(trajectory)})
        (self.folder / "step.safetensors").unlink(missing_ok=True)

    def progressed(self, chunk: Chunk) -> Progressed | None:
        """How far a chunk that is not finished has come."""
        tensors = self._read("step")
        if tensors is None or int(tensors.pop("chunk")) != chunk.index:
            return None
        return Progressed(tensors.pop("latents"), tuple(_trajectory(tensors).states))

    def progress(self, chunk: Chunk, done: Progressed) -> None:
        states = _states(Trajectory(done.states))
        self._write("step", {"latents": done.latents, "chunk": done.latents.new_tensor(chunk.index), **states})

    def latents(self, chunks: list[Chunk]) -> Iterator[Tensor]:
        """The latents of all chunks, one chunk at a time."""
        for chunk in chunks:
            finished = self.finished(chunk)
            if finished is None:
                raise OutputError(f"{self.folder} was changed while it was in use; run the command again")
            yield finished[0]

    def _stored_plan(self) -> str:
        try:
            return (self.folder / PLAN).read_text("utf-8")
        except (OSError, ValueError):
            return ""

    def _read(self, name: str) -> dict[str, Tensor] | None:
        try:
            with safe_open(self.folder / f"{name}.safetensors", framework="pt") as file:
                return {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return None

    def _write(self, name: str, tensors: dict[str, Tensor]) -> None:
        path = self.folder / f"{name}.safetensors"
        temporary = path.with_suffix(".partial")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / PLAN).exists():
                (self.folder / PLAN).write_text(self._plan, "utf-8")
            save_file({key: tensor.contiguous().cpu() for key, tensor in tensors.items()}, temporary)
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            temporary.unlink(missing_ok=True)
            cause = getattr(error, "strerror", None) or error
            raise OutputError(
                f"{self.folder} cannot be written ({cause}); free some space, then run the command again: it goes on"
            ) from error


def _states(trajectory: Trajectory) -> dict[str, Tensor]:
    return {f"state-{step:05d}": state for step, state in enumerate(trajectory.states)}


def _trajectory(tensors: dict[str, Tensor]) -> Trajectory:
    return Trajectory(tuple(tensors[key] for key in sorted(tensors) if key.startswith("state-")))
