"""What importers of bare head meshes share: regions, texture coordinates and a check that the face stands upright.

A model that names no regions is divided by its 68 landmarks, which every model has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError

SKIN_REGION_NAMES = ("face", "head", "neck", "other")
_BELOW_JAW_M = 0.006
_BEHIND_EARS_M = 0.004
_BELOW_CHIN_M = 0.025


def skin_regions(vertices: np.ndarray, landmarks: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return (V,) uint8 numbers into `SKIN_REGION_NAMES`.

    The face is what lies before the ears, above the jaw line and below the hairline; the neck what lies well below
    the chin; the head is the rest. "other" is what no triangle uses, so that nobody looks for a surface there.

    Args:
        vertices: (V, 3) of the skin at rest, head space, metres.
        landmarks: (68, 3) on it.
        triangles: (T, 3) of the mesh.
    """
    jaw = landmarks[:17][np.argsort(landmarks[:17, 0])]
    jaw_height = np.interp(vertices[:, 0], jaw[:, 0], jaw[:, 1])
    brow_height = landmarks[17:27, 1].mean()
    hairline = brow_height + 0.7 * (brow_height - landmarks[33, 1])
    is_face = (
        (vertices[:, 1] > jaw_height - _BELOW_JAW_M)
        & (vertices[:, 1] < hairline)
        & (vertices[:, 2] > landmarks[[0, 16], 2].min() - _BEHIND_EARS_M)
        & (np.abs(vertices[:, 0]) < np.abs(landmarks[:17, 0]).max() + _BEHIND_EARS_M)
    )
    is_neck = vertices[:, 1] < landmarks[8, 1] - _BELOW_CHIN_M
    is_unused = np.bincount(triangles.ravel(), minlength=len(vertices)) == 0
    return np.select([is_unused, is_face, is_neck], [3, 0, 2], default=1).astype(np.uint8)


def cylindrical_uv(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return texture coordinates (U, 2) and each triangle's numbers into them (T, 3), unrolled from the front.

    The seam lies at the back of the head; triangles that cross it use a second copy of its vertices, past u = 1.
    """
    offset = vertices - 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    across = np.arctan2(offset[:, 0], offset[:, 2]) / (2.0 * np.pi) + 0.5
    up = (vertices[:, 1] - vertices[:, 1].min()) / max(float(np.ptp(vertices[:, 1])), 1e-9)
    corners = across[triangles]
    is_on_seam = np.ptp(corners, axis=1, keepdims=True) > 0.5
    numbers = np.where(is_on_seam & (corners < 0.5), triangles + len(vertices), triangles)
    uv = np.concatenate([np.column_stack([across, up]), np.column_stack([across + 1.0, up])])
    return uv.astype(np.float32), numbers.astype(np.int32)


def as_polygons(triangles: np.ndarray) -> np.ndarray:
    """Return triangles (T, 3) as polygons (T, 4) of a face model."""
    return np.column_stack([triangles, np.full(len(triangles), -1)]).astype(np.int32)


def checked_mode_count(wanted: int | None, available: int, where: Path | str) -> int:
    """Return how many identity modes to keep: those wanted, or all.

    Raises:
        DataError: There are not so many, or none is wanted.
    """
    count = available if wanted is None else wanted
    if not 0 < count <= available:
        raise DataError(f"{count} of {available} identity modes are wanted", where=where, remedy="Keep some of them")
    return count


def check_upright(landmarks: np.ndarray, where: Path | str) -> None:
    """Refuse landmarks (68, 3) that do not lie as they must in head space: X to the subject's left, Y up, Z forward.

    Raises:
        DataError: Another order of the points, or other axes or units.
    """
    across = landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)
    down = landmarks[36:48].mean(axis=0) - landmarks[48:68].mean(axis=0)
    forward = landmarks[30] - landmarks[[0, 16]].mean(axis=0)
    is_upright = (
        0.04 < across[0] < 0.1
        and 0.03 < down[1] < 0.13
        and forward[2] > 0.04
        and landmarks[8, 1] < landmarks[57, 1]
        and landmarks[16, 0] > landmarks[0, 0]
    )
    if not is_upright:
        raise DataError(
            f"the 68 landmarks do not make a face: eyes {across[0]:.3f} m apart, {down[1]:.3f} m above the mouth, "
            f"nose {forward[2]:.3f} m before the ears",
            where=where,
            remedy="Give the 68 points in iBUG's order, as vertex numbers of this very mesh counted from 0",
        )
