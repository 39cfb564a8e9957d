"""How many frames a worker takes at once: as many as fill some seconds, fewer at the end of a job.

Small chunks let a job of higher priority in soon and share the end of a shot evenly; large ones read fewer passes twice
(each chunk opens the window before its first frame) and trouble the ledger less. Pure.
"""

from __future__ import annotations

import math

TARGET_S = 7.0
"""A job of higher priority waits for half of this on average."""
FIRST_CHUNK_FRAMES = 4
"""While no frame has been timed."""
LARGEST_CHUNK_FRAMES = 256


def chunk_frames(seconds_per_frame: float | None, *, frames_left: int, worker_count: int) -> int:
    """Return the size of the next chunk.

    Args:
        seconds_per_frame: Of the job's frames lately; None before the first, which is why the first chunks are small.
        frames_left: Frames that nobody works on yet.
        worker_count: Among how many workers these are shared.
    """
    if seconds_per_frame is None:
        return FIRST_CHUNK_FRAMES
    fills_s = LARGEST_CHUNK_FRAMES if seconds_per_frame <= 0 else math.floor(TARGET_S / seconds_per_frame)
    fair = math.ceil(frames_left / (2 * max(1, worker_count)))
    return max(1, min(fills_s, fair, LARGEST_CHUNK_FRAMES))
