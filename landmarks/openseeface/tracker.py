"""The tracker: OpenSeeFace's networks and its way of finding, following and giving up faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from checkpoints.errors import InputError
from landmarks.openseeface.boxes import Box, crop_around
from landmarks.openseeface.detection import FaceDetector, RetinaFaceDetector
from landmarks.openseeface.face import Face, FacePoints
from landmarks.openseeface.presets import PRESETS, RETINAFACE, Preset
from landmarks.openseeface.pupils import Eyes, PupilFinder, Pupils, cut_eyes
from landmarks.openseeface.recovery import Recovery
from landmarks.openseeface.regression import LandmarkRegressor, Regression
from landmarks.openseeface.slots import Find, Slot, assigned, best_finds

CROWD = 5  # faces that are looked for where more than one matters
GROUP = 16  # frames whose pupils are found at once: as fast as it gets, after half a second of a video


class OpenSeeFaceTracker:
    """Follows one face or several through the frames of a video.

    It remembers where the faces were, how they were turned and what is usual for them; `reset` forgets. What it states
    depends on the frames alone: not on the clock, on chance or on threads.

    Args:
        models_dir: the folder of OpenSeeFace's networks.
        preset: "corrected", "compat" (number for number what the original's command line gives with a static face
            model), or a `Preset`.

    Raises:
        InputError: a network is missing, damaged or another one; the preset is unknown.
    """

    def __init__(self, models_dir: str | Path, *, preset: str | Preset = "corrected") -> None:
        self.preset = _preset(preset)
        self._models_dir = folder = Path(models_dir)
        self._regressor = LandmarkRegressor(folder, model=self.preset.landmark_model)
        self._pupils = PupilFinder(folder)
        self._detector = _detector(folder, self.preset)
        self.name = f"openseeface-1.20.4/lm_model{self.preset.landmark_model}"
        self.reset()

    def reset(self) -> None:
        """Forget all faces."""
        self._slots = [Slot(number) for number in range(self.preset.max_faces)]
        self._boxes: list[Box] = []
        self._has_begun = False
        self._misses = 0
        self._waited = 0
        self._seen: list[FacePoints] = []
        self._size = (0, 0)
        self._faces: list[Face] | None = None

    def start_at(self, points: NDArray[np.float32]) -> None:
        """Look for a face where points (n, 2), pixels, of it lie, before looking elsewhere."""
        low, high = points.min(axis=0), points.max(axis=0)
        self._boxes, self._misses = [np.concatenate([low, high - low])], 0

    def close(self) -> None:
        """Nothing is held open; for the same use as other trackers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """The faces in the next frame, RGB uint8 (height, width, 3), by their number; empty where none is seen."""
        self.points(image)
        return self.faces()

    def points(self, image: NDArray[np.uint8]) -> list[FacePoints]:
        """The faces in the next frame without pose and expression, which `faces` adds where they are wanted."""
        self.sighted(image)
        return self.with_pupils(image)

    def follow(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[list[FacePoints]]:
        """What `points` gives for each of the next frames, sooner: the pupils of sixteen frames are found at once.

        So many frames are taken before the faces of the first are given. `faces` has nothing to say of them.
        """
        coming = iter(images)
        while group := [self._sighted_and_cut(image) for image in islice(coming, GROUP)]:
            self._seen = []
            pupils = iter(self._pupils_of_many([each for _, eyes in group for each in eyes]))
            for faces, _ in group:
                yield [self._completed(face, next(pupils)) for face in faces]

    def sighted(self, image: NDArray[np.uint8]) -> list[FacePoints]:
        """The faces in the next frame without pupils, which `with_pupils` adds where they are wanted.

        `faces` takes the pupils as they are when it is asked first.
        """
        found = self._found(image)
        self._seen = []
        for slot, face in assigned(found, self._slots):
            if face is None:
                slot.forget_pose()
            else:
                self._seen.append(slot.see(face, score_limit=self.preset.score_limit))
        self._size, self._faces = (image.shape[1], image.shape[0]), None
        self._remember([face.box_xywh for face in found])
        return self._seen

    def with_pupils(self, image: NDArray[np.uint8]) -> list[FacePoints]:
        """The faces of the last frame, which is given once more, with their pupils."""
        pupils = self._pupils([cut_eyes(image, face) for face in self._seen])
        self._seen = [self._completed(face, found) for face, found in zip(self._seen, pupils, strict=True)]
        return self._seen

    def faces(self) -> list[Face]:
        """The faces of the last frame with pose and expression; frames for which nobody asks leave no trace in them."""
        if self._faces is None:
            self._faces = [
                self._slots[face.number].state(face, self._size, solver=self.preset.pose) for face in self._seen
            ]
        return self._faces

    def sees_several(self, image: NDArray[np.uint8]) -> bool:
        """Whether a frame shows more than one face, however many are followed. Nothing of it is remembered."""
        boxes = self._detector(image, count=CROWD)
        return len(best_finds(self._confirmed(image, boxes, is_known=False), CROWD)) > 1

    @cached_property
    def _pupils_of_many(self) -> PupilFinder:
        return PupilFinder(self._models_dir, faces=GROUP)

    def _sighted_and_cut(self, image: NDArray[np.uint8]) -> tuple[list[FacePoints], list[Eyes]]:
        """The faces in the next frame without pupils, and the eyes of each."""
        faces = self.sighted(image)
        return faces, [cut_eyes(image, face) for face in faces]

    def _completed(self, face: FacePoints, pupils: Pupils) -> FacePoints:
        points, scores = pupils
        return face.with_pupils(points, np.clip(scores, 0, self.preset.score_limit))

    def _found(self, image: NDArray[np.uint8]) -> list[Regression]:
        """The faces in the frame, best first."""
        finds = self._confirmed(image, self._boxes, is_known=True)
        is_scan_due = self._is_scan_due()
        if not self._boxes or is_scan_due:
            finds += self._look(image)
        if not finds and self.preset.recovery is not None:
            finds = self._recovered(image, self.preset.recovery)
        return best_finds(finds, self.preset.max_faces)

    def _recovered(self, image: NDArray[np.uint8], recovery: Recovery) -> list[Find]:
        """A closer look, where neither the known places nor, without any, the detector showed a face."""
        finds = self._look(image) if self._boxes else []
        if finds:
            return finds
        is_away = self._misses > self.preset.discard_after
        round_index, wait = divmod(self._misses, recovery.later_every if is_away else recovery.every)
        if wait:
            return []
        faces = recovery(
            image,
            lambda view: [find.face for find in self._look(view)],
            round_index=round_index if self._has_begun else None,
        )
        return [Find(self._upright(image, face), is_known=False) for face in faces]

    def _is_scan_due(self) -> bool:
        """Whether it is time to look for more faces than those that are followed."""
        if len(self._boxes) in (0, self.preset.max_faces):
            self._waited = 0
            return False
        self._waited += 1
        if self._waited < self.preset.scan_every:
            return False
        self._waited = 0
        return True

    def _look(self, image: NDArray[np.uint8]) -> list[Find]:
        """What the detector finds and the landmarks confirm."""
        boxes = self._detector(image, count=self.preset.max_faces)
        finds = self._confirmed(image, boxes, is_known=False)
        if self.preset.recovery is None:
            return finds
        # The detector's box is rough: the points are taken from a crop about themselves, as they will be from now on.
        return self._confirmed(image, [find.face.box_xywh for find in finds], is_known=False)

    def _confirmed(self, image: NDArray[np.uint8], boxes: list[Box], *, is_known: bool) -> list[Find]:
        """The faces in boxes that hold one."""
        crops = [crop_around(box, (image.shape[1], image.shape[0])) for box in boxes]
        faces = [self._regressor(image, crop) for crop in crops if crop.is_usable]
        return [Find(face, is_known) for face in faces if face.confidence > self.preset.landmark_threshold]

    def _upright(self, image: NDArray[np.uint8], face: Regression) -> Regression:
        """A face found in another view, seen as it will be in the next frames where it can be."""
        seen = self._confirmed(image, [face.box_xywh], is_known=False)
        return seen[0].face if seen and seen[0].face.confidence > face.confidence else face

    def _remember(self, boxes: list[Box]) -> None:
        """The places to look at first in the next frame."""
        self._has_begun = True
        if boxes:
            self._boxes, self._misses = boxes, 0
        else:
            self._misses += 1
            if self._misses > self.preset.discard_after:
                self._boxes = []


def _detector(models_dir: Path, preset: Preset) -> FaceDetector | RetinaFaceDetector:
    if preset.detector == RETINAFACE:
        return RetinaFaceDetector(models_dir)
    return FaceDetector(models_dir, threshold=preset.detection_threshold)


def _preset(preset: str | Preset) -> Preset:
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise InputError(f"there is no preset {preset!r} of the OpenSeeFace tracker: choose {' or '.join(PRESETS)}")
    return PRESETS[preset]
