"""Who computes in a worker's process: one at a time, and a waiting preview before the next frame of a job.

A frame or batch in hand goes to its end; between two of them a preview needs no queue. Of the previews that one user
asks of one generator only the newest is worth its time: older ones that still wait give up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from farm.tasks import PreviewFunction, PreviewOrder, PreviewResult


class _NewerCameError(Exception):
    """A newer preview of the same user and generator waits or runs."""


@dataclass
class Turns:
    """The turns of one process, taken by its threads."""

    _changed: threading.Condition = field(default_factory=threading.Condition)
    _is_taken: bool = False
    _waiting_count: int = 0
    _newest: dict[tuple[str, str], int] = field(default_factory=dict)

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Hold the turn for a step of a job, when no preview waits."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken and self._waiting_count == 0)
            self._is_taken = True
        try:
            yield
        finally:
            self._leave()

    def paint(self, order: PreviewOrder, function: PreviewFunction) -> PreviewResult | None:
        """Return a preview, painted in the next turn; None where a newer one came before that.

        Raises:
            DataError: What the function raised.
        """
        arrived_s = time.monotonic()
        try:
            with self._preview(order):
                wait_s = time.monotonic() - arrived_s
                return replace(function(order), wait_s=wait_s)
        except _NewerCameError:
            return None

    @contextmanager
    def _preview(self, order: PreviewOrder) -> Iterator[None]:
        with self._changed:
            self._newest[order.key] = max(order.number, self._newest.get(order.key, order.number))
            self._waiting_count += 1
            self._changed.notify_all()  # an older one gives up at once
            try:
                self._changed.wait_for(lambda: not self._is_taken or self._is_old(order))
            finally:
                self._waiting_count -= 1
            if self._is_old(order):
                self._changed.notify_all()  # a frame may have waited for this one alone
                raise _NewerCameError
            self._is_taken = True
        try:
            yield
        finally:
            self._leave()

    def _is_old(self, order: PreviewOrder) -> bool:
        return self._newest[order.key] > order.number

    def _leave(self) -> None:
        with self._changed:
            self._is_taken = False
            self._changed.notify_all()
