"""The reference backend: orders run in this process, one frame at a time in turn. No Ray, no threads of its own.

What this backend renders is what every other must render. A frame that hangs or crashes takes the process with it:
that is what the workers of `on_ray` are for. A preview is painted in the thread that asks for it, between two frames.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from farm.failures import failure_of
from farm.pool_facts import MachineFacts, PoolFacts, WorkerFacts
from farm.tasks import (
    AttemptEnded,
    Event,
    Failure,
    PreviewFunction,
    PreviewOrder,
    PreviewResult,
    Record,
    Recorded,
    TaskFunction,
    WorkerDied,
    WorkerReady,
    WorkOrder,
)
from farm.turns import Turns
from farm.worker import paint_preview


@dataclass
class _Turn:
    """One order under way."""

    order: WorkOrder
    records: Iterator[Record]
    is_withdrawn: bool = False


class OnThisMachine:
    """Workers that share this process and take turns.

    Args:
        task_function: What runs an order and yields its records.
        worker_count: How many orders are under way at once.
        process_id: Reported for each worker.
        preview_function: What paints a preview.
    """

    def __init__(
        self,
        task_function: TaskFunction,
        *,
        worker_count: int = 1,
        process_id: int = 0,
        preview_function: PreviewFunction = paint_preview,
    ) -> None:
        self._task_function = task_function
        self._preview_function = preview_function
        self._order_of_turns = Turns()
        self._turns: dict[str, _Turn | None] = {}
        self._news: list[Event] = []
        self._named_count = 0
        self._process_id = process_id
        for _ in range(worker_count):
            self._add_worker()

    def _add_worker(self) -> None:
        self._named_count += 1
        worker = f"local-{self._named_count}"
        self._turns[worker] = None
        self._news.append(WorkerReady(worker, self._process_id))

    def idle_workers(self) -> tuple[str, ...]:
        """Return the workers without an order."""
        return tuple(worker for worker, turn in self._turns.items() if turn is None)

    def start(self, worker: str, order: WorkOrder) -> None:
        """Give an idle worker its order; nothing runs before the next `poll`."""
        self._turns[worker] = _Turn(order, self._task_function(order))

    def poll(self, *, timeout_s: float) -> list[Event]:
        """Run every order by one record and return what happened."""
        busy = [(worker, turn) for worker, turn in self._turns.items() if turn is not None]
        if not busy and not self._news:
            time.sleep(timeout_s)
        for worker, turn in busy:
            self._news.append(self._advance(worker, turn))
        news, self._news = self._news, []
        return news

    def _advance(self, worker: str, turn: _Turn) -> Event:
        attempt = turn.order.attempt
        if turn.is_withdrawn:
            self._turns[worker] = None
            return AttemptEnded(worker, attempt, Failure("withdrawn"))
        try:
            with self._order_of_turns.frame():
                return Recorded(worker, attempt, next(turn.records))
        except StopIteration:
            self._turns[worker] = None
            return AttemptEnded(worker, attempt)
        except Exception as error:  # noqa: BLE001 - whatever a task raises ends its attempt, never the farm
            self._turns[worker] = None
            return AttemptEnded(worker, attempt, failure_of(turn.order, error))

    def preview(self, order: PreviewOrder) -> PreviewResult | None:
        """Paint a preview in the calling thread, between two frames of what `poll` runs in another."""
        result = self._order_of_turns.paint(order, self._preview_function)
        return None if result is None else replace(result, worker="local")

    def facts(self) -> PoolFacts:
        """Return the workers, all of them on this machine."""
        machine = platform.node()
        workers = tuple(WorkerFacts(worker, machine, is_ready=True) for worker in list(self._turns))
        return PoolFacts(workers, (MachineFacts(machine, is_alive=True, cpu_count=os.cpu_count() or 1, gpu_count=0),))

    def withdraw(self, worker: str) -> None:
        """End a worker's order before its next frame."""
        turn = self._turns.get(worker)
        if turn is not None:
            turn.is_withdrawn = True

    def kill(self, worker: str, *, reason: str) -> None:
        """Drop a worker with its order and put another in its place."""
        turn = self._turns.pop(worker, None)
        self._news.append(WorkerDied(worker, None if turn is None else turn.order.attempt, reason))
        self._add_worker()

    def close(self) -> None:
        """Drop all orders."""
        self._turns.clear()
