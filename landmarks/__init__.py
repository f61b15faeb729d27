"""Facial landmarks over time: tracking, head pose, the head/eye/mouth split, smoothing, retargeting, files."""

from landmarks.types import LandmarkSequence

__all__ = ["LandmarkSequence"]
