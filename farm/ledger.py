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
from pathlib import Path
from types import TracebackType
from typing import Self

from dvp_core.data.errand import AnyJob, any_job_from_dict, any_job_to_dict
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json
from dvp_core.data.frame_range import FrameRange
from dvp_core.pipeline.render_frames import FrameRecord
from farm import left_out, requeueing
from farm.compile import Opening
from farm.errors import ConflictError, UnknownJobError
from farm.handing_out import NextTask, WantedFrames, finished_for, finished_frames, job_of, next_task, usual_frames
from farm.holds import HOLDING, forget_hold, hold
from farm.ledger_file import SubmittedJob, connect, copy_database, lock_exclusively, remember_job, told_errors
from farm.planning import plan_again, settle_plan
from farm.roots import Roots
from farm.settlement import (
    change_frame,
    change_job,
    change_task,
    charge,
    end_job,
    is_spent,
    open_frames,
    settle_job,
    settle_task,
)
from farm.states import ENDED_JOBS, JobAction, JobState, check_action
from farm.taking_in import insert_needs, insert_tasks
from farm.tasks import FailureKind, FileRecord, FinishedFrame, ProgressRecord, Record, WorkOrder

_LOG_LIMIT_LETTERS = 64 * 1024


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
        try:
            self._connection = connect(self.path)
        except DataError:
            os.close(self._lock_file)
            raise
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
            with told_errors(self.path):
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:  # a full disk may have ended it already
                        self._connection.execute("ROLLBACK")
                    raise

    @contextmanager
    def batch(self) -> Iterator[sqlite3.Connection]:
        """Make all calls inside one transaction, so that many records cost one write to the disk."""
        with self._transaction() as database:
            yield database

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a reading query."""
        with self._lock, told_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    @property
    def change_count(self) -> int:
        """How many rows have been changed since the ledger was opened."""
        return self._connection.total_changes

    def copy_to(self, path: Path) -> None:
        """Publish a whole copy of the ledger; refused, and the old copy kept, where the ledger is damaged."""
        with self._lock, told_errors(self.path):
            copy_database(self._connection, path, where=self.path)

    # ---- what users do

    def submit(self, job: AnyJob, *, owner: str, opening: Opening | None = None) -> bool:
        """Take a job in; return whether it is new. The same id with the same content again changes nothing.

        Args:
            job: What to do.
            owner: Who asks.
            opening: See `Opening`; the frames run in their order without one.

        Raises:
            DataError: The id stands for another job, another unfinished job writes to the same place, or a job that
                this one waits for is not there.
        """
        content = canonical_json(any_job_to_dict(job)).decode()
        with self._transaction() as database:
            known = database.execute("SELECT content FROM jobs WHERE id = ?", (job.id,)).fetchone()
            if known is not None:
                if any_job_from_dict(json.loads(known["content"])) != job:  # older files lack newer fields
                    raise ConflictError(
                        "the id already stands for another job", where=f"job {job.id}", remedy="use a new id"
                    )
                return False
            if job.task != "plan":  # it writes nothing
                self._refuse_same_output(database, job)
                remember_job(self.path, SubmittedJob(job, owner, self._clock()))
            database.execute(
                "INSERT INTO jobs (id, priority, state, content, owner, submitted_s) VALUES (?, ?, 'queued', ?, ?, ?)",
                (job.id, job.priority, content, owner, self._clock()),
            )
            if job.is_paused_at_start:
                change_job(database, job.id, "paused", now_s=self._clock(), message="submitted paused")
            insert_needs(database, job)
            insert_tasks(database, job, opening)
            frame_count = len(job.frame_range)
            self.log(job.id, f"submitted by {owner}: {f'{frame_count} frames' if frame_count else job.task}")
        return True

    def _refuse_same_output(self, database: sqlite3.Connection, job: AnyJob) -> None:
        rows = database.execute("SELECT id, content FROM jobs WHERE state IN ('queued', 'active', 'paused')")
        for row in rows:
            other = job_of(row["content"])
            if other.task != "plan" and other.output == job.output:
                raise ConflictError(
                    f"the unfinished job {row['id']} writes to the same output",
                    where=job.output,
                    remedy="cancel it, wait for it, or choose another output",
                )

    def act(self, job_id: str, action: JobAction, *, frames: FrameRange | None = None) -> JobState:
        """Do what a user asks for and return the job's new state; `frames` narrows a retry or what is rendered anew."""
        with self._transaction() as database:
            now_s = self._clock()
            check_action(action, self.job_state(job_id), job_id)
            forget_hold(database, job_id)
            if action == "pause":
                change_job(database, job_id, "paused", now_s=now_s, message="paused by a user")
            elif action == "resume":
                change_job(database, job_id, "queued", now_s=now_s)
            elif action == "cancel":
                end_job(database, job_id, "cancelled", now_s=now_s, message="cancelled by a user")
            else:
                again = requeueing.retry if action == "retry" else requeueing.rerender
                again(database, self.job(job_id), frames, now_s=now_s)
                plan_again(database, self.job(job_id))
                left_out.forget(database, job_id)
            self.log(job_id, f"{action} asked for")
            return self.job_state(job_id)

    def requeue_frames(self, job_id: str, frames: Iterable[int], *, message: str = "") -> None:
        """Put frames and all that was made from them back in the queue; what its tasks have failed is forgotten."""
        with self._transaction() as database:
            requeueing.requeue_frames(database, job_id, frames, message=message)

    # ---- what the scheduler does

    def recover(self) -> int:
        """Take back what a dead head left running, charging nothing for it; return the number of attempts ended."""
        with self._transaction():
            rows = self.rows("SELECT id FROM attempts WHERE state = 'running'")
            for row in rows:
                self.end_attempt(row["id"], failure="withdrawn", message="the head was restarted")
        return len(rows)

    def next_order(
        self, *, worker: str, roots: Roots, wanted: WantedFrames = usual_frames, is_last_resort: bool = False
    ) -> WorkOrder | None:
        """Hand out the next task by priority, then submission, then place in the job; None where nothing waits.

        Args:
            worker: Who asks.
            roots: Folders for the worker.
            wanted: How many frames of a job it shall get at most, where the job does not say.
            is_last_resort: Give it also what it is left out of, because nobody else is there.
        """
        with self._transaction() as database:
            found = next_task(database, worker=worker, wanted=wanted, is_last_resort=is_last_resort)
            return None if found is None else self._ordered(database, found, worker=worker, roots=roots)

    def _ordered(self, database: sqlite3.Connection, found: NextTask, *, worker: str, roots: Roots) -> WorkOrder:
        job, task, frames = found.job, found.task, found.frames
        cursor = database.execute(
            "INSERT INTO attempts (job_id, task, worker, frames, state, started_s) VALUES (?, ?, ?, ?, 'running', ?)",
            (job.id, task.name, worker, json.dumps(frames), self._clock()),
        )
        change_task(database, job.id, task.name, "active")
        if self.job_state(job.id) == "queued":
            change_job(database, job.id, "active", now_s=self._clock())
        finished = () if task.kind in ("plan", "render") else finished_for(database, job.id, task.name)
        anew = requeueing.frames_anew(database, job.id) & set(frames)
        return WorkOrder(cursor.lastrowid or 0, job.id, job, task, frames, roots, finished, anew)

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
            if isinstance(record, ProgressRecord):
                values = (row["job_id"], record.stage, record.done, record.total)
                database.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)", values)
                return True
            return self._record_frame(database, row, record)

    def _record_frame(self, database: sqlite3.Connection, attempt: sqlite3.Row, record: FrameRecord) -> bool:
        if record.frame not in json.loads(attempt["frames"]):
            self.log(attempt["job_id"], f"frame {record.frame} was not asked for and is ignored", attempt=attempt["id"])
            return False
        values = {"key": record.key, "sha256": record.sha256, "worker": attempt["worker"], "seconds": record.seconds}
        change_frame(database, attempt["job_id"], record.frame, "completed", message="", **values)
        if not record.is_reused:
            for worker in left_out.note_success(database, attempt["job_id"], record.frame, attempt["worker"]):
                self.log(attempt["job_id"], f"{worker} is left out: it failed frames that others then rendered")
        database.execute("DELETE FROM anew WHERE job_id = ? AND frame = ?", (attempt["job_id"], record.frame))
        return True

    def end_attempt(
        self,
        attempt: int,
        *,
        failure: FailureKind | None,
        message: str = "",
        path: str = "",
        lost_frames: tuple[int, ...] = (),
    ) -> bool:
        """End an attempt; charge the frame that was running where it failed by its own fault; settle the job.

        Args:
            attempt: Its number.
            failure: None where it did all it was asked for.
            message: Why it failed.
            path: The input that could not be used, where that was the cause.
            lost_frames: The finished frames that were gone or changed, where that was the cause.

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
                if failure in HOLDING:
                    hold(database, job.id, failure, path=path, message=message, now_s=self._clock())
                if lost_frames and not is_spent(database, job, row["task"]):
                    requeueing.requeue_frames(database, job.id, lost_frames, message=message, are_failures_kept=True)
            if self._task_state(database, job.id, row["task"]) == "active":
                settle_task(database, job, row["task"], is_done=failure is None)
                settle_plan(database, job, row["task"])
            settle_job(database, job, now_s=self._clock())
            return True

    def _blame(
        self, database: sqlite3.Connection, job: AnyJob, attempt: sqlite3.Row, failure: FailureKind | None, message: str
    ) -> None:
        """Say who pays for an attempt's end: nobody, or the frame in hand."""
        if failure is None and set(json.loads(attempt["frames"])) & set(open_frames(database, job.id, attempt["task"])):
            failure, message = "error", "the worker ended its order without this frame"
        if failure in ("error", "died", "deadline", "frames_lost"):
            frame = charge(database, job, attempt, message)
            if failure == "error" and frame is not None:
                left_out.note_failure(database, job.id, frame, attempt["worker"])
            self.log(job.id, message, attempt=attempt["id"], frame=frame)

    def unwanted_attempts(self) -> list[int]:
        """Return the running attempts whose job has been cancelled or has failed."""
        rows = self.rows(
            "SELECT attempts.id FROM attempts JOIN jobs ON jobs.id = attempts.job_id "
            "WHERE attempts.state = 'running' AND jobs.state IN ('cancelled', 'failed')"
        )
        return [row["id"] for row in rows]

    # ---- what is asked

    def job(self, job_id: str) -> AnyJob:
        """Return a job as it was submitted."""
        return job_of(self._job_row(job_id)["content"])

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
        with self._lock:
            return finished_frames(self._connection, job_id)

    def finished_count(self, job_id: str) -> int:
        """Return how many frames of a job are completed."""
        query = "SELECT COUNT(*) AS number FROM frames WHERE job_id = ? AND state = 'completed'"
        return self.rows(query, job_id)[0]["number"]

    def workers_left_out(self, job_id: str) -> tuple[str, ...]:
        """Return the workers that a job goes on without, because they failed frames which others then rendered."""
        with self._lock:
            return left_out.workers_left_out(self._connection, job_id)

    def is_passed_over(self, worker: str) -> bool:
        """Say whether a worker gets nothing of some job with work, so that others may find some where it found none."""
        with self._lock:
            return any(name == worker for _, name in left_out.passed_over(self._connection))

    def waiting_count(self, job_id: str, *, at_most: int) -> int:
        """Return how many frames of a job were never tried, counting no further than `at_most`."""
        counted = "SELECT 1 FROM frames WHERE job_id = ? AND state = 'queued' LIMIT ?"
        return self.rows(f"SELECT COUNT(*) AS number FROM ({counted})", job_id, at_most)[0]["number"]

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
