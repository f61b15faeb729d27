"""Downloading one file over HTTP so that nothing received is ever asked for again."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from email.message import Message
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from checkpoints.errors import FacereenactError
from checkpoints.storage import Progress, readable, require_room, silent

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0  # without a byte
RETRY_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
BUSY = (408, 425, 429, 500, 502, 503, 504)  # answers after which another attempt may succeed
LONGEST_WAIT_S = 60.0  # of what a busy server may ask for

log = logging.getLogger(__name__)


class DownloadError(FacereenactError):
    """A download failed. What arrived is kept, and another run continues there, unless the message says otherwise."""


class UnreachableError(DownloadError):
    """The server was never reached: most likely there is no connection."""


class _Cut(Exception):
    """An attempt ended early, and another may get further."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Origin:
    """What a partial file is part of; kept beside it."""

    url: str
    etag: str = ""  # empty where the server gives none by which it recognises the file
    total_bytes: int | None = None
    stated_sha256: str = ""  # what a model hub says the whole file has


def download(
    url: str,
    part: Path,
    *,
    expected_bytes: int | None = None,
    token: str | None = None,
    stage: str = "",
    progress: Progress = silent,
    delays_s: Sequence[float] = RETRY_DELAYS_S,
) -> Origin:
    """Bring `url` to the file `part`, continuing what an earlier run left there.

    A cut connection is taken up again after each of `delays_s`, and the count starts anew whenever something arrived.
    The token goes to the first server only, not to the one that it redirects to.

    Raises:
        UnreachableError: no answer at all.
        DownloadError: the server refuses, gave up or offers a file of another size.
        OutputError: the disk has not enough room.
    """
    failures, reached = 0, False
    while True:
        before = size_of(part)
        try:
            return _attempt(url, part, expected_bytes, token, stage, progress)
        except (_Cut, UnreachableError) as error:
            reached = reached or isinstance(error, _Cut)
            if not reached:
                raise
            failures = 0 if size_of(part) > before else failures
            if failures == len(delays_s):
                raise DownloadError(gave_up(url, part, error)) from error
            wait_s = max(delays_s[failures], error.wait_s if isinstance(error, _Cut) else 0.0)
            log.info("%s: %s, trying again in %g s", url, error, wait_s)
            time.sleep(wait_s)
            failures += 1


def gave_up(url: str, part: Path, error: Exception) -> str:
    kept = size_of(part)
    hint = f"{readable(kept)} are kept, run the command again to continue" if kept else "run the command again later"
    return f"{url}: {error}; {hint}"


def _attempt(
    url: str, part: Path, expected_bytes: int | None, token: str | None, stage: str, progress: Progress
) -> Origin:
    earlier = read_origin(part)
    offset = size_of(part) if earlier and earlier.url == url and earlier.etag else 0
    if earlier and offset and offset == earlier.total_bytes:
        return earlier
    request = Request(url, headers={"User-Agent": "facereenact", "Accept-Encoding": "identity"})
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    if earlier and offset:
        request.add_header("Range", f"bytes={offset}-")
        request.add_header("If-Range", earlier.etag)
    redirects = _Redirects()
    with _answer(request, redirects, part) as response:
        offset, total = _extent(response, offset)
        if expected_bytes is not None and total not in (None, expected_bytes):
            discard(part)
            raise DownloadError(f"{url} has {total} bytes instead of {expected_bytes}; nothing was stored")
        require_room(part.parent, (total or expected_bytes or offset) - offset)
        linked = redirects.linked_etag or response.headers.get("X-Linked-ETag", "")
        origin = Origin(url, strong_etag(response.headers), total, sha256_in(linked))
        write_origin(part, origin)
        _receive(response, part, offset, total, stage, progress)
    return origin


def _answer(request: Request, redirects: _Redirects, part: Path) -> HTTPResponse:
    url = request.full_url
    try:
        response: HTTPResponse = build_opener(redirects).open(request, timeout=TIMEOUT_S)
        return response
    except HTTPError as error:
        error.close()
        if error.code == 416:  # the part is no beginning of what is there now
            discard(part)
            raise _Cut("the file has changed") from error
        if error.code in BUSY:
            raise _Cut(f"the server is busy ({error.code})", retry_after_s(error.headers)) from error
        hint = "; set HF_TOKEN if it needs an account" if error.code in (401, 403) else ""
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}{hint}") from error
    except (URLError, ConnectionError, TimeoutError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError | ConnectionResetError | HTTPException):
            raise _Cut(f"no answer ({reason})") from error
        raise UnreachableError(f"{url} cannot be reached ({reason})") from error


def _extent(response: HTTPResponse, offset: int) -> tuple[int, int | None]:
    """Where the answer begins in the file, and how long the file is."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not match or int(match.group(1)) != offset:
            raise DownloadError(f"{response.url}: the server answers with another part than asked for")
        return offset, None if match.group(2) == "*" else int(match.group(2))
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _receive(
    response: HTTPResponse, part: Path, offset: int, total: int | None, stage: str, progress: Progress
) -> None:
    done = offset
    progress(stage, done, total)
    with open(part, "r+b" if offset else "wb") as file:
        file.seek(offset)
        file.truncate()
        while True:
            try:
                chunk = response.read1(CHUNK_BYTES)
            except (OSError, HTTPException) as error:
                raise _Cut(f"the connection was cut ({str(error) or type(error).__name__})") from error
            if not chunk:
                break
            file.write(chunk)
            done += len(chunk)
            progress(stage, done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done < total:
        raise _Cut(f"the connection was cut after {readable(done)} of {readable(total)}")


class _Redirects(HTTPRedirectHandler):
    """Follows redirects and remembers the hash that a model hub states in its own answer."""

    linked_etag = ""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        self.linked_etag = self.linked_etag or headers.get("X-Linked-ETag", "")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def strong_etag(headers: Mapping[str, str] | Message) -> str:
    """The ETag if it may stand in If-Range (RFC 9110, 13.1.5), else nothing."""
    etag = headers.get("ETag") or ""
    return "" if etag.startswith("W/") else etag


def sha256_in(etag: str) -> str:
    digits = etag.removeprefix("W/").strip('"').lower()
    return digits if re.fullmatch("[0-9a-f]{64}", digits) else ""


def retry_after_s(headers: Message) -> float:
    seconds = headers.get("Retry-After") or ""
    return min(float(seconds), LONGEST_WAIT_S) if seconds.isdigit() else 0.0


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def origin_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def read_origin(part: Path) -> Origin | None:
    try:
        return Origin(**json.loads(origin_path(part).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_origin(part: Path, origin: Origin) -> None:
    origin_path(part).write_text(json.dumps(asdict(origin)), "utf-8")


def discard(part: Path) -> None:
    """Delete a partial file."""
    part.unlink(missing_ok=True)
    origin_path(part).unlink(missing_ok=True)
