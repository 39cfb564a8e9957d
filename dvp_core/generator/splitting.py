"""Which frames are learned, which are only measured, and whether there are enough.

Whole seconds are watched, not single frames: the neighbour of a learned frame is nearly that frame. Held-out frames are
neither learned nor watched. Frames of several takes stand in one row, take after take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.generator.options import HoldOut, TrainOptions

PERIOD = 20
"""One second of so many is watched."""
_FEWEST_BLOCKS = 3


@dataclass(frozen=True)
class Split:
    """Which frames of each take serve for what, as ascending indices within the take.

    Attributes:
        learned: Frames to learn from.
        watched: Frames that are only measured.
    """

    learned: tuple[np.ndarray, ...]
    watched: tuple[np.ndarray, ...]

    @property
    def frame_counts(self) -> list[int]:
        """How many frames of each take are needed, from its first on."""
        both = zip(self.learned, self.watched, strict=True)
        return [int(max(indices.max(initial=-1) for indices in pair)) + 1 for pair in both]

    def in_one_row(self, indices: Sequence[np.ndarray]) -> np.ndarray:
        """Return indices within the takes as indices into all takes' needed frames, one take after the other."""
        starts = np.cumsum([0, *self.frame_counts[:-1]])
        return np.concatenate([start + own for start, own in zip(starts, indices, strict=True)])


def split_of(takes: Sequence[Take], options: TrainOptions) -> Split:
    """Decide what every frame serves for.

    Raises:
        DataError: Fewer frames are left than `options.least_frames`, or too few to watch any.
    """
    usable = [usable_indices(take, options.hold_out) for take in takes]
    _check_enough(takes, usable, options)
    where = _named(takes)
    watched = watched_frames([len(own) for own in usable], float(takes[0].clip.fps), options, where=where)
    pairs = list(zip(usable, watched, strict=True))
    return Split(tuple(own[~is_watched] for own, is_watched in pairs), tuple(own[it] for own, it in pairs))


def usable_indices(take: Take, hold_out: HoldOut) -> np.ndarray:
    """Return ascending indices of the tracked frames that are not held out."""
    stop = take.clip.hold_out_start if hold_out == "last-third" else take.frame_count
    return np.flatnonzero(take.is_tracked[:stop])


def _check_enough(takes: Sequence[Take], usable: Sequence[np.ndarray], options: TrainOptions) -> None:
    left, all_count = sum(map(len, usable)), sum(take.frame_count for take in takes)
    if left >= options.least_frames:
        return
    untracked = sum(int((~take.is_tracked).sum()) for take in takes)
    raise DataError(
        f"only {left} of {all_count} frames can be learned from, and {options.least_frames} are the least "
        f"({untracked} were not tracked, hold-out is '{options.hold_out}')",
        where=_named(takes),
        remedy="Give a longer clip or further takes; about one minute is good, some hundred frames look passable",
    )


def _named(takes: Sequence[Take]) -> str:
    return "take " + ", ".join(f"'{take.subject}'" for take in takes)


def watched_frames(
    frame_counts: Sequence[int], fps: float, options: TrainOptions, *, where: str = "training"
) -> list[np.ndarray]:
    """Return for every take which of its usable frames are watched, (N,) bool.

    Args:
        frame_counts: How many usable frames each take has.
        fps: Frames a second.
        options: What is asked for.
        where: Names the takes, for the error.

    Raises:
        DataError: Blocks were asked for and there are not even three seconds.
    """
    second = max(round(fps), 1)
    block_counts = [count // second for count in frame_counts]
    total = sum(block_counts)
    if options.watch == "none" or (options.watch == "auto" and (options.steps is not None or total < PERIOD)):
        return [np.zeros(count, dtype=bool) for count in frame_counts]
    if total < _FEWEST_BLOCKS:
        raise DataError(
            f"{sum(frame_counts)} usable frames are too few to watch some of them",
            where=where,
            remedy="Give a longer clip, or train with --watch none",
        )
    period, starts = min(PERIOD, total), np.cumsum([0, *block_counts[:-1]])
    blocks = [np.arange(count) // second for count in frame_counts]
    return [
        ((start + block) % period == period // 2) & (block < block_count)
        for start, block, block_count in zip(starts, blocks, block_counts, strict=True)
    ]
