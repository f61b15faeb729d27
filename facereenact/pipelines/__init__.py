"""The diffusion pipelines. Guides arrive as pictures: no pipeline knows landmarks."""

from facereenact.pipelines.base import AnimationOutput
from facereenact.pipelines.combined import CombinedPipeline
from facereenact.pipelines.pose_animation import PoseAnimationPipeline
from facereenact.pipelines.reenactment import ReenactmentPipeline
from facereenact.pipelines.sampling import NotFiniteError, Sampling
from facereenact.pipelines.schedulers import default_scheduler
from facereenact.pipelines.windows import context_windows

__all__ = [
    "AnimationOutput",
    "CombinedPipeline",
    "NotFiniteError",
    "PoseAnimationPipeline",
    "ReenactmentPipeline",
    "Sampling",
    "context_windows",
    "default_scheduler",
]
