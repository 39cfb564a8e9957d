"""What a job's files say when it is taken in: which frames tell most about the shot. It refuses nothing."""

from __future__ import annotations

from dvp_core.data.errand import AnyJob, Errand
from dvp_core.data.errors import DataError
from dvp_core.data.job import Job
from dvp_core.pipeline.first_frames import first_frames
from dvp_core.pipeline.frame_keys import frame_path
from farm.compile import Opening
from farm.roots import Roots


def opening_of(job: AnyJob, roots: Roots) -> Opening:
    """Return how a job is to begin; a plain one where its files are not there yet."""
    if isinstance(job, Errand):
        return Opening()
    try:
        unedited = None if job.unedited is None else roots.resolve(job.unedited)
        first = first_frames(roots.resolve(job.passes), job.frame_range, unedited=unedited)
        return Opening(first, has_frames=_has_frames(job, roots))
    except (DataError, OSError):  # preflight names what is wrong where that matters
        return Opening()


def _has_frames(job: Job, roots: Roots) -> bool:
    template = roots.resolve(job.output)
    if not template.parent.is_dir():
        return False
    names = {entry.name for entry in template.parent.iterdir() if entry.suffix == template.suffix}
    return bool(names) and any(frame_path(template, frame).name in names for frame in job.frame_range)
