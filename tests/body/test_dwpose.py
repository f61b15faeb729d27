"""DWPose: the published code's numbers from its networks' answers, and what is done with bad networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from body.dwpose import DWPoseEstimator, detection, keypoints
from body.dwpose.networks import PERSON_MODEL, POINT_MODEL, ModelFile
from body.types import (
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_HAND,
    LEFT_WRIST,
    NECK,
    NOSE,
    POINT_COUNT,
    RIGHT_EYE,
    RIGHT_HAND,
    RIGHT_SHOULDER,
)
from checkpoints.errors import InputError

Tensor = NDArray[np.float32]

BOX_PX, SCORE, INPUT = 0.01, 1e-5, 1e-3  # tolerances
PICTURES = range(3)


@pytest.fixture(scope="module")
def given(golden: Path) -> dict[str, NDArray[Any]]:
    return load_file(golden / "dwpose_decode.safetensors")


def detector_answer(given: dict[str, NDArray[Any]], index: int) -> Tensor:
    answer = np.zeros((detection.ROWS, detection.COLUMNS), np.float32)
    answer[given[f"{index}.yolox_rows"]] = given[f"{index}.yolox_values"]
    return answer


@pytest.mark.parametrize("index", PICTURES)
def test_the_detectors_input_is_the_published_one(index: int, given: dict[str, NDArray[Any]]) -> None:
    prepared = detection.network_input(given[f"{index}.image_bgr"])
    np.testing.assert_allclose(prepared[:, :, ::40, ::40], given[f"{index}.yolox_input_16x"], atol=INPUT)
    means = given[f"{index}.yolox_input_mean_per_channel"]
    np.testing.assert_allclose(prepared.mean(axis=(0, 2, 3)), means, atol=INPUT)


@pytest.mark.parametrize("index", PICTURES)
def test_boxes_are_the_published_ones(index: int, given: dict[str, NDArray[Any]]) -> None:
    height, width = given[f"{index}.image_bgr"].shape[:2]
    boxes = detection.person_boxes(detector_answer(given, index), (width, height))
    np.testing.assert_allclose(boxes, given[f"{index}.boxes_xyxy"], atol=BOX_PX)


@pytest.mark.parametrize("index", PICTURES)
def test_points_and_their_crops_are_the_published_ones(index: int, given: dict[str, NDArray[Any]]) -> None:
    rows = np.arange(keypoints.WHOLEBODY_COUNT)
    for person, box in enumerate(given[f"{index}.boxes_xyxy"]):
        crop = keypoints.network_input(given[f"{index}.image_bgr"], box)
        np.testing.assert_allclose(crop[0, :, ::24, ::24], given[f"{index}.pose_input_16x"][person], atol=INPUT)
        answers = []
        for axis, side in zip("xy", keypoints.CROP_PX, strict=True):
            answer = np.full((len(rows), keypoints.BINS_A_PIXEL * side), -9, np.float32)
            answer[rows, given[f"{index}.simcc_{axis}_argmax"][person]] = given[f"{index}.simcc_{axis}_max"][person]
            answers.append(answer)
        points, scores = keypoints.decode(answers[0], answers[1], box)
        np.testing.assert_allclose(points, given[f"{index}.keypoints_133"][person], atol=BOX_PX)
        np.testing.assert_allclose(scores, given[f"{index}.scores_133"][person], atol=SCORE)
        points, scores = keypoints.in_openpose_order(points, scores)
        np.testing.assert_allclose(points, given[f"{index}.keypoints_134"][person], atol=BOX_PX)
        np.testing.assert_allclose(scores, given[f"{index}.scores_134"][person], atol=SCORE)


def test_points_are_put_in_openposes_order() -> None:
    """COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, left before right."""
    points = np.repeat(np.arange(133, dtype=np.float32)[:, None], 2, axis=1)
    ordered, scores = keypoints.in_openpose_order(points, np.full(133, 0.5, np.float32))
    expected = {NOSE: 0, NECK: 5.5, RIGHT_SHOULDER: 6, LEFT_WRIST: 9, LEFT_ANKLE: 15, RIGHT_EYE: 2, LEFT_EAR: 3}
    assert {place: float(ordered[place, 0]) for place in expected} == expected
    np.testing.assert_array_equal(ordered[18:, 0], np.arange(17, 133))
    assert scores[NECK] == 1 and len(ordered) == POINT_COUNT
    hidden = np.full(133, 0.5, np.float32)
    hidden[6] = 0.3
    assert keypoints.in_openpose_order(points, hidden)[1][NECK] == 0


def row_of(x: float, y: float, *, score: float = 1.0, side: float = 3.0) -> tuple[int, Tensor]:
    """A row of the 32 px grid that states a person at a cell, `exp(side)` cells wide and high."""
    values = np.zeros(detection.COLUMNS, np.float32)
    values[:6] = 0.5, 0.5, side, side, score, 1
    return 6400 + 1600 + int(y) * 20 + int(x), values


def answer_of(*rows: tuple[int, Tensor]) -> Tensor:
    answer = np.zeros((detection.ROWS, detection.COLUMNS), np.float32)
    for index, values in rows:
        answer[index] = values
    return answer


def test_boxes_are_scaled_back_to_the_picture() -> None:
    (box,) = detection.person_boxes(answer_of(row_of(4, 5, side=0.0)), (320, 160))
    np.testing.assert_allclose(box, np.array([128, 160, 160, 192]) / 2)


def test_faint_and_covered_boxes_are_dropped_and_the_surest_comes_first() -> None:
    rows = [row_of(4, 5, score=0.5), row_of(5, 5, score=0.9), row_of(15, 15, score=0.29, side=0)]
    boxes = detection.person_boxes(answer_of(*rows, row_of(15, 5, score=0.95, side=1)), (640, 640))
    assert len(boxes) == 2
    np.testing.assert_allclose((boxes[:, 0] + boxes[:, 2]) / 2, [15.5 * 32, 5.5 * 32])


@pytest.mark.parametrize("box", [(100, 100, 300, 120), (100, 100, 110, 400)])
def test_crops_keep_the_networks_proportions_and_hold_the_box(box: tuple[float, ...]) -> None:
    centre, size = keypoints.crop_of(np.array(box, np.float32))
    assert size[0] / size[1] == pytest.approx(0.75)
    assert (size >= 1.25 * np.array([box[2] - box[0], box[3] - box[1]]) - 1e-3).all()
    np.testing.assert_allclose(centre, [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def write_network(folder: Path, file: ModelFile, *answers: Tensor) -> None:
    """A network that always gives the same answers."""
    shapes = (file.takes, *(answer.shape for answer in answers))
    values = [
        helper.make_tensor_value_info(f"value{index}", TensorProto.FLOAT, [1, *shape])
        for index, shape in enumerate(shapes)
    ]
    zero = numpy_helper.from_array(np.float32(0), "zero")
    nodes = [
        helper.make_node("ReduceMean", ["value0"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = [zero]
    for index, answer in enumerate(answers, 1):
        constants.append(numpy_helper.from_array(answer[None].astype(np.float32), f"answer{index}"))
        nodes.append(helper.make_node("Add", [f"answer{index}", "nothing"], [f"value{index}"]))
    graph = helper.make_graph(nodes, "fabricated", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / file.name))


def simcc(score: float) -> tuple[Tensor, Tensor]:
    """Answers that place point i at (i, 2 i) of the crop."""
    rows = np.arange(133)
    x, y = (np.zeros((133, 2 * int(side)), np.float32) for side in keypoints.CROP_PX)
    x[rows, 2 * rows], y[rows, 4 * rows] = score, 2.0
    return x, y


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Networks that see two people wherever they look."""
    write_network(tmp_path, PERSON_MODEL, answer_of(row_of(4, 10, side=1.5), row_of(14, 10, side=1.5)))
    write_network(tmp_path, POINT_MODEL, *simcc(1.5))
    return tmp_path


