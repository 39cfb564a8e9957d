"""Says what kind of failure an error is: a full disk pauses a job, anything else is charged to the frame."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator

from dvp_core.data.errors import DataError
from farm.tasks import FailureKind

_FULL = {errno.ENOSPC, errno.EDQUOT}


def failure_of(error: BaseException) -> tuple[FailureKind, str]:
    """Return the kind of a task's error and the text to keep: a sentence where it is one, else the traceback."""
    kind: FailureKind = "disk_full" if any(_is_full(cause) for cause in _causes(error)) else "error"
    if isinstance(error, DataError):
        return kind, str(error)
    return kind, "".join(traceback.format_exception(error)).strip()


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
