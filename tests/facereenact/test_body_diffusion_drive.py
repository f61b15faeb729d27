"""drive() renders bodies by diffusion, alone and with a face of their own, over tiny random networks."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from facereenact import guide_tracking
from facereenact.body_settings import BodySettings
from facereenact.cli import main
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.drive import DriveResult, drive
from facereenact.renderer_choice import choose_renderer
from facereenact.settings import DriveSettings
from facereenact.tiny_model import make_tiny
from facereenact.video import VideoReader
from landmarks.storage import load_landmarks, save_landmarks
from tests.facereenact import clips, people
from tests.facereenact.clips import Image
from tests.facereenact.media import heard
from tests.facereenact.renderers.posed_face import ScriptedTracker

FRAMES = 4
LOST = 1  # the frame whose rendered body shows no face


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("tiny") / "checkpoints"
    make_tiny(root)
    gc.freeze()  # else the collector looks through all that the tests hold whenever a network makes room for another
    yield root
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def face_in_noise() -> Iterator[None]:
    """What random networks render shows no face."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guide_tracking, "open_guide_tracker", lambda name: ScriptedTracker(lost=(LOST,)))
        yield


@cache
def pose() -> Path:
    """Four frames; the person goes to the right."""
    return people.saved("walk", people.posed(np.outer(np.arange(FRAMES), [6.0, 0.0])))


@cache
def nod() -> Path:
    """As many frames of a mouth that opens on a head that rolls."""
    return people.speaking("rolling", np.linspace(0, 0.25, FRAMES), turn_deg=[(0, 0, 4 * k) for k in range(FRAMES)])


def film(root: Path, output: Path, kind: str, **given: Any) -> DriveSettings:
    """One of the three ways to render a body, with some settings of its own."""
    how: dict[str, dict[str, Any]] = {
        "alone": {},
        "paste": {"driver": nod(), "diffusion": {"keep_background": False}},
        "guided": {"driver": nod(), "diffusion": {"combine": "guided"}},
    }
    own: dict[str, Any] = {"checkpoints": root, "steps": 2, "body_side": 128}
    for values in (how[kind], given):
        own |= values.pop("diffusion", {})
    return DriveSettings(
        people.person(),
        output=output,
        size=(200, 240),
        body=BodySettings(body_driver=pose(), **given.pop("body", {})),
        diffusion=DiffusionSettings(**own),
        **{**how[kind], **given},
    )


def pictures(result: DriveResult) -> list[Image]:
    return [frame.image for frame in VideoReader(result.output)]


@pytest.fixture(scope="module")
def films(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, DriveResult]:
    folder = tmp_path_factory.mktemp("films")
    return {kind: drive(film(tiny, folder / kind, kind)) for kind in ("alone", "paste", "guided")}


@pytest.mark.parametrize(
    ("options", "combine", "without_face", "stages"),
    [
        ([], "paste", 0, ["denoising"]),
        (["-d", "talk"], "paste", 1, ["tracking", "denoising body", "tracking faces", "denoising face"]),
        (["-d", "talk", "--combine", "guided"], "guided", 0, ["tracking", "denoising"]),
    ],
    ids=["alone", "paste", "guided"],
)
def test_the_command_line_makes_a_film_of_it(
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    combine: str,
    without_face: int,
    stages: list[str],
) -> None:
    told: list[str] = []
    monkeypatch.setattr("facereenact.cli.drive.ProgressBars.__call__", lambda self, stage, *_: told.append(stage))
    output = tmp_path / "out.mp4"
    words = ["drive", "-s", people.person(), "--body-driver", people.dance(), "--end", "0.36", "--size", "200x240"]
    words += ["--renderer", "diffusion", "--checkpoints", tiny, "--steps", "2", "--body-side", "128", "-o", output]
    words += [clips.talk() if word == "talk" else word for word in options]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.mp4"]
    assert list(dict.fromkeys(told)) == ["tracking body", *stages, "rendering"]

    reader = VideoReader(output)
    assert reader.info.size == (200, 240)
    assert sum(1 for _ in reader) == 9
    times_s, sound = heard(output)
    speaks_s = clips.TONE_S if options else people.TONE_S
    assert times_s[np.abs(sound) > 0.2][0] == pytest.approx(speaks_s, abs=0.01)
    kept = json.loads(output.with_suffix(".json").read_text())
    assert kept["settings"]["diffusion"]["combine"] == combine
    result = kept["result"]
    assert (result["renderer"], result["frames"], result["size"]) == ("diffusion", 9, [200, 240])
    assert result["body"]["frames_without_face"] == without_face


