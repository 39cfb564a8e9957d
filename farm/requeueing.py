"""How frames come back into the queue: a retry of what failed, frames that were lost, frames to be rendered anew.

These functions run inside a transaction of the ledger, which hands them its connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from dvp_core.data.errand import AnyJob
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from farm.settlement import change_frame, change_job, change_task

_UNFINISHED = "SELECT frame FROM frames WHERE job_id = ? AND state <> 'completed'"


def retry(database: sqlite3.Connection, job: AnyJob, frames: FrameRange | None, *, now_s: float) -> None:
    """Queue an ended job again: the frames named, or without names all that did not complete.

    Raises:
        DataError: A frame that the job does not have.
    """
    unfinished = (row["frame"] for row in database.execute(_UNFINISHED, (job.id,)))
    wanted = frames or FrameRange.of(unfinished)
    if unknown := [frame for frame in wanted if frame not in job.frame_range]:
        raise DataError(f"frame {unknown[0]} is not part of the job", where=f"job {job.id}")
    requeue_frames(database, job.id, wanted)
    ended = "('failed', 'cancelled')" if len(job.frame_range) else "('failed', 'cancelled', 'completed')"
    query = f"SELECT name FROM tasks WHERE job_id = ? AND state IN {ended}"
    for row in database.execute(query, (job.id,)).fetchall():
        change_task(database, job.id, row["name"], "queued", failures=0)
    change_job(database, job.id, "queued", now_s=now_s)


def rerender(database: sqlite3.Connection, job: AnyJob, frames: FrameRange | None, *, now_s: float) -> None:
    """Forget frames of an ended job, all without names: they are rendered again though their files stand.

    Raises:
        DataError: A frame that the job does not have.
    """
    wanted = frames or job.frame_range
    retry(database, job, wanted, now_s=now_s)
    database.executemany("INSERT OR IGNORE INTO anew VALUES (?, ?)", [(job.id, frame) for frame in wanted])


def frames_anew(database: sqlite3.Connection, job_id: str) -> frozenset[int]:
    """Return the frames of a job that are to be rendered though their files stand."""
    return frozenset(row["frame"] for row in database.execute("SELECT frame FROM anew WHERE job_id = ?", (job_id,)))


def requeue_frames(
    database: sqlite3.Connection,
    job_id: str,
    frames: Iterable[int],
    *,
    message: str = "",
    are_failures_kept: bool = False,
) -> None:
    """Put frames and all that was made from them back in the queue; what its tasks have failed is forgotten."""
    tasks: set[str] = set()
    for frame in frames:
        change_frame(database, job_id, frame, "queued", failures=0, message=message)
        row = database.execute("SELECT task FROM frames WHERE job_id = ? AND frame = ?", (job_id, frame))
        tasks.add(row.fetchone()["task"])
    if tasks:
        made = database.execute("SELECT name FROM tasks WHERE job_id = ? AND kind NOT IN ('plan', 'render')", (job_id,))
        tasks.update(row["name"] for row in made)
    query = "SELECT state FROM tasks WHERE job_id = ? AND name = ?"
    columns = {} if are_failures_kept else {"failures": 0}
    for name in tasks:
        if database.execute(query, (job_id, name)).fetchone()["state"] != "queued":
            change_task(database, job_id, name, "queued", **columns)
