"""What a job's files say when it is taken in: which frames tell most about the shot. It refuses nothing."""

from __future__ import annotations

from dvp_core.data.errors import DataError
from dvp_core.data.job import Job
from dvp_core.pipeline.first_frames import first_frames
from farm.compile import Opening
from farm.roots import Roots


def opening_of(job: Job, roots: Roots) -> Opening:
    """Return how a job is to begin; a plain one where its files are not there yet."""
    try:
        unedited = None if job.unedited is None else roots.resolve(job.unedited)
        return Opening(first_frames(roots.resolve(job.passes), job.frame_range, unedited=unedited))
    except DataError:  # preflight names what is wrong where that matters
        return Opening()
