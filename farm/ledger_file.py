"""The ledger's file: its tables, opened durably and by one process at a time."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from dvp_core.data.errors import DataError
from farm.file_lock import try_lock

SCHEMA_VERSION = 1
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
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, attempt INTEGER, frame INTEGER, at_s REAL NOT NULL,
    text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS logs_by_job ON logs (job_id, id);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database durably, refusing a damaged one before anything is written to it."""
    remedy = "restore a copy of the ledger, or move it away: finished frames are found again by their keys"
    old_mask = os.umask(0o077)
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        connection.row_factory = sqlite3.Row
        verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            raise DataError(f"the ledger is damaged ({verdict})", where=path, remedy=remedy)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        _check_version(connection, path)
    except sqlite3.DatabaseError as error:
        raise DataError(f"the ledger cannot be opened ({error})", where=path, remedy=remedy) from error
    finally:
        os.umask(old_mask)
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
    version = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise DataError(f"the ledger has version {version}, this program writes {SCHEMA_VERSION}", where=path)


def lock_exclusively(path: Path) -> int:
    """Hold the ledger for this process alone and return the lock's descriptor."""
    descriptor = try_lock(path.with_name(path.name + ".lock"))
    if descriptor is None:
        raise DataError(
            "another farm head holds this ledger", where=path, remedy="stop it, or use another --state folder"
        )
    return descriptor
