"""What follows from the end of an attempt: who is charged, and whether a task or a job has come to its end.

These functions run inside a transaction of the ledger, which hands them its connection. Every change of state goes
through `change`, which knows the tables of `states`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from dvp_core.data.errand import AnyJob
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from farm.states import ENDED_JOBS, FRAME_CHANGES, JOB_CHANGES, TASK_CHANGES, FrameState, JobState, TaskState

# A queued task can run as soon as no task that it needs is unfinished.
UNFINISHED_NEED = """
SELECT 1 FROM needs JOIN tasks AS needed ON needed.job_id = needs.job_id AND needed.name = needs.needed
WHERE needs.job_id = tasks.job_id AND needs.task = tasks.name AND needed.state <> 'completed'
"""
_RUNNABLE = f"""
SELECT 1 FROM tasks WHERE job_id = :job AND state = 'active'
UNION ALL SELECT 1 FROM tasks WHERE job_id = :job AND state = 'queued' AND NOT EXISTS ({UNFINISHED_NEED}) LIMIT 1
"""
# Left to itself, SQLite walks all frames of the job by state: slower with every frame of a long shot.
_FRAMES_OF_TASK = "SELECT state FROM frames INDEXED BY frames_by_task WHERE job_id = ? AND task = ?"


def change_job(database: sqlite3.Connection, job_id: str, state: JobState, *, now_s: float, message: str = "") -> None:
    """Move a job to a state and note when and why."""
    times: dict[str, float | None] = {"ended_s": now_s if state in ENDED_JOBS else None}
    if state == "active":
        times["started_s"] = now_s
    _change(database, "jobs", "id = ?", (job_id,), JOB_CHANGES, state, message=message, **times)


def change_task(database: sqlite3.Connection, job_id: str, name: str, state: TaskState, **columns: object) -> None:
    """Move a task to a state and set its other columns."""
    _change(database, "tasks", "job_id = ? AND name = ?", (job_id, name), TASK_CHANGES, state, **columns)


def change_frame(database: sqlite3.Connection, job_id: str, frame: int, state: FrameState, **columns: object) -> None:
    """Move a frame to a state and set its other columns."""
    _change(database, "frames", "job_id = ? AND frame = ?", (job_id, frame), FRAME_CHANGES, state, **columns)


def _change(
    database: sqlite3.Connection,
    table: str,
    condition: str,
    target: tuple[object, ...],
    allowed: Mapping[str, frozenset[str]],
    state: str,
    **columns: object,
) -> None:
    row = database.execute(f"SELECT state FROM {table} WHERE {condition}", target).fetchone()
    if row is None or (row["state"] != state and state not in allowed[row["state"]]):
        found = "missing" if row is None else row["state"]
        raise DataError(f"it is {found} and cannot become {state}", where=f"{table[:-1]} {' '.join(map(str, target))}")
    assignments = ", ".join(f"{name} = ?" for name in ("state", *columns))
    statement = f"UPDATE {table} SET {assignments} WHERE {condition}"
    database.execute(statement, (state, *columns.values(), *target))


def open_frames(database: sqlite3.Connection, job_id: str, task: str) -> tuple[int, ...]:
    """Return a task's frames still to do; those that failed before come last, so that they cost no others."""
    rows = database.execute(
        "SELECT frame FROM frames WHERE job_id = ? AND task = ? AND state IN ('queued', 'soft-failed') "
        "ORDER BY failures, frame",
        (job_id, task),
    )
    return tuple(row["frame"] for row in rows)


