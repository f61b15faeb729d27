"""The trackers that look at finished videos, and which of them is independent of the one that drove."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from checkpoints import is_installed
from facereenact.evaluation.readings import Reading, landmark_reading, mesh_reading
from facereenact.evaluation.sidecars import driving_tracker
from landmarks.mediapipe_tracker import mesh_solution, meshes
from landmarks.trackers import OPENSEEFACE, open_tracker

Image = NDArray[np.uint8]
ObserverName = Literal["mesh", "openseeface"]
TrackerChoice = Literal["auto", "openseeface", "mediapipe"]

MARKS: dict[ObserverName, str] = {"mesh": "mediapipe", "openseeface": "openseeface"}
"""What the name of a tracker holds in a sidecar when it, or a part of it, drove."""


class Observer(Protocol):
    """Follows the face through one video."""

    def __call__(self, image: Image) -> Reading | None: ...

    def close(self) -> None: ...


class MeshObserver:
    """MediaPipe's mesh of 478 points, following one face from frame to frame."""

    def __init__(self) -> None:
        self._solution: Any = mesh_solution(faces=1, static=False)

    def __call__(self, image: Image) -> Reading | None:
        found = meshes(self._solution, image)
        return mesh_reading(found[0], (image.shape[1], image.shape[0])) if found else None

    def close(self) -> None:
        self._solution.close()


class OpenSeeFaceObserver:
    """OpenSeeFace's 68 points."""

    def __init__(self) -> None:
        self._tracker = open_tracker("openseeface")

    def __call__(self, image: Image) -> Reading | None:
        face = self._tracker(image)[0]
        return None if face is None else landmark_reading(face, (image.shape[1], image.shape[0]))

    def close(self) -> None:
        self._tracker.close()


OBSERVERS: dict[ObserverName, type[MeshObserver | OpenSeeFaceObserver]] = {
    "mesh": MeshObserver,
    "openseeface": OpenSeeFaceObserver,
}


@dataclass(frozen=True)
class Judge:
    """The tracker whose word counts."""

    name: ObserverName
    independent: bool | None  # None where nobody knows what drove
    reason: str

    @property
    def observers(self) -> tuple[ObserverName, ...]:
        """All that look: the mesh always does, as only it sees the lids."""
        return ("mesh",) if self.name == "mesh" else ("mesh", self.name)


def choose_judge(wanted: TrackerChoice, result: Path) -> Judge:
    """The tracker to judge a result by: one that did not drive it where there is one.

    Raises:
        NotInstalledError: the wanted tracker needs networks that are not installed.
    """
    drove = driving_tracker(result)
    if wanted != "auto":
        name: ObserverName = "mesh" if wanted == "mediapipe" else "openseeface"
        return Judge(name, _is_independent(name, drove), "asked for")
    if _is_independent("mesh", drove):
        return Judge("mesh", True, f"{drove} drove")
    if is_installed(OPENSEEFACE):
        return Judge("openseeface", _is_independent("openseeface", drove), f"{drove or 'nobody knows what'} drove")
    return Judge(
        "mesh",
        _is_independent("mesh", drove),
        f"the networks of OpenSeeFace are not installed (facereenact checkpoints pull {OPENSEEFACE})",
    )


def _is_independent(name: ObserverName, drove: str | None) -> bool | None:
    return None if drove is None else MARKS[name] not in drove
