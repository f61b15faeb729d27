"""Finds what is wrong with an installation, and names the command that mends it.

`facereenact.machine.gather` looks at this machine once; the checks are pure functions of what it saw, so that each is
tested by handing it facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

PIP = "python -m pip"
GIB = 1 << 30
FREE_MEMORY_BYTES = 4 * GIB  # the warp renderer with its tracker stays well below
FREE_DISK_BYTES = 12 * GIB  # the diffusion checkpoints take about 10
CODECS = ("libx264", "aac", "libvpx-vp9", "libopus")  # H.264 for MP4, VP9 with alpha for WebM, and their audio
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
MEDIAPIPE_MODELS = (
    "face_detection/face_detection_short_range.tflite",
    "face_landmark/face_landmark_with_attention.tflite",
    "pose_detection/pose_detection.tflite",
    "pose_landmark/pose_landmark_full.tflite",
    "palm_detection/palm_detection_full.tflite",
    "hand_landmark/hand_landmark_full.tflite",
    "selfie_segmentation/selfie_segmentation.tflite",
)


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    cure: str = ""  # the command to run, or what to do; empty when all is well


@dataclass(frozen=True)
class Facts:
    """What the checks look at. The defaults describe a healthy machine without a GPU."""

    python: str = "3.11.0"
    requires_python: str = ""
    system: str = "linux"  # as in sys.platform
    distributions: Mapping[str, str] = field(default_factory=dict)  # normalised name: version
    requirements: tuple[str, ...] = ()  # of this project and, where stricter, of mediapipe
    import_errors: Mapping[str, str] = field(default_factory=dict)  # module: what it raised
    missing_models: tuple[str, ...] = ()  # of MEDIAPIPE_MODELS
    gpu: str = ""  # name of the NVIDIA GPU that the driver shows, whatever torch says
    torch_build: str = "CPU build"
    torch_device: str = "cpu"  # the best that torch can use: "cuda", "mps" or "cpu"
    onnx_providers: tuple[str, ...] = ("CPUExecutionProvider",)
    codecs: tuple[str, ...] = CODECS
    cache: Path = Path("cache")
    cache_error: str = ""
    free_memory_bytes: int = 16 * GIB
    free_disk_bytes: int = 100 * GIB


def examine(facts: Facts | None = None) -> list[Finding]:
    """Every finding about this machine, or about the given facts."""
    if facts is None:
        from facereenact.machine import gather

        facts = gather()
    return [finding for check in CHECKS for finding in check(facts)]


def check_python(facts: Facts) -> Iterator[Finding]:
    if facts.python in SpecifierSet(facts.requires_python, prereleases=True):
        yield Finding("python", "ok", facts.python)
    else:
        detail = f"{facts.python}, needs {facts.requires_python}"
        yield Finding("python", "fail", detail, "python3.11 -m venv .venv && .venv/bin/pip install facereenact")


def check_packages(facts: Facts) -> Iterator[Finding]:
    """The versions against the ranges that this project states about itself."""
    if not facts.requirements:
        detail = "not installed, only found on the path: the versions of its packages are not checked"
        yield Finding("facereenact", "warn", detail, f"{PIP} install -e .")
    for requirement in map(Requirement, facts.requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield check_package(requirement, facts.distributions)


def check_package(requirement: Requirement, distributions: Mapping[str, str]) -> Finding:
    version = distributions.get(normalised(requirement.name))
    cure = f'{PIP} install "{requirement.name}{requirement.specifier}"'
    if version is None:
        return Finding(requirement.name, "fail", "not installed", cure)
    if Version(version) in SpecifierSet(str(requirement.specifier), prereleases=True):
        return Finding(requirement.name, "ok", version)
    reason = REASONS.get(requirement.name, "")
    return Finding(requirement.name, "fail", f"{version}, needs {requirement.specifier}{reason}", cure)


REASONS = {
    "numpy": ": mediapipe 0.10.21 is compiled for NumPy 1",
    "protobuf": ": mediapipe 0.10.21 reads its graphs with protobuf 4",
    "mediapipe": ": later wheels carry no models",
    "diffusers": ": the network adapters rely on internals of this version",
}


def check_opencv(facts: Facts) -> Iterator[Finding]:
    """Two OpenCV wheels overwrite each other's files; mediapipe brings opencv-contrib-python."""
    installed = [name for name in OPENCV if name in facts.distributions]
    if installed == ["opencv-contrib-python"]:
        yield Finding("opencv", "ok", f"{installed[0]} {facts.distributions[installed[0]]}")
    elif not installed:
        yield Finding("opencv", "fail", "not installed", f"{PIP} install opencv-contrib-python")
    else:
        wanted = "opencv-contrib-python"
        if wanted in facts.distributions:
            wanted += f"=={facts.distributions[wanted]}"
        detail = f"{' and '.join(installed)} installed; only opencv-contrib-python may be"
        cure = f"{PIP} uninstall -y {' '.join(installed)} && {PIP} install --no-deps {wanted}"
        yield Finding("opencv", "fail", detail, cure)


