from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner, Result

from facereenact.cli.options import SectionedCommand, common_options, dataclass_options, fraction


def parse_box(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


@dataclass(frozen=True)
class Options:
    source: Path = field(metadata={"help": "Portrait.", "flags": ("-s",), "metavar": "IMAGE"})
    rate: Fraction | None = field(default=None, metadata={"help": "Frames a second."})
    strength: float = field(default=0.5, metadata={"help": "From 0 to 1."})
    renderer: Literal["auto", "warp"] = field(default="auto", metadata={"help": "Renderer."})
    compare: bool = field(default=False, metadata={"help": "Panels."})
    keep_audio: bool = field(default=True, metadata={"help": "Audio."})
    point_px: tuple[int, int] = field(default=(0, 0), metadata={"help": "A point."})
    tags: tuple[str, ...] = field(default=(), metadata={"help": "Tags."})
    box: tuple[int, int] = field(default=(512, 512), metadata={"help": "Size.", "parse": parse_box, "metavar": "WxH"})
    names: tuple[str, ...] = field(default_factory=lambda: ("a", "b"), metadata={"help": "Names."})
    on_frame: Callable[[int], None] | None = field(default=None, metadata={"cli": False})

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError("strength must be between 0 and 1")


def invoke(*arguments: str, cls: type = Options) -> tuple[Result, list[Any]]:
    """The outcome of a command with the options of `cls`, and the instances it received."""
    received: list[Any] = []

    @click.command()
    @dataclass_options(cls)
    def command(options: Any) -> None:
        received.append(options)

    return CliRunner().invoke(command, arguments), received


def test_defaults_are_those_of_the_dataclass() -> None:
    _, received = invoke("-s", "a.png")
    assert received == [Options(Path("a.png"))]


def test_every_type_is_read() -> None:
    arguments = (
        "--source a.png --rate 29.97 --strength 1 --renderer warp --compare --no-keep-audio "
        "--point-px 3 4 --tags x --tags y --box 640x360 --names c"
    )
    _, received = invoke(*arguments.split())
    assert received == [
        Options(
            source=Path("a.png"),
            rate=Fraction(30000, 1001),
            strength=1.0,
            renderer="warp",
            compare=True,
            keep_audio=False,
            point_px=(3, 4),
            tags=("x", "y"),
            box=(640, 360),
            names=("c",),
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "'-s' / '--source'"),
        ("-s a --strength 2", "strength must be between 0 and 1"),
        ("-s a --strength much", "not a valid float"),
        ("-s a --rate 1/0", "not a number or a fraction"),
        ("-s a --renderer magic", "magic"),
        ("-s a --box 5", "'--box'"),
        ("-s a --on-frame 5", "--on-frame"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(arguments: str, message: str) -> None:
    done, received = invoke(*arguments.split())
    assert done.exit_code == 2
    assert message in done.stderr
    assert received == []


def test_help_shows_names_defaults_and_choices() -> None:
    text = " ".join(invoke("--help")[0].output.split())
    for part in ("-s, --source IMAGE", "--keep-audio / --no-keep-audio", "[auto|warp]", "default: 0.5", "--box WxH"):
        assert part in text
    assert "[required]" in text
    assert "None" not in text
    assert "on-frame" not in text


def test_two_dataclasses_make_one_command() -> None:
    @dataclass(frozen=True)
    class Camera:
        lens: float = field(default=1.0, metadata={"help": "Focal length."})

    received: list[object] = []

    @click.command(cls=SectionedCommand)
    @dataclass_options(Options)
    @dataclass_options(Camera, name="camera", section="Camera")
    @common_options
    def command(options: Options, camera: Camera) -> None:
        received.extend((options, camera))

    CliRunner().invoke(command, ["-s", "a", "--lens", "2"])
    assert received == [Options(Path("a")), Camera(2.0)]
    general, of_camera = CliRunner().invoke(command, ["--help"]).output.split("Camera:\n")
    assert all(name in general for name in ("Options:\n", "--source", "--verbose", "--help"))
    assert of_camera.split()[0] == "--lens" and of_camera.count("--") == 1


@dataclass(frozen=True)
class Lens:
    focus: float = field(default=1.0, metadata={"help": "Focal length."})

    def __post_init__(self) -> None:
        if self.focus <= 0:
            raise ValueError("focus must be above 0")


@dataclass(frozen=True)
class Camera:
    shutter: float = field(default=0.5, metadata={"help": "Seconds."})
    lens: Lens = field(default=Lens(), metadata={"section": "Lens"})

    def __post_init__(self) -> None:
        if self.shutter > self.lens.focus:
            raise ValueError("shutter is too slow for the lens")


def test_a_dataclass_within_another_has_a_section_of_its_own() -> None:
    for arguments, expected in (
        ((), Camera()),
        (("--focus", "2"), Camera(lens=Lens(2.0))),
        (("--shutter", "3", "--focus", "4"), Camera(3.0, Lens(4.0))),
    ):
        assert invoke(*arguments, cls=Camera)[1] == [expected]
    for arguments, message in (("--focus 0", "focus must be above 0"), ("--shutter 3", "too slow")):
        done, received = invoke(*arguments.split(), cls=Camera)
        assert (done.exit_code, received) == (2, [])
        assert message in done.stderr
    command = click.command(cls=SectionedCommand)(dataclass_options(Camera)(lambda options: None))
    general, of_lens = CliRunner().invoke(command, ["--help"]).output.split("Lens:\n")
    assert "--shutter" in general and of_lens.split()[0] == "--focus"


def test_a_field_without_help_or_reading_is_refused() -> None:
    @dataclass(frozen=True)
    class Silent:
        size: int = 1

    @dataclass(frozen=True)
    class Strange:
        size: dict[str, int] = field(default_factory=dict, metadata={"help": "Sizes."})

    for cls, message in ((Silent, "help"), (Strange, "parse")):
        with pytest.raises(TypeError, match=message):
            invoke(cls=cls)


@pytest.mark.parametrize(
    ("text", "rate"), [("25", 25), ("30000/1001", Fraction(30000, 1001)), ("12.5", Fraction(25, 2))]
)
def test_fractions_are_exact(text: str, rate: Fraction) -> None:
    assert fraction(text) == rate
