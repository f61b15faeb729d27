"""The bench of the diffusion networks, with networks of 32 channels. Its timings are not tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from rich.table import Table

from facereenact.bench import diffusion as bench
from facereenact.bench import random_networks
from facereenact.networks import PoseGuider
from facereenact.pipelines.presets import preset
from tests.facereenact.networks import tiny

CPU = torch.device("cpu")
VAE = {"block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4, "layers_per_block": 1}
CLIP = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 56}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_networks, "STABLE_DIFFUSION", tiny.CONFIG)
    monkeypatch.setattr(random_networks, "PoseGuider", lambda: PoseGuider(32, (8, 16, 24, 32)))
    monkeypatch.setattr(random_networks, "VAE", random_networks.VAE | VAE)
    monkeypatch.setattr(random_networks, "CLIP", random_networks.CLIP | CLIP | {"projection_dim": 32})
    monkeypatch.setattr(bench, "SIDE_PX", 128)
    monkeypatch.setattr(bench, "MATRIX", 64)


def cells(table: Table) -> list[list[Any]]:
    return [list(column.cells) for column in table.columns]


def test_the_table_has_a_row_for_each_type_and_window() -> None:
    kinds, frames, *_ = cells(bench.table(["float32", "bfloat16"], [1, 2], rounds=1, device=CPU))
    assert kinds == ["float32", "float32", "bfloat16", "bfloat16"]
    assert frames == ["1", "2", "1", "2"]


def test_operations_grow_with_the_frames() -> None:
    """By as many for the third frame as for the second; the first has no queries over time."""
    one, two, three = (bench.step_flops(count) for count in (1, 2, 3))
    assert 0 < one < two - one
    assert three - two == pytest.approx(two - one, rel=0.05)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_rendering_with_random_weights_passes_all_stages(name: str) -> None:
    networks = random_networks.random_networks(bench.TYPES[name])
    used: list[str] = []
    loaders = networks.loaders
    networks.loaders = {each: (lambda each=each: (used.append(each), loaders[each]())[1]) for each in loaders}
    pictures = random_networks.render(networks, frames=2, side_px=128)
    assert pictures.shape == (2, 128, 128, 3)
    assert pictures.std() > 0
    assert used == ["image_encoder", "vae", "reference_net", "denoising_unet", "head_guider", "mouth_guider", "vae"]


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--types", "float32", "--rounds", "1", "--device", "cpu"])
    assert "a guided step, 128x128, cpu" in capsys.readouterr().out


def test_every_preset_is_set_beside_exact() -> None:
    names, _, faster, psnr, shares = cells(bench.preset_table("float32", 1, 64))
    assert names == ["exact", "balanced", "fast"]
    assert faster[0] == "1.00" and psnr[0] == "the same"
    assert all(5 < float(each) < 100 for each in psnr[1:])
    assert shares[0] == "0.0%" and all(0 < float(each.rstrip("%")) < 200 for each in shares[1:])


def test_the_networks_are_always_the_same() -> None:
    (first, _), (again, _) = (
        random_networks.renderings(
            random_networks.random_networks(torch.float32), [preset("fast")], frames=1, side_px=64
        )[0]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
