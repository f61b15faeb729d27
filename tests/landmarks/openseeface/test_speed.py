"""The tracked frame costs less than in plain steps with the networks as published."""

import time
from pathlib import Path

import numpy as np
import pytest

from landmarks.openseeface import OpenSeeFaceTracker
from tests.landmarks.openseeface.conftest import clip
from tests.landmarks.openseeface.plain import PlainTracker


@pytest.mark.slow
def test_a_tracked_frame_is_fast(models_dir: Path, shared_media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [image for _, image in zip(range(78), clip(shared_media, "d0"), strict=False)]
    fast = OpenSeeFaceTracker(models_dir, preset="compat")
    plain = PlainTracker(models_dir, fast(images[0])[0].box_xywh)
    costs_s: dict[str, list[float]] = {"plain": [], "fast": []}
    for image in images:
        points = {}
        for name, track in (("plain", plain), ("fast", fast)):
            start = time.perf_counter()
            result = track(image)
            costs_s[name].append(time.perf_counter() - start)
            points[name] = result if isinstance(result, np.ndarray) else result[0].points
        assert np.abs(points["plain"] - points["fast"])[:66].max() < 0.5
    plain_s, fast_s = (float(np.median(costs_s[name])) for name in ("plain", "fast"))
    with capsys.disabled():
        print(
            f"\ntracked frame: {1000 * fast_s:.2f} ms, in plain steps {1000 * plain_s:.2f} ms: {plain_s / fast_s:.2f}x"
        )
    assert plain_s / fast_s > 1.3  # about 1.7 on an idle machine
