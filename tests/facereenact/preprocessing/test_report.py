"""The report shows what the manifest holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
from PIL import Image

from facereenact.preprocessing.histograms import FILTERED, OK, draw_histograms
from facereenact.preprocessing.manifest import SCHEMA, Manifest
from facereenact.preprocessing.report import reasons, write_report
from facereenact.preprocessing.stores import Output

FIGURES = {"face_px": 200.0, "detected": 1.0, "turn_deg": 20.0, "sharpness": 0.1, "blur": 0.3, "jitter": 0.01}


def row(number: int, status: str = "ok", **values: Any) -> dict[str, Any]:
    place = {"path": f"/clips/<{number:02d}>.mp4", "shot": 0, "person": 0, "seconds": 3600.0, "rate_hz": 25.0}
    return {**place, **FIGURES, "status": status, "error": "", "thumbnail": f"clips/{number}/0-0.jpg", **values}


def filled(output: Output, rows: list[dict[str, Any]]) -> None:
    output.create()
    for number, each in enumerate(rows):
        if each.get("thumbnail") and number != 1:  # one picture is gone
            output.create_folder(f"clips/{number}")
            picture = Image.new("RGB", (128, 128), (10 * number, 0, 200))
            with output.files.open(output.inside(each["thumbnail"]), "wb") as file:
                picture.save(file, "jpeg")
    manifest = Manifest(output)
    manifest.append(rows)
    manifest.merge()


def picture_of(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_page_and_the_pictures_show_what_there_is(tmp_path: Path) -> None:
    rows = [row(0), row(1), row(2, "filtered", error="face_px 41.2 is below 64")]
    rows += [{"path": "/clips/<03>.mp4", "status": "failed", "error": "is <broken> after 1.2 s"}]
    filled(Output(tmp_path), rows)
    report = write_report(tmp_path)
    assert (report.clips, report.counts, report.hours) == (4, {"ok": 2, "filtered": 1, "failed": 1}, 2.0)
    page = Path(report.page).read_text()
    assert "4 clips: 2 sequences ok (2.00 hours), 1 filtered, 1 clips failed." in page
    assert "<td>face_px below 64</td><td>1</td>" in page
    assert "<td>/clips/&lt;03&gt;.mp4</td><td>is &lt;broken&gt; after 1.2 s</td>" in page
    assert page.count("data:image/jpeg;base64,") == 3 and "<broken>" not in page
    sheet = picture_of(report.contact_sheet)
    assert sheet.shape == (134, 3 * 134, 3)
    assert sheet[67, 67].tolist()[2] > 180 and sheet[67, 134 + 67].tolist() == [128, 128, 128]
    assert sheet[0, 0].tolist() != sheet[0, 2 * 134].tolist()  # the border tells what was filtered
    assert picture_of(report.histograms).shape[1] > 1000


def test_the_sheet_takes_faces_evenly_from_all(tmp_path: Path) -> None:
    filled(Output(tmp_path), [row(number) for number in range(25)])
    sheet = picture_of(write_report(tmp_path, faces=5).contact_sheet)
    shades = [int(sheet[67, 134 * tile + 67, 0]) for tile in range(5)]
    assert np.abs(np.array(shades) - [0, 60, 120, 180, 240]).max() <= 3


def test_an_empty_manifest_has_a_report_too(tmp_path: Path) -> None:
    filled(Output(tmp_path), [])
    report = write_report(tmp_path)
    assert report.clips == 0 and "none" in Path(report.page).read_text()


def test_a_store_has_its_report() -> None:
    filled(Output("memory://reported"), [row(0)])
    assert write_report("memory://reported").page == "memory://reported/report/report.html"
    assert fsspec.filesystem("memory").cat_file("/reported/report/contact_sheet.png").startswith(b"\x89PNG")


def test_reasons_count_by_figure_and_limit() -> None:
    table = pa.Table.from_pylist(
        [row(k, "filtered", error=f"face_px {40 + k}.5 is below 64") for k in range(3)]
        + [row(9, "filtered", error="blur 0.8 is above 0.5"), row(10)],
        SCHEMA,
    )
    assert reasons(table).most_common() == [("face_px below 64", 3), ("blur above 0.5", 1)]


def test_a_histogram_is_as_high_as_its_counts() -> None:
    rows = [row(k, seconds=1.0) for k in range(30)] + [row(k, "filtered", seconds=9.0) for k in range(10)]
    picture = np.asarray(draw_histograms(pa.Table.from_pylist(rows, SCHEMA)).crop((0, 0, 340, 238)))
    heights = {colour: (picture == colour).all(axis=2).sum(axis=0).max() for colour in (OK, FILTERED)}
    assert abs(heights[OK] / heights[FILTERED] - 3) < 0.1
    columns = {colour: np.flatnonzero((picture == colour).all(axis=2).any(axis=0)).mean() for colour in (OK, FILTERED)}
    assert columns[FILTERED] - columns[OK] > 200


def test_counts_of_all_sizes_can_be_drawn() -> None:
    rows = [row(k, seconds=1.0) for k in range(2000)] + [row(k, "filtered", seconds=float(k)) for k in range(3)]
    assert draw_histograms(pa.Table.from_pylist(rows, SCHEMA)).width > 0
