"""What people are told about jobs: plain JSON objects read from the ledger. Changes nothing."""

from __future__ import annotations

import json
from typing import Any

from farm.ledger import Ledger
from farm.states import ENDED_JOBS


def job_report(ledger: Ledger, job_id: str) -> dict[str, Any]:
    """Return a job's state, its frames counted by state, its speed and the time left."""
    ledger.job_state(job_id)
    row = ledger.rows("SELECT * FROM jobs WHERE id = ?", job_id)[0]
    content = json.loads(row["content"])
    counts = {
        item["state"]: item["number"]
        for item in ledger.rows("SELECT state, COUNT(*) AS number FROM frames WHERE job_id = ? GROUP BY state", job_id)
    }
    seconds = median_seconds(ledger, job_id)
    workers = ledger.rows(
        "SELECT COUNT(DISTINCT worker) AS number FROM attempts WHERE job_id = ? AND state = 'running'", job_id
    )[0]["number"]
    left = counts.get("queued", 0) + counts.get("soft-failed", 0)
    failed = ledger.rows("SELECT frame, message FROM frames WHERE job_id = ? AND state = 'failed' LIMIT 100", job_id)
    waits_for = [] if row["state"] in ENDED_JOBS else _waits_for(ledger, job_id)
    return {
        "id": row["id"],
        "name": content["name"],
        "notes": content.get("notes", ""),
        "state": row["state"],
        "message": row["message"] or _waiting_text(waits_for),
        "is_held": bool(ledger.rows("SELECT 1 FROM holds WHERE job_id = ?", job_id)),
        "task": content.get("task", "render"),
        "waits_for": waits_for,
        "progress": _progress(ledger, job_id),
        "priority": row["priority"],
        "owner": row["owner"],
        "frame_count": sum(counts.values()),
        "frames": counts,
        "failed_frames": [{"frame": item["frame"], "message": item["message"]} for item in failed],
        "planned": _planned(ledger, job_id),
        "seconds_per_frame": seconds,
        "seconds_left": None if seconds is None or not workers else seconds * left / workers,
        "workers": workers,
        "left_out": list(ledger.workers_left_out(job_id)),
        "submitted_s": row["submitted_s"],
        "started_s": row["started_s"],
        "ended_s": row["ended_s"],
        "output": content["output"],
        "files": {item["name"]: item["sha256"] for item in ledger.rows("SELECT * FROM files WHERE job_id = ?", job_id)},
    }


def _waits_for(ledger: Ledger, job_id: str) -> list[dict[str, str]]:
    """Return the jobs that have to complete before this one begins, with their states."""
    query = """
    SELECT needed AS id, COALESCE(state, 'unknown') AS state FROM job_needs LEFT JOIN jobs ON jobs.id = job_needs.needed
    WHERE job_id = ? AND state IS NOT 'completed' ORDER BY needed
    """
    return [dict(row) for row in ledger.rows(query, job_id)]


def _waiting_text(waits_for: list[dict[str, str]]) -> str:
    return "waits for " + ", ".join(f"{item['id']} ({item['state']})" for item in waits_for) if waits_for else ""


def _progress(ledger: Ledger, job_id: str) -> dict[str, Any] | None:
    """Return how far a job is that is not counted in frames, None before it has said anything."""
    rows = ledger.rows("SELECT stage, done, total FROM progress WHERE job_id = ?", job_id)
    return dict(rows[0]) if rows else None


def _planned(ledger: Ledger, job_id: str) -> dict[str, int] | None:
    """Return how many frames are rendered and how many kept, None before that is known."""
    rows = ledger.rows("SELECT to_render, kept FROM plans WHERE job_id = ?", job_id)
    return dict(rows[0]) if rows else None


def job_list(ledger: Ledger, *, limit: int = 200) -> list[dict[str, Any]]:
    """Return the newest jobs, each as `job_report` tells it."""
    rows = ledger.rows("SELECT id FROM jobs ORDER BY sequence DESC LIMIT ?", limit)
    return [job_report(ledger, row["id"]) for row in rows]


def frame_list(ledger: Ledger, job_id: str, *, start: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
    """Return up to `limit` frames of a job from its `start`-th on, ascending."""
    ledger.job_state(job_id)
    rows = ledger.rows(
        "SELECT frame, state, failures, key, sha256, worker, seconds, message FROM frames "
        "WHERE job_id = ? ORDER BY frame LIMIT ? OFFSET ?",
        job_id,
        limit,
        start,
    )
    return [dict(row) for row in rows]


def log_lines(ledger: Ledger, job_id: str, *, after: int = 0, limit: int = 500) -> list[dict[str, Any]]:
    """Return a job's log lines with a number above `after`, oldest first."""
    ledger.job_state(job_id)
    rows = ledger.rows(
        "SELECT id, attempt, frame, at_s, text FROM logs WHERE job_id = ? AND id > ? ORDER BY id LIMIT ?",
        job_id,
        after,
        limit,
    )
    return [dict(row) for row in rows]


def median_seconds(ledger: Ledger, job_id: str) -> float | None:
    """Return the median seconds of a job's rendered frames, None before the first."""
    chosen = "FROM frames WHERE job_id = ? AND seconds > 0"
    count = ledger.rows(f"SELECT COUNT(*) AS number {chosen}", job_id)[0]["number"]
    rows = ledger.rows(f"SELECT seconds {chosen} ORDER BY seconds LIMIT 1 OFFSET ?", job_id, count // 2)
    return rows[0]["seconds"] if rows else None
