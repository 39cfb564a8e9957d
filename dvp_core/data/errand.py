"""Jobs of a farm that render no frames: a take's passes, a clip's take, a generator. Declarative, like `Job`.

Each names one function of the pipeline and the words for it; a farm runs that function in a worker. What can be asked
stands here and nowhere else: a field that is not named is refused, and none holds a command or code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import SCHEMA_VERSION, Job, check_frames, check_head, check_number, check_path, job_from_dict

Preset = Literal["auto", "fast", "best", "dvp2018", "pix2pix"]
Detector = Literal["auto", "mediapipe", "face-alignment"]
NUMBER_LIMITS: Mapping[str, tuple[float, float]] = {
    "max_retries": (0, 100),
    "resolution_px": (16, 2048),
    "focal_px": (1.0, 1e6),
    "smoothing": (0.0, 1.0),
    "minutes": (0.0, 1e5),
    "seed": (0, 2**31),
    "steps": (1, 10**9),
}
_RATE = re.compile(r"[1-9]\d{0,5}(/[1-9]\d{0,5})?")


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What all of them have. Paths are `root:relative`.

    Attributes:
        id: Chosen by the client; submitting the same id and content again is harmless.
        name: Shown to people.
        output: What is written: a file, for passes their folder.
        priority: 0 (last) to 100 (first).
        after: Ids of jobs that must have completed before.
        max_retries: How often it is tried again.
        is_paused_at_start: Whether a farm keeps it back until somebody resumes it.
        notes: For the people who look at it.
        schema_version: Version of this form.
    """

    task: ClassVar[str]
    needed_paths: ClassVar[tuple[str, ...]]
    optional_paths: ClassVar[tuple[str, ...]]
    output_suffix: ClassVar[str] = ""

    id: str
    name: str
    output: str
    priority: int = 50
    after: tuple[str, ...] = ()
    max_retries: int = 1
    is_paused_at_start: bool = False
    notes: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_head(self)
        _check_whole("max_retries", self.max_retries)
        for name in (*self.needed_paths, *self.optional_paths, "output"):
            if getattr(self, name) is not None or name not in self.optional_paths:
                check_path(name, getattr(self, name))
        if not self.output.endswith(self.output_suffix):
            raise DataError(f"is {self.output!r}, which must end in {self.output_suffix}", where="job field 'output'")

    @property
    def frame_range(self) -> FrameRange:
        """None: nothing of it is counted in frames."""
        return FrameRange(())

    @property
    def max_retries_per_frame(self) -> int:
        """How often its one task is tried again."""
        return self.max_retries

    @property
    def chunk_size(self) -> None:
        """Nothing of it is cut."""

    @property
    def max_failed_frames(self) -> int:
        """None may fail, since it has none."""
        return 0


@dataclass(frozen=True, kw_only=True)
class PassesJob(Errand):
    """A take to its passes: `dvp passes`.

    Attributes:
        take: The `*.take`.
        frames: Such as "1-30,40"; all of the take where not given.
        face_model: The take's face model, where the take may not carry its face.
        generator: Whose crop is to be seen through.
    """

    task: ClassVar[str] = "passes"
    needed_paths: ClassVar[tuple[str, ...]] = ("take",)
    optional_paths: ClassVar[tuple[str, ...]] = ("face_model", "generator")

    take: str
    frames: str | None = None
    face_model: str | None = None
    generator: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames is not None:
            check_frames(self.frames)


@dataclass(frozen=True, kw_only=True)
class TrackJob(Errand):
    """A clip to its take: `dvp track`.

    Attributes:
        clip: Movie, folder of pictures or `####` pattern.
        landmarks: Points of the clip; detected where not given.
        face_model: A `*.face.npz`; the built-in face where not given.
        consent: Consent record to name in the take.
        frames: A run of frames.
        focal_px: Focal length in pixels; estimated where not given.
        resolution_px: Side of the square that the network sees.
        smoothing: 0 to 1; the usual where not given.
        fps: Rate of pictures, such as "25" or "30000/1001".
        subject: Pseudonym of the person.
        detector: What finds the points.
    """

    task: ClassVar[str] = "track"
    needed_paths: ClassVar[tuple[str, ...]] = ("clip",)
    optional_paths: ClassVar[tuple[str, ...]] = ("landmarks", "face_model", "consent")
    output_suffix: ClassVar[str] = ".take"

    clip: str
    landmarks: str | None = None
    face_model: str | None = None
    consent: str | None = None
    frames: str | None = None
    focal_px: float | None = None
    resolution_px: int = 256
    smoothing: float | None = None
    fps: str | None = None
    subject: str | None = None
    detector: Detector = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames is not None:
            check_frames(self.frames)
        _check_whole("resolution_px", self.resolution_px)
        _check_real("focal_px", self.focal_px)
        _check_real("smoothing", self.smoothing)
        _check_choice("detector", self.detector, get_args(Detector))
        if self.fps is not None and not (isinstance(self.fps, str) and _RATE.fullmatch(self.fps)):
            raise DataError(f"is {self.fps!r}, expected such as 25 or 30000/1001", where="job field 'fps'")
        if self.subject is not None and not (isinstance(self.subject, str) and 0 < len(self.subject) <= 200):
            raise DataError("must be a text of 1 to 200 characters", where="job field 'subject'")

    @property
    def rate(self) -> Fraction | None:
        """The rate as a number."""
        return None if self.fps is None else Fraction(self.fps)


