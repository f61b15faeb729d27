"""Where people are, and the pose and face of each: MediaPipe's networks, put together so that several can be followed.

MediaPipe 0.10.21 offers solutions for the one most prominent person. Its wheel holds the parts of which they are made:
a detector of all people, the pose network that looks at one region, the face network started from a pose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from body.mediapipe.graphs import Image, Points, Region, open_graph, pixels, rectangle

POSE_COUNT = 33
MARGIN = 1.25  # of a region, as in MediaPipe's own graphs

DETECTOR = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "PoseDetectionCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
"""

PERSON = """
input_stream: "image"
input_stream: "region"
output_stream: "pose"
output_stream: "alignment"
output_stream: "face"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  input_side_packet: "MODEL_COMPLEXITY:complexity"
  output_stream: "LANDMARKS:pose"
  output_stream: "AUXILIARY_LANDMARKS:raw_alignment"
  output_stream: "WORLD_LANDMARKS:world"
}
node {
  calculator: "ImagePropertiesCalculator"
  input_stream: "IMAGE_CPU:image"
  output_stream: "SIZE:size"
}
node {
  calculator: "PoseLandmarkFiltering"
  input_stream: "IMAGE_SIZE:size"
  input_stream: "NORM_LANDMARKS:pose"
  input_stream: "AUX_NORM_LANDMARKS:raw_alignment"
  input_stream: "WORLD_LANDMARKS:world"
  input_side_packet: "ENABLE:smooth"
  output_stream: "FILTERED_AUX_NORM_LANDMARKS:alignment"
}
node {
  calculator: "SplitNormalizedLandmarkListCalculator"
  input_stream: "pose"
  output_stream: "head"
  options { [mediapipe.SplitVectorCalculatorOptions.ext] { ranges { begin: 0 end: 11 } } }
}
node {
  calculator: "FaceLandmarksFromPoseCpu"
  input_stream: "IMAGE:image"
  input_stream: "FACE_LANDMARKS_FROM_POSE:head"
  input_side_packet: "REFINE_LANDMARKS:refined"
  output_stream: "FACE_LANDMARKS:face"
}
"""


@dataclass(frozen=True, eq=False)
class Pose:
    """What the networks state about one person."""

    points: Points  # (33, 2), pixels, in MediaPipe's order
    visibility: Points  # (33,), 0 to 1
    face: Points | None  # (478, 2), pixels; None where no face is seen
    region: Region  # where to look in the next frame


class PeopleDetector:
    """Finds people in a picture, each as a region; those below the confidence are left out."""

    def __init__(self, *, confidence: float = 0.5) -> None:
        threshold = {"posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": confidence}
        self._graph = open_graph(DETECTOR, calculator_params=threshold)

    def close(self) -> None:
        self._graph.close()

    def __call__(self, image: Image) -> list[Region]:
        """The surest first."""
        scale = np.array([image.shape[1], image.shape[0]], np.float32)
        found = []
        for each in self._graph.process(image).detections or []:
            hips, top = (
                np.array([point.x, point.y], np.float32) * scale for point in each.location_data.relative_keypoints[:2]
            )
            found.append(region_of(hips, top))
        return found


class PoseNetwork:
    """Looks at one person, frame by frame; it remembers where the face was."""

    def __init__(self) -> None:
        # 1 is the only pose network in the wheel; refined faces have irises and better lids and lips.
        self._graph = open_graph(PERSON, side_inputs={"complexity": 1, "smooth": False, "refined": True})

    def close(self) -> None:
        self._graph.close()

    def __call__(self, image: Image, region: Region) -> Pose | None:
        """The person in a region, or None where there is none."""
        size = (image.shape[1], image.shape[0])
        answer = self._graph.process({"image": image, "region": rectangle(region, size)})
        if answer.pose is None or answer.alignment is None:
            return None
        hips, top = pixels(answer.alignment, size)[:2]
        return Pose(
            points=pixels(answer.pose, size)[:POSE_COUNT],
            visibility=np.array([point.visibility for point in answer.pose.landmark[:POSE_COUNT]], np.float32),
            face=None if answer.face is None else pixels(answer.face, size),
            region=region_of(hips, top),
        )


def region_of(hips: Points, top: Points) -> Region:
    """Where a person is, of the middle of the hips (2,) and a point (2,) above, as far away as the farthest point."""
    x, y = (float(value) for value in top - hips)
    return Region((float(hips[0]), float(hips[1])), 2 * MARGIN * math.hypot(x, y), math.atan2(x, -y))
