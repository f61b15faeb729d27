"""Imports flow one way. The tables below are the rule; a new module of `facereenact` needs a row."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("facereenact", "landmarks", "body", "checkpoints")
MEDIA = {"landmarks", "body", "checkpoints", "facereenact.video"}
MODELS = {"facereenact.pipelines", "facereenact.networks"}

# Unit: what it may import of ours, besides itself and the errors.
DIRECTIONS: dict[str, set[str]] = {
    "checkpoints": set(),
    "landmarks": {"checkpoints"},
    "body": {"checkpoints", "landmarks"},
    "facereenact.errors": {"checkpoints"},
    "facereenact.video": set(),
    "facereenact.networks": {"checkpoints"},
    "facereenact.pipelines": {"facereenact.networks"},
    "facereenact.renderers": MEDIA | MODELS,
    "facereenact.choices": set(),
    "facereenact.option": set(),
    "facereenact.diffusion_settings": set(),
    "facereenact.body_settings": {"facereenact.pose_tools"},
    "facereenact.settings": {"facereenact.body_settings", "facereenact.diffusion_settings"},
    "facereenact.renderer_choice": {"checkpoints", "facereenact.diffusion_settings", "facereenact.settings"},
    "facereenact.diffusion": MODELS
    | {
        "checkpoints",
        "facereenact.diffusion_settings",
        "facereenact.renderer_choice",
        "facereenact.renderers",
        "facereenact.source",
    },
    "facereenact.body_diffusion": MODELS
    | {
        "facereenact.diffusion",
        "facereenact.diffusion_settings",
        "facereenact.guide_tracking",
        "facereenact.renderers",
        "landmarks",
    },
    "facereenact.planning": {
        "facereenact.body_diffusion",
        "facereenact.body_driver",
        "facereenact.diffusion",
        "facereenact.driver",
        "facereenact.mixing",
        "facereenact.renderer_choice",
        "facereenact.renderers",
        "facereenact.settings",
        "facereenact.source",
        "facereenact.video",
    },
    "facereenact.tiny_model": MODELS | {"checkpoints"},
    "facereenact.streams": set(),
    "facereenact.sidecar": {"facereenact"},
    "facereenact.source": MEDIA | {"facereenact.settings"},
    "facereenact.guide_tracking": MEDIA | {"facereenact.renderer_choice"},
    "facereenact.driver": MEDIA
    | {
        "facereenact.guide_tracking",
        "facereenact.preprocessing",
        "facereenact.renderers",
        "facereenact.settings",
        "facereenact.streams",
    },
    "facereenact.mixing": MEDIA | {"facereenact.driver", "facereenact.renderers", "facereenact.settings"},
    "facereenact.panels": set(),
    "facereenact.film": MEDIA
    | {
        "facereenact.driver",
        "facereenact.mixing",
        "facereenact.panels",
        "facereenact.settings",
        "facereenact.sidecar",
        "facereenact.streams",
    },
    "facereenact.body_driver": MEDIA | {"facereenact.driver", "facereenact.pose_tools", "facereenact.settings"},
    "facereenact.body_source": MEDIA | {"facereenact.settings", "facereenact.source"},
    "facereenact.body_passes": MEDIA
    | {"facereenact.film", "facereenact.mixing", "facereenact.renderers", "facereenact.streams"},
    "facereenact.body_drive": MEDIA
    | {
        "facereenact.body_diffusion",
        "facereenact.body_driver",
        "facereenact.body_passes",
        "facereenact.body_source",
        "facereenact.driver",
        "facereenact.film",
        "facereenact.guide_tracking",
        "facereenact.mixing",
        "facereenact.renderer_choice",
        "facereenact.renderers",
        "facereenact.settings",
    },
    "facereenact.drive": MEDIA
    | {
        "facereenact.body_drive",
        "facereenact.diffusion",
        "facereenact.driver",
        "facereenact.film",
        "facereenact.guide_tracking",
        "facereenact.mixing",
        "facereenact.renderer_choice",
        "facereenact.renderers",
        "facereenact.settings",
        "facereenact.sidecar",
        "facereenact.source",
    },
    "facereenact.track_settings": {"facereenact.settings"},
    "facereenact.track_parts": MEDIA | {"facereenact.track_settings"},
    "facereenact.track_processes": MEDIA | {"facereenact.track_parts", "facereenact.track_settings"},
    "facereenact.track_worker": MEDIA | {"facereenact.track_parts", "facereenact.track_processes"},
    "facereenact.track_live": MEDIA | {"facereenact.streams", "facereenact.track_parts", "facereenact.track_settings"},
    "facereenact.tracking": MEDIA
    | {
        "facereenact",
        "facereenact.streams",
        "facereenact.track_live",
        "facereenact.track_parts",
        "facereenact.track_processes",
        "facereenact.track_settings",
    },
    "facereenact.landmark_tools": MEDIA | {"facereenact.settings", "facereenact.streams"},
    "facereenact.pose_tools": MEDIA | {"facereenact.streams"},
    "facereenact.preprocessing": MEDIA
    | {"facereenact", "facereenact.console", "facereenact.settings", "facereenact.streams"},
    "facereenact.evaluation": MEDIA
    | {
        "facereenact",
        "facereenact.console",
        "facereenact.diffusion",
        "facereenact.diffusion_settings",
        "facereenact.drive",
        "facereenact.driver",
        "facereenact.preprocessing",
        "facereenact.renderer_choice",
        "facereenact.renderers",
        "facereenact.settings",
        "facereenact.sidecar",
        "facereenact.streams",
    },
    "facereenact.training": MEDIA | MODELS | {"facereenact", "facereenact.preprocessing"},
    "facereenact.bench": MEDIA
    | MODELS
    | {
        "facereenact",
        "facereenact.console",
        "facereenact.drive",
        "facereenact.preprocessing",
        "facereenact.renderers",
        "facereenact.settings",
        "facereenact.source",
        "facereenact.streams",
        "facereenact.track_parts",
        "facereenact.track_settings",
        "facereenact.tracking",
    },
    "facereenact.console": set(),
    "facereenact.doctor": {"facereenact.machine"},
    "facereenact.machine": {"facereenact.doctor"},
    "facereenact.cli": {
        "checkpoints",
        "facereenact",
        "facereenact.bench",
        "facereenact.console",
        "facereenact.diffusion_settings",
        "facereenact.doctor",
        "facereenact.drive",
        "facereenact.evaluation",
        "facereenact.film",
        "facereenact.landmark_tools",
        "facereenact.planning",
        "facereenact.pose_tools",
        "facereenact.preprocessing",
        "facereenact.settings",
        "facereenact.tiny_model",
        "facereenact.track_settings",
        "facereenact.tracking",
        "facereenact.training",
    },
    "facereenact.__main__": {"facereenact.cli"},
    # The package itself only names what others define.
    "facereenact": {
        "landmarks",
        "facereenact.body_settings",
        "facereenact.diffusion_settings",
        "facereenact.drive",
        "facereenact.settings",
        "facereenact.track_settings",
        "facereenact.tracking",
        "facereenact.evaluation",
        "facereenact.preprocessing",
        "facereenact.training",
    },
}
READERS_AND_WRITERS = tuple(
    f"facereenact.{kind}" for kind in ("audio", "image", "media", "output_target", "video")
)  # one unit
EVERYWHERE = ("checkpoints.errors", "facereenact.choices", "facereenact.errors", "facereenact.option")

LEARNING = {"torch", "torchvision", "diffusers", "transformers", "accelerate"}
VISION = {"cv2", "mediapipe", "onnxruntime"}
FORBIDDEN: dict[str, set[str]] = {
    "landmarks": LEARNING,
    "body": LEARNING,
    "checkpoints": LEARNING | VISION,
    "facereenact.networks": VISION,
    "facereenact.pipelines": VISION,
    "facereenact.cli": LEARNING | VISION | {"numba"},
    "facereenact": LEARNING | VISION | {"numba"},
}
ONLY_IN_FUNCTIONS: dict[str, set[str]] = {"checkpoints": {"torch"}}  # to read a .pth file once, when it is imported


def unit_of(module: str) -> str | None:
    """The longest name in the table that holds the module; `facereenact` holds only itself."""
    if module.startswith(READERS_AND_WRITERS):
        return "facereenact.video"
    names = [module.rsplit(".", count)[0] for count in range(module.count(".") + 1)]
    return next((name for name in names if name in DIRECTIONS and (name != "facereenact" or module == name)), None)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(module: str, text: str, *, is_package: bool) -> Iterator[tuple[str, bool]]:
    """Every imported module's name, and whether the import is inside a function."""
    tree = ast.parse(text)
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = node.level - (1 if is_package else 0)
            package = ".".join(module.split(".")[: -above or None]) if node.level else ""
            base = ".".join(filter(None, (package, node.module)))
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield (name if name.startswith(PACKAGES) and is_module(name) else base), id(node) in inside


