"""Pairs of consecutive frames: which there are, and the error of the change between them.

A batch of pairs has the earlier frames in its first half and those that follow them, in the same order, in its second.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from dvp_core.generator.losses import absolute_error, importance


def frame_pairs(targets: np.ndarray, clip_starts: np.ndarray) -> np.ndarray:
    """Return pairs (P, 2) of consecutive learned frames of one clip; a frame without neighbours is paired with itself.

    Args:
        targets: Ascending indices of the learned frames.
        clip_starts: For every frame the first of its clip.
    """
    follows = (np.diff(targets) == 1) & (clip_starts[targets[1:]] == clip_starts[targets[:-1]])
    has_neighbour = np.append(follows, False) | np.insert(follows, 0, False)
    alone = targets[~has_neighbour]
    neighbours = np.column_stack([targets[:-1][follows], targets[1:][follows]])
    return np.concatenate([neighbours, np.column_stack([alone, alone])])


def change_error(made: Tensor, wanted: Tensor, current: Tensor) -> Tensor:
    """Weighted mean absolute error of how pictures change from the first to the second frame of each pair.

    Args:
        made: Pictures (batch, 3, H, W) of a batch of pairs.
        wanted: Their plates.
        current: Channels (batch, 9, H, W) of their frames.
    """
    (made_before, made_now), (before, now) = made.chunk(2), wanted.chunk(2)
    return absolute_error(made_now - made_before, now - before, importance(current.chunk(2)[1]))
