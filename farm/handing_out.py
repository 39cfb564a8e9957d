"""Which task a worker gets next, and how many of its frames.

These functions run inside a transaction of the ledger, which hands them its connection. A run of frames that nobody
has tried yet is cut when it is handed out, because only then is known how long a frame takes; whatever was tried keeps
its cut, so that what failed stays together.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from dvp_core.data.errand import AnyJob, any_job_from_dict
from farm.compile import window_of
from farm.left_out import passed_over
from farm.planning import frames_to_look_at
from farm.settlement import UNFINISHED_NEED, open_frames
from farm.tasks import FinishedFrame, Task

USUAL_CHUNK_FRAMES = 16
WantedFrames = Callable[[AnyJob], int]
"""How many frames of a job a worker shall get at most."""
_JOBS_IN_ORDER = """
SELECT id, content FROM jobs WHERE state IN ('queued', 'active') AND NOT EXISTS (
    SELECT 1 FROM job_needs LEFT JOIN jobs AS needed ON needed.id = job_needs.needed
    WHERE job_needs.job_id = jobs.id AND needed.state IS NOT 'completed')
ORDER BY priority DESC, sequence
"""
_NEXT_TASK = f"""
SELECT name, kind, position FROM tasks WHERE job_id = :job AND state = 'queued' AND NOT EXISTS ({UNFINISHED_NEED})
AND (:anything OR NOT EXISTS (
    SELECT 1 FROM attempts WHERE attempts.job_id = tasks.job_id AND attempts.task = tasks.name
    AND attempts.worker = :worker AND attempts.state IN ('failed', 'lost')))
ORDER BY failures, position, name LIMIT 1
"""
_FINISHED = "SELECT frame, key, sha256, worker, seconds FROM frames WHERE job_id = :job AND state = 'completed'"
_NEEDED_RENDERS = """
SELECT needs.needed FROM needs JOIN tasks ON tasks.job_id = needs.job_id AND tasks.name = needs.needed
WHERE needs.job_id = :job AND needs.task = :task AND tasks.kind = 'render'
"""


@dataclass(frozen=True)
class NextTask:
    """A task to hand out, with those of its frames that are to be done."""

    job: AnyJob
    task: Task
    frames: tuple[int, ...]


def usual_frames(job: AnyJob) -> int:
    """Return the size of chunks while nothing is known about a job's frames."""
    return job.chunk_size or USUAL_CHUNK_FRAMES


def next_task(
    database: sqlite3.Connection, *, worker: str, wanted: WantedFrames, is_last_resort: bool = False
) -> NextTask | None:
    """Return the next task that this worker has not failed; one that it has, where a job has no other.

    Jobs that it is left out of are passed over, but as a last resort.
    """
    left_out = frozenset() if is_last_resort else passed_over(database)
    for row in database.execute(_JOBS_IN_ORDER).fetchall():
        if (row["id"], worker) in left_out:
            continue
        for anything in (False, True):
            values = {"job": row["id"], "worker": worker, "anything": anything}
            waiting = database.execute(_NEXT_TASK, values).fetchone()
            if waiting is not None:
                return _cut(database, job_of(row["content"]), waiting, wanted)
    return None


def _cut(database: sqlite3.Connection, job: AnyJob, waiting: sqlite3.Row, wanted: WantedFrames) -> NextTask:
    """Return a waiting task with its frames, having put those beyond the wanted number into a task of their own."""
    name = waiting["name"]
    if waiting["kind"] == "plan":
        frames = frames_to_look_at(database, job.id, name)
        return NextTask(job, Task(name=name, kind="plan", reads=frames), frames)
    frames = open_frames(database, job.id, name)
    limit = job.chunk_size or max(1, wanted(job))
    if waiting["kind"] == "render" and len(frames) > limit and not _was_tried(database, job.id, name):
        _put_aside(database, job.id, waiting, frames[limit:])
        frames = frames[:limit]
    reads = window_of(frames) if waiting["kind"] == "render" else ()
    return NextTask(job, Task(name=name, kind=waiting["kind"], frames=frames, reads=reads), frames)


def _was_tried(database: sqlite3.Connection, job_id: str, name: str) -> bool:
    query = "SELECT 1 FROM attempts WHERE job_id = ? AND task = ? LIMIT 1"
    return database.execute(query, (job_id, name)).fetchone() is not None


def _put_aside(database: sqlite3.Connection, job_id: str, waiting: sqlite3.Row, frames: tuple[int, ...]) -> None:
    """Move frames of a task into another that stands in its place and is needed by whatever needs it."""
    stem = waiting["name"].partition("@")[0]
    name = f"{stem}@{frames[0]}"
    database.execute(
        "INSERT INTO tasks (job_id, position, name, kind, state) VALUES (?, ?, ?, 'render', 'queued')",
        (job_id, waiting["position"], name),
    )
    for column, other in (("needed", "task"), ("task", "needed")):
        database.execute(
            f"INSERT INTO needs (job_id, {column}, {other}) SELECT job_id, ?, {other} FROM needs "
            f"WHERE job_id = ? AND {column} = ?",
            (name, job_id, waiting["name"]),
        )
    statement = "UPDATE frames INDEXED BY frames_by_task SET task = ? WHERE job_id = ? AND task = ? AND frame >= ?"
    database.execute(statement, (name, job_id, waiting["name"], frames[0]))


def finished_for(database: sqlite3.Connection, job_id: str, task: str) -> tuple[FinishedFrame, ...]:
    """Return the completed frames that a task describes: of the tasks it needs, else of the whole job."""
    values = {"job": job_id, "task": task}
    if database.execute(f"{_NEEDED_RENDERS} LIMIT 1", values).fetchone() is None:
        return finished_frames(database, job_id)
    query = f"{_FINISHED} AND task IN ({_NEEDED_RENDERS}) ORDER BY frame"
    return tuple(FinishedFrame(*row) for row in database.execute(query, values))


def finished_frames(database: sqlite3.Connection, job_id: str) -> tuple[FinishedFrame, ...]:
    """Return the completed frames of a job, ascending."""
    return tuple(FinishedFrame(*row) for row in database.execute(f"{_FINISHED} ORDER BY frame", {"job": job_id}))


@lru_cache(maxsize=16)
def job_of(content: str) -> AnyJob:
    """Return a stored job; reading the frames of a long shot anew for every order would cost seconds."""
    return any_job_from_dict(json.loads(content))
