"""The correspondence coordinate: a vertex's place in the mean face's bounding box, 0..1 along each axis.

It names surface points independently of pose, identity and expression (the normalised mean-shape coordinates of Kim et
al. 2018), so it is made once from the mean face and kept.
"""

from __future__ import annotations

import numpy as np


def correspondence_of(vertices: np.ndarray) -> np.ndarray:
    """Places (V, 3) float32 in 0..1 of mean-face vertices (V, 3) in their own bounding box."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return ((vertices - low) / (high - low)).astype(np.float32)
