"""Options of commands, made from the fields of frozen dataclasses: one definition for the API and the command line.

    @dataclass(frozen=True)
    class DriveOptions:
        source: Path = field(metadata={"help": "Portrait to animate.", "flags": ("-s",), "metavar": "IMAGE"})
        compare: bool = field(default=False, metadata={"help": "Add source, driver and result side by side."})

    @click.command()
    @dataclass_options(DriveOptions)
    @common_options
    def drive(options: DriveOptions) -> None: ...

A field needs `help` in its metadata. Optional entries: `flags` (more names), `metavar`, `parse` (a function of a string
that raises ValueError, for types not listed in `option_type`), `negative` (the name that switches a bool off), `cli`
(False: for the API only) and, for a field that is such a dataclass itself, `section` (the heading of its options).
"""

from __future__ import annotations

import logging
import os
import types
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import click
from click.core import ParameterSource

from facereenact.console import show_libraries, show_log

Result = TypeVar("Result")

CHECKPOINTS = "FACEREENACT_CHECKPOINTS"
OPTIONS = "Options"  # the heading of options that name no other


def dataclass_options(
    cls: type, name: str = "options", *, section: str = OPTIONS
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a command one option per field of `cls`, and pass it the instance as the argument `name`.

    Fields that name a section are dataclasses of options themselves. A field without a default is required. Only what
    the user gave reaches the constructor, so the defaults stay the dataclass's own. A ValueError of the constructor is
    shown as wrong usage. `--help` of a `SectionedCommand` lists the options under the heading `section`.

    Raises:
        TypeError: a field has no help, or a type that needs `parse`.
    """
    exposed = list(_exposed(cls, section))

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @wraps(function)
        def with_instance(**values: Any) -> Result:
            given = {field.name: values.pop(field.name) for field, _, _ in exposed}
            return function(**{name: construct(cls, given)}, **values)

        command: Callable[..., Result] = with_instance
        for field, hint, heading in reversed(exposed):
            command = field_option(field, hint, section=heading)(command)
        return command

    return decorate


def _exposed(cls: type, section: str) -> Iterator[tuple[Field[Any], Any, str]]:
    """The fields that become options, with their types and headings."""
    hints = get_type_hints(cls)
    for field in fields(cls):
        if "section" in field.metadata:
            yield from _exposed(hints[field.name], field.metadata["section"])
        elif field.init and field.metadata.get("cli", True):
            yield field, hints[field.name], section


def construct(cls: type, values: dict[str, Any]) -> Any:
    """An instance of `cls` from the values that the user gave, the rest left to the defaults of the dataclass."""
    ctx = click.get_current_context()
    given = {name: value for name, value in values.items() if ctx.get_parameter_source(name) not in UNSET_SOURCES}
    for field in fields(cls):
        if "section" in field.metadata:
            inner = get_type_hints(cls)[field.name]
            own = {each.name for each in fields(inner)}
            given[field.name] = construct(inner, {name: given.pop(name) for name in own & given.keys()})
    try:
        return cls(**given)
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from error


UNSET_SOURCES = (None, ParameterSource.DEFAULT)


def field_option(
    field: Field[Any], hint: Any, *, section: str = OPTIONS
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """The click option of one dataclass field."""
    if not field.metadata.get("help"):
        raise TypeError(f"the field {field.name} needs metadata={{'help': ...}} to become an option")
    long = "--" + field.name.replace("_", "-")
    flags = tuple(field.metadata.get("flags", ()))
    settings: dict[str, Any] = {"help": field.metadata["help"], "metavar": field.metadata.get("metavar")}
    if field.default is not MISSING:
        settings |= {"default": field.default, "show_default": field.default not in (None, "", ())}
    elif field.default_factory is not MISSING:
        settings |= {"default": field.default_factory(), "show_default": True}
    else:
        settings["required"] = True
    if "parse" in field.metadata:
        settings["type"] = Parsed(field.metadata["parse"], field.metadata.get("metavar", "text"))
    elif without_none(hint) is bool:
        long += "/" + field.metadata.get("negative", "--no-" + field.name.replace("_", "-"))
    else:
        try:
            settings |= option_type(without_none(hint))
        except TypeError as error:
            raise TypeError(f"the field {field.name} has type {hint}: add `parse` or `cli` to its metadata") from error
    return click.option(*flags, long, field.name, cls=SectionOption, section=section, **settings)


class SectionOption(click.Option):
    """An option with the heading under which `--help` lists it."""

    def __init__(self, *names: Any, section: str = OPTIONS, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose `--help` lists its options under the headings that they name."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "section", OPTIONS), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def without_none(hint: Any) -> Any:
    """`X` for `X | None`, anything else unchanged."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    members = [member for member in get_args(hint) if member is not type(None)]
    return members[0] if len(members) == 1 else hint


def option_type(hint: Any) -> dict[str, Any]:
    """The settings of `click.option` that read a value of this type.

    Raises:
        TypeError: there is no obvious reading.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in (int, float, str):
        return {"type": hint}
    if hint is Path:
        return {"type": click.Path(path_type=Path)}
    if hint is Fraction:
        return {"type": Parsed(fraction, "fraction")}
    if origin is Literal:
        return {"type": click.Choice(arguments)}
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {**option_type(arguments[0]), "multiple": True}
    if origin is tuple and arguments:
        return {"type": click.Tuple([option_type(member)["type"] for member in arguments])}
    raise TypeError(f"{hint} cannot be read from the command line")


class Parsed(click.ParamType[Any]):
    """Reads a value with a function that raises ValueError."""

    def __init__(self, parse: Callable[[str], Any], name: str) -> None:
        self.parse = parse
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def fraction(text: str) -> Fraction:
    """An exact rate: "25", "30000/1001", or an NTSC rate by its rounded name ("29.97" is 30000/1001)."""
    try:
        return NTSC_RATES.get(text) or Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{text!r} is not a number or a fraction such as 30000/1001") from error


NTSC_RATES = {
    "23.976": Fraction(24000, 1001),
    "23.98": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "59.94": Fraction(60000, 1001),
    "119.88": Fraction(120000, 1001),
}


def common_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add `-v/--verbose` and `--debug`, which may stand before or after the name of the command."""
    for flags, text in reversed(COMMON_OPTIONS):
        function = click.option(*flags, is_flag=True, expose_value=False, callback=set_verbosity, help=text)(function)
    return function


def checkpoints_option(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add `--checkpoints`, for the command and the processes that it starts."""
    return click.option(
        "--checkpoints",
        type=click.Path(path_type=Path),
        metavar="DIR",
        expose_value=False,
        callback=lambda ctx, _, value: use_checkpoints(ctx, value),
        help="Folder of all checkpoints. [default: $FACEREENACT_CHECKPOINTS, else one in your cache]",
    )(function)


def use_checkpoints(ctx: click.Context, folder: Path | None) -> None:
    """Make a folder that of all checkpoints, if there is one, until the command ends."""
    before = os.environ.get(CHECKPOINTS)
    if folder is None:
        return
    os.environ[CHECKPOINTS] = str(folder.expanduser().absolute())

    @ctx.call_on_close
    def restore() -> None:
        del os.environ[CHECKPOINTS]
        if before is not None:
            os.environ[CHECKPOINTS] = before


COMMON_OPTIONS = (
    (("-v", "--verbose"), "Tell more about what is done."),
    (("--debug",), "Show debug messages, tracebacks and what the libraries write."),
)


def set_verbosity(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Remember that the flag was given at either place, and show messages accordingly."""
    asked: set[str | None] = ctx.find_root().meta.setdefault(ASKED, set())
    if value:
        asked.add(param.name)
    show_log(logging.DEBUG if "debug" in asked else logging.INFO if "verbose" in asked else logging.WARNING)
    if "debug" in asked:
        show_libraries()


ASKED = "facereenact.asked"  # the key, in the root context, of the common options that were given


def debug_requested(ctx: click.Context) -> bool:
    return "debug" in ctx.find_root().meta.get(ASKED, set())
