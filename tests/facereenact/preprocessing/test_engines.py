"""Workers may die, hang and be stopped; the rest of the batch does not notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from checkpoints.storage import NotInstalledError
from facereenact.errors import FacereenactError, OutputError
from facereenact.preprocessing.engines import LocalEngine
from facereenact.preprocessing.ray_engine import RayEngine
from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.run import preprocess
from facereenact.preprocessing.stores import Clip
from facereenact.preprocessing.worker import Worker
from facereenact.preprocessing.worker_process import keep_a_core
from tests.facereenact.preprocessing.plain import SETTINGS, clips, files_of, named, run, write_face

KEEP = "import os; from facereenact.preprocessing.worker_process import keep_a_core as k"


def names(results: list[ClipResult]) -> list[str]:
    return sorted(Path(result.clip.path).name for result in results)


def test_a_worker_keeps_its_process() -> None:
    with Worker(timeout_s=60) as worker:
        first, second = (worker(named, clip) for clip in clips("a", "b"))
    assert first.content == second.content != str(os.getpid())


def test_what_a_library_prints_is_no_answer() -> None:
    with Worker(timeout_s=60) as worker:
        assert worker(named, clips("print")[0]).clip.path == "/print"


def test_a_clip_that_kills_its_worker_fails_alone(tmp_path: Path) -> None:
    with Worker(timeout_s=60) as worker:
        killed = worker(named, clips("kill")[0])
        assert killed.error.startswith("its worker process died, and so did a second one (SIGKILL")
        assert worker(named, clips("next")[0]).error == ""


def test_a_clip_whose_worker_was_killed_is_tried_again(tmp_path: Path) -> None:
    with Worker(timeout_s=60) as worker:
        assert worker(named, clips("once", folder=tmp_path)[0]).error == ""


def test_a_clip_that_hangs_is_given_up_and_one_that_is_slow_is_not() -> None:
    with Worker(timeout_s=1.5) as worker:
        assert worker(named, clips("hang")[0]).error == "gave no sign of life for 1.5 s (--timeout)"
        assert worker(named, clips("slow")[0]).error == ""  # 3 s, with a sign of life every 0.1 s


def test_a_work_that_workers_cannot_import_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(clip: Clip, feed: object) -> ClipResult:
        return ClipResult(clip)

    gone.__qualname__ = gone.__name__ = "gone"
    monkeypatch.setattr(sys.modules[__name__], "gone", gone, raising=False)
    with Worker(timeout_s=60) as worker:
        with pytest.raises(FacereenactError, match=r"a worker cannot read its task: .*gone"):
            worker(gone, clips("a")[0])
        assert worker(named, clips("a")[0]).error == ""


def refuse(clip: Clip, feed: object) -> ClipResult:
    raise OutputError("disk full")


def test_what_no_clip_can_get_past_stops_the_run() -> None:
    with (
        pytest.raises(OutputError, match="disk full"),
        closing(LocalEngine(2).run(refuse, clips("a"), timeout_s=9)) as run,
    ):
        next(run)


def test_a_worker_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(FacereenactError, match="a worker process ended as it started: exit code 1"):
        Worker(timeout_s=9)(named, clips("a")[0])
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FacereenactError, match="no worker process can be started"):
        Worker(timeout_s=9)(named, clips("a")[0])


def test_the_local_engine_does_every_clip_and_no_faster_than_it_is_asked(tmp_path: Path) -> None:
    taken = []

    def endless():
        for clip in clips(*(f"{number}" for number in range(20)), "kill", "hang"):
            taken.append(clip)
            yield clip

    with closing(LocalEngine(2).run(named, endless(), timeout_s=2)) as run:
        results = [next(run)]
        assert len(taken) <= 7
        results += run
    assert len(results) == 22 and len({result.content for result in results if not result.error}) == 2
    assert [Path(result.clip.path).name for result in results if result.error] in (["kill", "hang"], ["hang", "kill"])


def test_stopping_a_run_ends_its_processes() -> None:
    before = set(psutil.Process().children(recursive=True))
    with closing(LocalEngine(2).run(named, clips("a", "hang", "hang2", "b"), timeout_s=600)) as run:
        next(run)
    _gone, alive = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=10)
    assert alive == []


@pytest.mark.skipif(sys.platform != "linux", reason="cores are kept on Linux")
def test_workers_keep_a_core_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    keep = f"{KEEP}; print(k(), os.sched_getaffinity(0), flush=True); input()"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    count = len(os.sched_getaffinity(0))
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", keep], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    kept = [holder.stdout.readline().split(maxsplit=1) for holder in holders]  # type: ignore[union-attr]
    assert {int(core) for core, _ in kept} == os.sched_getaffinity(0)
    assert all(allowed.strip() == f"{{{core}}}" for core, allowed in kept)
    late = subprocess.run([sys.executable, "-c", keep], env=environment, input="\n", capture_output=True, text=True)
    assert late.stdout.startswith("None")  # none is free: it may run anywhere
    for holder in holders:
        holder.communicate("\n")


@pytest.mark.skipif(sys.platform != "linux", reason="cores are kept on Linux")
def test_a_core_is_free_again_when_its_worker_dies(tmp_path: Path) -> None:
    keep = f"{KEEP}; print(k())"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    told = [
        subprocess.run([sys.executable, "-c", keep], env=environment, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert told[0] == told[1] != "None\n"


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    parent = (
        "import sys, time\nfrom facereenact.preprocessing.worker import Worker\n"
        "from tests.facereenact.preprocessing.plain import clips, named\n"
        "print(Worker(60)(named, clips('a')[0]).content, flush=True)\ntime.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", parent], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = psutil.Process(int(process.stdout.readline()))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert psutil.wait_procs([worker], timeout=20)[1] == []


def test_ray_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'facereenact\[ray\]'"):
        next(RayEngine().run(named, clips("a"), timeout_s=9))


@pytest.mark.slow
def test_ray_does_every_clip_and_survives_its_processes() -> None:
    """A process of Ray is killed with its worker while it works on a clip: Ray starts the clip again."""
    pytest.importorskip("ray")
    killed = 0
    with closing(RayEngine(workers=2).run(named, clips("a", "slow1", "slow2", "kill", "b", "c"), timeout_s=30)) as run:
        results = [next(run)]
        deadline = time.monotonic() + 20
        while not killed and time.monotonic() < deadline:
            for process in psutil.Process().children(recursive=True):
                is_busy = "ray::done" in " ".join(process.cmdline()[:1]) and process.children()
                if is_busy and not killed:
                    process.kill()
                    killed += 1
            time.sleep(0.1)
        results += run
    assert killed == 1
    assert names(results) == ["a", "b", "c", "kill", "slow1", "slow2"]
    assert [Path(result.clip.path).name for result in results if result.error] == ["kill"]
    assert results[[Path(each.clip.path).name for each in results].index("kill")].error.startswith("its worker")


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_told() -> None:
    pytest.importorskip("ray")
    with pytest.raises(FacereenactError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        next(RayEngine("127.0.0.1:1").run(named, clips("a"), timeout_s=9))


def test_keeping_a_core_is_for_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_a_core() is None


@pytest.mark.slow
def test_a_cluster_loses_a_machine_and_no_clip() -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    try:
        engine = RayEngine(cluster.address)
        names_of = [f"slow{number}" for number in range(4)]
        with closing(engine.run(named, clips(*names_of), timeout_s=30)) as run:
            results = [next(run)]
            cluster.remove_node(second, allow_graceful=False)
            results += run
    finally:
        cluster.shutdown()
    assert names(results) == names_of
    assert [result.error for result in results] == [""] * 4


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_files_are_the_same_whichever_engine_and_however_many_workers(engine: str, tmp_path: Path) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    videos = [write_face(tmp_path / f"{first}.mp4", first=first) for first in range(3)]
    run(videos, tmp_path / "one")
    several = RayEngine(workers=2) if engine == "ray" else LocalEngine(2)
    assert not [each.error for each in preprocess(videos, tmp_path / "two", SETTINGS, several) if each.error]
    one, two = (files_of(tmp_path / name) for name in ("one", "two"))
    assert {name for name in one if name.endswith(".landmarks.safetensors")} != set()
    assert {name: one[name] for name in one if name.startswith("clips/")} == {
        name: two[name] for name in two if name.startswith("clips/")
    }
