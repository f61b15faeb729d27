import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from facereenact import machine
from facereenact.cli import main
from facereenact.doctor import CODECS, GIB, Facts, Finding, examine

HEALTHY = Facts(
    requires_python=">=3.11,<3.13",
    distributions={
        "mediapipe": "0.10.21",
        "numpy": "1.26.4",
        "onnxruntime-gpu": "1.31.1",
        "opencv-contrib-python": "4.11.0.86",
        "protobuf": "4.25.9",
    },
    requirements=(
        "mediapipe==0.10.21",
        "numpy<2,>=1.26",
        'onnxruntime-gpu>=1.20; sys_platform != "nowhere"',
        'onnxruntime>=1.20; sys_platform == "nowhere"',
        'pytest>=8; extra == "dev"',
        "protobuf<5,>=4.25.3",
    ),
)


def faults(facts: Facts) -> list[Finding]:
    return [finding for finding in examine(facts) if finding.status != "ok"]


def with_versions(**versions: str) -> Facts:
    added = {name.replace("_", "-"): version for name, version in versions.items()}
    return replace(HEALTHY, distributions={**HEALTHY.distributions, **added})


def test_a_healthy_machine_has_no_faults() -> None:
    findings = examine(HEALTHY)
    assert faults(HEALTHY) == []
    assert [finding.name for finding in findings].count("numpy") == 1
    assert not any(finding.cure for finding in findings)
    assert not {"pytest", "onnxruntime>=1.20"} & {finding.name for finding in findings}


@pytest.mark.parametrize(
    ("facts", "name", "status", "cure"),
    [
        (replace(HEALTHY, python="3.13.1"), "python", "fail", "python3.11 -m venv"),
        (replace(HEALTHY, requirements=()), "facereenact", "warn", "pip install -e ."),
        (with_versions(numpy="2.1.0"), "numpy", "fail", 'install "numpy<2,>=1.26"'),
        (with_versions(protobuf="5.29.0"), "protobuf", "fail", 'install "protobuf<5,>=4.25.3"'),
        (with_versions(opencv_python="4.12.0"), "opencv", "fail", "uninstall -y opencv-python opencv-contrib-python"),
        (with_versions(opencv_python="4.12.0"), "opencv", "fail", "install --no-deps opencv-contrib-python==4.11.0.86"),
        (with_versions(onnxruntime="1.30.0"), "onnxruntime", "fail", "install --no-deps onnxruntime-gpu==1.31.1"),
        (replace(with_versions(onnxruntime="1.30.0"), system="darwin"), "onnxruntime", "fail", "onnxruntime==1.30.0"),
        (replace(HEALTHY, missing_models=("a.tflite",)), "mediapipe models", "fail", "mediapipe==0.10.21"),
        (replace(HEALTHY, gpu="NVIDIA H100"), "torch device", "warn", "install torch"),
        (replace(HEALTHY, gpu="NVIDIA H100", system="win32"), "torch device", "warn", "download.pytorch.org/whl/cu"),
        (replace(HEALTHY, gpu="NVIDIA H100", torch_build="CUDA 13.0"), "torch device", "warn", "driver"),
        (replace(HEALTHY, gpu="NVIDIA H100"), "onnxruntime", "warn", "install onnxruntime-gpu"),
        (replace(HEALTHY, import_errors={"torch": "OSError: x"}), "torch", "fail", "--force-reinstall --no-deps torch"),
        (replace(HEALTHY, import_errors={"av": "ImportError: x"}), "av", "fail", "--force-reinstall --no-deps av"),
        (replace(HEALTHY, import_errors={"onnxruntime": "x"}), "onnxruntime", "fail", "onnxruntime-gpu"),
        (replace(HEALTHY, codecs=CODECS[1:]), "video codecs", "fail", "--only-binary av"),
        (replace(HEALTHY, cache_error="Permission denied"), "cache", "fail", "writable"),
        (replace(HEALTHY, free_memory_bytes=GIB), "free memory", "warn", "close"),
        (replace(HEALTHY, free_disk_bytes=GIB), "free disk", "warn", "make room"),
    ],
)
def test_each_fault_is_named_with_its_cure(facts: Facts, name: str, status: str, cure: str) -> None:
    found = {finding.name: finding for finding in faults(facts)}
    assert found[name].status == status
    assert cure in found[name].cure


def test_a_missing_package_is_a_failure() -> None:
    distributions = {
        name: version for name, version in HEALTHY.distributions.items() if name != "opencv-contrib-python"
    }
    assert [finding.name for finding in faults(replace(HEALTHY, distributions=distributions))] == ["opencv"]


def test_a_usable_gpu_is_no_fault() -> None:
    providers = ("CUDAExecutionProvider", "CPUExecutionProvider")
    facts = replace(HEALTHY, gpu="NVIDIA H100", torch_build="CUDA 13.0", torch_device="cuda", onnx_providers=providers)
    assert faults(facts) == []


def test_development_versions_count_as_inside_a_range() -> None:
    assert faults(with_versions(onnxruntime_gpu="1.32.0.dev1")) == []


def test_this_machine_is_examined() -> None:
    facts = machine.gather()
    assert facts.distributions["mediapipe"] == "0.10.21"
    assert facts.missing_models == ()
    assert facts.import_errors == {}
    assert set(facts.codecs) == set(CODECS)
    assert facts.free_disk_bytes > 0


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    assert machine.write_error(tmp_path) == ""
    assert machine.write_error(tmp_path / "missing") != ""


@pytest.mark.parametrize(("facts", "exit_code"), [(HEALTHY, 0), (with_versions(numpy="2.1.0"), 1)])
def test_the_command_shows_all_and_fails_with_a_failure(
    facts: Facts, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "gather", lambda: facts)
    shown = CliRunner().invoke(main, ["doctor"])
    assert shown.exit_code == exit_code
    assert ('install "numpy<2,>=1.26"' in shown.output) == bool(exit_code)
    printed = CliRunner().invoke(main, ["doctor", "--json"])
    assert printed.exit_code == exit_code
    assert {finding["name"] for finding in json.loads(printed.stdout)} == {each.name for each in examine(facts)}
