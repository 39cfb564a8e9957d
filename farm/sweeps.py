"""Removes what dead workers have half-written, at once and again when their lease is over.

A worker that counts as dead may live on where the head cannot reach it, and begin one more file. Names that a living
worker is busy with are left for later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from dvp_core.data.errand import AnyJob
from dvp_core.data.errors import DataError
from dvp_core.data.files import remove_leftovers
from dvp_core.data.job import Job
from dvp_core.pipeline.render_frames import frame_path
from dvp_core.pipeline.shot_files import shot_file_names
from farm.ledger import Ledger
from farm.roots import Roots
from farm.tasks import WorkOrder


@dataclass
class Sweeper:
    """What is to be removed and when.

    Attributes:
        roots: The folders that jobs name.
        delay_s: How long a worker that counts as dead may go on writing.
        clock: Monotonic.
    """

    roots: Roots
    delay_s: float
    clock: Callable[[], float] = time.monotonic
    _due: list[tuple[float, str, frozenset[str]]] = field(default_factory=list)

    def after_death_of(self, order: WorkOrder) -> None:
        """Remove what the order's worker has left now, and what it leaves until its lease is over."""
        self._sweep_twice(order.job, order.frames)

    def after_another_head(self, ledger: Ledger) -> None:
        """Remove what the workers of the head before this one have left in unfinished jobs, or still leave."""
        for row in ledger.rows("SELECT id FROM jobs WHERE state IN ('queued', 'active', 'paused')"):
            job = ledger.job(row["id"])
            self._sweep_twice(job, job.frame_range)

    def _sweep_twice(self, job: AnyJob, frames: Iterable[int]) -> None:
        names = self._names(job, frames)
        self._remove(job.output, names)
        self._due.append((self.clock() + self.delay_s, job.output, names))

    def step(self, running: Iterable[WorkOrder]) -> None:
        """Remove what is due and in nobody's hands."""
        due = [entry for entry in self._due if entry[0] <= self.clock()]
        if not due:
            return
        self._due = [entry for entry in self._due if entry not in due]
        busy: dict[str, frozenset[str]] = {}
        for order in running:
            names = self._names(order.job, order.frames)
            busy[order.job.output] = busy.get(order.job.output, frozenset()) | names
        for _, output, names in due:
            left = names & busy.get(output, frozenset())
            if not self._remove(output, names - left):
                left = names
            if left:
                self._due.append((self.clock() + self.delay_s, output, left))

    def _names(self, job: AnyJob, frames: Iterable[int]) -> frozenset[str]:
        """Return the names of the frames' files; of those made from all frames, or of its one, where none are named."""
        if not isinstance(job, Job):
            return frozenset({PurePosixPath(job.output.partition(":")[2]).name})
        names = [frame_path(job.output, frame).name for frame in frames]
        return frozenset(names or shot_file_names(job.output.partition(":")[2]))

    def _remove(self, output: str, names: frozenset[str]) -> bool:
        """Remove leftovers; return False where the share is gone, and they with it until it is back."""
        try:
            self.roots.check_share(output)
            remove_leftovers(self.roots.resolve(output).parent, names)
        except DataError:
            return False
        return True
