"""Follows one face through frames that may show several."""

from __future__ import annotations

import numpy as np


def chosen_face(faces_px: list[np.ndarray], before_px: np.ndarray | None, number: int) -> np.ndarray | None:
    """Return the points (N, 2) of the wanted face, or None where it is not seen.

    At first the faces are numbered by size, largest first; afterwards the face nearest to the last one is taken, so
    that it is kept when another grows.

    Args:
        faces_px: The points (N, 2) of each face seen.
        before_px: The wanted face's points in the last frame that showed it.
        number: Which face, where none was followed yet.
    """
    if not faces_px:
        return None
    if before_px is None:
        by_size = sorted(faces_px, key=lambda face: -float(np.ptp(face, axis=0).max()))
        return by_size[number] if number < len(by_size) else None
    size = float(np.ptp(before_px, axis=0).max())
    distances = [float(np.linalg.norm(face.mean(axis=0) - before_px.mean(axis=0))) for face in faces_px]
    nearest = int(np.argmin(distances))
    return faces_px[nearest] if distances[nearest] < size else None
