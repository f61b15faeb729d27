"""A contact sheet of a comparison video: `python samples/contact_sheet.py out/demo.compare.mp4 out/demo.jpg`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from facereenact.images import write_image
from facereenact.video import VideoReader

ROWS, COLUMNS = 3, 2
PANEL_WIDTH_PX = 480


def contact_sheet(video: Path) -> np.ndarray:
    """Frames spread over the video, tiled; RGB uint8."""
    reader = VideoReader(video)
    count = reader.info.frame_count or 1
    wanted = {round((index + 0.5) * count / (ROWS * COLUMNS)) for index in range(ROWS * COLUMNS)}
    tiles = []
    for index, frame in enumerate(reader):
        if index in wanted:
            height = round(frame.image.shape[0] * PANEL_WIDTH_PX / frame.image.shape[1])
            tiles.append(cv2.resize(frame.image, (PANEL_WIDTH_PX, height), interpolation=cv2.INTER_AREA))
    tiles += [np.zeros_like(tiles[0])] * (ROWS * COLUMNS - len(tiles))
    return np.vstack([np.hstack(tiles[row * COLUMNS : (row + 1) * COLUMNS]) for row in range(ROWS)])


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    write_image(target, contact_sheet(source))
