"""The report on a manifest: histograms, a contact sheet of faces, what was filtered and what failed, and why."""

from __future__ import annotations

import html
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from facereenact.preprocessing.figures import SAMPLE_PX
from facereenact.preprocessing.histograms import PLOTTED, draw_histograms
from facereenact.preprocessing.manifest import read_manifest
from facereenact.preprocessing.stores import Output

FOLDER = "report"
COLUMNS = 10  # of the contact sheet
MOST_FAILURES = 200  # listed
BORDERS = {"ok": (46, 160, 67), "filtered": (227, 134, 29)}
BORDER_PX = 3


@dataclass(frozen=True)
class Report:
    """Where the report is, and what it says."""

    page: str
    histograms: str
    contact_sheet: str
    clips: int
    counts: dict[str, int]  # rows by status
    hours: float  # of the sequences that are ok


def write_report(output: str | Path, *, faces: int = 60) -> Report:
    """Draw the report of an output folder into its folder `report`.

    Args:
        output: what `preprocess` wrote.
        faces: how many faces the contact sheet shows, taken evenly from all.

    Raises:
        InputError: there is no manifest.
        OutputError: the report cannot be written.
    """
    target = Output(output)
    table = read_manifest(target, ["path", "status", "error", "thumbnail", "shot", "person", *PLOTTED])
    counts = {status: 0 for status in ("ok", "filtered", "failed")}
    counts |= {str(each["values"]): int(each["counts"]) for each in pc.value_counts(table["status"]).to_pylist()}
    sample = _sample(table, faces)
    pictures = [_picture(target, str(row["thumbnail"])) for row in sample]
    kept = table.filter(pc.equal(table["status"], "ok"))
    report = Report(
        page=f"{target.path}/{FOLDER}/report.html",
        histograms=f"{target.path}/{FOLDER}/histograms.png",
        contact_sheet=f"{target.path}/{FOLDER}/contact_sheet.png",
        clips=pc.count_distinct(table["path"]).as_py(),
        counts=counts,
        hours=float(pc.sum(kept["seconds"]).as_py() or 0) / 3600,
    )
    target.create_folder(FOLDER)
    target.write(f"{FOLDER}/histograms.png", png(draw_histograms(table)))
    target.write(f"{FOLDER}/contact_sheet.png", png(contact_sheet(sample, pictures)))
    target.write(f"{FOLDER}/report.html", _page(report, table, sample, pictures).encode())
    return report


def _sample(table: pa.Table, count: int) -> list[dict[str, Any]]:
    """Rows with a picture, evenly from all."""
    rows = np.flatnonzero(table["thumbnail"].is_valid().to_numpy())
    chosen = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)] if len(rows) else rows
    return table.take(pa.array(chosen, pa.int64())).to_pylist()


def _picture(output: Output, name: str) -> Image.Image:
    """A thumbnail; grey where it is gone."""
    try:
        return Image.open(BytesIO(output.files.cat_file(output.inside(name)))).convert("RGB")
    except Exception:  # each store has exceptions of its own, and the file may be anything by now
        return Image.new("RGB", (SAMPLE_PX, SAMPLE_PX), (128, 128, 128))


def contact_sheet(sample: list[dict[str, Any]], pictures: list[Image.Image]) -> Image.Image:
    """The faces in rows; the colour of the border tells what is ok (green) and what was filtered (orange)."""
    side = SAMPLE_PX + 2 * BORDER_PX
    columns = min(COLUMNS, max(1, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    sheet = Image.new("RGB", (columns * side, rows * side), (255, 255, 255))
    for index, (row, picture) in enumerate(zip(sample, pictures, strict=True)):
        tile = Image.new("RGB", (side, side), BORDERS.get(str(row["status"]), (0, 0, 0)))
        tile.paste(picture.resize((SAMPLE_PX, SAMPLE_PX)), (BORDER_PX, BORDER_PX))
        sheet.paste(tile, (index % columns * side, index // columns * side))
    return sheet


def png(image: Image.Image) -> bytes:
    content = BytesIO()
    image.save(content, "png")
    return content.getvalue()


def reasons(table: pa.Table) -> Counter[str]:
    """How many rows were filtered for each figure, the most frequent first."""
    filtered = table.filter(pc.equal(table["status"], "filtered"))["error"]
    # "face_px 41.2 is below 64" and its like count as one.
    return Counter(
        {
            str(each["values"]): int(each["counts"])
            for each in pc.value_counts(pc.replace_substring_regex(filtered, r" [-0-9.e+]+ is ", " ")).to_pylist()
        }
    )


def _page(report: Report, table: pa.Table, sample: list[dict[str, Any]], pictures: list[Image.Image]) -> str:
    failed = table.filter(pc.equal(table["status"], "failed"))
    listed = failed.slice(0, MOST_FAILURES).select(["path", "error"]).to_pylist()
    more = f"<p>and {len(failed) - len(listed)} more</p>" if len(failed) > len(listed) else ""
    tiles = [_tile(row, picture) for row, picture in zip(sample, pictures, strict=True)]
    return PAGE.format(
        clips=report.clips,
        hours=report.hours,
        **report.counts,
        reasons=_table([(reason, str(count)) for reason, count in reasons(table).most_common()]),
        failures=_table([(str(row["path"]), str(row["error"])) for row in listed]) + more,
        faces="\n".join(tiles),
    )


def _table(rows: list[tuple[str, str]]) -> str:
    if not rows:
        return "<p>none</p>"
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _tile(row: dict[str, Any], picture: Image.Image) -> str:
    content = BytesIO()
    picture.save(content, "jpeg", quality=85)
    figures = ", ".join(f"{name} {row[name]:.3g}" for name in PLOTTED if row[name] is not None)
    about = f"{row['path']}, shot {row['shot']}, person {row['person']}: {figures}" + (
        f"; {row['error']}" if row["error"] else ""
    )
    return (
        f'<img class="{html.escape(str(row["status"]))}" title="{html.escape(about)}" '
        f'alt="{html.escape(about)}" src="data:image/jpeg;base64,{b64encode(content.getvalue()).decode()}">'
    )


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Preprocessing report</title><style>
body {{ font: 15px/1.5 sans-serif; margin: 2em; max-width: 1400px }}
td {{ padding: 0 1em 0 0; vertical-align: top }}
img.ok {{ border: 3px solid #2ea043 }} img.filtered {{ border: 3px solid #e3861d }}
</style></head><body>
<h1>Preprocessing report</h1>
<p>{clips} clips: {ok} sequences ok ({hours:.2f} hours), {filtered} filtered, {failed} clips failed.</p>
<h2>Figures</h2><p><img src="histograms.png" alt="histograms of the figures"></p>
<h2>Filtered</h2>{reasons}
<h2>Failed</h2>{failures}
<h2>Faces</h2><p>Evenly from all; green is ok, orange filtered. Point at one to see where it is from.</p>
<p>{faces}</p>
</body></html>
"""
