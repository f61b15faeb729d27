"""The files that describe the project agree with each other."""

import ast
import configparser
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import facereenact

ROOT = Path(__file__).resolve().parent.parent


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser


def listed(text: str) -> list[str]:
    """The entries of a value of several lines, without its comments."""
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def test_constraints_pin_every_requirement_inside_its_range() -> None:
    pins = dict(line.split("==") for line in listed((ROOT / "constraints.txt").read_text("utf-8")))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    stated = setup()
    lines = listed(stated["options"]["install_requires"])
    lines += [line for extra in stated["options.extras_require"].values() for line in listed(extra)]
    machine = {"sys_platform": "linux", "platform_machine": "x86_64"}  # of the constraints
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate(machine):
            assert pins.get(canonicalize_name(requirement.name), "0") in requirement.specifier, requirement


def test_the_changelog_has_an_entry_for_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[{re.escape(facereenact.__version__)}\]", changelog, re.MULTILINE)


def test_every_test_belongs_to_a_module() -> None:
    """tests/ mirrors the tree: no folder of tests without a package."""
    folders = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))]
    assert [path.name for path in folders if not (ROOT / path.name).is_dir()] == []


def test_importing_the_package_function_survives_importing_its_module() -> None:
    import facereenact.drive

    assert callable(facereenact.drive)
    assert "drive" in dir(facereenact)


def test_every_module_says_what_it_is() -> None:
    packages = ("facereenact", "landmarks", "body", "checkpoints")
    paths = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    texts = {path: path.read_text("utf-8") for path in paths}
    silent = [str(path) for path, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))]
    assert silent == []
