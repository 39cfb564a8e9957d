"""The forms of what goes over the wire: the bodies that calls take, and what answers hold.

Bodies are checked against them. Answers are not, so that a report costs no second pass; the tests hold every answer
against its form instead. A job's own form is `dvp_core.data.job`, and nothing here repeats it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dvp_core.data.job import LONGEST_FRAMES
from farm.states import FrameState, JobState

_SECONDS = "seconds since 1970"


def _whole(value: object) -> object:
    """Return 39 for 39.0: JSON knows one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Body(BaseModel):
    """A body: no field that is unknown, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    """An answer: all its fields, and no other."""

    model_config = ConfigDict(extra="forbid")


class ActionBody(_Body):
    """What may accompany an action."""

    frames: str | None = Field(
        default=None, max_length=LONGEST_FRAMES, description="For retry and rerender: only these, such as 1-20,33."
    )


class PriorityBody(_Body):
    """How urgent a job is."""

    priority: Annotated[int, BeforeValidator(_whole)] = Field(ge=0, le=100, description="0 (last) to 100 (first).")


class GcBody(_Body):
    """Which ended jobs are forgotten."""

    older_than_days: float = Field(ge=0, le=100_000, allow_inf_nan=False, description="Only jobs that ended before.")
    with_files: bool = Field(default=False, description="Remove the files that the jobs have made, too.")
    is_dry_run: bool = Field(default=True, description="Say what would be done, and do nothing.")


class Refusal(_Answer):
    """Why a call was refused: what is wrong, where, and what to do about it."""

    error: str


class Health(_Answer):
    """The head is there."""

    status: str


class Version(_Answer):
    """What answers."""

    version: str = Field(description="Of the program.")
    api: int = Field(description="Of this API.")


class FailedFrame(_Answer):
    """A frame that was tried too often."""

    frame: int
    message: str


class JobNeed(_Answer):
    """A job that has to complete before another begins."""

    id: str
    state: str


class JobProgress(_Answer):
    """How far a job is that is not counted in frames."""

    stage: str
    done: int
    total: int


class JobPlan(_Answer):
    """How many frames are rendered, and how many stand already."""

    to_render: int
    kept: int


class JobReport(_Answer):
    """How far a job is."""

    id: str
    name: str
    notes: str
    state: JobState
    message: str = Field(description="Why it is in that state, where there is more to say.")
    is_held: bool = Field(description="Whether it is paused until a cause has passed, and goes on by itself.")
    task: str = Field(description="Its kind.")
    waits_for: list[JobNeed] = Field(description="What it needs and has not completed.")
    progress: JobProgress | None = Field(description="Of a job without frames.")
    priority: int
    owner: str = Field(description="The user who submitted it.")
    frame_count: int
    frames: dict[FrameState, int] = Field(description="How many frames are in which state.")
    failed_frames: list[FailedFrame] = Field(description="The first hundred.")
    planned: JobPlan | None = Field(description="Null before it is known.")
    seconds_per_frame: float | None = Field(description="The median, null before the first.")
    seconds_left: float | None = Field(description="Null while nobody works on it.")
    workers: int = Field(description="How many are at it now.")
    left_out: list[str] = Field(description="Workers that failed frames which others can render.")
    submitted_s: float = Field(description=_SECONDS)
    started_s: float | None = Field(description=_SECONDS)
    ended_s: float | None = Field(description=_SECONDS)
    output: str
    files: dict[str, str] = Field(description="SHA-256 by name of what was made beside the frames.")


class JobReports(_Answer):
    """Jobs, newest first."""

    jobs: list[JobReport]


class FrameRow(_Answer):
    """A frame as the ledger knows it."""

    frame: int
    state: FrameState
    failures: int
    key: str | None = Field(description="Hash of all that its pixels depend on.")
    sha256: str | None = Field(description="Of its file.")
    worker: str | None
    seconds: float | None
    message: str


class FrameRows(_Answer):
    """A job's frames, ascending."""

    frames: list[FrameRow]


class LogLine(_Answer):
    """A line for whoever asks why."""

    id: int
    attempt: int | None
    frame: int | None
    at_s: float = Field(description=_SECONDS)
    text: str


class LogLines(_Answer):
    """A job's log, oldest first."""

    lines: list[LogLine]


class ForgottenJobRow(_Answer):
    """A job that is forgotten, or would be."""

    id: str
    owner: str
    state: JobState
    ended_s: float = Field(description=_SECONDS)
    frame_count: int
    file_count: int = Field(description="Files that are removed.")
    byte_count: int = Field(description="Their size.")
    kept_file_count: int = Field(description="Files that the job has made and that stay.")


class GcAnswer(_Answer):
    """What was forgotten, or would be."""

    is_dry_run: bool
    with_files: bool
    jobs: list[ForgottenJobRow]
