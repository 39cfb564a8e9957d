"""Workers that fail frames which others can do: after three such frames a job goes on without them.

A machine without room for the network, with a broken library or a stale mount fails whatever it gets, quickly, and
would use up the retries of many frames. That a frame is to blame and not the worker is known when all fail it. These
functions run inside a transaction of the ledger, which hands them its connection.
"""

from __future__ import annotations

import sqlite3

_MOST_FRAMES = 3
_LEFT_OUT = f"""
SELECT worker FROM blames WHERE job_id = ? AND is_refuted
GROUP BY worker HAVING COUNT(*) >= {_MOST_FRAMES} ORDER BY worker
"""
# Until somebody else has tried its frames, whoever fails quickly would fail all the others too.
_PASSED_OVER = f"""
SELECT blames.job_id, blames.worker FROM blames JOIN jobs ON jobs.id = blames.job_id
JOIN frames ON frames.job_id = blames.job_id AND frames.frame = blames.frame
WHERE jobs.state IN ('queued', 'active') AND (is_refuted OR frames.state = 'soft-failed' AND NOT EXISTS (
    SELECT 1 FROM blames AS other WHERE other.job_id = blames.job_id AND other.frame = blames.frame
    AND other.worker <> blames.worker))
GROUP BY blames.job_id, blames.worker HAVING COUNT(*) >= {_MOST_FRAMES}
"""


def note_failure(database: sqlite3.Connection, job_id: str, frame: int, worker: str) -> None:
    """Keep who failed a frame by an error; a worker that died has no name to be left out by."""
    database.execute("INSERT OR IGNORE INTO blames VALUES (?, ?, ?, 0)", (job_id, frame, worker))


def note_success(database: sqlite3.Connection, job_id: str, frame: int, worker: str) -> tuple[str, ...]:
    """Note that a worker rendered a frame; return those that are left out from now on, who had failed it before."""
    query = "SELECT worker FROM blames WHERE job_id = ? AND frame = ? AND worker <> ? AND NOT is_refuted"
    refuted = [row["worker"] for row in database.execute(query, (job_id, frame, worker))]
    before = workers_left_out(database, job_id) if refuted else ()
    for other in refuted:
        database.execute(
            "UPDATE blames SET is_refuted = 1 WHERE job_id = ? AND frame = ? AND worker = ?", (job_id, frame, other)
        )
    after = workers_left_out(database, job_id) if refuted else ()
    return tuple(name for name in after if name not in before)


def workers_left_out(database: sqlite3.Connection, job_id: str) -> tuple[str, ...]:
    """Return the workers that a job goes on without."""
    return tuple(row["worker"] for row in database.execute(_LEFT_OUT, (job_id,)))


def passed_over(database: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Return (job, worker) of those left out of a job with work, and of those whose frames others have yet to try."""
    return frozenset((row["job_id"], row["worker"]) for row in database.execute(_PASSED_OVER))


def forget(database: sqlite3.Connection, job_id: str) -> None:
    """Give every worker another chance, as a retry does: whoever asked for it has mended something."""
    database.execute("DELETE FROM blames WHERE job_id = ?", (job_id,))
