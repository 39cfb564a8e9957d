"""Fills in what was not seen from what was seen before and after it, within the same shot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bridged(values: np.ndarray, is_seen: np.ndarray, cuts: Sequence[int] = ()) -> np.ndarray:
    """Return curves (F, ...) whose unseen frames lie on lines between seen ones; at the ends the nearest repeats.

    A shot in which nothing was seen has only other shots to go by, and takes from them.

    Args:
        values: (F, ...) curves; what stands in unseen frames is not looked at.
        is_seen: (F,) bool, true somewhere.
        cuts: Indices of the frames that begin a new shot.
    """
    time = np.arange(len(values))
    filled = values.copy()
    flat = filled.reshape(len(values), -1)
    for start, stop in zip([0, *cuts], [*cuts, len(values)], strict=True):
        seen = time[is_seen & (time >= start) & (time < stop)]
        seen = seen if seen.size else time[is_seen]
        gaps = time[start:stop][~is_seen[start:stop]]
        for column in flat.T:
            column[gaps] = np.interp(gaps, seen, column[seen])
    return filled
