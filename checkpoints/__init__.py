"""Checkpoints: what exists, where it is published, how it comes here, where it lies, and whether it is still intact.

    from checkpoints import locate, pull

    pull("sd-vae-ft-mse")
    folder = locate("sd-vae-ft-mse")

The public names are imported when first used, so that `from checkpoints.errors import ...` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkpoints.importing import import_files as import_files
    from checkpoints.keeping import Finding as Finding
    from checkpoints.keeping import remove as remove
    from checkpoints.keeping import verify as verify
    from checkpoints.published import Checkpoint as Checkpoint
    from checkpoints.published import PublishedFile as PublishedFile
    from checkpoints.published import catalogue as catalogue
    from checkpoints.pulling import pull as pull
    from checkpoints.storage import NotInstalledError as NotInstalledError
    from checkpoints.storage import checkpoints_root as checkpoints_root
    from checkpoints.storage import is_installed as is_installed
    from checkpoints.storage import locate as locate

_HOMES = {
    "Checkpoint": "published",
    "Finding": "keeping",
    "NotInstalledError": "storage",
    "PublishedFile": "published",
    "catalogue": "published",
    "checkpoints_root": "storage",
    "import_files": "importing",
    "is_installed": "storage",
    "locate": "storage",
    "pull": "pulling",
    "remove": "keeping",
    "verify": "keeping",
}
"""The module of this package that defines each public name. No module may bear the name of a function."""

__all__ = [
    "Checkpoint",
    "Finding",
    "NotInstalledError",
    "PublishedFile",
    "catalogue",
    "checkpoints_root",
    "import_files",
    "is_installed",
    "locate",
    "pull",
    "remove",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"checkpoints.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
