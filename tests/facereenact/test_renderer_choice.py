"""The choice of the renderer: explained, never silent, and no option without effect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checkpoints import NotInstalledError
from facereenact.body_settings import BodySettings
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.errors import InputError
from facereenact.renderer_choice import FACE_CHECKPOINTS, choose_renderer
from facereenact.settings import DriveSettings


def settings(renderer: str = "auto", **diffusion: object) -> DriveSettings:
    return DriveSettings(
        source=Path("face.png"),
        driver=Path("talk.mp4"),
        renderer=renderer,  # type: ignore[arg-type]
        diffusion=DiffusionSettings(**diffusion),  # type: ignore[arg-type]
    )


def test_without_checkpoints_auto_takes_warp_and_says_what_is_missing() -> None:
    name, reason = choose_renderer(settings())
    assert name == "warp" and all(checkpoint in reason for checkpoint in FACE_CHECKPOINTS)
    assert choose_renderer(settings("warp")) == ("warp", "asked for")


def test_diffusion_without_checkpoints_names_the_command_that_gets_them(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="facereenact checkpoints import moore-face"):
        choose_renderer(settings("diffusion"))
    with pytest.raises(NotInstalledError, match=str(tmp_path)):
        choose_renderer(settings("diffusion", checkpoints=tmp_path))


def test_bodies_need_networks_of_their_own_and_a_driven_face_those_of_faces() -> None:
    body = BodySettings(body_driver=Path("dance.mp4"))
    both, alone = (replace(settings(), driver=driver, body=body) for driver in (Path("talk.mp4"), None))
    needed = "(moore-body, sd-vae-ft-mse, image-encoder"
    for wanted, missing in ((both, f"{needed}, moore-face)"), (alone, f"{needed})")):
        name, reason = choose_renderer(wanted)
        assert name == "warp" and reason.startswith("auto: ") and reason.endswith(missing)
        assert choose_renderer(replace(wanted, renderer="warp")) == ("warp", "asked for")
        with pytest.raises(NotInstalledError, match="facereenact checkpoints pull moore-body"):
            choose_renderer(replace(wanted, renderer="diffusion"))
    with pytest.raises(InputError, match="--seed: options of the diffusion renderer"):
        choose_renderer(replace(settings(seed=3), body=body))


@pytest.mark.parametrize("renderer", ["auto", "warp"])
def test_options_that_warp_does_not_have_are_refused(renderer: str) -> None:
    with pytest.raises(InputError, match="--steps, --render-background: options of the diffusion renderer"):
        choose_renderer(settings(renderer, steps=4, keep_background=False))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"steps": 0}, "--steps"),
        ({"guidance": 0.5}, "--guidance must be 1 or more"),
        ({"guidance": float("nan")}, "--guidance"),
        ({"seed": -1}, "--seed"),
        ({"head_scale": -0.1}, "--head-scale"),
        ({"mouth_scale": float("inf")}, "--mouth-scale"),
        ({"window": 33}, "--window"),
        ({"window": 0}, "--window"),
        ({"window": 8, "overlap": 8}, "--overlap"),
        ({"device": "gpu"}, "--device 'gpu' is unknown"),
    ],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        DiffusionSettings(**values)  # type: ignore[arg-type]


def test_what_was_given_is_known() -> None:
    assert DiffusionSettings().given == ()
    assert DiffusionSettings(checkpoints=Path("there"), seed=3).given == ("--seed",)
