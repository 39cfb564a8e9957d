"""Which of the frames that training may see are learned, and which are only measured.

Whole seconds are watched, not single frames: the neighbour of a learned frame is nearly that frame. Held-out frames are
neither learned nor watched.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.generator.options import TrainOptions

PERIOD = 20
"""One second of so many is watched."""
_FEWEST_BLOCKS = 3


def watched_frames(targets: np.ndarray, fps: float, options: TrainOptions, *, where: str) -> np.ndarray:
    """Return which of the frames that training may see are watched, (N,) bool.

    Args:
        targets: (N,) their ascending indices.
        fps: Frames a second.
        options: What is asked for.
        where: Name of the take, for the error.

    Raises:
        DataError: Blocks were asked for and there are not even three seconds.
    """
    block = np.arange(len(targets)) // max(round(fps), 1)
    block_count = len(targets) // max(round(fps), 1)
    if options.watch == "none" or (options.watch == "auto" and (options.steps is not None or block_count < PERIOD)):
        return np.zeros(len(targets), dtype=bool)
    if block_count < _FEWEST_BLOCKS:
        raise DataError(
            f"{len(targets)} tracked frames are too few to watch some of them",
            where=where,
            remedy="Give a longer clip, or train with --watch none",
        )
    period = min(PERIOD, block_count)
    return (block % period == period // 2) & (block < block_count)
