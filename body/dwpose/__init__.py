"""DWPose (Yang, Zeng, Yuan, Li 2023) on its two published ONNX networks: boxes of people, then 133 points of each."""

from body.dwpose.estimator import DWPoseEstimator

__all__ = ["DWPoseEstimator"]
