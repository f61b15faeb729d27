"""The fast networks and steps see what the networks as published see in plain steps."""

from pathlib import Path

import numpy as np

from facereenact.bench.plain import PlainTracker
from landmarks.openseeface import OpenSeeFaceTracker
from tests.landmarks.openseeface.conftest import clip


def test_fast_steps_agree_with_plain_steps(models_dir: Path, shared_media: Path) -> None:
    images = [image for _, image in zip(range(12), clip(shared_media, "d0"), strict=False)]
    fast = OpenSeeFaceTracker(models_dir, preset="compat")
    plain = PlainTracker(models_dir, fast(images[0])[0].box_xywh)
    for image in images:
        assert np.abs(plain(image) - fast(image)[0].points)[:66].max() < 0.5