def test_the_pasted_face_changes_the_head_alone(films: dict[str, DriveResult]) -> None:
    paste = films["paste"]
    assert paste.body is not None and paste.body.frames_without_face == 1
    for index, (picture, body) in enumerate(zip(pictures(paste), pictures(films["alone"]), strict=True)):
        changed = (picture != body).any(axis=-1)
        assert changed[:150].any() == (index != LOST)
        assert not changed[150:].any()  # below the shoulders


def test_guidance_shows_and_without_weight_is_the_body_alone(
    tiny: Path, tmp_path: Path, films: dict[str, DriveResult]
) -> None:
    unweighed = film(tiny, tmp_path / "out", "guided", diffusion={"head_scale": 0.0, "mouth_scale": 0.0})
    alone = pictures(films["alone"])
    assert np.array_equal(pictures(drive(unweighed)), alone)
    assert not np.array_equal(pictures(films["guided"]), alone)


@pytest.mark.parametrize("kind", ["paste", "guided"])
def test_the_head_turns_with_whom_it_is_told_to(
    tiny: Path, tmp_path: Path, films: dict[str, DriveResult], kind: str
) -> None:
    body, face = films[kind], drive(film(tiny, tmp_path / "out", kind, body={"head_from": "face"}))
    assert body.body is not None and body.body.head_from == "body"
    assert not np.array_equal(pictures(body), pictures(face))


@pytest.mark.parametrize("kind", ["paste", "guided"])
def test_where_the_driver_lacks_its_face_the_body_keeps_its_own(tiny: Path, tmp_path: Path, kind: str) -> None:
    gone = load_landmarks(people.speaking("vanishing", np.full(6, 0.2), rate=5))
    gone.detected[2:] = False
    path = tmp_path / "vanishing.landmarks.safetensors"
    save_landmarks(gone, path)
    result = drive(film(tiny, tmp_path / "out", kind, driver=path, diffusion={"steps": 1}))
    assert result.frames == 6  # those of the face, which is longer
    assert result.body is not None and result.body.frames_without_face == (5 if kind == "paste" else 4)


class Stop(BaseException):
    pass


@pytest.mark.parametrize(
    ("kind", "stages"),
    [
        ("paste", ["denoising body", "denoising face", "rendering"]),
        ("guided", ["denoising"]),
    ],
)
def test_an_interrupted_rendering_goes_on_to_the_same_file(
    tiny: Path, tmp_path: Path, films: dict[str, DriveResult], kind: str, stages: list[str]
) -> None:
    wanted = film(tiny, tmp_path / "out", kind)
    for stage in stages:

        def stop(now: str, done: int, total: int | None, stage: str = stage) -> None:
            if now == stage and done > 1:
                raise Stop

        with pytest.raises(Stop):
            drive(wanted, progress=stop)
        assert [path.name for path in tmp_path.iterdir()] == [".out.unfinished"]
    firsts: dict[str, int] = {}

    def note(stage: str, done: int, total: int | None) -> None:
        firsts.setdefault(stage, done)

    result = drive(wanted, progress=note)
    assert np.array_equal(pictures(result), pictures(films[kind]))
    assert result.body == films[kind].body
    if kind == "paste":  # it was stopped when all was done but to write
        assert not firsts.keys() & {"denoising body", "tracking faces", "denoising face"}
    else:
        assert firsts["denoising"] == 2  # the first step was done
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.json"]


