"""A web server for tests: ranges, cut connections, slowness, redirects and refusals on demand; tiny checkpoints."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from checkpoints.manifest import Layout, Shape
from checkpoints.published import Checkpoint, PublishedFile, Web

CHUNK_BYTES = 4096


@dataclass
class Server:
    """What the server shall do, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)  # by path, without the leading slash
    cuts: dict[str, list[int]] = field(default_factory=dict)  # bytes after which the next answers end
    statuses: dict[str, list[int]] = field(default_factory=dict)  # of the next answers
    redirects: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)  # to which path, with what headers
    ranges: bool = True
    etags: bool = True
    chunk_s: float = 0.0  # pause after each chunk
    base: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # path and headers

    def offsets(self, path: str) -> list[int]:
        """Where the requests for a path wanted to begin."""
        ranges = [headers.get("range", "bytes=0-") for asked, headers in self.asked if asked == path]
        return [int(each.removeprefix("bytes=").rstrip("-")) for each in ranges]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plan: Server

    def do_GET(self) -> None:
        plan, path = self.plan, self.path.lstrip("/")
        plan.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        if path in plan.redirects:
            target, headers = plan.redirects[path]
            self.answer(302, {"Location": f"{plan.base}/{target}", **headers, "Content-Length": "0"})
        elif plan.statuses.get(path):
            self.answer(plan.statuses[path].pop(0), {"Content-Length": "0", "Retry-After": "3"})
        elif path not in plan.files:
            self.answer(404, {"Content-Length": "0"})
        else:
            self.send_file(path, plan.files[path])

    def send_file(self, path: str, content: bytes) -> None:
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        start = 0
        if self.plan.ranges and self.headers["Range"] and self.headers["If-Range"] in (None, etag):
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if start >= len(content) > 0:
            self.answer(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        headers = {"Content-Length": str(len(content) - start)} | ({"ETag": etag} if self.plan.etags else {})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(206 if start else 200, headers)
        end = start + self.plan.cuts[path].pop(0) if self.plan.cuts.get(path) else len(content)
        for at in range(start, min(end, len(content)), CHUNK_BYTES):
            self.wfile.write(content[at : min(at + CHUNK_BYTES, end)])
            self.wfile.flush()
            time.sleep(self.plan.chunk_s)
        self.close_connection = True

    def answer(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def handle(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the client has gone
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(**plan: Any) -> Iterator[Server]:
    """A running server; `base` is its address."""
    server = Server(**plan)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), type("Planned", (Handler,), {"plan": server}))
    listening.daemon_threads = True
    server.base = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that look random and are the same each time."""
    blocks = (hashlib.sha256(b"%d %d" % (seed, index)).digest() for index in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def published(name: str, content: bytes, **more: Any) -> PublishedFile:
    """The catalogue's entry for a file of that content."""
    return PublishedFile(name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), **more)


def checkpoint(base: str, *files: PublishedFile, name: str = "tiny", **more: Any) -> Checkpoint:
    """A checkpoint that the server at `base` publishes."""
    source = Web(base, page=f"{base}/page")
    return Checkpoint(name, "Tiny", "tests", "MIT", files, **{"source": source, **more})


TINY: dict[str, Shape] = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "pe": (1, 8, 4)}


def write_manifest(folder: Path, name: str, shapes: Mapping[str, Shape]) -> Layout:
    """A manifest file in `folder`, and the layout that it describes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(shapes).encode()))
    return Layout((name,))