@dataclass(frozen=True, kw_only=True)
class TrainJob(Errand):
    """A take and its clip to a generator: `dvp train`. Tried again, or on another worker, it goes on where it stood.

    Attributes:
        take: The `*.take` as tracked.
        clip: The movie it was tracked from.
        passes: Folder of the take's passes, used and filled.
        face_model: The take's face model, where the take may not carry its face.
        consent: Consent record to name in the generator.
        start_from: An earlier generator to begin with.
        preset: Network and recipe; "auto" is what suits the worker.
        minutes: Stop after so much training.
        steps: Stop after so many steps.
        hold_out: "none", or "last-third" that training must not see.
        seed: Of weights and order.
    """

    task: ClassVar[str] = "train"
    needed_paths: ClassVar[tuple[str, ...]] = ("take", "clip")
    optional_paths: ClassVar[tuple[str, ...]] = ("passes", "face_model", "consent", "start_from")
    output_suffix: ClassVar[str] = ".safetensors"

    take: str
    clip: str
    passes: str | None = None
    face_model: str | None = None
    consent: str | None = None
    start_from: str | None = None
    preset: Preset = "auto"
    minutes: float | None = None
    steps: int | None = None
    hold_out: Literal["none", "last-third"] = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice("preset", self.preset, get_args(Preset))
        _check_choice("hold_out", self.hold_out, ("none", "last-third"))
        _check_real("minutes", self.minutes)
        _check_whole("seed", self.seed)
        if self.steps is not None:
            _check_whole("steps", self.steps)


AnyJob = Job | Errand
ERRANDS: tuple[type[Errand], ...] = (PassesJob, TrackJob, TrainJob)
_ERRANDS = {kind.task: kind for kind in ERRANDS}


def any_job_from_dict(content: Any, *, where: str | Path = "job") -> AnyJob:
    """Return the job of a JSON object, of whatever kind its field `task` names; rendering without one.

    Raises:
        DataError: A field is unknown, missing or out of its limits, or there is no such task.
    """
    task = content.get("task", "render") if isinstance(content, dict) else "render"
    if not isinstance(task, str) or task not in _ERRANDS:
        return job_from_dict(content, where=where)
    return _errand(_ERRANDS[task], {name: value for name, value in content.items() if name != "task"}, where)


def _errand(kind: type[Errand], content: dict[str, Any], where: str | Path) -> Errand:
    known = {item.name for item in fields(kind)}
    if unknown := sorted(set(content) - known):
        raise DataError(f"has unknown field '{unknown[0]}'", where=where, remedy=f"Known: {', '.join(sorted(known))}")
    if missing := sorted({"id", "name", "output", *kind.needed_paths} - set(content)):
        raise DataError(f"lacks field '{missing[0]}'", where=where)
    if isinstance(content.get("after"), list):
        content = content | {"after": tuple(content["after"])}
    return kind(**content)


def any_job_to_dict(job: AnyJob) -> dict[str, Any]:
    """Return the JSON form of a job of any kind."""
    return asdict(job) if isinstance(job, Job) else asdict(job) | {"task": job.task}


def read_any_job(path: Path | str) -> AnyJob:
    """Read a `job.json` of any kind.

    Raises:
        DataError: No such file, or not a valid job.
    """
    return any_job_from_dict(read_json(path), where=path)


def _check_whole(name: str, value: object) -> None:
    low, high = NUMBER_LIMITS[name]
    check_number(name, value, int(low), int(high))


def _check_real(name: str, value: object) -> None:
    if value is None:
        return
    low, high = NUMBER_LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise DataError(f"is {value!r}, expected {low:g} to {high:g}", where=f"job field '{name}'")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DataError(f"is {value!r}, expected {' or '.join(choices)}", where=f"job field '{name}'")
