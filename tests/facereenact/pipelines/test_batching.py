"""Windows predicted together: the same numbers, as many as a GPU has room for, and one where there was less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from facereenact.pipelines import ReenactmentPipeline, Sampling, sampling
from facereenact.pipelines.batching import MOST, WindowsAtOnce
from facereenact.pipelines.sampling import Predictor
from tests.facereenact.pipelines.tiny import pictures, rendered, tiny_pipeline

GIB = 1 << 30
CUDA, CPU = torch.device("cuda"), torch.device("cpu")
WINDOWS: dict[str, Any] = {  # three windows of three frames
    "head_guides": pictures(9, 1),
    "mouth_guides": pictures(9, 2),
    "window": 3,
    "overlap": 0,
    "output_type": "latent",
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> ReenactmentPipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


def with_room(monkeypatch: pytest.MonkeyPatch, free_gib: float) -> None:
    """A GPU on which a window takes 2 GiB, and on which so much is free in all."""
    known = {
        "reset_peak_memory_stats": None,
        "memory_allocated": 5 * GIB,
        "max_memory_allocated": 7 * GIB,
        "memory_reserved": 6 * GIB,
        "mem_get_info": (int((free_gib - 1) * GIB), 80 * GIB),
    }
    for name, value in known.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    monkeypatch.setattr(sampling, "WindowsAtOnce", lambda _: WindowsAtOnce(CUDA))


def counted(monkeypatch: pytest.MonkeyPatch, most: int = 9) -> list[int]:
    """The windows of each prediction, of which one holds at most so many."""
    found: list[int] = []
    predict = Predictor._predict

    def counting(self: Predictor, group: Sequence[int], *others: Any) -> Sequence[torch.Tensor]:
        found.append(len(group))
        if len(group) > most:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return predict(self, group, *others)

    monkeypatch.setattr(Predictor, "_predict", counting)
    return found


@pytest.mark.parametrize("changed", [{}, {"guidance": 1.0}, {"reuse": 2}], ids=str)
@pytest.mark.parametrize("count", [2, 3])
def test_it_changes_nothing(
    pipeline: ReenactmentPipeline, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], count: int
) -> None:
    how = Sampling(**{"steps": 2, **changed})
    expected = rendered(pipeline, **WINDOWS, sampling=how)

    def several(_: torch.device) -> WindowsAtOnce:
        at_once = WindowsAtOnce(CPU)
        at_once.count = count
        return at_once

    monkeypatch.setattr(sampling, "WindowsAtOnce", several)
    groups = counted(monkeypatch)
    found = rendered(pipeline, **WINDOWS, sampling=how)
    assert groups == {2: [2, 1], 3: [3]}[count] * 2
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("free_gib", "count"), [(1, 1), (4, 1), (5, 2), (7.6, 3), (60, MOST)])
def test_as_many_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch, free_gib: float, count: int) -> None:
    with_room(monkeypatch, free_gib)
    at_once = WindowsAtOnce(CUDA)
    assert at_once.count == 1
    with at_once.observed():
        pass
    assert (at_once.count, at_once.window_bytes) == (count, 2 * GIB)
    with_room(monkeypatch, 60)
    with at_once.observed():  # it has been measured
        pass
    assert at_once.count == count


def test_the_first_window_is_measured(pipeline: ReenactmentPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with_room(monkeypatch, 7.6)
    found = counted(monkeypatch)
    rendered(pipeline, **WINDOWS)
    assert found == [1, 2, 3]


def test_less_room_than_it_seemed_is_met_with_one(
    pipeline: ReenactmentPipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = rendered(pipeline, **WINDOWS)
    with_room(monkeypatch, 60)
    found = counted(monkeypatch, most=1)
    latents = rendered(pipeline, **WINDOWS)
    assert found == [1, 2, 1, 1, 1, 1, 1]
    assert "out of memory: going on with one window at a time instead of 4" in caplog.text
    torch.testing.assert_close(latents, expected, rtol=0, atol=2e-5)


def test_on_a_cpu_it_stays_one() -> None:
    at_once = WindowsAtOnce(CPU)
    with at_once.observed():
        pass
    assert (at_once.count, at_once.window_bytes) == (1, 0)
