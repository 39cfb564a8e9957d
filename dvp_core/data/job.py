"""A render job as it is written down: declarative, never a command or code. File form `job.json`."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange

SCHEMA_VERSION = 1
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_ROOTED = re.compile(r"[A-Za-z0-9_-]{1,32}:[^\x00\\]{1,1024}")
LONGEST_NAME = 200
LONGEST_NOTES = 10_000
LONGEST_FRAMES = 100_000
NUMBER_LIMITS = {
    "priority": (0, 100),
    "chunk_size": (1, 10_000),
    "max_retries_per_frame": (0, 100),
    "max_failed_frames": (0, 1_000_000),
}
PATH_FIELDS = ("passes", "generator", "plate", "unedited", "output", "consent")
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
        chunk_size: Frames a worker takes at once.
        max_retries_per_frame: How often a failed frame is tried again.
        max_failed_frames: How many frames may fail before the job stops.
        is_movie_wanted: Whether a labelled movie is made after the frames.
        is_paused_at_start: Whether a farm keeps the job back until somebody resumes it.
        notes: For the people who look at the job; nothing acts on them.
        inputs_sha256: Expected hashes by path field; a mismatch refuses the job.
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
    chunk_size: int = 16
    max_retries_per_frame: int = 3
    max_failed_frames: int = 0
    is_movie_wanted: bool = True
    is_paused_at_start: bool = False
    notes: str = ""
    inputs_sha256: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _check_texts(self)
        _check_paths(self)
        _check_numbers(self)
        if len(self.frame_range) == 0:
            raise DataError("names no frame", where="job field 'frames'")

    @property
    def frame_range(self) -> FrameRange:
        """The frames as numbers."""
        return FrameRange.parse(self.frames)


def _check_texts(job: Job) -> None:
    if not isinstance(job.id, str) or not re.fullmatch(ID_PATTERN, job.id):
        raise DataError(
            f"is {job.id!r}; letters, digits, '.', '_', '-' are allowed, 64 at most", where="job field 'id'"
        )
    if not isinstance(job.name, str) or not 0 < len(job.name) <= LONGEST_NAME:
        raise DataError(f"must be a text of 1 to {LONGEST_NAME} characters", where="job field 'name'")
    if not isinstance(job.notes, str) or len(job.notes) > LONGEST_NOTES:
        raise DataError(f"must be a text of at most {LONGEST_NOTES} characters", where="job field 'notes'")
    if not isinstance(job.frames, str) or len(job.frames) > LONGEST_FRAMES:
        raise DataError("must be a text such as 1-30,40", where="job field 'frames'")
    if type(job.schema_version) is not int or job.schema_version != SCHEMA_VERSION:
        raise DataError(f"is {job.schema_version}, expected {SCHEMA_VERSION}", where="job field 'schema_version'")

    for name in ("name", "notes", *PATH_FIELDS):
        value = getattr(job, name)
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise DataError("holds half a character (a lone surrogate)", where=f"job field '{name}'")


def _check_paths(job: Job) -> None:
    for name in PATH_FIELDS:
        value = getattr(job, name)
        if value is None and name in _OPTIONAL_PATHS:
            continue
        if not isinstance(value, str) or not _ROOTED.fullmatch(value) or not is_contained(value.split(":", 1)[1]):
            raise DataError(
                f"is {value!r}, which is no path inside a root",
                where=f"job field '{name}'",
                remedy="Write root:folder/file, without '..' and without a leading slash",
            )
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


def _check_numbers(job: Job) -> None:
    for name, (low, high) in NUMBER_LIMITS.items():
        value = getattr(job, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise DataError(f"is {value!r}, expected {low} to {high}", where=f"job field '{name}'")
    for name in ("is_movie_wanted", "is_paused_at_start"):
        if not isinstance(getattr(job, name), bool):
            raise DataError(f"is {getattr(job, name)!r}, expected true or false", where=f"job field '{name}'")


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
