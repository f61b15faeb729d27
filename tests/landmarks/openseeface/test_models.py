"""Bad network files give one clear line."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from checkpoints.errors import InputError
from landmarks.openseeface import OpenSeeFaceTracker
from landmarks.openseeface.models import (
    DETECTION_MODEL,
    LANDMARK_MODELS,
    ModelFile,
    load_landmark_network,
    load_network,
    read_model,
)
from tests.landmarks.openseeface.test_graph import landmark_model

SMALL = ModelFile("small.onnx", 32, (198, 4, 4))


def test_a_network_runs(tmp_path: Path) -> None:
    onnx.save(landmark_model(), tmp_path / "small.onnx")
    outputs = load_network(tmp_path, SMALL)(np.zeros((1, 3, 32, 32), np.float32))
    assert outputs[0].shape == (1, 198, 4, 4)


def message(folder: Path, file: ModelFile) -> str:
    with pytest.raises(InputError) as raised:
        load_network(folder, file)
    text = str(raised.value)
    assert "\n" not in text
    assert str(folder / file.name) in text
    assert "put OpenSeeFace's published file there again" in text
    return text


def test_a_missing_file(tmp_path: Path) -> None:
    assert "No such file" in message(tmp_path, DETECTION_MODEL)
    with pytest.raises(InputError, match=r"lm_model0_opt\.onnx"):
        OpenSeeFaceTracker(tmp_path)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_file(tmp_path: Path, share: float) -> None:
    whole = landmark_model().SerializeToString()
    (tmp_path / "small.onnx").write_bytes(whole[: int(share * len(whole))])
    assert "damaged" in message(tmp_path, SMALL)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "small.onnx").write_bytes(b"<html>not found</html>" * 40)
    message(tmp_path, SMALL)


def test_a_network_of_another_size(tmp_path: Path) -> None:
    onnx.save(landmark_model(side=64), tmp_path / "small.onnx")
    assert "takes 3x64x64 where 3x32x32 is expected" in message(tmp_path, SMALL)


def test_a_network_for_something_else(tmp_path: Path) -> None:
    onnx.save(landmark_model(side=224), tmp_path / DETECTION_MODEL.name)
    assert "gives 198x28x28 where 2x56x56 is expected" in message(tmp_path, DETECTION_MODEL)


def test_a_truncated_published_network(models_dir: Path, tmp_path: Path) -> None:
    whole = (models_dir / LANDMARK_MODELS[0].name).read_bytes()
    (tmp_path / LANDMARK_MODELS[0].name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_model(tmp_path, LANDMARK_MODELS[0])


def test_changed_bytes_are_told_whatever_they_set_off(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Names, sizes and operators that make no sense; bytes of weights cannot be told from others."""
    model = landmark_model()
    del model.graph.initializer[:]
    structure = model.SerializeToString()
    random, told = np.random.default_rng(0), 0
    for _ in range(200):
        content = bytearray(landmark_model().SerializeToString())
        for place in random.integers(0, len(structure), 3):
            content[place] = random.integers(256)
        (tmp_path / "small.onnx").write_bytes(content)
        try:
            load_network(tmp_path, SMALL)
            load_landmark_network(tmp_path, SMALL)
        except InputError as error:
            assert str(tmp_path / "small.onnx") in str(error)
            told += 1
    assert told > 100
    assert capfd.readouterr().out == ""
