"""Opening a media file: local files only, and one clear sentence for everything that is not a usable one."""

from __future__ import annotations

import re
from pathlib import Path

import av
from av.container import InputContainer

from facereenact.errors import InputError

_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")  # two letters or more: C: is a drive
_PLAYLIST_SUFFIXES = (".m3u", ".m3u8", ".pls", ".mpd", ".ffconcat", ".xspf", ".asx", ".sdp")
_PLAYLIST_HEADS = (b"#extm3u", b"ffconcat", b"[playlist]", b"rtsptext", b"file '", b"v=0", b"<asx")
_PLAYLIST_TAGS = (b"<mpd", b"<playlist", b"<smil")

# Every format here is one self-contained file: none names other files or addresses.
_FORMATS = (
    "mov", "matroska", "webm", "gif", "avi", "flv", "mpegts", "mpeg", "asf", "ogg", "mxf", "nut", "ivf", "h264", "hevc",
    "m4v", "mpegvideo", "dv", "wav", "mp3", "aac", "flac", "aiff", "caf", "w64",
)  # fmt: skip


def open_media(path: Path) -> InputContainer:
    """Open a local video or audio file.

    The file cannot make the decoder open anything else: the format must be one of `_FORMATS`, the protocol is `file`.
    Raises InputError.
    """
    check_local_file(path)
    # An absolute name is never taken for a protocol, even when the file's own name contains a colon.
    name = str(path.absolute())
    guard = {"protocol_whitelist": "file", "format_whitelist": ",".join(_FORMATS)}
    try:
        return av.open(name, "r", container_options=guard, metadata_errors="replace")
    except PermissionError:
        raise InputError(f"{path} may not be read; change its permissions") from None
    except (av.FFmpegError, ValueError, OSError) as error:
        if _starts_like_video(path):
            raise InputError(
                f"{path} cannot be opened: the file is damaged or incomplete; download or record it again"
            ) from error
        raise InputError(f"{path} is not a video that can be read; use mp4, mov, mkv, webm or gif") from error


def check_local_file(path: Path) -> None:
    """Raise InputError unless `path` is an existing file and no playlist."""
    if not path.exists():
        if _PROTOCOL.match(str(path)):
            address = str(path).replace(":/", "://", 1)  # a Path folds the two slashes
            raise InputError(f"only local video files are opened; download {address} first")
        raise InputError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise InputError(f"{path} is no regular file; only local video files are opened")
    head = _head(path).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    is_markup = head.startswith(b"<") and any(tag in head for tag in _PLAYLIST_TAGS)
    if path.suffix.lower() in _PLAYLIST_SUFFIXES or head.startswith(_PLAYLIST_HEADS) or is_markup:
        raise InputError(f"only local video files are opened; {path} is a playlist: give the video itself")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; download or record it again")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except PermissionError:
        raise InputError(f"{path} may not be read; change its permissions") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _starts_like_video(path: Path) -> bool:
    head = _head(path)
    is_mov = head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free")
    return is_mov or head.startswith((b"\x1aE\xdf\xa3", b"RIFF", b"GIF8"))
