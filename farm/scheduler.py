"""The scheduler: hands the ledger's next task to each idle worker and writes down what comes back.

One call of `step` is one turn; whoever runs it (head, `run_job`, a test) owns the loop. All waiting is measured with
the injected monotonic clock, so a jump of the wall clock ends nothing. The ledger decides about retries and states,
the backend about processes; this file only knows deadlines.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from dvp_core.data.errand import AnyJob
from dvp_core.pipeline.render_frames import FrameRecord
from farm.backends import Backend
from farm.chunk_size import LARGEST_CHUNK_FRAMES, chunk_frames
from farm.holds import HoldWatch
from farm.lease import LEASE_S
from farm.ledger import Ledger
from farm.roots import Roots
from farm.sweeps import Sweeper
from farm.tasks import AttemptEnded, Event, Recorded, WorkerDied, WorkOrder


@dataclass(frozen=True)
class SchedulerOptions:
    """How long the scheduler waits for news of a worker before it ends it.

    Attributes:
        shortest_deadline_s: No frame is given less than this.
        deadline_factor: Times the median of the job's frames.
        warm_up_deadline_s: For a worker's first frame of a job, which loads the generator.
        file_deadline_s: For a task without frames: manifest, contact sheet, movie.
        withdraw_patience_s: How long a cancelled frame may go on before its worker is ended.
        lease_s: How long a worker goes on without hearing of the head.
        hold_check_s: How often it is looked whether a full disk or whatever else holds a job has passed.
        ledger_copy_s: How often the head copies the ledger.
    """

    shortest_deadline_s: float = 30.0
    deadline_factor: float = 10.0
    warm_up_deadline_s: float = 300.0
    file_deadline_s: float = 3600.0
    withdraw_patience_s: float = 5.0
    lease_s: float = LEASE_S
    hold_check_s: float = 2.0
    ledger_copy_s: float = 300.0


@dataclass
class _Running:
    """An order under way and when it was last heard of, in seconds of the monotonic clock."""

    order: WorkOrder
    heard_s: float
    withdrawn_s: float | None = None
    is_ending: bool = False


@dataclass
class Scheduler:
    """The running orders of one ledger on one backend."""

    ledger: Ledger
    backend: Backend
    roots: Roots
    options: SchedulerOptions = field(default_factory=SchedulerOptions)
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, _Running] = field(default_factory=dict)
    _seconds: dict[str, deque[float]] = field(default_factory=dict)
    _warm: set[tuple[str, str]] = field(default_factory=set)
    _overdue: set[str] = field(default_factory=set)
    is_draining: bool = False

    def __post_init__(self) -> None:
        self._sweeper = Sweeper(self.roots, self.options.lease_s, clock=self.clock)
        self._sweeper.after_another_head(self.ledger)
        self._holds = HoldWatch(self.ledger, self.roots, self.options.hold_check_s, clock=self.clock)

    def step(self, *, timeout_s: float = 0.2) -> None:
        """Take in the news, end what is overdue or unwanted, and give every idle worker its next order."""
        news = self.backend.poll(timeout_s=timeout_s)
        if news:
            with self.ledger.batch():
                for event in news:
                    self._apply(event)
        self._withdraw_unwanted()
        self._end_overdue()
        self._sweeper.step(running.order for running in self._running.values())
        self._holds.step()
        if not self.is_draining:
            self._hand_out()

    def is_idle(self) -> bool:
        """Say whether no order is under way."""
        return not self._running

    def withdraw_all(self) -> None:
        """Hand out nothing more and ask every worker to end after the frame in hand."""
        self.is_draining = True
        for worker, running in self._running.items():
            if running.withdrawn_s is None:
                running.withdrawn_s = self.clock()
                self.backend.withdraw(worker)

    def stop(self, *, message: str) -> None:
        """Take every order back without charge, so that another start goes on with them."""
        with self.ledger.batch():
            for running in self._running.values():
                self.ledger.end_attempt(running.order.attempt, failure="withdrawn", message=message)
        self._running.clear()

    def _hand_out(self) -> None:
        idle = self.backend.idle_workers()
        for worker in idle:
            if not self._give(worker) and not self.ledger.is_passed_over(worker):
                return
        if idle and not self._running:  # whoever is left out is better than nobody
            self._give(idle[0], is_last_resort=True)

    def _give(self, worker: str, *, is_last_resort: bool = False) -> bool:
        """Give an idle worker its next order; return whether there was one."""
        order = self.ledger.next_order(
            worker=worker, roots=self.roots, wanted=self._wanted_frames, is_last_resort=is_last_resort
        )
        if order is None:
            return False
        self._running[worker] = _Running(order, self.clock())
        self.backend.start(worker, order)
        return True

    def _wanted_frames(self, job: AnyJob) -> int:
        """Return how many frames of a job the next worker shall take."""
        worker_count = len(self._running) + len(self.backend.idle_workers())
        cap = 2 * worker_count * LARGEST_CHUNK_FRAMES  # beyond it the number changes nothing
        left = self.ledger.waiting_count(job.id, at_most=cap)
        measured = self._seconds.get(job.id)
        seconds = statistics.median(measured) if measured else None
        return chunk_frames(seconds, frames_left=left, worker_count=worker_count)

    def _apply(self, event: Event) -> None:
        if isinstance(event, Recorded):
            self._note(event)
        elif isinstance(event, AttemptEnded):
            self._running.pop(event.worker, None)
            self._end(event)
        elif isinstance(event, WorkerDied):
            self._bury(event)

    def _end(self, event: AttemptEnded) -> None:
        failure = event.failure
        if failure is None:
            self.ledger.end_attempt(event.attempt, failure=None)
            return
        self.ledger.end_attempt(
            event.attempt,
            failure=failure.kind,
            message=failure.message,
            path=failure.path,
            lost_frames=failure.frames,
        )

    def _note(self, event: Recorded) -> None:
        running = self._running.get(event.worker)
        if running is None or running.order.attempt != event.attempt:
            return
        running.heard_s = self.clock()
        self.ledger.record(event.attempt, event.record)
        if isinstance(event.record, FrameRecord):
            self._warm.add((event.worker, running.order.job_id))
            if not event.record.is_reused:
                self._seconds.setdefault(running.order.job_id, deque(maxlen=200)).append(event.record.seconds)

    def _bury(self, event: WorkerDied) -> None:
        running = self._running.pop(event.worker, None)
        self._warm = {pair for pair in self._warm if pair[0] != event.worker}
        is_overdue = event.worker in self._overdue
        self._overdue.discard(event.worker)
        if running is None:
            return
        is_withdrawn = running.withdrawn_s is not None
        failure = "withdrawn" if is_withdrawn else "deadline" if is_overdue else "died"
        message = f"worker {event.worker} ended: {event.message}"
        self._sweeper.after_death_of(running.order)
        self.ledger.end_attempt(running.order.attempt, failure=failure, message=message)

    def _withdraw_unwanted(self) -> None:
        if not self._running:
            return
        unwanted = set(self.ledger.unwanted_attempts())
        for worker, running in list(self._running.items()):
            if running.order.attempt not in unwanted:
                continue
            if running.withdrawn_s is None:
                running.withdrawn_s = self.clock()
                self.backend.withdraw(worker)
            elif not running.is_ending and self.clock() - running.withdrawn_s > self.options.withdraw_patience_s:
                running.is_ending = True
                self.backend.kill(worker, reason="its job was cancelled")

    def _end_overdue(self) -> None:
        for worker, running in list(self._running.items()):
            silent_s = self.clock() - running.heard_s
            if not running.is_ending and silent_s > self.deadline_s(worker, running.order):
                running.is_ending = True
                self._overdue.add(worker)
                self.backend.kill(worker, reason=f"no news for {silent_s:.0f} s")

    def deadline_s(self, worker: str, order: WorkOrder) -> float:
        """Return how long this worker may be silent over this order."""
        if order.task.kind != "render":
            return self.options.file_deadline_s
        if (worker, order.job_id) not in self._warm:
            return self.options.warm_up_deadline_s
        measured = self._seconds.get(order.job_id)
        if not measured:
            return self.options.warm_up_deadline_s
        return max(self.options.shortest_deadline_s, self.options.deadline_factor * statistics.median(measured))
