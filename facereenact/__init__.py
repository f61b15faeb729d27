"""Face reenactment: a still portrait, moved by the head, the eyes and the mouth of a video.

The public names are imported when first used, so that `import facereenact` is instant.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facereenact.body_settings import BodySettings as BodySettings
    from facereenact.diffusion_settings import DiffusionSettings as DiffusionSettings
    from facereenact.drive import DriveResult as DriveResult
    from facereenact.drive import drive as drive
    from facereenact.evaluation.comparing import compare as compare
    from facereenact.evaluation.report import Report as Report
    from facereenact.evaluation.runner import evaluate as evaluate
    from facereenact.evaluation.settings import EvaluateSettings as EvaluateSettings
    from facereenact.preprocessing.run import preprocess as preprocess
    from facereenact.preprocessing.settings import PreprocessSettings as PreprocessSettings
    from facereenact.settings import DriveSettings as DriveSettings
    from facereenact.track_settings import TrackSettings as TrackSettings
    from facereenact.tracking import track_video as track_video
    from landmarks import LandmarkSequence as LandmarkSequence

__version__ = "0.1.0"

_HOMES = {
    "BodySettings": "facereenact.body_settings",
    "DiffusionSettings": "facereenact.diffusion_settings",
    "DriveResult": "facereenact.drive",
    "DriveSettings": "facereenact.settings",
    "EvaluateSettings": "facereenact.evaluation.settings",
    "LandmarkSequence": "landmarks",
    "PreprocessSettings": "facereenact.preprocessing.settings",
    "Report": "facereenact.evaluation.report",
    "TrackSettings": "facereenact.track_settings",
    "compare": "facereenact.evaluation.comparing",
    "drive": "facereenact.drive",
    "evaluate": "facereenact.evaluation.runner",
    "preprocess": "facereenact.preprocessing.run",
    "track_video": "facereenact.tracking",
}
"""Where each public name is defined."""

__all__ = [
    "BodySettings",
    "DiffusionSettings",
    "DriveResult",
    "DriveSettings",
    "EvaluateSettings",
    "LandmarkSequence",
    "PreprocessSettings",
    "Report",
    "TrackSettings",
    "__version__",
    "compare",
    "drive",
    "evaluate",
    "preprocess",
    "track_video",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps `facereenact.drive` the function: importing the module of that name would otherwise bind the module."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
