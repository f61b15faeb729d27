"""Body, hand and face points over time: estimation, tracking of one person, smoothing, retargeting, guides, files."""

from body.types import PoseSequence

__all__ = ["PoseSequence"]
