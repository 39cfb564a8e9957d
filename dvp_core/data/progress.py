"""How long work tells its caller how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the stage's name and how many of its steps are done."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note of `done` of `total` steps of `stage`; raising here stops the work cleanly."""
        ...


def no_progress(stage: str, done: int, total: int) -> None:
    """Listen to nothing."""
    del stage, done, total
