"""The nouns of the farm: a task, the order a worker gets for it, and what comes back.

They hold no behaviour and import neither a database nor Ray, so that the compiler, the ledger, the scheduler and both
backends can share them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from dvp_core.data.errand import AnyJob
from dvp_core.data.errors import DataError
from dvp_core.data.job import Job
from dvp_core.data.preview import PreviewRequest
from dvp_core.pipeline.render_frames import FrameRecord
from farm.lease import lease_for_ever
from farm.roots import Roots

TaskKind = Literal["plan", "render", "manifest", "contact_sheet", "movie", "passes", "track", "train"]
FailureKind = Literal["error", "died", "deadline", "withdrawn", "disk_full", "share_gone", "bad_input", "frames_lost"]
"""For a full disk, a share that is gone and an input that cannot be used, the job waits and nobody is charged."""


@dataclass(frozen=True)
class Task:
    """One piece of work of a job: a chunk of frames, or a file made from all of them.

    `frames` are the plate's numbers in the order they shall run; `reads` are the frames of passes that the task opens
    (its frames and the windows before them). `after` names the tasks that must have succeeded.
    """

    name: str
    kind: TaskKind
    frames: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class FinishedFrame:
    """What the ledger knows of a finished frame, as the manifest names it."""

    frame: int
    key: str
    sha256: str
    worker: str
    seconds: float


@dataclass(frozen=True)
class WorkOrder:
    """All that a worker needs for one attempt at one task; small, and free of pixels.

    `frames` are those of the task that are still to be done, `anew` those of them that are rendered though their file
    stands; `finished` is filled for tasks that describe the frames.
    """

    attempt: int
    job_id: str
    job: AnyJob
    task: Task
    frames: tuple[int, ...]
    roots: Roots
    finished: tuple[FinishedFrame, ...] = ()
    anew: frozenset[int] = frozenset()
    check_lease: Callable[[], None] = lease_for_ever

    @property
    def shot(self) -> Job:
        """The job as one that renders frames.

        Raises:
            DataError: It is of another kind.
        """
        if not isinstance(self.job, Job):
            raise DataError(f"renders no frames, it is of kind {self.job.task}", where=f"job {self.job_id}")
        return self.job

    def check_may_publish(self) -> None:
        """Refuse to write a file whose time or place is gone; called before each is published, and before it is told.

        Raises:
            LeaseEndedError: The head has not been heard of for so long that it may have given the order to another.
            ShareGoneError: The output's root is not the share that it was.
        """
        self.check_lease()
        self.roots.check_share(self.job.output)


@dataclass(frozen=True)
class Failure:
    """Why an attempt has failed, as the process found that ran it.

    Attributes:
        kind: Decides who pays for it.
        message: For people.
        path: The input that cannot be used, where that was the cause.
        frames: The finished frames that are gone or changed, where that was the cause.
    """

    kind: FailureKind
    message: str = ""
    path: str = ""
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class FileRecord:
    """A file that a task has published, relative to the job's output folder."""

    name: str
    sha256: str


@dataclass(frozen=True)
class ProgressRecord:
    """How far a task is that is not counted in frames."""

    stage: str
    done: int
    total: int


Record = FrameRecord | FileRecord | ProgressRecord
TaskFunction = Callable[[WorkOrder], Iterator[Record]]


@dataclass(frozen=True)
class PreviewOrder:
    """A preview to paint, outside every job.

    Attributes:
        user: Who asks.
        number: Ascending over all orders of a head: of one user's for one generator only the newest counts.
        request: Its passes stay packed until a worker has its turn.
        roots: The folders that the request's paths name.
    """

    user: str
    number: int
    request: PreviewRequest
    roots: Roots

    @property
    def key(self) -> tuple[str, str]:
        """Whose previews of what replace one another."""
        return self.user, self.request.generator


@dataclass(frozen=True)
class PreviewResult:
    """A painted preview.

    Attributes:
        png: The labelled picture.
        unpack_s: Seconds for reading the passes, and for loading the generator where it was not in memory.
        paint_s: Seconds of the network.
        label_s: Seconds of signing.
        wait_s: Seconds until the worker had a turn.
        worker: Who painted it.
    """

    png: bytes
    unpack_s: float
    paint_s: float
    label_s: float
    wait_s: float = 0.0
    worker: str = ""


PreviewFunction = Callable[[PreviewOrder], PreviewResult]


@dataclass(frozen=True)
class WorkerReady:
    """A worker has started and takes orders."""

    worker: str
    process_id: int


@dataclass(frozen=True)
class Recorded:
    """An attempt has finished a frame or a file and goes on."""

    worker: str
    attempt: int
    record: Record


@dataclass(frozen=True)
class AttemptEnded:
    """An attempt has come to its end: `failure` is None where it did all it was asked for."""

    worker: str
    attempt: int
    failure: Failure | None = None


@dataclass(frozen=True)
class WorkerDied:
    """A worker is gone, and with it the attempt it was busy with (None where it was idle)."""

    worker: str
    attempt: int | None
    message: str


Event = WorkerReady | Recorded | AttemptEnded | WorkerDied
