"""Which worker paints the previews of which generator, since the one that has it in memory answers seconds sooner."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Painters:
    """Who paints what; asked by many threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _by_generator: dict[str, str] = field(default_factory=dict)
    _previews: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def of(self, generator: str, workers: Mapping[str, bool]) -> Iterator[str]:
        """Give the worker for a preview, which counts as painting it for the length of the block.

        Args:
            generator: As requests name it.
            workers: Those that live, and whether each is busy with a job; at least one.
        """
        with self._lock:
            worker = self._by_generator.get(generator, "")
            if worker not in workers:
                worker = min(workers, key=lambda name: (workers[name], self._previews[name]))
            self._by_generator[generator] = worker
            self._previews[worker] += 1
        try:
            yield worker
        finally:
            with self._lock:
                self._previews[worker] -= 1
