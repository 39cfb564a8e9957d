"""Progress for people: a bar with time left for each stage in a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from dvp_core.data.progress import Progress
from dvp_core.pipeline.children import PROGRESS_AS_JSON, PROGRESS_VARIABLE, progress_line

_PLAIN_INTERVAL_S = 10.0


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Give a `Progress` that draws on standard error, so that standard output stays free for results."""
    if os.environ.get(PROGRESS_VARIABLE) == PROGRESS_AS_JSON:
        yield _json_lines
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _PlainLines()
        return
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=console) as bars:
        yield _Bars(bars)


def _json_lines(stage: str, done: int, total: int) -> None:
    """Tell a parent process; see `pipeline.children`."""
    sys.stderr.write(progress_line(stage, done, total))
    sys.stderr.flush()


class _Bars:
    """One bar a stage."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._tasks: dict[str, object] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)  # pyright: ignore[reportArgumentType]


class _PlainLines:
    """A line when a stage starts, every ten seconds, and when it ends."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._last_line = 0.0
        self._ended: set[str] = set()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        is_new = stage not in self._started
        started = self._started.setdefault(stage, now)
        is_end = done >= total and stage not in self._ended
        if is_end:
            self._ended.add(stage)
        if not (is_new or is_end or now - self._last_line > _PLAIN_INTERVAL_S):
            return
        self._last_line = now
        elapsed = now - started
        left = f", {elapsed / done * (total - done):.0f} s left" if 0 < done < total else ""
        sys.stderr.write(f"{stage}: {done}/{total} ({elapsed:.0f} s{left})\n")
        sys.stderr.flush()
