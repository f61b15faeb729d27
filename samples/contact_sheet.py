"""A contact sheet of a comparison video: `python samples/contact_sheet.py out/demo.compare.mp4 out/demo.jpg`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.images import write_image
from facereenact.video import VideoReader

Image = NDArray[np.uint8]

ROWS, COLUMNS = 3, 2
PANEL_WIDTH_PX = 480


def contact_sheet(video: Path) -> Image:
    """The liveliest frame of each of six equal parts of a video, tiled; RGB uint8."""
    reader = VideoReader(video)
    count = max(reader.info.frame_count or 1, ROWS * COLUMNS)
    best: dict[int, tuple[float, Image]] = {}
    first: Image | None = None
    for index, frame in enumerate(reader):
        height = round(frame.image.shape[0] * PANEL_WIDTH_PX / frame.image.shape[1])
        tile = np.asarray(cv2.resize(frame.image, (PANEL_WIDTH_PX, height), interpolation=cv2.INTER_AREA), np.uint8)
        first = tile if first is None else first
        change = float(np.abs(tile.astype(int) - first).mean())
        part = min(index * ROWS * COLUMNS // count, ROWS * COLUMNS - 1)
        if part not in best or change > best[part][0]:
            best[part] = change, tile
    tiles = [tile for _, (_, tile) in sorted(best.items())]
    return np.vstack([np.hstack(tiles[row * COLUMNS : (row + 1) * COLUMNS]) for row in range(ROWS)])


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    write_image(target, contact_sheet(source))
