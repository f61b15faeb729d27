"""A clip from start to end in one pass: decoded ahead, cut into shots, tracked and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.tracking import Estimator
from facereenact.preprocessing.figures import Figures, Image, Looks, measure
from facereenact.preprocessing.poses import Poses
from facereenact.preprocessing.shots import with_cuts
from facereenact.streams import ahead
from facereenact.video import Frame, VideoInfo, VideoReader
from landmarks import LandmarkSequence
from landmarks.smoothing import fill_gaps
from landmarks.trackers import FacesTracker
from landmarks.tracking import SeenFace, SequenceBuilder

FILES = {
    "landmarks": ".landmarks.safetensors",
    "pose": ".pose.safetensors",
    "thumbnail": ".jpg",
    "crop": ".crop.mp4",
}
"""What is written for a sequence, and how the names end."""

LONGEST_PX = (
    1920  # larger pictures are tracked reduced to it: the networks look at a whole picture at 640 pixels at most
)


@dataclass(frozen=True, eq=False)
class Sequence:
    """One person in one shot."""

    shot: int  # from 0
    person: int  # from 0, within the shot
    first_frame: int  # of the shot, in the clip
    start_s: float  # of the shot, in the clip
    seconds: float
    landmarks: LandmarkSequence  # timed from the start of the shot; gaps are filled
    figures: Figures
    thumbnail: Image  # the sharpest look, (SAMPLE_PX, SAMPLE_PX, 3), RGB
    pose: PoseSequence | None  # where it was asked for and the body is in view

    @property
    def files(self) -> dict[str, str]:
        """The names of what may be written for it."""
        name = f"{self.shot}-{self.person}"
        return {kind: name + suffix for kind, suffix in FILES.items()}

    @property
    def values(self) -> dict[str, float]:
        """All that settings may bound."""
        return {**asdict(self.figures), "turn_deg": self.figures.turn_deg, "seconds": self.seconds}


@dataclass(frozen=True, eq=False)
class Tracking:
    """What a clip holds."""

    size: tuple[int, int]  # width, height, pixels
    rate: Fraction
    frames: int
    shots: tuple[int, ...]  # the first frame of each
    sequences: tuple[Sequence, ...]  # of who was seen
    tracker: str  # name and model


@dataclass(frozen=True, eq=False)
class Trackers:
    """What finds faces, and bodies where they are wanted."""

    tracker: FacesTracker
    faces: int
    estimator: Estimator | None


def track_clip(path: Path, trackers: Trackers, *, cuts: bool, feed: Callable[[], None]) -> Tracking:
    """Track the faces of a clip, shot by shot; `feed` is called at each frame.

    Raises:
        InputError: it is no usable video.
    """
    reader = VideoReader(path)
    sequences: list[Sequence] = []
    shots: list[int] = []
    count = 0
    shot: Shot | None = None
    reduced = VideoReader(path, longest_px=LONGEST_PX)
    zoom = np.divide(reader.info.size, reduced.info.size)
    frames = with_cuts(reduced) if cuts else as_one_shot(reduced)
    with closing(ahead(frames)) as stream:
        for frame, is_cut in stream:
            if is_cut:
                sequences += shot.sequences() if shot else []
                shot = Shot(len(shots), count, frame.timestamp_s, reader.info, zoom, trackers)
                shots.append(count)
            assert shot is not None
            shot.add(frame)
            count += 1
            feed()
    sequences += shot.sequences() if shot else []
    return Tracking(reader.info.size, reader.info.rate, count, tuple(shots), tuple(sequences), trackers.tracker.name)


def as_one_shot(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    return ((frame, index == 0) for index, frame in enumerate(frames))


class Shot:
    """The faces between two cuts; starts the tracker anew."""

    def __init__(
        self,
        number: int,
        first_frame: int,
        start_s: float,
        video: VideoInfo,
        zoom: NDArray[np.float64],  # (2,), of the video's pixels (x, y) in those of the frames that are tracked
        trackers: Trackers,
    ) -> None:
        trackers.tracker.reset()
        self._number, self._first_frame, self._start_s = number, first_frame, start_s
        self._last_frame_s = float(1 / video.rate)
        self._zoom = zoom.astype(np.float32)
        self._tracker = trackers.tracker
        self._builders = [SequenceBuilder(video.size, trackers.tracker.name) for _ in range(trackers.faces)]
        self._looks = [Looks() for _ in range(trackers.faces)]
        self._poses = (
            None if trackers.estimator is None else Poses(trackers.estimator, video.size, self._zoom, trackers.faces)
        )

    def add(self, frame: Frame) -> None:
        """Track the next frame."""
        faces, time_s = self._tracker(frame.image), frame.timestamp_s - self._start_s
        for face, builder, looks in zip(faces, self._builders, self._looks, strict=True):
            builder.add_face(face and SeenFace(face.points * self._zoom, face.scores), time_s)
            if face is not None:
                looks.add(frame.image, face.points)
        if self._poses is not None:
            self._poses.add(frame, faces, time_s)

    def sequences(self) -> Iterator[Sequence]:
        """One for each person who was seen."""
        for person, (builder, looks) in enumerate(zip(self._builders, self._looks, strict=True)):
            if looks.best is None:
                continue
            track = builder.build()
            yield Sequence(
                shot=self._number,
                person=person,
                first_frame=self._first_frame,
                start_s=self._start_s,
                seconds=round(float(track.timestamps_s[-1]) + self._last_frame_s, 6),
                landmarks=fill_gaps(track),
                figures=measure(track, looks),
                thumbnail=looks.best,
                pose=None if self._poses is None else self._poses.sequence(person),
            )