def check_onnxruntime(facts: Facts) -> Iterator[Finding]:
    builds = [name for name in ("onnxruntime", "onnxruntime-gpu") if name in facts.distributions]
    if len(builds) == 2:
        keep = "onnxruntime" if facts.system == "darwin" else "onnxruntime-gpu"
        detail = "onnxruntime and onnxruntime-gpu overwrite each other's files"
        cure = f"{PIP} uninstall -y {' '.join(builds)} && {PIP} install --no-deps {keep}=={facts.distributions[keep]}"
        yield Finding("onnxruntime", "fail", detail, cure)
    elif "onnxruntime" in facts.import_errors:
        yield broken("onnxruntime", facts, *builds)
    elif facts.gpu and "CUDAExecutionProvider" not in facts.onnx_providers:
        cure = f"{PIP} uninstall -y onnxruntime && {PIP} install onnxruntime-gpu"
        yield Finding("onnxruntime", "warn", f"{facts.gpu} is present, but this build runs on the CPU", cure)
    else:
        yield Finding("onnxruntime", "ok", ", ".join(facts.onnx_providers))


def check_models(facts: Facts) -> Iterator[Finding]:
    if facts.missing_models:
        cure = f"{PIP} install --force-reinstall --no-deps mediapipe==0.10.21"
        yield Finding("mediapipe models", "fail", f"missing: {', '.join(facts.missing_models)}", cure)
    else:
        yield Finding("mediapipe models", "ok", f"{len(MEDIAPIPE_MODELS)} in the wheel")


def check_torch(facts: Facts) -> Iterator[Finding]:
    if "torch" in facts.import_errors:
        yield broken("torch", facts, "torch")
    elif facts.gpu and facts.torch_device == "cpu":
        if facts.torch_build == "CPU build":
            detail = f"{facts.gpu} is present, but torch is a CPU build"
            index = " --index-url https://download.pytorch.org/whl/cu128" if facts.system == "win32" else ""
            cure = f"{PIP} uninstall -y torch && {PIP} install torch{index}"
        else:
            detail = f"{facts.gpu} is present, but torch ({facts.torch_build}) cannot use it"
            cure = "update the NVIDIA driver: https://www.nvidia.com/drivers"
        yield Finding("torch device", "warn", detail, cure)
    elif facts.torch_device == "cpu":
        detail = f"{facts.torch_build}, no GPU: choose the warp renderer, diffusion is slow here"
        yield Finding("torch device", "ok", detail)
    else:
        yield Finding("torch device", "ok", f"{facts.torch_build}, {facts.torch_device} {facts.gpu}".strip())


def check_codecs(facts: Facts) -> Iterator[Finding]:
    missing = [name for name in CODECS if name not in facts.codecs]
    if "av" in facts.import_errors:
        yield broken("av", facts, "av")
    elif missing:
        detail = f"this PyAV cannot write {', '.join(missing)}"
        yield Finding("video codecs", "fail", detail, f"{PIP} install --force-reinstall --no-deps --only-binary av av")
    else:
        yield Finding("video codecs", "ok", f"{', '.join(CODECS)} (inside PyAV; no ffmpeg program is needed)")


def check_room(facts: Facts) -> Iterator[Finding]:
    if facts.cache_error:
        yield Finding("cache", "fail", f"{facts.cache}: {facts.cache_error}", f"make {facts.cache} writable")
    else:
        yield Finding("cache", "ok", str(facts.cache))
    for name, free, wanted, cure in (
        ("free memory", facts.free_memory_bytes, FREE_MEMORY_BYTES, "close other programs"),
        ("free disk", facts.free_disk_bytes, FREE_DISK_BYTES, f"make room where {facts.cache} lies"),
    ):
        detail = f"{free / GIB:.1f} GiB"
        if free < wanted:
            yield Finding(name, "warn", f"{detail}, {wanted // GIB} GiB are advised", cure)
        else:
            yield Finding(name, "ok", detail)


def broken(module: str, facts: Facts, *distributions: str) -> Finding:
    """A module that is installed and cannot be imported."""
    cure = f"{PIP} install --force-reinstall --no-deps {' '.join(distributions) or module}"
    return Finding(module, "fail", f"cannot be imported: {facts.import_errors[module]}", cure)


def normalised(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    check_python,
    check_packages,
    check_opencv,
    check_onnxruntime,
    check_models,
    check_torch,
    check_codecs,
    check_room,
)
