"""Fixtures that every test may use."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from facereenact.console import OUR_LOGGERS

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_finish() -> None:
    """What the imports made lives on: the collector, which renderings call between networks, need not look at it.

    It took a third of the time of their tests.
    """
    gc.freeze()


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """A folder of real portraits and videos, too large for the repository: the test is skipped where there is none.

    FACEREENACT_MEDIA names it; otherwise a folder shared/media beside the checkout is used.
    """
    folder = Path(os.environ.get("FACEREENACT_MEDIA") or ROOT.parent / "shared" / "media")
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder} of real media; name yours in FACEREENACT_MEDIA")
    return folder


@pytest.fixture(autouse=True)
def no_checkpoints(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests find no checkpoints but their own: what `auto` chooses must not depend on the machine."""
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path_factory.getbasetemp() / "no-checkpoints"))


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Undo what a command run by the test did to the loggers, so that `caplog` works in the next."""
    yield
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger(name).handlers.clear()
