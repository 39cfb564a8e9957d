"""What a job, a task and a frame can be, and which changes are allowed. Pure tables; the ledger enforces them.

Names follow what farms call them: a frame that failed and will be tried again is `soft-failed`, one that failed too
often is `failed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from farm.errors import ConflictError

JobState = Literal["queued", "active", "paused", "completed", "failed", "cancelled"]
TaskState = Literal["queued", "active", "completed", "failed", "cancelled"]
FrameState = Literal["queued", "soft-failed", "completed", "failed", "cancelled"]
AttemptState = Literal["running", "completed", "failed", "lost", "cancelled"]
JobAction = Literal["pause", "resume", "cancel", "retry", "rerender"]

JOB_CHANGES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"active", "paused", "failed", "cancelled"}),
    "active": frozenset({"queued", "paused", "completed", "failed", "cancelled"}),
    "paused": frozenset({"queued", "completed", "failed", "cancelled"}),
    "completed": frozenset({"queued"}),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
}

TASK_CHANGES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"active", "failed", "cancelled"}),
    "active": frozenset({"queued", "completed", "failed", "cancelled"}),
    "completed": frozenset({"queued"}),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
}

FRAME_CHANGES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"completed", "soft-failed", "failed", "cancelled"}),
    "soft-failed": frozenset({"completed", "soft-failed", "failed", "cancelled", "queued"}),
    "completed": frozenset({"queued"}),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued", "completed"}),  # the frame in hand when the job was cancelled still counts
}

ENDED_JOBS: frozenset[JobState] = frozenset({"completed", "failed", "cancelled"})
OPEN_FRAMES: frozenset[FrameState] = frozenset({"queued", "soft-failed"})

ACTION_FROM: dict[JobAction, frozenset[JobState]] = {
    "pause": frozenset({"queued", "active"}),
    "resume": frozenset({"paused"}),
    "cancel": frozenset({"queued", "active", "paused"}),
    "retry": frozenset({"completed", "failed", "cancelled"}),
    "rerender": frozenset({"completed", "failed", "cancelled"}),
}


def check_action(action: JobAction, state: JobState, job_id: str) -> None:
    """Raise `ConflictError` where a user may not do this to a job in that state."""
    if state not in ACTION_FROM[action]:
        allowed = ", ".join(sorted(ACTION_FROM[action]))
        raise ConflictError(
            f"cannot {action} a job that is {state}", where=f"job {job_id}", remedy=f"it must be {allowed}"
        )