def violations(module: str, text: str, *, is_package: bool = False) -> list[str]:
    """What the module imports against the tables, in words."""
    unit = unit_of(module)
    if unit is None:
        return [f"{module} has no row in the table DIRECTIONS"]
    found = []
    for name, inside in imports(module, text, is_package=is_package):
        top = name.partition(".")[0]
        if top in PACKAGES:
            target = unit_of(name)
            if target not in {unit, *DIRECTIONS[unit]} and not name.startswith(EVERYWHERE):
                found.append(f"{module} imports {name}, which {unit} may not know")
        elif top in FORBIDDEN.get(unit, ()) and not (inside and top in ONLY_IN_FUNCTIONS.get(unit, ())):
            found.append(f"{module} imports {name}, which has no place in {unit}")
    return found


def module_files() -> list[tuple[str, Path]]:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path) for path in files]


@pytest.mark.parametrize(("module", "path"), module_files(), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_flow_one_way(module: str, path: Path) -> None:
    assert violations(module, path.read_text("utf-8"), is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("landmarks.smoothing", "import torch"),
        ("landmarks.smoothing", "def smooth():\n    from torch import nn"),
        ("landmarks.smoothing", "from body.types import PoseSequence"),
        ("landmarks.smoothing", "from facereenact.video import VideoReader"),
        ("body.draw", "from facereenact import video"),
        ("checkpoints.importing", "import torch.nn"),
        ("checkpoints.importing", "from landmarks import types"),
        ("facereenact.networks.unet", "from ..pipelines import windows"),
        ("facereenact.pipelines.face", "from landmarks.types import LandmarkSequence"),
        ("facereenact.renderers.warp", "from facereenact.drive import drive"),
        ("facereenact.renderers.warp", "from .. import cli"),
        ("facereenact.video_decoder", "import landmarks"),
        ("facereenact.cli.drive", "def command():\n    import torch"),
        ("facereenact.novelty", "import os"),
    ],
)
def test_a_violation_is_found(module: str, text: str) -> None:
    assert len(violations(module, text)) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("landmarks.smoothing", "import numpy\nfrom .types import MOUTH\nfrom checkpoints.locate import locate"),
        ("checkpoints.importing", "def import_pth():\n    import torch"),
        ("facereenact.renderers.warp", "from . import base\nfrom facereenact.errors import InputError"),
        ("facereenact.video_decoder", "import av\nfrom facereenact.image_sequence import frames"),
        ("facereenact.networks.unet", "import torch\nfrom checkpoints.errors import FacereenactError"),
        ("facereenact.cli.drive", "from facereenact import __version__\nfrom facereenact.drive import drive"),
    ],
)
def test_an_allowed_import_passes(module: str, text: str) -> None:
    assert violations(module, text) == []


def exporting_modules() -> list[str]:
    return [module for module, path in module_files() if "\n__all__" in path.read_text("utf-8")]


@pytest.mark.parametrize("module", exporting_modules())
def test_every_exported_name_exists(module: str) -> None:
    found = importlib.import_module(module)
    missing = [name for name in found.__all__ if not hasattr(found, name)]
    assert missing == []
    assert len(found.__all__) == len(set(found.__all__))
