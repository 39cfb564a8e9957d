"""A second, reading look at the ledger's file, for people who watch: it never waits for the scheduler nor it for them.

An answer is made anew only when something was written since, and one that took long is kept for some times as long, so
that any number of open pages costs a fraction of one core whatever the size of their jobs.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from farm.errors import UnknownJobError

_MOST_ANSWERS = 256
_PATIENCE = 4.0
"""An answer that took a second is good for four."""


@dataclass(frozen=True)
class Answer:
    """A JSON text with the tag that names its content."""

    content: bytes
    tag: str


@dataclass(frozen=True)
class _Kept:
    answer: Answer
    version: int
    good_until_s: float


class LedgerView:
    """A reading connection to a ledger that a head holds open; safe to use from several threads.

    Args:
        path: The ledger's file.
        ticker: Monotonic seconds.
    """

    def __init__(self, path: Path, *, ticker: Callable[[], float] = time.monotonic) -> None:
        self._ticker = ticker
        self._lock = threading.RLock()
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=10.0
        )
        self._connection.row_factory = sqlite3.Row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a reading query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def job_row(self, job_id: str) -> sqlite3.Row:
        """Return a job's row of the ledger."""
        rows = self.rows("SELECT * FROM jobs WHERE id = ?", job_id)
        if not rows:
            raise UnknownJobError("no such job", where=f"job {job_id[:64]}")
        return rows[0]

    def answer(self, key: tuple[object, ...], make: Callable[[], Any]) -> Answer:
        """Return what `make` gives as JSON, made at most once for every state of the ledger.

        Args:
            key: Names the question.
            make: Reads this view and returns what `json` can write.
        """
        with self._lock:
            started_s = self._ticker()
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            kept = self._kept.get(key)
            if kept is not None and (kept.version == version or started_s < kept.good_until_s):
                self._kept.move_to_end(key)
                return kept.answer
            content = json.dumps(make(), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
            answer = Answer(content, f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"')
            took_s = self._ticker() - started_s
            self._kept[key] = _Kept(answer, version, started_s + (1 + _PATIENCE) * took_s)
            while len(self._kept) > _MOST_ANSWERS:
                self._kept.popitem(last=False)
            return answer
