"""What runs inside a worker's process: orders and previews, and nothing that knows of Ray.

An order's error is told as a `Failure`, not raised: its causes do not survive the way to another process.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import replace

from farm.failures import failure_of
from farm.lease import Lease
from farm.tasks import Failure, PreviewFunction, PreviewOrder, PreviewResult, Record, TaskFunction, WorkOrder
from farm.turns import Turns


class WorkerProcess:
    """The process that runs orders; it keeps nothing between them but what the task function caches.

    Args:
        task_function: What runs an order.
        preview_function: What paints a preview.
        lease_s: How long it goes on without news of the head.
    """

    def __init__(self, task_function: TaskFunction, preview_function: PreviewFunction, lease_s: float) -> None:
        self._task_function = task_function
        self._preview_function = preview_function
        self._lease = Lease(lease_s)
        self._turns = Turns()
        self._withdrawn: set[int] = set()

    def process_id(self) -> int:
        """Return the id of this process."""
        return os.getpid()

    def machine(self) -> str:
        """Return the name of the machine that this process runs on."""
        return platform.node()

    def run(self, order: WorkOrder) -> Iterator[Record | Failure]:
        """Run an order, and tell at the end why it failed where it did."""
        self._lease.renew()
        records = self._task_function(replace(order, check_lease=self._lease.check))
        try:
            while (record := self._next(records)) is not None:
                yield record
                if order.attempt in self._withdrawn:
                    return
        except Exception as error:  # noqa: BLE001 - whatever a task raises ends its attempt, never the worker
            yield failure_of(order, error)

    def _next(self, records: Iterator[Record]) -> Record | None:
        with self._turns.frame():
            return next(records, None)

    def preview(self, order: PreviewOrder) -> PreviewResult | None:
        """Return a painted preview; None where a newer one came meanwhile."""
        return self._turns.paint(order, self._preview_function)

    def withdraw(self, attempt: int) -> None:
        """End an attempt after the frame in hand."""
        self._withdrawn.add(attempt)

    def renew_lease(self) -> None:
        """Hear of the head."""
        self._lease.renew()
