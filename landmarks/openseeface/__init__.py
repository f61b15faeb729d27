"""OpenSeeFace's tracking with its published networks: 68 points, pupils, head pose, expressions, UDP and CSV."""

from landmarks.openseeface.face import Face, FacePoints
from landmarks.openseeface.presets import PRESETS, Preset
from landmarks.openseeface.tracker import OpenSeeFaceTracker

__all__ = ["PRESETS", "Face", "FacePoints", "OpenSeeFaceTracker", "Preset"]
