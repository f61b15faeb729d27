"""The learned metrics, with small networks made here in the place of the published ones."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from checkpoints import NotInstalledError, import_files
from checkpoints.published import CATALOGUE, PublishedFile, find
from facereenact.errors import InputError
from facereenact.evaluation import networks
from facereenact.evaluation.networks import ARCFACE_POINTS, ArcFaceMeter, I3dMeter, InceptionMeter, LpipsMeter, aligned
from facereenact.evaluation.perceptual import Features, Identity, missing_networks, network_hashes
from facereenact.evaluation.readings import mesh_reading
from tests.faces import hopper

Image = NDArray[np.uint8]

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@pytest.fixture(autouse=True)
def checkpoints_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path / "checkpoints"))


def install(name: str, content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a file in the place of the published one of a checkpoint."""
    entry = find(name)
    own = replace(entry.files[0], bytes=None, sha256=hashlib.sha256(content.read_bytes()).hexdigest())
    monkeypatch.setitem(CATALOGUE, name, replace(entry, files=(own,)))
    import_files(name, content)


def install_weights(name: str, folder: Path, *, file: int = 0, seed: int = 0) -> dict[str, Tensor]:
    """Random weights of the right keys and shapes."""
    published: PublishedFile = find(name).files[file]
    assert published.layout is not None
    rng = torch.Generator().manual_seed(seed)
    weights = {key: 0.1 * torch.rand(shape, generator=rng) for key, shape in published.layout.shapes().items()}
    folder.mkdir(exist_ok=True)
    save_file(weights, folder / published.stored_name)
    import_files(name, folder / published.stored_name)
    return weights


def pictures(count: int = 2, side: int = 96) -> list[Image]:
    return list(np.random.default_rng(5).integers(0, 256, (count, side, side, 3), np.uint8))


class TinyInception(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, image: Tensor, return_features: bool = False) -> Tensor:
        assert image.dtype == torch.uint8 and return_features
        return image.float().mean(dim=(1, 2, 3))[:, None].expand(-1, self.width)


class TinyI3d(nn.Module):
    def forward(
        self, video: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        assert rescale and resize and return_features
        return video.mean(dim=(1, 3, 4)).repeat(1, 25)


def test_without_weights_each_metric_says_what_to_do() -> None:
    missing = missing_networks()
    assert set(missing) == {"lpips", "fid", "fvd", "csim", "published.lpips"}
    assert missing["fvd"] == "not installed: i3d-fvd (run facereenact checkpoints pull i3d-fvd)"
    assert "checkpoints pull alexnet; facereenact checkpoints pull lpips" in missing["lpips"]
    assert network_hashes() == {}
    with pytest.raises(NotInstalledError, match="checkpoints pull inception-fid"):
        InceptionMeter()


@pytest.mark.parametrize(("name", "backbone", "file"), [("alex", "alexnet", 0), ("vgg", "vgg16", 1)])
def test_lpips_computes_what_its_paper_says(tmp_path: Path, name: str, backbone: str, file: int) -> None:
    features = install_weights(backbone, tmp_path / "a")
    heads = install_weights("lpips", tmp_path / "b", file=0)
    if file == 1:
        heads = install_weights("lpips", tmp_path / "b", file=1)
    one, other = pictures()
    expected = plain_lpips(name, one, other, features, heads)
    meter = LpipsMeter(name)
    assert meter(one, other) == pytest.approx(expected, rel=1e-4)
    assert meter(one, one) == 0
    assert meter(one, other, is_centred=False) != pytest.approx(expected, rel=1e-2)
    metric = "lpips" if name == "alex" else "published.lpips"
    assert metric not in missing_networks()
    assert f"{backbone}/{backbone}.safetensors" in network_hashes()


def plain_lpips(name: str, one: Image, other: Image, features: dict[str, Tensor], heads: dict[str, Tensor]) -> float:
    """Written down layer by layer."""
    strides, paddings = {0: 4}, {0: 2, 3: 2}
    taps, pools = ((0, 3, 6, 8, 10), {3: 3, 6: 3})
    if name == "vgg":
        strides, paddings = {}, {}
        taps, pools = (2, 7, 14, 21, 28), {5: 2, 10: 2, 17: 2, 24: 2}
    numbers = sorted({int(key.split(".")[1]) for key in features})
    found: list[list[Tensor]] = []
    for image in (one, other):
        x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
        x = (x - torch.tensor([-0.03, -0.088, -0.188])[:, None, None]) / torch.tensor([0.458, 0.448, 0.45])[
            :, None, None
        ]
        taken = []
        for number in numbers:
            if number in pools:
                x = functional.max_pool2d(x, pools[number], 2)
            weight, bias = features[f"features.{number}.weight"], features[f"features.{number}.bias"]
            stride, padding = strides.get(number, 1), paddings.get(number, 1)
            x = functional.relu(functional.conv2d(x, weight, bias, stride=stride, padding=padding))
            if number in taps:
                taken.append(x / (x.norm(dim=1, keepdim=True) + 1e-10))
        found.append(taken)
    distances = [
        ((a - b) ** 2 * heads[f"lin{index}.model.1.weight"]).sum(dim=1).mean()
        for index, (a, b) in enumerate(zip(*found, strict=True))
    ]
    return float(sum(distances))


def test_fid_and_fvd_take_torchscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.jit.script(TinyInception(2048)).save(tmp_path / "inception-2015-12-05.pt")
    torch.jit.script(TinyI3d()).save(tmp_path / "i3d_torchscript.pt")
    install("inception-fid", tmp_path / "inception-2015-12-05.pt", monkeypatch)
    install("i3d-fvd", tmp_path / "i3d_torchscript.pt", monkeypatch)
    images = pictures(35)
    assert InceptionMeter()(images[:1]) == pytest.approx(np.full(2048, images[0].mean()), rel=1e-4)
    assert I3dMeter()(images[:16])[:16] == pytest.approx([image.mean() for image in images[:16]], rel=1e-4)
    for metric, width, samples in (("fid", 2048, 35), ("fvd", 400, 2)):
        files = tmp_path / f"{metric}.a", tmp_path / f"{metric}.b"
        features = Features(metric, files)
        for image in images:
            features.add(image, 255 - image)
        features.close()
        one, other = (np.fromfile(path, np.float32).reshape(-1, width) for path in files)
        assert len(one) == len(other) == samples
        assert one + other == pytest.approx(np.full(one.shape, 255), rel=1e-4)


def test_another_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.jit.script(TinyInception(1000)).save(tmp_path / "inception-2015-12-05.pt")
    install("inception-fid", tmp_path / "inception-2015-12-05.pt", monkeypatch)
    with pytest.raises(InputError, match=r"gives \[1, 1000\] instead of \[1, 2048\]"):
        InceptionMeter()(pictures())


def test_a_pickle_is_no_torchscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "i3d_torchscript.pt")
    install("i3d-fvd", tmp_path / "i3d_torchscript.pt", monkeypatch)
    with pytest.raises(InputError, match="no TorchScript"):
        I3dMeter()


