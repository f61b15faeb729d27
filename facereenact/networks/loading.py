"""Reading weights into a network: strictly, in any floating-point type, without a second copy of them in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from torch import Tensor, nn

from checkpoints.errors import InputError
from checkpoints.manifest import Shape, listed
from checkpoints.weights import is_safetensors, read_pickle, read_shapes
from facereenact.networks.conversion import converted_names

Network = TypeVar("Network", bound=nn.Module)

GROUP_VALUES = 1 << 26  # read at once; so many lie in memory twice, in the file's type and in the network's


def load_weights(
    network: Network, paths: Sequence[Path], *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> Network:
    """Fill a network, best made on the meta device, from the files that hold it together, for inference.

    Args:
        paths: safetensors or PyTorch files with published keys or ours.

    Raises:
        InputError: a file cannot be read, or the tensors are not those of the network.
    """
    shapes = {path: read_shapes(path) for path in paths}
    unused = getattr(network, "unused_keys", ())
    converted = converted_names(key for found in shapes.values() for key in found)
    names = {key: name for key, name in converted.items() if name is not None and not name.startswith(unused)}
    found = {names[key]: shape for each in shapes.values() for key, shape in each.items() if key in names}
    if differences := _differences(network, found):
        raise InputError(f"{', '.join(map(str, paths))}: not the weights of a {type(network).__name__}: {differences}")
    for path in paths:
        for tensors in _groups(path, {key: shape for key, shape in shapes[path].items() if key in names}):
            state = {names[key]: tensor.to(device, dtype, copy=True) for key, tensor in tensors.items()}
            network.load_state_dict(state, strict=False, assign=True)
    return network.requires_grad_(False).eval()


def _differences(network: nn.Module, found: Mapping[str, Shape]) -> str:
    """What is missing, left over or of another shape, in words; empty if nothing is."""
    wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    changed = [
        f"{key} is {list(found[key])} instead of {list(shape)}"
        for key, shape in wanted.items()
        if found.get(key, shape) != shape
    ]
    kinds = (
        ("missing", [key for key in wanted if key not in found]),
        ("unknown", [key for key in found if key not in wanted]),
        ("of another shape", changed),
    )
    return "; ".join(text for kind, items in kinds if (text := listed(kind, items)))


def _groups(path: Path, shapes: Mapping[str, Shape]) -> Iterator[dict[str, Tensor]]:
    """The tensors of a file, some at a time."""
    if not is_safetensors(path):
        mapped = read_pickle(path)
        yield from ({key: mapped[key] for key in keys} for keys in _split(shapes))
        return
    for keys in _split(shapes):
        # Opened anew for each group: what was read of a mapped file counts as used memory until it is closed.
        with safe_open(path, framework="pt") as file:
            yield {key: file.get_tensor(key) for key in keys}


def _split(shapes: Mapping[str, Shape]) -> Iterable[list[str]]:
    """The keys in groups of about GROUP_VALUES values."""
    group: list[str] = []
    values = 0
    for key, shape in shapes.items():
        group.append(key)
        values += torch.Size(shape).numel()
        if values >= GROUP_VALUES:
            yield group
            group, values = [], 0
    yield group
