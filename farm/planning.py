"""What a job will have to render, said before it starts: the frames that stand with their keys are kept.

A plan's tasks look at frames that stand already and record those that are kept; the rest is to be rendered. These
functions run inside a transaction of the ledger, which hands them its connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from dvp_core.data.errand import AnyJob
from dvp_core.data.job import Job
from farm.compile import PLAN_PREFIX, plan_tasks
from farm.requeueing import frames_anew
from farm.settlement import change_task
from farm.tasks import Task

_TO_LOOK_AT = """
SELECT frames.frame FROM frames JOIN looks ON looks.job_id = frames.job_id
AND frames.frame BETWEEN looks.first AND looks.last
WHERE looks.job_id = ? AND looks.task = ? AND frames.state IN ('queued', 'soft-failed') ORDER BY frames.frame
"""
_UNFINISHED_PLAN = "SELECT 1 FROM tasks WHERE job_id = ? AND kind = 'plan' AND state <> 'completed' LIMIT 1"
_COUNTS = "SELECT COUNT(*), COALESCE(SUM(state = 'completed'), 0) FROM frames WHERE job_id = ?"
_FINISH_RENDERS = """
UPDATE tasks SET state = 'completed' WHERE job_id = ? AND kind = 'render' AND state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM frames WHERE frames.job_id = tasks.job_id AND frames.task = tasks.name
    AND frames.state <> 'completed')
"""


def insert_plan(database: sqlite3.Connection, job: AnyJob, tasks: Sequence[Task]) -> None:
    """Write down a job's plan, which all its frames wait for, or that nothing stands and all is to be rendered."""
    database.executemany(
        "INSERT INTO looks VALUES (?, ?, ?, ?)",
        [(job.id, task.name, task.reads[0], task.reads[-1]) for task in tasks],
    )
    if not tasks and isinstance(job, Job):
        database.execute("INSERT OR REPLACE INTO plans VALUES (?, ?, 0)", (job.id, len(job.frame_range)))


def plan_again(database: sqlite3.Connection, job: AnyJob) -> None:
    """Forget what was said and let the job look again at the frames that it is to do."""
    if not isinstance(job, Job):
        return
    database.execute("DELETE FROM plans WHERE job_id = ?", (job.id,))
    query = "SELECT name, state FROM tasks WHERE job_id = ? AND kind = 'plan'"
    known = database.execute(query, (job.id,)).fetchall()
    for row in known:
        if row["state"] != "queued":
            change_task(database, job.id, row["name"], "queued", failures=0)
    if not known:
        _add_plan(database, job)


def _add_plan(database: sqlite3.Connection, job: Job) -> None:
    tasks = plan_tasks(job)
    insert_plan(database, job, tasks)
    for task in tasks:
        database.execute(
            "INSERT INTO tasks (job_id, position, name, kind, state) VALUES (?, -1, ?, 'plan', 'queued')",
            (job.id, task.name),
        )
        database.execute(
            "INSERT INTO needs SELECT job_id, name, ? FROM tasks WHERE job_id = ? AND kind = 'render'",
            (task.name, job.id),
        )


def frames_to_look_at(database: sqlite3.Connection, job_id: str, task: str) -> tuple[int, ...]:
    """Return the frames that a task of a plan is about: those to be done, and not in any case rendered anew."""
    anew = frames_anew(database, job_id)
    return tuple(row["frame"] for row in database.execute(_TO_LOOK_AT, (job_id, task)) if row["frame"] not in anew)


def settle_plan(database: sqlite3.Connection, job: AnyJob, task: str) -> None:
    """Say what is to be rendered once the last task of a plan is done; tasks with nothing left to do are done too."""
    if not task.startswith(PLAN_PREFIX) or database.execute(_UNFINISHED_PLAN, (job.id,)).fetchone():
        return
    total, kept = database.execute(_COUNTS, (job.id,)).fetchone()
    database.execute("INSERT OR REPLACE INTO plans VALUES (?, ?, ?)", (job.id, total - kept, kept))
    database.execute(_FINISH_RENDERS, (job.id,))
    if job.task == "plan":
        database.execute("UPDATE frames SET state = 'cancelled' WHERE job_id = ? AND state <> 'completed'", (job.id,))
