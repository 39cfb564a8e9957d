"""What a backend is: workers that run the same task function, wherever they are.

`on_this_machine` is the reference without Ray; `on_ray` is the only file of the project that imports Ray. A backend
knows nothing of jobs, priorities or retries, and keeps nothing that may not be lost.
"""

from __future__ import annotations

from typing import Protocol

from farm.pool_facts import PoolFacts
from farm.tasks import Event, PreviewOrder, PreviewResult, WorkOrder


class Backend(Protocol):
    """Workers that take one order at a time and report as they go.

    Every started order ends in exactly one `AttemptEnded` or `WorkerDied`; a worker that died is replaced by another
    of a new name, which reports `WorkerReady`.
    """

    def idle_workers(self) -> tuple[str, ...]:
        """Return the names of the workers that can take an order now."""
        ...

    def start(self, worker: str, order: WorkOrder) -> None:
        """Give an idle worker its order."""
        ...

    def poll(self, *, timeout_s: float) -> list[Event]:
        """Return what has happened, waiting at most `timeout_s` for the first news."""
        ...

    def preview(self, order: PreviewOrder) -> PreviewResult | None:
        """Paint a preview on one of the workers, before the next frame of whatever it is busy with.

        Any thread may call this, while another one runs everything else. Returns None where a newer order of the same
        user and generator came before the worker had its turn.

        Raises:
            UnavailableError: The worker died over it or took too long.
            DataError: What the preview function raised.
        """
        ...

    def facts(self) -> PoolFacts:
        """Return what there is to say about the workers and their machines; any thread may ask."""
        ...

    def withdraw(self, worker: str) -> None:
        """Ask a worker to end its order after the frame in hand."""
        ...

    def kill(self, worker: str, *, reason: str) -> None:
        """End a worker now, with whatever it holds; `WorkerDied` follows."""
        ...

    def close(self) -> None:
        """End all workers and all that was started for them."""
        ...
