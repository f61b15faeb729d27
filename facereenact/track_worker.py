"""The process behind `PartProcess`: a task comes in on stdin, the faces go out on stdout as they are found."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import closing, suppress

import cv2

from facereenact.track_parts import Part, opened, timed_rows
from facereenact.track_processes import PartTask, open_part

BATCH = 15  # frames that are sent together


def main() -> None:
    """Answer one task: parts, then None; or a text where something goes wrong. Ends when nobody waits any more."""
    cv2.setNumThreads(1)
    with suppress(BrokenPipeError, EOFError), os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)  # what libraries print must not get into the answer
        for message in messages(pickle.load(sys.stdin.buffer)):
            pickle.dump(message, answer)
            answer.flush()


def messages(task: PartTask) -> Iterator[Part | str | None]:
    """The part piece by piece and None at its end, or the text of an error."""
    settings = task.settings
    try:
        with closing(opened(task.tracker, settings)) as tracker:
            part = Part([], [])
            for time_s, row in timed_rows(open_part(task), tracker):
                part.add(time_s + task.from_s, row)
                if len(part.rows) == BATCH:
                    yield part
                    part = Part([], [])
            yield part
            yield None
    except Exception as error:  # of any kind: the video is then tracked from start to end, where it shows again
        yield f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