def test_the_estimator_finds_people_in_a_picture(models: Path) -> None:
    estimator = DWPoseEstimator(models)
    people = estimator(np.zeros((640, 640, 3), np.uint8))
    assert len(people) == 2
    first = people[0]
    assert first.points.shape == (134, 2) and first.scores.max() == 1 and first.visible.all()
    centre, size = keypoints.crop_of(np.array([144 - 71.7, 336 - 71.7, 144 + 71.7, 336 + 71.7], np.float32))
    hands = [first.points[part][0] for part in (LEFT_HAND, RIGHT_HAND)]
    expected = [(np.array([i, 2 * i]) / keypoints.CROP_PX - 0.5) * size + centre for i in (91, 112)]
    np.testing.assert_allclose(hands, expected, atol=0.1)
    estimator.reset()
    estimator.close()


def test_without_a_box_the_whole_picture_is_looked_at(models: Path) -> None:
    write_network(models, PERSON_MODEL, answer_of())
    (person,) = DWPoseEstimator(models)(np.zeros((400, 300, 3), np.uint8))
    assert person.points[:, 0].min() < 0  # the margin about a box
    write_network(models, POINT_MODEL, *simcc(0.2))
    assert DWPoseEstimator(models)(np.zeros((400, 300, 3), np.uint8)) == []


def test_missing_damaged_and_other_networks_say_what_to_do(models: Path) -> None:
    path = models / POINT_MODEL.name
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match="damaged network; run: facereenact checkpoints verify dwpose"):
        DWPoseEstimator(models)
    write_network(models, ModelFile(POINT_MODEL.name, (3, 256, 192), ()), *simcc(1))
    with pytest.raises(InputError, match="another network"):
        DWPoseEstimator(models)
    path.unlink()
    with pytest.raises(InputError, match="no such network"):
        DWPoseEstimator(models)