def charge(database: sqlite3.Connection, job: AnyJob, attempt: sqlite3.Row, message: str) -> int | None:
    """Charge the first frame that an attempt did not finish, or the task itself where it has no frames.

    Orders run their frames in the order in which they hold them, so that frame was the one in hand.

    Returns:
        The charged frame, None for a task without frames.
    """
    still_open = set(open_frames(database, job.id, attempt["task"]))
    frame = next((frame for frame in json.loads(attempt["frames"]) if frame in still_open), None)
    if frame is None:
        database.execute(
            "UPDATE tasks SET failures = failures + 1, message = ? WHERE job_id = ? AND name = ?",
            (last_line(message), job.id, attempt["task"]),
        )
        return None
    query = "SELECT failures FROM frames WHERE job_id = ? AND frame = ?"
    failures = database.execute(query, (job.id, frame)).fetchone()["failures"] + 1
    state: FrameState = "failed" if failures > job.max_retries_per_frame else "soft-failed"
    columns = {"failures": failures, "message": last_line(message), "worker": attempt["worker"]}
    change_frame(database, job.id, frame, state, **columns)
    return frame


def is_spent(database: sqlite3.Connection, job: AnyJob, task: str) -> bool:
    """Say whether a task itself has failed too often to be tried again."""
    query = "SELECT failures FROM tasks WHERE job_id = ? AND name = ?"
    return database.execute(query, (job.id, task)).fetchone()["failures"] > job.max_retries_per_frame


def settle_task(database: sqlite3.Connection, job: AnyJob, name: str, *, is_done: bool) -> None:
    """Say what has become of an active task: queued again, completed or failed."""
    rows = database.execute(_FRAMES_OF_TASK, (job.id, name))
    states = {row["state"] for row in rows}
    if not states:
        otherwise: TaskState = "failed" if is_spent(database, job, name) else "queued"
        change_task(database, job.id, name, "completed" if is_done else otherwise)
    elif states & {"queued", "soft-failed"}:
        change_task(database, job.id, name, "queued")
    else:
        change_task(database, job.id, name, "failed" if "failed" in states else "completed")


def settle_job(database: sqlite3.Connection, job: AnyJob, *, now_s: float) -> None:
    """End a job that has nothing left to run, or in which too many frames have failed."""
    state = database.execute("SELECT state FROM jobs WHERE id = ?", (job.id,)).fetchone()["state"]
    if state in ENDED_JOBS:
        return
    query = "SELECT frame FROM frames WHERE job_id = ? AND state = 'failed'"
    failed = [row["frame"] for row in database.execute(query, (job.id,))]
    if len(failed) > job.max_failed_frames:
        message = f"{_frames_text(failed)} failed, more than the {job.max_failed_frames} allowed"
        end_job(database, job.id, "failed", now_s=now_s, message=message)
    elif database.execute(_RUNNABLE, {"job": job.id}).fetchone() is None:
        _end_job_with_nothing_to_run(database, job.id, failed, now_s=now_s)


def _end_job_with_nothing_to_run(database: sqlite3.Connection, job_id: str, failed: list[int], *, now_s: float) -> None:
    query = "SELECT name, message FROM tasks WHERE job_id = ? AND state <> 'completed' ORDER BY message DESC"
    unfinished = database.execute(query, (job_id,)).fetchone()
    if unfinished is None:
        end_job(database, job_id, "completed", now_s=now_s)
        return
    reason = f"{_frames_text(failed)} failed" if failed else f"{unfinished['name']} failed: {unfinished['message']}"
    end_job(database, job_id, "failed", now_s=now_s, message=reason)


def end_job(database: sqlite3.Connection, job_id: str, state: JobState, *, now_s: float, message: str = "") -> None:
    """End a job; what it had not done counts as cancelled."""
    change_job(database, job_id, state, now_s=now_s, message=message)
    database.execute("DELETE FROM holds WHERE job_id = ?", (job_id,))
    if state == "completed":
        return
    for table in ("tasks", "frames"):
        statement = f"UPDATE {table} SET state = 'cancelled' WHERE job_id = ? AND state IN "
        database.execute(statement + "('queued', 'active', 'soft-failed')", (job_id,))


def last_line(message: str) -> str:
    """Return the last line of an error's text, which names it."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""


def _frames_text(frames: list[int]) -> str:
    return f"frame{'s' if len(frames) > 1 else ''} {FrameRange.of(frames)}"[:300]
