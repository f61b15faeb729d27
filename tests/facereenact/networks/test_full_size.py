"""The keys and shapes of the published checkpoints, on tensors without content."""

from __future__ import annotations

import re
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from checkpoints.manifest import Shape
from checkpoints.published import find
from facereenact.networks import PoseGuider, convert_state_dict
from facereenact.networks.conversion import DROPS, reason_to_drop
from facereenact.networks.sets import BODY, FACE, Recipe

FACE_FILES = {
    "reference_net": ["reference_unet"],
    "denoising_unet": ["denoising_unet"],
    "head_guider": ["pose_guider1"],
    "mouth_guider": ["pose_guider2"],
}
BODY_FILES = {
    "reference_net": ["reference_unet"],
    "denoising_unet": ["denoising_unet", "motion_module"],
    "pose_guider": ["pose_guider"],
}
PUBLISHED = [("moore-face", name, files) for name, files in FACE_FILES.items()]
PUBLISHED += [("moore-body", name, files) for name, files in BODY_FILES.items()]


def recipe(checkpoint: str, name: str) -> Recipe:
    return {"moore-face": FACE, "moore-body": BODY}[checkpoint].recipes[name]


@cache
def network(checkpoint: str, name: str) -> nn.Module:
    made = recipe(checkpoint, name)
    with torch.device("meta"):
        built: nn.Module = made.network(**made.config)
    return built


def published(checkpoint: str, files: list[str]) -> dict[str, Tensor]:
    layouts = {file.stored_name.removesuffix(".safetensors"): file.layout for file in find(checkpoint).files}
    shapes: dict[str, Shape] = {}
    for file in files:
        layout = layouts[file]
        assert layout is not None
        shapes |= layout.shapes()
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize(("checkpoint", "name", "files"), PUBLISHED)
def test_every_published_key_is_used_or_named(checkpoint: str, name: str, files: list[str]) -> None:
    given = published(checkpoint, files)
    converted, built = convert_state_dict(given), network(checkpoint, name)
    dropped = [key for key in given if reason_to_drop(key)]
    assert len(converted) == len(given) - len(dropped)  # no two keys become one
    unused = getattr(built, "unused_keys", ())
    assert {key for key in converted if not key.startswith(unused)} == set(built.state_dict())
    built.load_state_dict(converted, strict=True, assign=True)


def test_the_sets_name_the_published_files() -> None:
    for files, published_set in ((FACE_FILES, FACE), (BODY_FILES, BODY)):
        assert {name: list(each.files) for name, each in published_set.recipes.items()} == files


def test_what_is_left_out() -> None:
    given = published("moore-face", ["denoising_unet"])
    dropped = [key for key in given if reason_to_drop(key)]
    counts = [sum(bool(re.search(pattern, key)) for key in given) for pattern, _ in DROPS]
    assert len(given) == 1274
    assert counts == [21, 64]  # a table in each motion module; norm2 (two tensors), to_q, to_k in 16 transformers
    assert len(dropped) == sum(counts)


def test_converting_twice_changes_nothing() -> None:
    for checkpoint, _, files in PUBLISHED:
        once = convert_state_dict(published(checkpoint, files))
        assert list(convert_state_dict(once)) == list(once)


@pytest.mark.parametrize(("checkpoint", "name", "files"), PUBLISHED)
def test_a_file_that_lacks_a_key_is_not_loaded(checkpoint: str, name: str, files: list[str]) -> None:
    converted = convert_state_dict(published(checkpoint, files))
    lost = next(key for key in converted if key in network(checkpoint, name).state_dict())
    del converted[lost]
    with pytest.raises(RuntimeError, match=re.escape(lost)):
        network(checkpoint, name).load_state_dict(converted, strict=True, assign=True)


def test_the_default_pose_guider_has_the_published_size() -> None:
    with torch.device("meta"):
        values = sum(each.numel() for each in PoseGuider().parameters())
    assert values == 1_086_480
