"""The networks of the learned metrics, each loaded strictly from its checkpoint; none runs code that a file carries."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from checkpoints import locate
from facereenact.errors import InputError
from facereenact.evaluation.readings import Reading

Image = NDArray[np.uint8]
Float = NDArray[np.float64]

INCEPTION_FEATURES, I3D_FEATURES, ARCFACE_FEATURES = 2048, 400, 512
ARCFACE_PX = 112
ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
"""Where ArcFace wants the eyes, the tip of the nose and the corners of the mouth; left and right of the picture."""
MESH_POINTS = (468, 473, 1, 61, 291)  # irises, tip of the nose, corners of the mouth

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of the input of LPIPS, -1 to 1


@dataclass(frozen=True)
class Backbone:
    """The layers of a network that LPIPS looks at."""

    checkpoint: str
    channels: tuple[tuple[int, ...], ...]  # of the convolutions between one tap and the next
    kernels: tuple[int, ...]  # of the first convolution of each stage, then 3
    stride: int  # of the very first
    pools: tuple[int, ...]  # size of the pooling before each stage, 0 for none


BACKBONES = {
    "alex": Backbone("alexnet", ((64,), (192,), (384,), (256,), (256,)), (11, 5, 3, 3, 3), 4, (0, 3, 3, 0, 0)),
    "vgg": Backbone(
        "vgg16",
        ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
        (3, 3, 3, 3, 3),
        1,
        (0, 2, 2, 2, 2),
    ),
}


class Lpips(nn.Module):
    """Learned perceptual distance of two pictures (Zhang et al. 2018), version 0.1."""

    def __init__(self, name: str = "alex") -> None:
        super().__init__()
        backbone = BACKBONES[name]
        self.stages = nn.ModuleList()
        width = 3
        for index, channels in enumerate(backbone.channels):
            self.stages.append(_stage(backbone, index, width, channels))
            width = channels[-1]
        self.heads = nn.ModuleList(nn.Conv2d(each[-1], 1, 1, bias=False) for each in backbone.channels)
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """(n,) distances of pictures (n, 3, height, width), -1 to 1."""
        total = torch.zeros(len(one), device=one.device)
        a, b = (one - self.shift) / self.scale, (other - self.shift) / self.scale
        for stage, head in zip(self.stages, self.heads, strict=True):
            a, b = stage(a), stage(b)
            total = total + head((_unit(a) - _unit(b)) ** 2).mean(dim=(1, 2, 3))
        return total


def _stage(backbone: Backbone, index: int, width: int, channels: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    if backbone.pools[index]:
        layers.append(nn.MaxPool2d(backbone.pools[index], 2))
    first = backbone.kernels[index]
    stride = backbone.stride if index == 0 else 1
    for position, (before, after) in enumerate(pairwise((width, *channels))):
        kernel = first if position == 0 else 3
        padding = 2 if kernel == 11 else kernel // 2
        layers += [nn.Conv2d(before, after, kernel, stride if position == 0 else 1, padding), nn.ReLU()]
    return nn.Sequential(*layers)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)


def load_lpips(name: str = "alex") -> Lpips:
    """LPIPS with the features of AlexNet ("alex") or VGG-16 ("vgg").

    Raises:
        NotInstalledError: one of its two checkpoints is missing.
    """
    backbone = BACKBONES[name]
    network = Lpips(name)
    features = load_file(locate(backbone.checkpoint, file=f"{backbone.checkpoint}.safetensors"))
    heads = load_file(locate("lpips", file=f"{name}.safetensors"))
    convolutions = [layer for stage in network.stages for layer in stage if isinstance(layer, nn.Conv2d)]  # type: ignore[attr-defined]
    # The published layers are numbered with the poolings and activations between them, in the same order.
    numbers = sorted({int(key.split(".")[1]) for key in features})
    for layer, number in zip(convolutions, numbers, strict=True):
        layer.load_state_dict({kind: features[f"features.{number}.{kind}"] for kind in ("weight", "bias")})
    for index, head in enumerate(network.heads):
        head.load_state_dict({"weight": heads[f"lin{index}.model.1.weight"]})
    return network.eval().requires_grad_(False).to(device())


class LpipsMeter:
    """LPIPS of pictures."""

    def __init__(self, name: str = "alex") -> None:
        self._network = load_lpips(name)

    def __call__(self, one: Image, other: Image, *, is_centred: bool = True) -> float:
        """`is_centred` takes pictures to -1 to 1, as LPIPS was made for; without it they stay 0 to 1."""
        a, b = (_planes(image) / 255 for image in (one, other))
        if is_centred:
            a, b = 2 * a - 1, 2 * b - 1
        with torch.inference_mode():
            return float(self._network(a, b))


class InceptionMeter:
    """The features of FID."""

    frames = 1  # of one sample

    def __init__(self) -> None:
        self._network = _script(locate("inception-fid", file="inception-2015-12-05.pt"))

    def __call__(self, images: list[Image]) -> Float:
        """(2048,) of one picture, which the network resizes itself."""
        with torch.inference_mode():
            features = self._network(_planes(images[0]).to(torch.uint8), return_features=True)
        return _checked(features, INCEPTION_FEATURES, "inception-fid")


class I3dMeter:
    """The features of FVD."""

    frames = 16  # of one sample

    def __init__(self) -> None:
        self._network = _script(locate("i3d-fvd", file="i3d_torchscript.pt"))

    def __call__(self, images: list[Image]) -> Float:
        """(400,) of 16 pictures of one size, which the network resizes itself."""
        video = torch.stack([_planes(image)[0] for image in images], dim=1)[None]
        with torch.inference_mode():
            features = self._network(video, rescale=True, resize=True, return_features=True)
        return _checked(features, I3D_FEATURES, "i3d-fvd")


class ArcFaceMeter:
    """The identity of a face, as a unit vector: the cosine of two is CSIM."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        path = locate("arcface", file="w600k_r50.onnx")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions derive from nothing narrower
            raise InputError(f"{path} is no network that can be read; run: facereenact checkpoints verify") from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, image: Image, mesh: Reading) -> Float:
        """(512,) of the face that MediaPipe's mesh found in the picture."""
        batch = (aligned(image, mesh).astype(np.float32) - 127.5) / 127.5
        features = self._session.run(None, {self._input: batch.transpose(2, 0, 1)[None]})[0]
        vector = _checked(torch.from_numpy(features), ARCFACE_FEATURES, "arcface")
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def aligned(image: Image, mesh: Reading) -> Image:
    """The face as ArcFace wants it, 112x112."""
    found = mesh.points[list(MESH_POINTS)].astype(np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(found, ARCFACE_POINTS, method=cv2.LMEDS)
    return np.asarray(cv2.warpAffine(image, matrix, (ARCFACE_PX, ARCFACE_PX)), np.uint8)


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _planes(image: Image) -> Tensor:
    """(1, 3, height, width), 0 to 255."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(device(), torch.float32)


def _script(path: Path) -> Any:
    """A TorchScript module; the file's graph is run by torch's own interpreter, which knows no files and no network.

    Raises:
        InputError: it is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch would have users export anew
            return torch.jit.load(str(path), map_location=device()).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no TorchScript that can be read; run: facereenact checkpoints verify") from error


def _checked(features: Tensor, count: int, checkpoint: str) -> Float:
    """(count,) the features of one sample.

    Raises:
        InputError: the network gives something else.
    """
    if tuple(features.shape) != (1, count):
        raise InputError(f"{checkpoint} gives {list(features.shape)} instead of [1, {count}]: it is another network")
    return np.asarray(features[0].double().cpu().numpy(), np.float64)
