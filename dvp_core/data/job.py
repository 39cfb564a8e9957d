"""A render job as it is written down: declarative, never a command or code. File form `job.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange

SCHEMA_VERSION = 1
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_ROOTED = re.compile(r"[A-Za-z0-9_-]{1,32}:[^\x00\\]{1,1024}")
LONGEST_NAME = 200
LONGEST_NOTES = 10_000
LONGEST_FRAMES = 100_000
MOST_NEEDED_JOBS = 100
NUMBER_LIMITS: Mapping[str, tuple[int, int]] = {
    "priority": (0, 100),
    "chunk_size": (1, 10_000),
    "max_retries_per_frame": (0, 100),
    "max_failed_frames": (0, 1_000_000),
}
PATH_FIELDS = ("passes", "generator", "plate", "unedited", "output", "consent")
RenderTask = Literal["render", "plan"]
_OPTIONAL_PATHS = ("plate", "unedited", "consent")


@dataclass(frozen=True)
class Job:
    """What a farm is asked to do. Paths are `root:relative/with/slashes`; each machine maps roots to folders it knows.

    Attributes:
        id: Chosen by the client; submitting the same id and content again is harmless.
        name: Shown to people.
        frames: Frames as text, such as "1-30,40,50-60x2".
        passes: Folder of pass files.
        generator: The `*.safetensors` to run.
        output: Template of the frames with one run of `#`, such as "out:shot/frame.####.png".
        plate: The clip, for compositing and sound; None renders the bare crop.
        unedited: The performance as tracked, a `*.take` that carries its face or a folder of passes: the movie then
            keeps the plate wherever the edit changes nothing.
        consent: Consent record, recorded in everything that comes out.
        priority: 0 (last) to 100 (first).
        chunk_size: Frames a worker takes at once; None lets the farm choose by the time that a frame takes.
        max_retries_per_frame: How often a failed frame is tried again.
        max_failed_frames: How many frames may fail before the job stops.
        is_movie_wanted: Whether a labelled movie is made after the frames.
        is_paused_at_start: Whether a farm keeps the job back until somebody resumes it.
        notes: For the people who look at the job; nothing acts on them.
        inputs_sha256: Expected hashes by path field; a mismatch refuses the job.
        after: Ids of jobs that must have completed before.
        task: "render", or "plan" to say which frames that would render, and render none.
        schema_version: Version of this form.
    """

    id: str
    name: str
    frames: str
    passes: str
    generator: str
    output: str
    plate: str | None = None
    unedited: str | None = None
    consent: str | None = None
    priority: int = 50
    chunk_size: int | None = None
    max_retries_per_frame: int = 3
    max_failed_frames: int = 0
    is_movie_wanted: bool = True
    is_paused_at_start: bool = False
    notes: str = ""
    inputs_sha256: dict[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    task: RenderTask = "render"
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_head(self)
        _check_paths(self)
        _check_rest(self)
        if len(self.frame_range) == 0:
            raise DataError("names no frame", where="job field 'frames'")

    @cached_property
    def frame_range(self) -> FrameRange:
        """The frames as numbers."""
        return FrameRange.parse(self.frames)


def check_head(job: Any) -> None:
    """Refuse a job whose fields common to all kinds are out of their limits.

    Args:
        job: With `id`, `name`, `notes`, `priority`, `is_paused_at_start`, `after` and `schema_version`.

    Raises:
        DataError: The first such field.
    """
    if not _is_id(job.id):
        raise DataError(
            f"is {job.id!r}; letters, digits, '.', '_', '-' are allowed, 64 at most", where="job field 'id'"
        )
    if not isinstance(job.name, str) or not 0 < len(job.name) <= LONGEST_NAME:
        raise DataError(f"must be a text of 1 to {LONGEST_NAME} characters", where="job field 'name'")
    if not isinstance(job.notes, str) or len(job.notes) > LONGEST_NOTES:
        raise DataError(f"must be a text of at most {LONGEST_NOTES} characters", where="job field 'notes'")
    check_number("priority", job.priority, *NUMBER_LIMITS["priority"])
    check_flag("is_paused_at_start", job.is_paused_at_start)
    if not isinstance(job.after, tuple) or len(job.after) > MOST_NEEDED_JOBS or not all(map(_is_id, job.after)):
        raise DataError(f"must be a list of at most {MOST_NEEDED_JOBS} ids of jobs", where="job field 'after'")
    if type(job.schema_version) is not int or job.schema_version != SCHEMA_VERSION:
        raise DataError(f"is {job.schema_version}, expected {SCHEMA_VERSION}", where="job field 'schema_version'")
    for name in ("name", "notes"):
        _check_whole_characters(name, getattr(job, name))


def _check_whole_characters(name: str, value: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise DataError("holds half a character (a lone surrogate)", where=f"job field '{name}'")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(ID_PATTERN, value) is not None


def check_number(name: str, value: object, low: int, high: int) -> None:
    """Refuse anything but a whole number within limits.

    Raises:
        DataError: The field and its limits.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DataError(f"is {value!r}, expected {low} to {high}", where=f"job field '{name}'")


