"""Clips in data sets: a folder, a manifest, and the published layouts of TikTok and UBC fashion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facereenact.errors import InputError
from facereenact.evaluation.settings import Layout, Split
from facereenact.images import IMAGE_SUFFIXES
from facereenact.video_encoder import CONTAINER_SUFFIXES

VIDEO_SUFFIXES = (*CONTAINER_SUFFIXES, ".gif", ".avi")
MANIFEST = "manifest.parquet"
SPLITS = ("train", "test")

# DisCo (Wang et al. 2023) tests on these of the 340 published sequences, and on further ones of its own.
TIKTOK_TEST = range(335, 341)


@dataclass(frozen=True)
class Clip:
    """A video, or a folder of its frames, under the name that reports use."""

    name: str
    path: Path


def find_clips(path: Path, layout: Layout = "auto", split: Split = "test") -> list[Clip]:
    """The clips that a path stands for, in the order of their names.

    Raises:
        InputError: there is none, or the layout is another.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    if layout == "auto":
        layout = recognised(path)
    found = list(ADAPTERS[layout](path, split))
    if not found:
        raise InputError(f"{path} holds no clip that fits the layout {layout}; choose another with --layout")
    return found


def recognised(path: Path) -> Layout:
    """The layout that a path has."""
    if path.name == MANIFEST or (path / MANIFEST).is_file():
        return "manifest"
    if any(_tiktok_sequences(path)):
        return "tiktok"
    return "ubc-fashion" if path.is_dir() and any((path / name).is_dir() for name in SPLITS) else "folder"


def find_pictures(path: Path) -> list[Path]:
    """A picture, or all pictures of a folder by name.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise InputError(f"{path} holds no picture; give portraits as PNG, JPEG or WebP")
    return found


def _folder(path: Path, split: Split) -> Iterator[Clip]:
    """A video, a folder of videos, or of folders of frames."""
    if path.is_file() or _holds_frames(path):
        yield Clip(path.stem if path.is_file() else path.name, path)
        return
    for each in sorted(path.iterdir()):
        if each.suffix.lower() in VIDEO_SUFFIXES and each.is_file():
            yield Clip(each.stem, each)
        elif each.is_dir() and _holds_frames(each):
            yield Clip(each.name, each)


def _manifest(path: Path, split: Split) -> Iterator[Clip]:
    """The clips of a manifest of `facereenact preprocess` that have a sequence worth using, each once."""
    try:
        from facereenact.preprocessing.manifest import read_manifest
    except ModuleNotFoundError as error:
        raise InputError(f"{path} needs {error.name}; run: pip install 'facereenact[preprocess]'") from error

    rows = read_manifest(path.parent if path.is_file() else path, ["path", "status"]).to_pylist()
    for video in dict.fromkeys(Path(row["path"]) for row in rows if row["status"] == "ok"):
        yield Clip(video.stem, video)


def _tiktok(path: Path, split: Split) -> Iterator[Clip]:
    """`NNNNN/images/*.png`, sequences 1 to 340; 335 to 340 are for tests."""
    for number, folder in _tiktok_sequences(path):
        if split == "all" or (number in TIKTOK_TEST) == (split == "test"):
            yield Clip(folder.parent.name, folder)


def _tiktok_sequences(path: Path) -> Iterator[tuple[int, Path]]:
    for each in sorted(path.iterdir()) if path.is_dir() else ():
        if each.name.isdecimal() and (each / "images").is_dir():
            yield int(each.name), each / "images"


def _ubc_fashion(path: Path, split: Split) -> Iterator[Clip]:
    """`train/*.mp4` (500 videos) and `test/*.mp4` (100), as the lists fashion_train.txt and fashion_test.txt say."""
    for name in SPLITS if split == "all" else (split,):
        if (path / name).is_dir():
            yield from _folder(path / name, split)


def _holds_frames(folder: Path) -> bool:
    return any(each.suffix.lower() in IMAGE_SUFFIXES for each in folder.iterdir())


ADAPTERS: dict[Layout, Callable[[Path, Split], Iterator[Clip]]] = {
    "folder": _folder,
    "manifest": _manifest,
    "tiktok": _tiktok,
    "ubc-fashion": _ubc_fashion,
}
