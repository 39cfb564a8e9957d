"""The ledger's file: its tables, opened durably and by one process at a time; beside it the jobs as submitted."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.errand import AnyJob, any_job_to_dict
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_atomically, write_bytes_atomically
from farm.errors import LedgerDamagedError
from farm.file_lock import try_lock

SCHEMA_VERSION = 1
SIDE_FILES = ("-wal", "-shm")
"""Endings of the files that SQLite keeps beside a database."""
_REMEDY = "`dvp farm head` moves it aside by itself and goes on from its copy"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, priority INTEGER NOT NULL,
    state TEXT NOT NULL, content TEXT NOT NULL, owner TEXT NOT NULL, submitted_s REAL NOT NULL,
    started_s REAL, ended_s REAL, message TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS tasks (
    job_id TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '', PRIMARY KEY (job_id, name));
CREATE INDEX IF NOT EXISTS tasks_in_order ON tasks (job_id, state, failures, position);
CREATE TABLE IF NOT EXISTS needs (
    job_id TEXT NOT NULL, task TEXT NOT NULL, needed TEXT NOT NULL, PRIMARY KEY (job_id, task, needed));
CREATE TABLE IF NOT EXISTS frames (
    job_id TEXT NOT NULL, frame INTEGER NOT NULL, task TEXT NOT NULL, state TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, key TEXT, sha256 TEXT, worker TEXT, seconds REAL,
    message TEXT NOT NULL DEFAULT '', PRIMARY KEY (job_id, frame));
CREATE INDEX IF NOT EXISTS frames_by_task ON frames (job_id, task, frame);
CREATE INDEX IF NOT EXISTS frames_by_state ON frames (job_id, state);
CREATE TABLE IF NOT EXISTS anew (job_id TEXT NOT NULL, frame INTEGER NOT NULL, PRIMARY KEY (job_id, frame));
CREATE TABLE IF NOT EXISTS looks (
    job_id TEXT NOT NULL, task TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (job_id, task));
CREATE TABLE IF NOT EXISTS plans (job_id TEXT PRIMARY KEY, to_render INTEGER NOT NULL, kept INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS blames (
    job_id TEXT NOT NULL, frame INTEGER NOT NULL, worker TEXT NOT NULL, is_refuted INTEGER NOT NULL,
    PRIMARY KEY (job_id, frame, worker));
CREATE TABLE IF NOT EXISTS job_needs (job_id TEXT NOT NULL, needed TEXT NOT NULL, PRIMARY KEY (job_id, needed));
CREATE TABLE IF NOT EXISTS progress (
    job_id TEXT PRIMARY KEY, stage TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    job_id TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (job_id, name));
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, task TEXT NOT NULL, worker TEXT NOT NULL,
    frames TEXT NOT NULL, state TEXT NOT NULL, started_s REAL NOT NULL, ended_s REAL, message TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS attempts_by_state ON attempts (state, job_id);
CREATE INDEX IF NOT EXISTS attempts_by_task ON attempts (job_id, task);
CREATE TABLE IF NOT EXISTS holds (job_id TEXT PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, attempt INTEGER, frame INTEGER, at_s REAL NOT NULL,
    text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS logs_by_job ON logs (job_id, id);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database durably, refusing a damaged one before anything is written to it."""
    old_mask = os.umask(0o077)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    try:
        connection.row_factory = sqlite3.Row
        require_whole(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        _check_version(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _told_error(error, path) from error
    except DataError:
        connection.close()
        raise
    finally:
        os.umask(old_mask)
    return connection


def require_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `LedgerDamagedError` where a database's pages do not fit together."""
    verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise LedgerDamagedError(f"the ledger is damaged ({verdict})", where=path, remedy=_REMEDY)


@contextmanager
def told_errors(path: Path) -> Iterator[None]:
    """Turn what the database raises in the block into words that say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _told_error(error, path) from error


def _told_error(error: sqlite3.DatabaseError, path: Path) -> DataError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return LedgerDamagedError(f"the ledger is damaged ({error})", where=path, remedy=_REMEDY)
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return DataError(f"the ledger cannot be written ({error})", where=path, remedy="Make room and start it again")
    return DataError(f"the ledger cannot be used ({error})", where=path)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
    version = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise DataError(f"the ledger has version {version}, this program writes {SCHEMA_VERSION}", where=path)


@dataclass(frozen=True)
class SubmittedJob:
    """A job as it was submitted, by whom, and when (seconds since 1970)."""

    job: AnyJob
    owner: str
    submitted_s: float


def job_folder(ledger_path: Path) -> Path:
    """Return where the jobs of a ledger are kept as they were submitted."""
    return ledger_path.parent / "jobs"


def forget_job(ledger_path: Path, job_id: str) -> None:
    """Remove what was written beside the ledger of a submitted job."""
    (job_folder(ledger_path) / f"{job_id}.json").unlink(missing_ok=True)


def remember_job(ledger_path: Path, submitted: SubmittedJob) -> None:
    """Write a submitted job beside its ledger, so that the ledger can be lost."""
    content = {"job": any_job_to_dict(submitted.job), "owner": submitted.owner, "submitted_s": submitted.submitted_s}
    write_bytes_atomically(job_folder(ledger_path) / f"{submitted.job.id}.json", canonical_json(content))


def copy_database(connection: sqlite3.Connection, path: Path, *, where: Path) -> None:
    """Publish a whole copy of an open database under `path`; a damaged one is refused and the old copy stays."""

    def write(temporary: Path) -> None:
        with closing(sqlite3.connect(temporary)) as target:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
            require_whole(target, where)

    write_atomically(path, write)
    path.chmod(0o600)


def lock_exclusively(path: Path) -> int:
    """Hold the ledger for this process alone and return the lock's descriptor."""
    descriptor = try_lock(path.with_name(path.name + ".lock"))
    if descriptor is None:
        raise DataError(
            "another farm head holds this ledger", where=path, remedy="stop it, or use another --state folder"
        )
    return descriptor