def check_flag(name: str, value: object) -> None:
    """Refuse anything but true and false.

    Raises:
        DataError: The field and its value.
    """
    if not isinstance(value, bool):
        raise DataError(f"is {value!r}, expected true or false", where=f"job field '{name}'")


def check_frames(frames: object) -> None:
    """Refuse what is no frames' text, such as "1-30,40".

    Raises:
        DataError: It is none, too long, or names no frames.
    """
    if not isinstance(frames, str) or len(frames) > LONGEST_FRAMES:
        raise DataError("must be a text such as 1-30,40", where="job field 'frames'")
    FrameRange.parse(frames)


def check_path(name: str, value: object) -> None:
    """Refuse what is no `root:relative` or leaves its root.

    Raises:
        DataError: The field and its value.
    """
    if not isinstance(value, str) or not _ROOTED.fullmatch(value) or not is_contained(value.split(":", 1)[1]):
        raise DataError(
            f"is {value!r}, which is no path inside a root",
            where=f"job field '{name}'",
            remedy="Write root:folder/file, without '..' and without a leading slash",
        )
    _check_whole_characters(name, value)


def _check_paths(job: Job) -> None:
    for name in PATH_FIELDS:
        if getattr(job, name) is not None or name not in _OPTIONAL_PATHS:
            check_path(name, getattr(job, name))
    if len(re.findall(r"#+", job.output)) != 1 or not job.output.endswith(".png"):
        raise DataError(
            f"is {job.output!r}; it needs one run of # for the frame number and must end in .png",
            where="job field 'output'",
            remedy="Write for example frames/frame.####.png",
        )
    for name, digest in job.inputs_sha256.items():
        if name not in PATH_FIELDS or not re.fullmatch(r"[0-9a-f]{64}", str(digest)):
            raise DataError(f"'{name}' is no input with a SHA-256", where="job field 'inputs_sha256'")


def is_contained(relative: str) -> bool:
    """Say whether a relative path stays where it is: no '..', no leading slash, no drive letter."""
    parts = relative.split("/")
    return ".." not in parts and parts[0] != "" and not re.match(r"[A-Za-z]:", relative)


def _check_rest(job: Job) -> None:
    check_frames(job.frames)
    if job.task not in get_args(RenderTask):
        raise DataError(f"is {job.task!r}, expected {' or '.join(get_args(RenderTask))}", where="job field 'task'")
    if job.chunk_size is not None:
        check_number("chunk_size", job.chunk_size, *NUMBER_LIMITS["chunk_size"])
    check_number("max_retries_per_frame", job.max_retries_per_frame, *NUMBER_LIMITS["max_retries_per_frame"])
    check_number("max_failed_frames", job.max_failed_frames, *NUMBER_LIMITS["max_failed_frames"])
    check_flag("is_movie_wanted", job.is_movie_wanted)


def job_to_dict(job: Job) -> dict[str, Any]:
    """Return the job's JSON form."""
    return asdict(job)


def job_from_dict(content: Any, *, where: str | Path = "job") -> Job:
    """Return the job of a JSON object; unknown and missing fields are named.

    Raises:
        DataError: A field is unknown, missing or out of its limits.
    """
    if not isinstance(content, dict):
        raise DataError("is no JSON object", where=where)
    known = {item.name for item in fields(Job)}
    if unknown := sorted(set(content) - known):
        raise DataError(f"has unknown field '{unknown[0]}'", where=where, remedy=f"Known: {', '.join(sorted(known))}")
    required = {"id", "name", "frames", "passes", "generator", "output"}
    if missing := sorted(required - set(content)):
        raise DataError(f"lacks field '{missing[0]}'", where=where)
    if not isinstance(content.get("inputs_sha256", {}), dict):
        raise DataError("field 'inputs_sha256' is no object", where=where)
    if isinstance(content.get("after"), list):
        content = content | {"after": tuple(content["after"])}
    return Job(**content)


def write_job(path: Path | str, job: Job) -> None:
    """Write a `job.json`."""
    write_bytes_atomically(path, canonical_json(job_to_dict(job)))


def read_job(path: Path | str) -> Job:
    """Read a `job.json`.

    Raises:
        DataError: No such file, or not a valid job.
    """
    return job_from_dict(read_json(path), where=path)