def test_an_unknown_file_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "i3d_torchscript.pt").write_bytes(b"something else")
    with pytest.raises(InputError, match="is not the published i3d_torchscript"):
        import_files("i3d-fvd", tmp_path / "i3d_torchscript.pt")


def tiny_arcface(path: Path, width: int = 512) -> Path:
    """The mean colour of the picture, mapped to so many numbers."""
    weight = np.random.default_rng(2).normal(size=(3, width)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["input.1"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["683"]),
    ]
    taken = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["n", 3, 112, 112])
    given = helper.make_tensor_value_info("683", TensorProto.FLOAT, ["n", width])
    weights = [helper.make_tensor("weight", TensorProto.FLOAT, weight.shape, weight.tobytes(), raw=True)]
    graph = helper.make_graph(nodes, "tiny", [taken], [given], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_csim_is_the_cosine_to_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("arcface", tiny_arcface(tmp_path / "w600k_r50.onnx"), monkeypatch)
    image = hopper().image
    mesh = mesh_reading(hopper().mesh, hopper().size)
    other = np.ascontiguousarray(image[..., ::-1] // 2)
    meter = ArcFaceMeter()
    assert np.linalg.norm(meter(image, mesh)) == pytest.approx(1)
    cosine = float(meter(image, mesh) @ meter(other, mesh))
    identity = Identity(image, mesh)
    for index in range(40):
        identity.add(image if index < 20 else other, mesh)
    identity.add(image, None)
    found = identity.result()
    assert found["csim"] == pytest.approx((1 + cosine) / 2, abs=1e-5)
    assert found["drift.identity"] == pytest.approx(1 - cosine, abs=1e-5)
    assert Identity(image, None).result() == {"csim": None, "drift.identity": None}


def test_a_damaged_arcface_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w600k_r50.onnx").write_bytes(b"no network")
    install("arcface", tmp_path / "w600k_r50.onnx", monkeypatch)
    with pytest.raises(InputError, match="no network that can be read"):
        ArcFaceMeter()


def test_faces_are_aligned_for_arcface() -> None:
    image = hopper().image
    mesh = mesh_reading(hopper().mesh, hopper().size)
    marked = np.zeros_like(image)
    for x, y in mesh.points[list(networks.MESH_POINTS)]:
        marked[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 255
    spots = aligned(marked, mesh)[..., 0] > 60
    for x, y in ARCFACE_POINTS:
        assert spots[int(y) - 6 : int(y) + 7, int(x) - 6 : int(x) + 7].any()
    assert spots.mean() < 0.02
