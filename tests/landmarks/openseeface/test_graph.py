"""Rewritten graphs give the same numbers."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks.openseeface.graph import fix_batch, fuse_hard_swish, spread_gates
from landmarks.openseeface.models import DETECTION_MODEL, GAZE_MODEL, LANDMARK_MODELS, ModelFile, read_model
from tests.landmarks.openseeface.small_network import landmark_model, session


@pytest.fixture
def picture() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(1, 3, 32, 32)).astype(np.float32)


def test_fused_chains_change_nothing(picture: NDArray[np.float32]) -> None:
    model = landmark_model()
    expected = session(model).run(None, {"input": picture})[0]
    assert fuse_hard_swish(model) == 2
    fix_batch(model, 1)
    operators = [node.op_type for node in model.graph.node]
    assert "HardSwish" in operators
    assert "HardSigmoid" in operators
    assert "Div" not in operators
    np.testing.assert_allclose(session(model).run(None, {"input": picture})[0], expected, atol=1e-5)


def test_a_graph_without_chains_stays(picture: NDArray[np.float32]) -> None:
    model = landmark_model()
    fuse_hard_swish(model)
    before = model.SerializeToString()
    assert fuse_hard_swish(model) == 0
    assert model.SerializeToString() == before


def test_spread_gates_change_nothing(picture: NDArray[np.float32]) -> None:
    model = landmark_model()
    fuse_hard_swish(model)
    fix_batch(model, 1)
    expected = session(model).run(None, {"input": picture})[0]
    assert spread_gates(model) == 1
    assert [node.op_type for node in model.graph.node].count("Resize") == 1
    np.testing.assert_array_equal(session(model).run(None, {"input": picture})[0], expected)
    assert spread_gates(model) == 0


def test_gates_of_open_size_stay() -> None:
    model = landmark_model()
    fuse_hard_swish(model)
    before = model.SerializeToString()
    assert spread_gates(model) == 0
    assert model.SerializeToString() == before


@pytest.mark.parametrize(("file", "gates"), [(LANDMARK_MODELS[0], 9), (GAZE_MODEL, 6), (DETECTION_MODEL, 8)])
def test_the_published_networks_have_gates(file: ModelFile, gates: int, models_dir: Path) -> None:
    model = read_model(models_dir, file)
    fuse_hard_swish(model)
    fix_batch(model, 1)
    assert spread_gates(model) == gates
