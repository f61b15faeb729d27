"""A report: what was evaluated, with which settings and versions, and what came out."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from facereenact import __version__
from facereenact.errors import InputError
from facereenact.evaluation.cache import program, read_json, write_json
from facereenact.evaluation.mean import Mean

FORMAT = 1
NAME = "report.json"
PACKAGES = ("mediapipe", "numpy", "opencv-contrib-python", "scipy", "av", "onnxruntime-gpu", "onnxruntime", "torch")


@dataclass
class ClipReport:
    """One clip: its metrics, and where the rest of what is known about it lies."""

    name: str
    driver: str
    driver_sha256: str
    source: str | None
    source_sha256: str | None  # None where the source is a frame of the driver
    result: str
    parts: list[str] | None
    frames: int
    judge: dict[str, Any]  # name, independent, reason
    metrics: dict[str, float | None]
    details: str  # file with curves and worst frames, relative to the report
    seconds: dict[str, float | None]  # of rendering, None where the result was there already, and of measuring


@dataclass
class Report:
    """The outcome of `evaluate`. Numbers that could not be measured are None, and `missing` says why."""

    protocol: str
    settings: dict[str, Any]
    versions: dict[str, str]
    networks: dict[str, str]  # SHA-256 of the weights that measured
    missing: dict[str, str]  # metric: why it was not measured
    clips: list[ClipReport]
    failed: dict[str, str]  # name: why
    mean: dict[str, float | None]
    of_all: dict[str, float | None]  # metrics of the whole set: FID, FVD
    leakage: dict[str, Any] | None
    speed: dict[str, float | None]
    format: int = FORMAT
    folder: Path = field(default=Path(), compare=False)

    @property
    def judge(self) -> str:
        """The tracker that judged most clips."""
        judges = Counter(clip.judge["name"] for clip in self.clips)
        return str(judges.most_common(1)[0][0]) if judges else "mesh"

    def details(self, clip: ClipReport) -> dict[str, Any]:
        """Curves and worst frames of a clip.

        Raises:
            InputError: their file is gone.
        """
        content = read_json(self.folder / clip.details)
        if content is None:
            raise InputError(f"{self.folder / clip.details} is missing or damaged; run evaluate again")
        return content

    def save(self) -> Path:
        """Write `report.json` into the report's folder.

        Raises:
            OutputError: it cannot be written.
        """
        content = asdict(self)
        del content["folder"]
        write_json(self.folder / NAME, content)
        return self.folder / NAME


def load_report(path: Path) -> Report:
    """A report from its file, or from the folder that holds it.

    Raises:
        InputError: there is none that can be read.
    """
    path = path / NAME if path.is_dir() else path
    content = read_json(path)
    if content is None or content.get("format") != FORMAT:
        raise InputError(f"{path} is no report of facereenact evaluate; give its folder or its {NAME}")
    try:
        clips = [ClipReport(**clip) for clip in content.pop("clips")]
        known = {each.name for each in fields(Report)} - {"clips", "folder"}
        return Report(clips=clips, folder=path.parent, **{name: content[name] for name in known})
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is no complete report; run evaluate again") from error


def mean_of(clips: list[dict[str, float | None]]) -> dict[str, float | None]:
    """The mean of each metric over the clips that have it, every clip counting once."""
    names = dict.fromkeys(name for metrics in clips for name in metrics)
    means = {name: Mean() for name in names}
    for metrics in clips:
        for name, value in metrics.items():
            means[name].add(value)
    return {name: mean.value for name, mean in means.items()}


def versions() -> dict[str, str]:
    """Of this program and of what the numbers rest on."""
    found = {"facereenact": __version__, "program": program()[:12]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
