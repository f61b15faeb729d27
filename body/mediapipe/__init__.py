"""MediaPipe's networks, which its wheel carries: pose, hands and face."""

from body.mediapipe.estimator import MediaPipeEstimator

__all__ = ["MediaPipeEstimator"]
