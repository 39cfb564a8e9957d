"""What a job becomes in the ledger when it is taken in: rows for its tasks, for what they need, and for its frames.

These functions run inside a transaction of the ledger, which hands them its connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from dvp_core.data.errand import AnyJob
from dvp_core.data.errors import DataError
from dvp_core.data.job import Job
from farm.compile import Opening, compile_job
from farm.planning import insert_plan
from farm.tasks import Task


def insert_needs(database: sqlite3.Connection, job: AnyJob) -> None:
    """Write down which jobs a new one waits for.

    Raises:
        DataError: There is no such job. So no job can wait for itself, nor two for each other.
    """
    for needed in job.after:
        if database.execute("SELECT 1 FROM jobs WHERE id = ?", (needed,)).fetchone() is None or needed == job.id:
            raise DataError(f"names the job {needed!r}, which is not there", where="job field 'after'")
    database.executemany("INSERT OR IGNORE INTO job_needs VALUES (?, ?)", [(job.id, needed) for needed in job.after])


def insert_tasks(database: sqlite3.Connection, job: AnyJob, opening: Opening | None) -> None:
    """Write down the tasks and frames of a new job."""
    tasks = compile_job(job, opening)
    insert_plan(database, job, [task for task in tasks if task.kind == "plan"])
    database.executemany(
        "INSERT INTO tasks (job_id, position, name, kind, state) VALUES (?, ?, ?, ?, 'queued')",
        [(job.id, position, task.name, task.kind) for position, task in enumerate(tasks)],
    )
    database.executemany(
        "INSERT INTO needs VALUES (?, ?, ?)", [(job.id, task.name, needed) for task in tasks for needed in task.after]
    )
    database.executemany(
        "INSERT INTO frames (job_id, frame, task, state) VALUES (?, ?, ?, 'queued')",
        [(job.id, frame, task) for frame, task in _homes(job, tasks)],
    )


def _homes(job: AnyJob, tasks: Sequence[Task]) -> Iterator[tuple[int, str]]:
    """Yield every frame with the task that renders it; a plan alone has none that does."""
    if isinstance(job, Job) and job.task == "plan":
        yield from ((frame, "") for frame in job.frame_range)
    yield from ((frame, task.name) for task in tasks for frame in task.frames)
