"""How long a worker may write without news of the head: two writers of one frame are never far apart.

A worker that the head cannot reach counts as dead there, and its frames are given to another. Here it ends itself: past
the lease it publishes nothing more, even if it was frozen meanwhile. Frames of both would be the same bytes; the lease
keeps a forgotten worker from writing for hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from farm.errors import LeaseEndedError

LEASE_S = 60.0


def lease_for_ever() -> None:
    """Never refuse, for workers that live and die with the head."""


@dataclass
class Lease:
    """The lease of one worker process; renewed in one thread, checked in another.

    Attributes:
        length_s: How long it lasts after each renewal.
        clock: Monotonic, in seconds.
    """

    length_s: float
    clock: Callable[[], float] = time.monotonic
    _renewed_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin the lease anew."""
        self._renewed_s = self.clock()

    def check(self) -> None:
        """Raise `LeaseEndedError` where it has run out."""
        silent_s = self.clock() - self._renewed_s
        if silent_s > self.length_s:
            raise LeaseEndedError(f"the head has not been heard of for {silent_s:.0f} s", where="worker")
