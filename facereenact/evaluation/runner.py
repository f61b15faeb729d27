"""evaluate(): from clips to a report. What is done already is not done again, and a clip that fails stops no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from checkpoints import is_installed
from facereenact.errors import FacereenactError, InputError, OutputError
from facereenact.evaluation.cache import contents_of, key_of, plain, program, read_json, write_json, write_text
from facereenact.evaluation.clip import measure
from facereenact.evaluation.observers import choose_judge
from facereenact.evaluation.perceptual import WIDTHS, missing_networks, network_hashes
from facereenact.evaluation.protocols import Case, find_cases
from facereenact.evaluation.rendering import FOLDER as RENDERS
from facereenact.evaluation.rendering import render_key, rendered
from facereenact.evaluation.report import NAME, Report
from facereenact.evaluation.report_html import html_report
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.evaluation.summary import summarised
from facereenact.evaluation.workers import in_processes
from landmarks.trackers import OPENSEEFACE

log = logging.getLogger(__name__)

CLIPS = "clips"
HTML = "report.html"

Progress = Callable[[str, int, int | None], None]


def evaluate(settings: EvaluateSettings, *, progress: Progress = lambda *_: None) -> Report:
    """Evaluate every clip that the settings name and write `report.json` and `report.html`.

    Results and measurements that lie in the output folder already, made from the same inputs by the same program with
    the same settings, are taken from there: an interrupted run goes on where it was.

    Args:
        settings: what to do.
        progress: told the stage, what is done of it, and how much there is (None where unknown).

    Raises:
        InputError: an input is missing, or no clip could be evaluated.
        NotInstalledError: the tracker that was asked for needs networks that are not installed.
        OutputError: the report cannot be written.
    """
    cases = find_cases(settings)
    _prepare(settings.output)
    began = time.perf_counter()
    done: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    progress("clips", 0, len(cases))
    for case, outcome in _outcomes(cases, settings, progress):
        if isinstance(outcome, str):
            failed[case.name] = outcome
            log.warning("%s: %s", case.name, outcome)
        else:
            done[case.name] = outcome
        progress("clips", len(done) + len(failed), len(cases))
    ordered = [done[case.name] for case in cases if case.name in done]
    if not ordered:
        raise InputError(f"no clip could be evaluated; the first failed because: {next(iter(failed.values()))}")
    report = summarised(settings, ordered, failed, seconds=time.perf_counter() - began)
    report.save()
    write_text(settings.output / HTML, html_report(report))
    return report


def evaluate_case(case: Case, settings: EvaluateSettings, progress: Progress) -> dict[str, Any]:
    """Render and measure one clip, or read what an earlier run measured.

    Raises:
        FacereenactError: it cannot be done.
    """
    record_of = settings.output / CLIPS / f"{case.name}-{_clip_key(case, settings)}.json"
    known = read_json(record_of)
    if known is not None and all(
        (settings.output / each).exists() for pair in known["features"].values() for each in pair
    ):
        return known
    result, rendering_s = rendered(case, settings, progress)
    judge = choose_judge(settings.tracker, result)
    with _feature_files(record_of, settings) as features:
        measured = measure(case, result, judge, settings, features=features, progress=progress)
    record = {
        "name": case.name,
        "driver": str(case.driver),
        "driver_sha256": contents_of(case.driver),
        "source": None if case.source is None else str(case.source),
        "source_sha256": None if case.source is None else contents_of(case.source),
        "result": str(result),
        "parts": case.parts,
        "frames": measured.frames,
        "judge": asdict(judge),
        "metrics": measured.metrics,
        "details": f"{CLIPS}/{record_of.name}",
        "seconds": {"rendering": rendering_s, "measuring": measured.seconds},
        "features": {name: [f"{CLIPS}/{path.stem}" for path in pair] for name, pair in features.items()},
        "times_s": measured.times_s,
        "curves": measured.curves,
        "worst": measured.worst,
    }
    write_json(record_of, record)
    return dict(plain(record))


def _clip_key(case: Case, settings: EvaluateSettings) -> str:
    """What a measurement depends on."""
    return key_of(
        program(),
        (network_hashes(), is_installed(OPENSEEFACE)),
        render_key(case, settings),
        contents_of(case.driver),
        None if case.source is None else contents_of(case.source),
        (settings.in_place, settings.tracker, settings.source_frame, settings.end, settings.window),
        settings.as_published,
    )


@contextmanager
def _feature_files(record_of: Path, settings: EvaluateSettings) -> Iterator[dict[str, tuple[Path, Path]]]:
    """Files for the features of FID and FVD, which get their names when all went well."""
    metrics = [name for name in WIDTHS if settings.in_place and name not in missing_networks()]
    files = {
        name: tuple(record_of.with_name(f"{record_of.stem}.{name}.{side}.f32.partial") for side in ("driver", "result"))
        for name in metrics
    }
    try:
        yield files  # type: ignore[misc]
        for pair in files.values():
            for path in pair:
                path.replace(path.with_suffix(""))
    finally:
        for pair in files.values():
            for path in pair:
                path.unlink(missing_ok=True)


def _outcomes(
    cases: list[Case], settings: EvaluateSettings, progress: Progress
) -> Iterator[tuple[Case, dict[str, Any] | str]]:
    """Each case with its record, or with why it failed; in processes of their own where several run at once."""
    if settings.jobs == 1:
        for case in cases:
            yield case, _attempt(case, settings, progress)
        return
    attempt = partial(_attempt, settings=settings, progress=_silent)
    yield from in_processes(attempt, cases, min(settings.jobs, len(cases)))


def _attempt(case: Case, settings: EvaluateSettings, progress: Progress) -> dict[str, Any] | str:
    try:
        return evaluate_case(case, settings, progress)
    except OutputError:
        raise  # the next clip would fail as well
    except FacereenactError as error:
        return str(error)
    except Exception as error:
        log.debug("%s failed", case.name, exc_info=True)
        return f"{type(error).__name__}: {error}"


def _silent(stage: str, done: int, total: int | None) -> None:
    """A progress that shows nothing, for other processes."""


def _prepare(folder: Path) -> None:
    """The folder of the report, which holds nothing else.

    Raises:
        OutputError: it cannot be made, or holds other files.
    """
    ours = {CLIPS, RENDERS, NAME, HTML}
    try:
        if folder.exists() and any(each.name not in ours and each.name[0] != "." for each in folder.iterdir()):
            raise OutputError(f"{folder} holds other files than a report; choose another folder")
        for name in (CLIPS, RENDERS):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}; choose another folder") from error
