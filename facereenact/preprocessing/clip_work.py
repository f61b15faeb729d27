"""What is done with one clip: fetched, hashed, passed over where it is complete, else tracked and put in place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2

from body.estimators import EstimatorName, open_estimator
from body.storage import save_pose
from facereenact.errors import FacereenactError, InputError, OutputError
from facereenact.preprocessing.crops import CropPlan, write_crops
from facereenact.preprocessing.figures import Image, objection
from facereenact.preprocessing.records import complete_record, record_of
from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.settings import PreprocessSettings, key_of, making
from facereenact.preprocessing.shot_tracking import Trackers, Tracking, track_clip
from facereenact.preprocessing.stores import RECORD, Clip, Output, content_hash, fetched, written_to
from landmarks.guides import find_face_crop
from landmarks.storage import save_landmarks
from landmarks.trackers import Following, TrackerName, open_tracker

THUMBNAIL_QUALITY = 85


@dataclass(frozen=True)
class ClipWork:
    """The work on any clip of a run; the same clip gives the same files wherever and whenever it is done."""

    output: str
    settings: PreprocessSettings
    tracker: TrackerName
    estimator: EstimatorName | None  # of bodies

    @property
    def making(self) -> dict[str, Any]:
        """What the files depend on besides the content of the clip."""
        return making(self.settings, self.tracker, self.estimator)

    @property
    def key(self) -> str:
        return key_of(self.making)

    def __call__(self, clip: Clip, feed: Callable[[], None]) -> ClipResult:
        """Do it; `feed` is called whenever something has come of it.

        Raises:
            FacereenactError: no clip can be done here: the tracker's networks are missing or damaged, or (OutputError)
                the results cannot be written.
        """
        content, output = clip.content, Output(self.output)
        if content and (record := complete_record(output, content, self.key)):
            return ClipResult(clip, content, record, was_complete=True)
        trackers = opened_trackers(self.tracker, self.settings.faces, self.estimator)
        with output.scratch() as scratch:
            try:
                with fetched(clip.path, scratch, feed) as path:
                    content = content_hash(path, feed)
                    if record := complete_record(output, content, self.key):
                        return ClipResult(clip, content, record, was_complete=True)
                    folder = scratch / "files"
                    record = self._made(path, content, trackers, folder, feed)
                    output.publish(folder, content)
                    return ClipResult(clip, content, record)
            except OutputError:
                raise
            except InputError as error:
                return ClipResult(clip, content, error=_about_clip(str(error), clip, scratch))
            except Exception as error:  # whatever a strange clip sets off: the next one is none the worse
                return ClipResult(clip, content, error=_about_clip(f"{type(error).__name__}: {error}", clip, scratch))

    def _made(
        self, path: Path, content: str, trackers: Trackers, folder: Path, feed: Callable[[], None]
    ) -> dict[str, Any]:
        """Make all files of a clip in a folder; the record among them."""
        tracking = track_clip(path, trackers, cuts=self.settings.cuts, feed=feed)
        with written_to(self.output):
            folder.mkdir()
            for sequence in tracking.sequences:
                save_landmarks(sequence.landmarks, folder / sequence.files["landmarks"])
                (folder / sequence.files["thumbnail"]).write_bytes(jpeg(sequence.thumbnail))
                if sequence.pose is not None:
                    save_pose(sequence.pose, folder / sequence.files["pose"])
        if plans := self._crops(tracking, folder):
            write_crops(path, plans, tracking.rate, feed)
        record = record_of(content, tracking, self.making, {file.name for file in folder.iterdir()})
        with written_to(self.output):
            (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        return record

    def _crops(self, tracking: Tracking, folder: Path) -> list[CropPlan]:
        """The crops to make: of what keeps within the limits."""
        if not self.settings.with_crops:
            return []
        return [
            CropPlan(
                path=folder / sequence.files["crop"],
                crop=find_face_crop(sequence.landmarks),
                first_frame=sequence.first_frame,
                frames=len(sequence.landmarks),
                start_s=sequence.start_s,
            )
            for sequence in tracking.sequences
            if not objection(sequence.values, self.settings.bounds)
        ]


@cache  # a worker process does many clips: only the first waits for the networks
def opened_trackers(name: TrackerName, faces: int, estimator: EstimatorName | None) -> Trackers:
    try:
        tracker = open_tracker(name, Following(faces))
        return Trackers(tracker, faces, None if estimator is None else open_estimator(estimator))
    except InputError as error:
        raise FacereenactError(str(error)) from error  # a fault of the installation, not of a clip


def jpeg(image: Image) -> bytes:
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])[1])


def _about_clip(message: str, clip: Clip, scratch: Path) -> str:
    """The message with the clip's own path for that of its copy, on one line."""
    copy = re.escape(str(scratch / "input")) + r"\.?\w*"
    return " ".join(re.sub(copy, lambda _: clip.path, message).split())
