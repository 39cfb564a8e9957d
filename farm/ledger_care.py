"""What people change in the ledger beside the course of a job: its priority, and that an old one is forgotten.

Forgetting takes ended jobs out of the ledger. Their files stay, unless it is asked for in so many words; even then
only those go that still are, byte for byte, what the job has made, and that no other job of the ledger writes.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dvp_core.data.errand import AnyJob
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.pipeline.render_frames import frame_path
from farm.errors import ConflictError
from farm.ledger import Ledger
from farm.ledger_file import forget_job
from farm.roots import Roots
from farm.states import ENDED_JOBS

_DAY_S = 86_400.0
_OLD_JOBS = """
SELECT id, owner, state, ended_s FROM jobs WHERE state IN ('completed', 'failed', 'cancelled') AND ended_s < :before_s
AND (:owner IS NULL OR owner = :owner)
AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.job_id = jobs.id AND attempts.state = 'running')
AND NOT EXISTS (
    SELECT 1 FROM job_needs JOIN jobs AS waiting ON waiting.id = job_needs.job_id
    WHERE job_needs.needed = jobs.id AND waiting.state NOT IN ('completed', 'failed', 'cancelled'))
"""
_TABLES_OF_JOBS = """
SELECT tables.name FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
WHERE tables.type = 'table' AND columns.name = 'job_id'
"""


@dataclass(frozen=True)
class Forgetting:
    """What to forget.

    Attributes:
        older_than_days: Only jobs that have ended longer ago.
        with_files: Remove what they have made, too.
        is_dry_run: Say what would be done, and do nothing.
        owner: Only this user's jobs; None means all.
    """

    older_than_days: float
    with_files: bool = False
    is_dry_run: bool = True
    owner: str | None = None


@dataclass(frozen=True)
class ForgottenJob:
    """A job that is forgotten, or would be.

    Attributes:
        id: The job.
        owner: Who submitted it.
        state: How it had ended.
        ended_s: When, in seconds since 1970.
        frame_count: Its finished frames.
        file_count: Files that are removed.
        byte_count: Their size.
        kept_file_count: Files that it has made and that stay.
    """

    id: str
    owner: str
    state: str
    ended_s: float
    frame_count: int
    file_count: int
    byte_count: int
    kept_file_count: int


def set_priority(ledger: Ledger, job_id: str, priority: int) -> None:
    """Put an unfinished job before or behind others, from the next chunk on.

    Raises:
        ConflictError: The job has ended.
    """
    with ledger.batch() as database:
        state = ledger.job_state(job_id)
        if state in ENDED_JOBS:
            raise ConflictError(f"cannot give a priority to a job that is {state}", where=f"job {job_id}")
        database.execute("UPDATE jobs SET priority = ? WHERE id = ?", (priority, job_id))
        ledger.log(job_id, f"priority {priority} asked for")


def forget_jobs(ledger: Ledger, roots: Roots, what: Forgetting, *, now_s: float) -> dict[str, Any]:
    """Forget old jobs and return what was, or would be, done, as JSON.

    Args:
        ledger: The open ledger; the jobs may belong to a running farm.
        roots: The folders that the jobs' paths name.
        what: Which jobs, and what of them.
        now_s: Seconds since 1970.
    """
    values = {"before_s": now_s - what.older_than_days * _DAY_S, "owner": what.owner}
    with ledger.batch() as database:
        rows = database.execute(_OLD_JOBS + " ORDER BY sequence", values).fetchall()
    forgotten: list[ForgottenJob] = []
    for row in rows:
        gone = frozenset(job.id for job in forgotten)
        if (job := _forget(ledger, roots, what, row, values, gone)) is not None:
            forgotten.append(job)
    jobs = [asdict(job) for job in forgotten]
    return {"is_dry_run": what.is_dry_run, "with_files": what.with_files, "jobs": jobs}


def _forget(
    ledger: Ledger,
    roots: Roots,
    what: Forgetting,
    row: sqlite3.Row,
    values: dict[str, Any],
    gone: frozenset[str],
) -> ForgottenJob | None:
    """Forget one job; None where it was taken up again meanwhile."""
    job = ledger.job(row["id"])
    made = _made_files(ledger, roots, job)
    own = {}
    if what.with_files and not _is_shared(ledger, job, gone=gone):
        own = {path: path.stat().st_size for path, sha256 in made.items() if _still_is(path, sha256)}
    frame_count = ledger.finished_count(job.id)
    if not what.is_dry_run:
        last = _take_out(ledger, job.id, values)
        if last is None:
            return None
        own = {path: size for path, size in own.items() if _remove(ledger, job, path, after=last)}
    return ForgottenJob(
        id=job.id,
        owner=row["owner"],
        state=row["state"],
        ended_s=row["ended_s"],
        frame_count=frame_count,
        file_count=len(own),
        byte_count=sum(own.values()),
        kept_file_count=sum(path.exists() for path in made if path not in own),
    )


def _made_files(ledger: Ledger, roots: Roots, job: AnyJob) -> dict[Path, str]:
    """Return what the ledger says that a job has made: hashes by path."""
    try:
        template = roots.resolve(job.output)
    except DataError:  # a root that this head does not know any more
        return {}
    frames = {frame_path(template, item.frame): item.sha256 for item in ledger.finished_frames(job.id)}
    rows = ledger.rows("SELECT name, sha256 FROM files WHERE job_id = ?", job.id)
    return frames | {template.parent / row["name"]: row["sha256"] for row in rows}


def _is_shared(ledger: Ledger, job: AnyJob, *, gone: frozenset[str] = frozenset(), after: int = 0) -> bool:
    """Say whether another job, neither of those `gone` nor from before number `after`, writes into the same folder."""
    query = "SELECT id, json_extract(content, '$.output') AS output FROM jobs WHERE id <> ? AND sequence > ?"
    others = [row["output"] for row in ledger.rows(query, job.id, after) if row["id"] not in gone]
    return any(output.rpartition("/")[0] == job.output.rpartition("/")[0] for output in others)


def _still_is(path: Path, sha256: str) -> bool:
    try:
        return not path.is_symlink() and sha256_of_file(path) == sha256
    except OSError:
        return False


def _take_out(ledger: Ledger, job_id: str, values: dict[str, Any]) -> int | None:
    """Remove a job from every table in one step.

    Returns:
        The number of the newest job; None, with nothing changed, where the one to forget runs again.
    """
    with ledger.batch() as database:
        if database.execute(_OLD_JOBS + " AND id = :id", values | {"id": job_id}).fetchone() is None:
            return None
        last = database.execute("SELECT MAX(sequence) AS last FROM jobs").fetchone()["last"]
        for table in database.execute(_TABLES_OF_JOBS).fetchall():
            database.execute(f"DELETE FROM {table['name']} WHERE job_id = ?", (job_id,))
        database.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        forget_job(ledger.path, job_id)
    return last


def _remove(ledger: Ledger, job: AnyJob, path: Path, *, after: int) -> bool:
    """Remove a file of a forgotten job, unless a job that came meanwhile counts on it."""
    with ledger.batch():  # nobody submits while it is held
        if _is_shared(ledger, job, after=after):
            return False
        path.unlink(missing_ok=True)
    return True
