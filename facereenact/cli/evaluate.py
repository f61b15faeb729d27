"""`facereenact evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import click
from click.core import ParameterSource

from facereenact.cli.evaluate_output import ClipBar, show
from facereenact.cli.options import common_options, field_option, option_type, without_none
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.evaluation.settings import OWN, EvaluateSettings
from facereenact.settings import DriveSettings

Result = TypeVar("Result")

SOME_FAILED = 3  # exit code

ONLY_IN_PLACE = ("source_frame", "as_published")  # options of the protocols in which both videos show one scene


class DriveOption(click.ParamType[Any]):
    """A setting of `drive`, as NAME=VALUE."""

    name = "setting"
    homes = (DriveSettings, DiffusionSettings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        name, separator, text = value.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        known = {field.name: (home, field) for home in self.homes for field in fields(home) if is_open(field)}
        if not separator or name not in known:
            self.fail(f"{value!r} is no setting: give NAME=VALUE with one of {', '.join(known)}", param, ctx)
        home, field = known[name]
        parse = field.metadata.get("parse")
        if parse is not None:
            try:
                return name, parse(text)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        hint = without_none(get_type_hints(home)[name])
        kind = click.BOOL if hint is bool else click.types.convert_type(option_type(hint)["type"])
        return name, kind.convert(text, param, ctx)


def is_open(field: Field[Any]) -> bool:
    """Whether a setting is left to whoever evaluates."""
    return field.name not in OWN and bool(field.metadata.get("cli", True))


def drive_settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """The same, those of the diffusion renderer put together.

    Raises:
        ValueError: they contradict each other.
    """
    own = {field.name for field in fields(DiffusionSettings)}
    diffusion = {name: value for name, value in given.items() if name in own}
    rest = {name: value for name, value in given.items() if name not in own}
    return {**rest, "diffusion": DiffusionSettings(**diffusion)} if diffusion else rest


def settings_options(*without: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """The options that protocols share, but for some."""
    hints = get_type_hints(EvaluateSettings)

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        for each in reversed(fields(EvaluateSettings)):
            if each.metadata.get("cli", True) and each.name not in without:
                function = field_option(each, hints[each.name])(function)
        return function

    return decorate


def sources(function: Callable[..., Result]) -> Callable[..., Result]:
    return click.option(
        *("-s", "--source", "sources"),
        type=click.Path(path_type=Path),
        multiple=True,
        required=True,
        metavar="IMAGE",
        help="Portrait, or a folder of them; may be given several times.",
    )(function)


def drive_settings(function: Callable[..., Result]) -> Callable[..., Result]:
    return click.option(
        "--drive",
        type=DriveOption(),
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting of facereenact drive, e.g. --drive smooth=light; may be given several times.",
    )(function)


def clips(function: Callable[..., Result]) -> Callable[..., Result]:
    return click.argument("drivers", metavar="CLIPS...", nargs=-1, required=True, type=click.Path(path_type=Path))(
        function
    )


@click.group()
@common_options
def evaluate() -> None:
    """Measure how good results are, by the protocols of the field.

    The output folder gets report.html, report.json, and the results. Run the same command again to go on after an
    interruption: what is done is not done again.

    \b
    facereenact evaluate self clips/ -o report
    facereenact evaluate cross clips/ -s portraits/ -o report
    facereenact evaluate pairs driver.mp4 result.mp4 -o report
    facereenact evaluate leakage clips/ -s face.png -o report
    """


@evaluate.command(name="self")
@clips
@settings_options()
@drive_settings
@common_options
def self_command(drivers: tuple[Path, ...], **values: Any) -> None:
    """Animate a frame of each clip with the clip, and compare with the clip itself.

    CLIPS are videos, folders of them, or data sets (--layout).
    """
    run("self", drivers, values)


@evaluate.command()
@clips
@sources
@settings_options(*ONLY_IN_PLACE)
@drive_settings
@common_options
def cross(drivers: tuple[Path, ...], **values: Any) -> None:
    """Animate every portrait with every clip, and compare the motion.

    CLIPS are videos, folders of them, or data sets (--layout).
    """
    run("cross", drivers, values)


@evaluate.command()
@click.argument("driver", type=click.Path(path_type=Path))
@click.argument("result", type=click.Path(path_type=Path))
@settings_options()
@common_options
def pairs(driver: Path, result: Path, **values: Any) -> None:
    """Compare finished results with their drivers, frame by frame.

    DRIVER and RESULT are two videos of one scene, or a folder or data set of drivers and a folder of results of the
    same names. This reproduces the tables of TikTok and UBC fashion: DRIVER is the data set (--layout), RESULT the
    folder of the animated bodies.
    """
    run("pairs", (driver,), {**values, "results": (result,)})


@evaluate.command()
@clips
@sources
@settings_options(*ONLY_IN_PLACE, "window")
@drive_settings
@common_options
def leakage(drivers: tuple[Path, ...], **values: Any) -> None:
    """Drive head, eyes and mouth alone in turn, and measure how much of the others moves.

    CLIPS are videos, folders of them, or data sets (--layout).
    """
    run("leakage", drivers, values)


def run(protocol: str, drivers: tuple[Path, ...], values: dict[str, Any]) -> None:
    """Evaluate and show; exit code 3 where a clip failed."""
    from facereenact.evaluation.runner import evaluate as evaluate_clips

    ctx = click.get_current_context()
    settings = settings_of(ctx, {"protocol": protocol, "drivers": drivers, **values})
    with ClipBar() as bar:
        report = evaluate_clips(settings, progress=bar)
    show(report)
    if report.failed:
        ctx.exit(SOME_FAILED)


def settings_of(ctx: click.Context, values: dict[str, Any]) -> EvaluateSettings:
    """From what the user gave; the rest is left to the defaults of the settings."""
    given = {name: value for name, value in values.items() if ctx.get_parameter_source(name) != ParameterSource.DEFAULT}
    try:
        if "drive" in given:
            given["drive"] = drive_settings_of(dict(given["drive"]))
        return EvaluateSettings(**given)
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from error
