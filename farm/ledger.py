"""The ledger: the farm's only truth, an SQLite file that survives a pulled plug.

It keeps jobs, tasks, frames, attempts and log lines, and every change of state is one transaction that is on the disk
when the call returns (WAL, synchronous FULL). It decides what is charged for a failure and when a job has ended; it
neither starts workers nor looks at pictures. Times come from the injected clock.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job, job_from_dict, job_to_dict
from dvp_core.pipeline.render_frames import FrameRecord
from farm.compile import compile_job
from farm.errors import ConflictError, UnknownJobError
from farm.ledger_file import connect, lock_exclusively
from farm.roots import Roots
from farm.settlement import (
    UNFINISHED_NEED,
    change_frame,
    change_job,
    change_task,
    charge,
    end_job,
    last_line,
    open_frames,
    settle_job,
    settle_task,
)
from farm.states import ENDED_JOBS, JobAction, JobState, check_action
from farm.tasks import FailureKind, FileRecord, FinishedFrame, Record, Task, WorkOrder

_LOG_LIMIT_LETTERS = 64 * 1024
_JOBS_IN_ORDER = "SELECT id, content FROM jobs WHERE state IN ('queued', 'active') ORDER BY priority DESC, sequence"
_NEXT_TASK = f"""
SELECT name FROM tasks WHERE job_id = :job AND state = 'queued' AND NOT EXISTS ({UNFINISHED_NEED})
AND (:anything OR NOT EXISTS (
    SELECT 1 FROM attempts WHERE attempts.job_id = tasks.job_id AND attempts.task = tasks.name
    AND attempts.worker = :worker AND attempts.state IN ('failed', 'lost')))
