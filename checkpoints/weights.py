"""Reading files of weights without running code that they carry, and writing them as safetensors."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from checkpoints.errors import InputError
from checkpoints.manifest import Layout, Shape

Tensors = dict[str, Any]  # key: torch.Tensor; torch is imported only where a pickle is read

REFUSED = re.compile(r"GLOBAL ([\w.]+)")  # in the message of torch.load


def check_layout(path: Path, layout: Layout) -> None:
    """Compare the keys and shapes of a file with what they must be.

    Raises:
        InputError: they differ, or the file cannot be read.
    """
    differences = layout.differences(read_shapes(path))
    if differences:
        raise InputError(f"{path} does not hold the expected weights: {differences}")


def read_shapes(path: Path) -> dict[str, Shape]:
    """Key and shape of every tensor in a safetensors file or a PyTorch pickle.

    Raises:
        InputError: it cannot be read, holds something else than tensors, or tries to run code.
    """
    if is_safetensors(path):
        try:
            with safe_open(path, framework="np") as tensors:
                return {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path} is not a complete safetensors file ({error}); download it again") from error
    return {key: tuple(tensor.shape) for key, tensor in read_pickle(path).items()}


def is_safetensors(path: Path) -> bool:
    """By content: an 8-byte length, then JSON."""
    with open(path, "rb") as file:
        return file.read(9)[8:] == b"{"


def read_pickle(path: Path) -> Tensors:
    """The tensors of a PyTorch file, mapped from disk where its format allows it.

    Raises:
        InputError: it cannot be read, holds something else than tensors, or tries to run code.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # it is refused where it matters
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise InputError(refusal(path, str(error))) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise InputError(f"{path} is not a complete PyTorch file; download it again") from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"{path} holds something else than a dictionary of tensors")
    return {str(key): tensor.detach() for key, tensor in content.items()}


def refusal(path: Path, reason: str) -> str:
    """Why a pickle is not read."""
    named = REFUSED.search(reason)
    if named:
        return f"{path} is refused: it asks for {named.group(1)}, which no weights need; take it from another source"
    return f"{path} is not a PyTorch file of tensors; download it again"


def write_safetensors(path: Path, layout: Layout, *, target: Path) -> None:
    """Write the tensors of a PyTorch file under their current names, in their own types.

    Raises:
        InputError: the file is not what `layout` says.
        OSError: the target cannot be written.
    """
    from safetensors.torch import save_file

    tensors = read_pickle(path)
    differences = layout.differences({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    if differences:
        raise InputError(f"{path} does not hold the expected weights: {differences}")
    named = {name: tensor for key, tensor in tensors.items() if (name := layout.current_name(key)) is not None}
    target.touch()
    mode = target.stat().st_mode
    try:
        save_file(separate(named), target, metadata={"format": "pt"})
        target.chmod(mode)  # safetensors makes files that nobody else may read
    except SafetensorError as error:  # carries the system's error as text, "... (os error 28)"
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number.group(1)) if number else 0, str(error)) from error


def separate(tensors: Tensors) -> Tensors:
    """The tensors, copied where they are not dense or share memory, which the format does not allow."""
    seen: set[int] = set()
    for key, tensor in tensors.items():
        storage = tensor.untyped_storage()
        if not tensor.is_contiguous() or storage.nbytes() != tensor.nbytes or storage.data_ptr() in seen:
            tensor = tensors[key] = tensor.contiguous().clone()
        seen.add(tensor.untyped_storage().data_ptr())
    return tensors
