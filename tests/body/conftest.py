"""Fixtures of what is too large for the repository."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def golden() -> Path:
    """What the published code makes of given inputs; FACEREENACT_PARITY names the folder above."""
    folder = Path(os.environ.get("FACEREENACT_PARITY") or ROOT.parent / "shared" / "parity") / "body"
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder} of golden numbers; name the one above in FACEREENACT_PARITY")
    return folder