def without(tiny: Path, folder: Path, checkpoint: str) -> Path:
    shutil.copytree(tiny, folder / "some", ignore=shutil.ignore_patterns(checkpoint))
    return folder / "some"


@pytest.mark.parametrize(
    ("missing", "command", "with_face"),
    [
        ("moore-body", "facereenact checkpoints pull moore-body", False),
        ("moore-body", "facereenact checkpoints pull moore-body", True),
        ("moore-face", "facereenact checkpoints import moore-face", True),
    ],
)
def test_missing_weights_are_named(tiny: Path, tmp_path: Path, missing: str, command: str, with_face: bool) -> None:
    words = ["drive", "-s", people.person(), "--body-driver", pose(), "-o", tmp_path / "out.mp4"]
    words += ["--checkpoints", without(tiny, tmp_path, missing), *(["-d", nod()] if with_face else [])]
    asked = CliRunner().invoke(main, [str(word) for word in [*words, "--renderer", "diffusion"]])
    (line,) = asked.stderr.splitlines()
    assert asked.exit_code == 1 and command in line
    auto = CliRunner().invoke(main, [str(word) for word in [*words, "--dry-run"]])
    assert f"warp (auto: the diffusion renderer's checkpoints are not installed ({missing}))" in auto.stdout


def test_a_body_alone_needs_no_face_weights(tiny: Path, tmp_path: Path) -> None:
    wanted = film(without(tiny, tmp_path, "moore-face"), tmp_path / "out", "alone")
    assert choose_renderer(wanted) == ("diffusion", "auto: its checkpoints are installed")


@pytest.mark.parametrize(
    ("options", "work"),
    [
        ({}, "1 chunks, 2 windows (1 at once), 30 steps"),
        (
            {"driver": nod},
            "body 1 chunks, 2 windows (1 at once), 30 steps; face 1 chunks, 2 windows (1 at once), 20 steps",
        ),
        ({"driver": nod, "combine": "guided"}, "1 chunks, 2 windows (1 at once), 30 steps"),
    ],
)
def test_a_dry_run_measures_what_would_be_rendered(tiny: Path, options: dict[str, Any], work: str) -> None:
    words = ["drive", "-s", people.person(), "--body-driver", pose(), "--dry-run", "--checkpoints", tiny]
    words += ["--body-side", "128", "--window", "3", "--overlap", "1"]
    for name, value in options.items():
        words += [f"--{name}", value() if callable(value) else value]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr
    rows = {name: value.strip() for name, _, value in (line.partition(" ") for line in done.stdout.splitlines())}
    assert rows["renderer"] == "diffusion (auto: its checkpoints are installed)"
    assert rows["frames"] == "4, 25 per second"
    assert rows["work"] == work
    assert rows["time"].startswith("about ")


@pytest.mark.parametrize(
    ("body", "driver", "diffusion", "message"),
    [
        (None, "a.mp4", {"combine": "guided"}, "--combine: options of a moving body; give --body-driver"),
        (None, "a.mp4", {"body_scale": 0.5, "body_side": 256}, "--body-scale, --body-side: options of a moving body"),
        ("d.mp4", None, {"combine": "guided"}, "--combine: nothing to apply to without a face driver"),
        ("d.mp4", None, {"head_scale": 0, "mouth_scale": 0}, "--head-scale, --mouth-scale: nothing to apply to"),
        ("d.mp4", None, {"keep_background": False}, "--render-background: nothing to apply to"),
        ("d.mp4", "a.mp4", {"combine": "guided", "keep_background": False}, "--render-background has no effect"),
    ],
)
def test_options_that_nothing_reads_are_refused(
    body: str | None, driver: str | None, diffusion: dict[str, Any], message: str
) -> None:
    own = DiffusionSettings(**diffusion)
    with pytest.raises(ValueError, match=message):
        DriveSettings("me.png", driver, body=BodySettings(body_driver=body), diffusion=own)  # type: ignore[arg-type]
