"""Says what kind of failure an error is, in the process where it was raised: only there are its causes at hand.

A frame pays for its own errors. A full disk, a vanished share and a damaged input are nobody's fault: the job waits
for their end.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.job import Job
from dvp_core.pipeline.render_frames import frame_path
from farm.errors import LeaseEndedError, ShareGoneError
from farm.tasks import Failure, WorkOrder

_FULL = {errno.ENOSPC, errno.EDQUOT}


def failure_of(order: WorkOrder, error: BaseException) -> Failure:
    """Return why an order has failed."""
    message = text_of(error)
    if any(isinstance(cause, LeaseEndedError) for cause in _causes(error)):
        return Failure("withdrawn", message)
    if gone := _gone_share(order):
        return Failure("share_gone", gone)
    if any(_is_full(cause) for cause in _causes(error)):
        return Failure("disk_full", message)
    if path := _unusable_input(order, error):
        return Failure("bad_input", message, path=path)
    if lost := lost_frames(order):
        return Failure("frames_lost", f"{len(lost)} finished frames were gone or had changed", frames=lost)
    return Failure("error", message)


def text_of(error: BaseException) -> str:
    """Return the text to keep of an error: a sentence where it is one, else the traceback."""
    return str(error) if isinstance(error, DataError) else "".join(traceback.format_exception(error)).strip()


def lost_frames(order: WorkOrder) -> tuple[int, ...]:
    """Return those of the frames that an order builds upon whose file is not the one that was recorded."""
    if not order.finished:
        return ()
    output = order.roots.resolve(order.job.output)
    return tuple(item.frame for item in order.finished if not stands(frame_path(output, item.frame), item.sha256))


def stands(path: Path, sha256: str) -> bool:
    """Say whether a file is there with that content."""
    try:
        return sha256_of_file(path) == sha256
    except OSError:
        return False


def _gone_share(order: WorkOrder) -> str:
    try:
        order.roots.check_shares()
    except ShareGoneError as error:
        return str(error)
    return ""


def _unusable_input(order: WorkOrder, error: BaseException) -> str:
    """Return the pass file, or their folder, that an error names as its place; empty where it names none."""
    if not isinstance(error, DataError) or error.where is None or not isinstance(order.job, Job):
        return ""
    where, passes = Path(error.where), order.roots.resolve(order.job.passes)
    is_pass_file = where.parent == passes and where.suffix == ".exr"
    return str(where) if is_pass_file or where == passes else ""


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
