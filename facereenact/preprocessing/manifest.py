"""The manifest: one Parquet file with a row for every sequence, and for every clip that has none.

While a run goes on its rows are appended as parts, each complete or absent; when it ends, or the next one begins, they
are merged into the one file. Readers see both.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facereenact.errors import InputError
from facereenact.preprocessing.stores import Output, written_to

NAME = "manifest.parquet"
PARTS = "manifest-parts"
FLUSH_ROWS = 10_000
FLUSH_S = 60.0
BATCH_ROWS = 50_000
ORDER = ("path", "shot", "person")

_TEXT, _COUNT, _NUMBER = pa.string(), pa.int32(), pa.float64()
SCHEMA = pa.schema(
    [
        ("path", _TEXT),  # of the clip: absolute, or an address
        ("hash", _TEXT),  # SHA-256 of its content
        ("shot", _COUNT),  # from 0; none where the clip failed or shows nobody
        ("person", _COUNT),  # from 0, within the shot
        ("status", _TEXT),  # ok, filtered, failed
        ("error", _TEXT),  # why it failed or was filtered
        ("first_frame", _COUNT),  # of the shot, in the clip
        ("frames", _COUNT),
        ("start_s", _NUMBER),  # of the shot, in the clip
        ("seconds", _NUMBER),
        ("rate_hz", _NUMBER),
        ("width", _COUNT),  # of the clip, pixels
        ("height", _COUNT),
        ("detected", pa.float32()),  # the figures: see preprocessing.figures
        ("face_px", pa.float32()),
        ("sharpness", pa.float32()),
        ("blur", pa.float32()),
        ("jitter", pa.float32()),
        ("turn_deg", pa.float32()),
        ("yaw_min_deg", pa.float32()),
        ("yaw_max_deg", pa.float32()),
        ("pitch_min_deg", pa.float32()),
        ("pitch_max_deg", pa.float32()),
        ("roll_min_deg", pa.float32()),
        ("roll_max_deg", pa.float32()),
        ("crop_left_px", _COUNT),  # the face's square in the clip's frames
        ("crop_top_px", _COUNT),
        ("crop_side_px", _COUNT),
        ("landmarks", _TEXT),  # files, relative to the manifest
        ("pose", _TEXT),
        ("thumbnail", _TEXT),
        ("crop", _TEXT),
        ("clip_frames", _COUNT),
        ("tracker", _TEXT),
        ("settings", _TEXT),  # a key of what the files depend on
        ("limits", _TEXT),  # that a sequence had to keep to be ok
        ("stamp", _TEXT),  # of the clip's file: differs once it is changed
        ("versions", _TEXT),
    ]
)


def read_manifest(
    output: str | Path | Output, columns: Sequence[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """The rows of an output folder, also of a run that was killed, ordered by path, shot and person.

    Args:
        output: the folder.
        columns: those that are wanted; by default all.
        where: which rows, e.g. `pyarrow.compute.field("status") == "ok"`.

    Raises:
        InputError: there is no manifest, or it is damaged.
    """
    manifest = Manifest(output if isinstance(output, Output) else Output(output))
    if not manifest.exists():
        raise InputError(f"{manifest.output.path} holds no {NAME}; give the output folder of `facereenact preprocess`")
    return manifest.table(columns, where)


class Manifest:
    """Appends rows to the manifest of an output. Not for two writers at once."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._rows: list[dict[str, Any]] = []
        self._flushed_s = time.monotonic()

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add the rows of a clip that has none yet in this run; they reach the disk within a minute or at `merge`.

        Raises:
            OutputError: they cannot be written.
        """
        self._rows.extend(rows)
        if len(self._rows) >= FLUSH_ROWS or time.monotonic() - self._flushed_s > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write what was appended as a part.

        Raises:
            OutputError: it cannot be written.
        """
        self._flushed_s = time.monotonic()
        if not self._rows:
            return
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(self._rows, SCHEMA), content)
        self.output.create_folder(PARTS)
        names = self._parts()
        last = int(names[-1].rpartition("/")[2].removesuffix(".parquet")) if names else 0
        self.output.write(f"{PARTS}/{last + 1:08d}.parquet", content.getvalue())
        self._rows = []

    def merge(self) -> None:
        """Bring all rows into the one file; killed at any moment, nothing is lost and nothing counts twice.

        Raises:
            OutputError: it cannot be written.
        """
        self.flush()
        parts = self._parts()
        if not parts and self._has_whole():
            return
        table = self._joined(SCHEMA.names)
        with written_to(self.output.path):
            order = pc.sort_indices(table, [(name, "ascending") for name in ORDER])
            with self._replacing() as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
                for start in range(0, len(table), BATCH_ROWS):
                    writer.write_table(table.take(order[start : start + BATCH_ROWS]))
            for part in parts:
                self.output.files.rm_file(part)

    def exists(self) -> bool:
        return self._has_whole() or bool(self._parts())

    def table(self, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """What `read_manifest` gives; empty where there is no manifest yet."""
        wanted = list(columns or SCHEMA.names)
        if not self._parts():
            return self._read(self.output.inside(NAME), wanted, where)
        joined = self._joined(SCHEMA.names if where is not None else list(dict.fromkeys([*ORDER, *wanted])))
        kept = joined if where is None else joined.filter(where)
        return kept.sort_by([(name, "ascending") for name in ORDER]).select(wanted)

    def _joined(self, columns: list[str]) -> pa.Table:
        """The rows of the parts, and those of the file about other clips; `path` is one of the columns."""
        parts = self._parts()
        new = pa.concat_tables([SCHEMA.empty_table().select(columns), *(self._read(p, columns, None) for p in parts)])
        whole = self._read(self.output.inside(NAME), columns, None)
        if len(new) and len(whole):
            whole = whole.filter(pc.invert(pc.is_in(whole["path"], pc.unique(new["path"]))))
        return pa.concat_tables([whole, new])

    def _read(self, path: str, columns: list[str], where: pc.Expression | None) -> pa.Table:
        try:
            return pq.read_table(path, columns=columns, filters=where, filesystem=self.output.files)
        except FileNotFoundError:
            return SCHEMA.empty_table().select(columns)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{path} is damaged ({' '.join(str(error).split())[:200]}); remove it: the next run makes it again "
                "from the clips' own records"
            ) from error

    def _has_whole(self) -> bool:
        return bool(self.output.files.exists(self.output.inside(NAME)))

    def _parts(self) -> list[str]:
        """Paths of the parts, oldest first."""
        folder = self.output.inside(PARTS)
        if not self.output.files.isdir(folder):
            return []
        self.output.files.invalidate_cache()
        names = (name.rsplit("/", 1)[-1] for name in self.output.files.ls(folder, detail=False))
        return [f"{folder}/{name}" for name in sorted(names) if name.endswith(".parquet") and not name.startswith(".")]

    @contextlib.contextmanager
    def _replacing(self) -> Iterator[Any]:
        """A file that becomes the manifest when it is complete."""
        with tempfile.TemporaryDirectory() as elsewhere:
            folder = Path(self.output.root if self.output.is_local else elsewhere)
            temporary = folder / f".{NAME}.part"
            try:
                with temporary.open("wb") as file:
                    yield file
                if self.output.is_local:
                    temporary.replace(folder / NAME)
                else:
                    self.output.files.put_file(str(temporary), self.output.inside(NAME))
            finally:
                temporary.unlink(missing_ok=True)