ORDER BY failures, position LIMIT 1
"""


class Ledger:
    """One open ledger; safe to use from several threads, held by one process at a time.

    Args:
        path: The SQLite file; made with its folder (private to the user) where it is missing.
        clock: Seconds since 1970, for what people read; never used to decide anything.
    """

    def __init__(self, path: Path | str, *, clock: Callable[[], float]) -> None:
        self.path = Path(path)
        self._clock = clock
        self._lock = threading.RLock()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = lock_exclusively(self.path)
        self._connection = connect(self.path)
        with self._transaction() as database:
            database.execute("INSERT INTO meta VALUES ('epoch', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")
            self.epoch: int = database.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let another head have it."""
        with self._lock:
            self._connection.close()
            os.close(self._lock_file)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection.in_transaction:  # nested calls belong to the outer transaction
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def batch(self) -> Iterator[sqlite3.Connection]:
        """Make all calls inside one transaction, so that many records cost one write to the disk."""
        with self._transaction() as database:
            yield database

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a reading query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    # ---- what users do

    def submit(self, job: Job, *, owner: str) -> bool:
        """Take a job in; return whether it is new. The same id with the same content again changes nothing.

        Raises:
            DataError: The id stands for another job, or another unfinished job writes to the same place.
        """
        content = canonical_json(job_to_dict(job)).decode()
        with self._transaction() as database:
            known = database.execute("SELECT content FROM jobs WHERE id = ?", (job.id,)).fetchone()
            if known is not None:
                if job_from_dict(json.loads(known["content"])) != job:  # older files lack newer fields
                    raise ConflictError(
                        "the id already stands for another job", where=f"job {job.id}", remedy="use a new id"
                    )
                return False
            self._refuse_same_output(database, job)
            database.execute(
                "INSERT INTO jobs (id, priority, state, content, owner, submitted_s) VALUES (?, ?, 'queued', ?, ?, ?)",
                (job.id, job.priority, content, owner, self._clock()),
            )
            if job.is_paused_at_start:
                change_job(database, job.id, "paused", now_s=self._clock(), message="submitted paused")
            _insert_tasks(database, job)
            self.log(job.id, f"submitted by {owner}: {len(job.frame_range)} frames")
        return True

    def _refuse_same_output(self, database: sqlite3.Connection, job: Job) -> None:
        rows = database.execute("SELECT id, content FROM jobs WHERE state IN ('queued', 'active', 'paused')")
        for row in rows:
            if json.loads(row["content"])["output"] == job.output:
                raise ConflictError(
                    f"the unfinished job {row['id']} writes to the same output",
                    where=job.output,
                    remedy="cancel it, wait for it, or choose another output",
                )

    def act(self, job_id: str, action: JobAction, *, frames: FrameRange | None = None) -> JobState:
        """Pause, resume, cancel or retry a job and return its new state; `frames` narrows a retry."""
        with self._transaction() as database:
            now_s = self._clock()
            check_action(action, self.job_state(job_id), job_id)
            if action == "pause":
                change_job(database, job_id, "paused", now_s=now_s, message="paused by a user")
            elif action == "resume":
                change_job(database, job_id, "queued", now_s=now_s)
            elif action == "cancel":
                end_job(database, job_id, "cancelled", now_s=now_s, message="cancelled by a user")
            else:
                self._requeue(database, job_id, frames)
            self.log(job_id, f"{action} asked for")
            return self.job_state(job_id)

    def _requeue(self, database: sqlite3.Connection, job_id: str, frames: FrameRange | None) -> None:
        """Put frames back in the queue: those named, or without names all that did not complete."""
        job = self.job(job_id)
        wanted = frames or FrameRange.of(
            row["frame"] for row in self.rows("SELECT * FROM frames WHERE job_id = ? AND state <> 'completed'", job_id)
        )
        if unknown := [frame for frame in wanted if frame not in job.frame_range]:
            raise DataError(f"frame {unknown[0]} is not part of the job", where=f"job {job_id}")
        self.requeue_frames(job_id, wanted)
        for row in self.rows("SELECT name FROM tasks WHERE job_id = ? AND state IN ('failed','cancelled')", job_id):
            change_task(database, job_id, row["name"], "queued", failures=0)
        change_job(database, job_id, "queued", now_s=self._clock())

    def requeue_frames(self, job_id: str, frames: Iterable[int], *, message: str = "") -> None:
        """Put frames, their tasks and all that was made from them back in the queue, with no failure to their name."""
        with self._transaction() as database:
            tasks: set[str] = set()
            for frame in frames:
                change_frame(database, job_id, frame, "queued", failures=0, message=message)
                row = database.execute("SELECT task FROM frames WHERE job_id = ? AND frame = ?", (job_id, frame))
                tasks.add(row.fetchone()["task"])
            if tasks:
                rows = self.rows("SELECT name FROM tasks WHERE job_id = ? AND kind <> 'render'", job_id)
                tasks.update(row["name"] for row in rows)
            for name in tasks:
                if self._task_state(database, job_id, name) != "queued":
                    change_task(database, job_id, name, "queued", failures=0)

    # ---- what the scheduler does

    def recover(self) -> int:
        """Take back what a dead head left running, charging nothing for it; return the number of attempts ended."""
        with self._transaction():
            rows = self.rows("SELECT id FROM attempts WHERE state = 'running'")
            for row in rows:
                self.end_attempt(row["id"], failure="withdrawn", message="the head was restarted")
        return len(rows)

    def next_order(self, *, worker: str, roots: Roots) -> WorkOrder | None:
        """Hand out the next task by priority, then submission, then place in the job; None where nothing waits."""
        with self._transaction() as database:
            found = self._next_task(database, worker)
            if found is None:
                return None
            job, task = found
            frames = open_frames(database, job.id, task.name)
            cursor = database.execute(
                "INSERT INTO attempts (job_id, task, worker, frames, state, started_s) "
                "VALUES (?, ?, ?, ?, 'running', ?)",
                (job.id, task.name, worker, json.dumps(frames), self._clock()),
            )
            change_task(database, job.id, task.name, "active")
            if self.job_state(job.id) == "queued":
                change_job(database, job.id, "active", now_s=self._clock())
            finished = () if task.kind == "render" else self.finished_frames(job.id)
            return WorkOrder(cursor.lastrowid or 0, job.id, job, task, frames, roots, finished)

    def _next_task(self, database: sqlite3.Connection, worker: str) -> tuple[Job, Task] | None:
        """Return the next task that this worker has not failed; one that it has, where a job has no other."""
        for row in database.execute(_JOBS_IN_ORDER).fetchall():
            for anything in (False, True):
                values = {"job": row["id"], "worker": worker, "anything": anything}
                waiting = database.execute(_NEXT_TASK, values).fetchone()
                if waiting is not None:
                    job, tasks = _compiled(row["content"])
                    return job, tasks[waiting["name"]]
        return None

    def record(self, attempt: int, record: Record) -> bool:
        """Note a finished frame or file; return False, and change nothing, where the attempt has ended before."""
        with self._transaction() as database:
            row = self._running(database, attempt)
            if row is None:
                return False
            if isinstance(record, FileRecord):
                database.execute(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
                    (row["job_id"], record.name, record.sha256),
                )
                return True
            return self._record_frame(database, row, record)

    def _record_frame(self, database: sqlite3.Connection, attempt: sqlite3.Row, record: FrameRecord) -> bool:
        if record.frame not in json.loads(attempt["frames"]):
            self.log(attempt["job_id"], f"frame {record.frame} was not asked for and is ignored", attempt=attempt["id"])
            return False
        values = {"key": record.key, "sha256": record.sha256, "worker": attempt["worker"], "seconds": record.seconds}
        change_frame(database, attempt["job_id"], record.frame, "completed", message="", **values)
        return True

    def end_attempt(self, attempt: int, *, failure: FailureKind | None, message: str = "") -> bool:
        """End an attempt; charge the frame that was running where it failed by its own fault; settle the job.

        Returns:
            False where the attempt had ended before.
        """
        with self._transaction() as database:
            row = self._running(database, attempt)
            if row is None:
                return False
            states = {None: "completed", "withdrawn": "cancelled", "died": "lost", "deadline": "lost"}
            database.execute(
                "UPDATE attempts SET state = ?, ended_s = ?, message = ? WHERE id = ?",
                (states.get(failure, "failed"), self._clock(), message[:_LOG_LIMIT_LETTERS], attempt),
            )
            job = self.job(row["job_id"])
            if self.job_state(job.id) not in ENDED_JOBS:
                self._blame(database, job, row, failure, message)
            if self._task_state(database, job.id, row["task"]) == "active":
                settle_task(database, job, row["task"], is_done=failure is None)
            settle_job(database, job, now_s=self._clock())
            return True

    def _blame(
        self, database: sqlite3.Connection, job: Job, attempt: sqlite3.Row, failure: FailureKind | None, message: str
    ) -> None:
        """Say who pays for an attempt's end: nobody, the frame in hand, or the whole job while its disk is full."""
        if failure == "disk_full" and self.job_state(job.id) in ("queued", "active"):
            reason = f"paused, the disk is full: {last_line(message)}"
            change_job(database, job.id, "paused", now_s=self._clock(), message=reason)
            return
        if failure is None and set(json.loads(attempt["frames"])) & set(open_frames(database, job.id, attempt["task"])):
            failure, message = "error", "the worker ended its order without this frame"
        if failure in ("error", "died", "deadline"):
            frame = charge(database, job, attempt, message)
            self.log(job.id, message, attempt=attempt["id"], frame=frame)

    def unwanted_attempts(self) -> list[int]:
        """Return the running attempts whose job has been cancelled or has failed."""
        rows = self.rows(
            "SELECT attempts.id FROM attempts JOIN jobs ON jobs.id = attempts.job_id "
            "WHERE attempts.state = 'running' AND jobs.state IN ('cancelled', 'failed')"
        )
        return [row["id"] for row in rows]

    # ---- what is asked

    def job(self, job_id: str) -> Job:
        """Return a job as it was submitted."""
        return _compiled(self._job_row(job_id)["content"])[0]

    def job_state(self, job_id: str) -> JobState:
        """Return the state a job is in."""
        return self._job_row(job_id)["state"]

    def _job_row(self, job_id: str) -> sqlite3.Row:
        rows = self.rows("SELECT * FROM jobs WHERE id = ?", job_id)
        if not rows:
            raise UnknownJobError("no such job", where=f"job {job_id[:64]}", remedy="`dvp farm list` shows the jobs")
        return rows[0]

    def finished_frames(self, job_id: str) -> tuple[FinishedFrame, ...]:
        """Return the completed frames of a job, ascending."""
        rows = self.rows(
            "SELECT frame, key, sha256, worker, seconds FROM frames "
            "WHERE job_id = ? AND state = 'completed' ORDER BY frame",
            job_id,
        )
        return tuple(FinishedFrame(*row) for row in rows)

    def finished_count(self, job_id: str) -> int:
        """Return how many frames of a job are completed."""
        query = "SELECT COUNT(*) AS number FROM frames WHERE job_id = ? AND state = 'completed'"
        return self.rows(query, job_id)[0]["number"]

    def log(self, job_id: str, text: str, *, attempt: int | None = None, frame: int | None = None) -> None:
        """Keep a line for whoever asks why."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO logs (job_id, attempt, frame, at_s, text) VALUES (?, ?, ?, ?, ?)",
                (job_id, attempt, frame, self._clock(), text[-_LOG_LIMIT_LETTERS:]),
            )

    # ---- inside

    def _running(self, database: sqlite3.Connection, attempt: int) -> sqlite3.Row | None:
        return database.execute("SELECT * FROM attempts WHERE id = ? AND state = 'running'", (attempt,)).fetchone()

    def _task_state(self, database: sqlite3.Connection, job_id: str, name: str) -> str:
        query = "SELECT state FROM tasks WHERE job_id = ? AND name = ?"
        return database.execute(query, (job_id, name)).fetchone()["state"]


def _insert_tasks(database: sqlite3.Connection, job: Job) -> None:
    tasks: tuple[Task, ...] = compile_job(job)
    database.executemany(
        "INSERT INTO tasks (job_id, position, name, kind, state) VALUES (?, ?, ?, ?, 'queued')",
        [(job.id, position, task.name, task.kind) for position, task in enumerate(tasks)],
    )
    database.executemany(
        "INSERT INTO needs VALUES (?, ?, ?)", [(job.id, task.name, needed) for task in tasks for needed in task.after]
    )
    database.executemany(
        "INSERT INTO frames (job_id, frame, task, state) VALUES (?, ?, ?, 'queued')",
        [(job.id, frame, task.name) for task in tasks for frame in task.frames],
    )


@lru_cache(maxsize=16)
def _compiled(content: str) -> tuple[Job, dict[str, Task]]:
    """Return a stored job and its tasks by name; compiling a long shot anew for every order would cost seconds."""
    job = job_from_dict(json.loads(content))
    return job, {task.name: task for task in compile_job(job)}
