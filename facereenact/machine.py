"""What `facereenact.doctor` needs to know about this machine. Slow imports happen here, inside functions."""

from __future__ import annotations

import ctypes
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distributions, metadata, requires
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from facereenact.doctor import CODECS, MEDIAPIPE_MODELS, Facts, normalised

Answer = TypeVar("Answer")


def gather() -> Facts:
    """The facts about this machine."""
    import platformdirs
    import psutil

    errors: dict[str, str] = {}
    cache = platformdirs.user_cache_path("facereenact")
    build, device = attempt("torch", torch_build_and_device, ("", "cpu"), errors)
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return Facts(
        python=platform.python_version(),
        requires_python=required_python(),
        system=sys.platform,
        distributions={normalised(each.metadata["Name"]): each.version for each in distributions()},
        requirements=stated_requirements(),
        import_errors=errors,
        missing_models=missing_models(),
        gpu=nvidia_gpu(),
        torch_build=build,
        torch_device=device,
        onnx_providers=attempt("onnxruntime", onnx_providers, (), errors),
        codecs=attempt("av", writable_codecs, (), errors),
        cache=cache,
        cache_error=write_error(existing),
        free_memory_bytes=psutil.virtual_memory().available,
        free_disk_bytes=shutil.disk_usage(existing).free,
    )


def attempt(module: str, ask: Callable[[], Answer], otherwise: Answer, errors: dict[str, str]) -> Answer:
    """The answer, or `otherwise` with the reason noted when the module cannot be imported.

    Any exception counts: a broken binary raises OSError or RuntimeError as readily as ImportError.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about an old driver; the finding says it better
            return ask()
    except Exception as error:
        errors[module] = f"{type(error).__name__}: {error}".splitlines()[0]
        return otherwise


def torch_build_and_device() -> tuple[str, str]:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    if torch.cuda.is_available():
        return build, "cuda"
    return build, "mps" if torch.backends.mps.is_available() else "cpu"


def onnx_providers() -> tuple[str, ...]:
    import onnxruntime

    return tuple(onnxruntime.get_available_providers())


def writable_codecs() -> tuple[str, ...]:
    import av

    def can_write(name: str) -> bool:
        try:
            return av.Codec(name, "w").is_encoder
        except av.codec.codec.UnknownCodecError:
            return False

    return tuple(name for name in CODECS if can_write(name))


def nvidia_gpu() -> str:
    """The name of the first GPU that the NVIDIA driver shows, empty without one. Needs neither torch nor nvidia-smi."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return ""
    device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        return ""
    return "an NVIDIA GPU" if driver.cuDeviceGetName(name, len(name), device) else name.value.decode()


def missing_models() -> tuple[str, ...]:
    """Those of MEDIAPIPE_MODELS that the installed package lacks, found without importing it."""
    found = find_spec("mediapipe")
    folders = list(found.submodule_search_locations or ()) if found else []
    return tuple(
        model for model in MEDIAPIPE_MODELS if not any(Path(folder, "modules", model).is_file() for folder in folders)
    )


def stated_requirements() -> tuple[str, ...]:
    """The requirements in this project's metadata, none when it is not installed, and mediapipe's on protobuf."""
    try:
        ours = requires("facereenact") or []
    except PackageNotFoundError:
        return ()
    try:
        theirs = requires("mediapipe") or []
    except PackageNotFoundError:
        theirs = []
    return (*ours, *(each for each in theirs if each.startswith("protobuf")))


def required_python() -> str:
    try:
        return metadata("facereenact")["Requires-Python"]
    except PackageNotFoundError:
        return ""


def write_error(folder: Path) -> str:
    """Why no file can be made in the folder, empty when one can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)
