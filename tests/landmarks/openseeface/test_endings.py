"""A network that ends in points states what is read from its maps."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from landmarks.openseeface import endings
from landmarks.openseeface.endings import end_in_points
from landmarks.openseeface.models import LANDMARK_MODELS, read_model
from tests.landmarks.openseeface.small_network import POINTS, landmark_model, session


def read(maps: NDArray[np.float32], side_px: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Peaks and places, step by step."""
    heat, rows, columns = maps.reshape(3, POINTS, -1)
    cells, every = heat.argmax(axis=1), np.arange(POINTS)
    shares = np.clip(np.stack([columns[every, cells], rows[every, cells]]), 1e-7, 1 - 1e-7)
    width = maps.shape[-1]
    corners = np.stack([cells % width, cells // width]) / (width - 1)
    return heat[every, cells], (side_px - 1) * (corners + np.log(shares / (1 - shares)) / 16)


def maps_model(cells: int) -> onnx.ModelProto:
    """A network that gives the maps that it is given."""
    shape = [1, 3 * POINTS, cells, cells]
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("input", "output")]
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], "maps", values[:1], values[1:])
    return helper.make_model(graph, ir_version=4, opset_imports=[helper.make_opsetid("", 11)])


@pytest.mark.parametrize("block", [8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_offsets_are_computed_where_they_are_wanted(seed: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "_block", lambda: block)
    picture = np.random.default_rng(seed).normal(size=(1, 3, 32, 32)).astype(np.float32)
    model = landmark_model(seed=seed)
    heat, places = read(session(model).run(None, {"input": picture})[0], 32)
    assert end_in_points(model, side_px=32)
    assert "FusedConv" not in {node.op_type for node in model.graph.node}
    found = session(model).run(None, {"input": picture})
    np.testing.assert_allclose(found[0], heat, atol=1e-5)
    np.testing.assert_allclose(found[1], places, atol=1e-3)


def test_another_ending_is_read_as_it_is() -> None:
    maps = np.random.default_rng(0).uniform(-0.1, 1.1, (1, 3 * POINTS, 28, 28)).astype(np.float32)
    model = maps_model(28)
    assert not end_in_points(model, side_px=224)
    found = session(model).run(None, {"input": maps})
    for own, expected in zip(found, read(maps, 224), strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-3)


@pytest.mark.parametrize("cell", [(0, 0), (0, 27), (27, 0), (27, 27), (9, 18)])
def test_points_follow_from_cells_and_offsets(cell: tuple[int, int]) -> None:
    maps = np.full((1, 3, POINTS, 28, 28), 0.5, np.float32)
    maps[:, 0] = 0
    maps[:, 0, :, cell[0], cell[1]] = 0.8
    maps[:, 2, 1] = 1 / (1 + np.exp(-1.6))  # a tenth of the picture
    model = maps_model(28)
    end_in_points(model, side_px=224)
    heat, places = session(model).run(None, {"input": maps.reshape(1, -1, 28, 28)})
    np.testing.assert_allclose(heat, 0.8)
    np.testing.assert_allclose(places[:, 0], [223 * cell[1] / 27, 223 * cell[0] / 27], atol=1e-3)
    np.testing.assert_allclose(places[:, 1] - places[:, 0], [22.3, 0], atol=1e-3)


def test_offsets_beyond_their_range_stay_finite() -> None:
    maps = np.zeros((1, 3, POINTS, 28, 28), np.float32)
    maps[:, 1], maps[:, 2] = -1, 6
    model = maps_model(28)
    end_in_points(model, side_px=224)
    places = session(model).run(None, {"input": maps.reshape(1, -1, 28, 28)})[1]
    np.testing.assert_allclose(places[0], 223 * 16 / 16, atol=2)
    np.testing.assert_allclose(places[1], -223 * 16.1 / 16, atol=2)


def test_the_published_network_ends_as_described(models_dir: Path) -> None:
    assert end_in_points(read_model(models_dir, LANDMARK_MODELS[0]), side_px=224)
