"""Where an edit may change the plate: the pixels that it moves or lights otherwise, and a soft border around them.

The passes of the tracked and of the edited performance are held against each other, so the matte follows from geometry
and needs no threshold on pictures. A frame that the edit leaves alone has no matte at all, and stays the plate's.

Edits begin and end softly, so the matte does too: a surface moved by a fraction of a pixel is blended by as much.
"""

from __future__ import annotations

import cv2
import numpy as np

from dvp_core.compose.matte import MatteOptions, smooth_step
from dvp_core.data.passes import PassFrame

STILL_PX, MOVED_PX = 0.15, 1.0
"""A surface that moves less than the first is the plate's, one that moves farther than the second the generator's."""
UNLIT, RELIT = 0.006, 0.04
"""The same for the colour pass, relative to what it was, beyond what motion explains; half floats round by 0.0005."""
_DARKEST = 0.02
_LEVELS = 6
_OUTLINE_PX = 3
_THIN_PX = 2
"""What is no wider counts for nothing: contours flip at the smallest motion."""
_RIDGE = 1e-8


def edit_matte(edited: PassFrame, unedited: PassFrame, options: MatteOptions) -> np.ndarray:
    """Return the matte (R, R) float32 in 0..1 of an edit; all zero where it changes nothing.

    Where the head itself moves, what moves with it (hair, ears, the neck's shadow) lies beside the face, and the matte
    reaches as far as that of the whole head. Else it reaches a little beyond what moves.

    Args:
        edited: The passes that the frame was generated from.
        unedited: The passes of the same frame as tracked.
        options: How far the matte reaches.
    """
    strength = edit_strength(edited, unedited)
    if not strength.any():
        return np.zeros_like(strength)
    faces = [frame.mask > 0.5 for frame in (edited, unedited)]
    head_px = float(np.sqrt(np.mean([np.count_nonzero(face) for face in faces])))
    near = _widened(strength, options.edit_margin * head_px, options.edit_feather * head_px)
    outline = _outline(*faces) * strength
    motion = _head_motion(outline, faces, edited, unedited)
    if motion == 0:
        return near
    return np.maximum(near, _widened(outline * motion, options.margin * head_px, options.feather * head_px))


def edit_strength(edited: PassFrame, unedited: PassFrame) -> np.ndarray:
    """Return (R, R) float32: 1 where the edit moves the surface or changes its light, 0 where it does nothing."""
    before, after = unedited.mask > 0.5, edited.mask > 0.5
    strength = (before ^ after).astype(np.float32)
    both = before & after
    if not both.any():
        return strength
    moved_px = _motion_px(edited.corr, unedited.corr, before)
    relit = _change(edited.color, unedited.color) - MOVED_PX * _step(unedited.color, before)
    relit /= unedited.color.max(axis=2) + _DARKEST
    changed = np.maximum(_ramp(moved_px, STILL_PX, MOVED_PX), _ramp(relit, UNLIT, RELIT))
    strength[both] = changed[both]
    return cv2.morphologyEx(strength, cv2.MORPH_OPEN, np.ones((_THIN_PX + 1, _THIN_PX + 1), np.uint8))


def _change(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    return np.linalg.norm(after - before, axis=2)


def _motion_px(after: np.ndarray, before: np.ndarray, is_face: np.ndarray) -> np.ndarray:
    """Return (R, R): how far what a pixel shows has come, by a Gauss-Newton step on the correspondence (R, R, 3).

    What no motion along the picture explains, as where an opened mouth shows its inside, counts as far as a typical
    pixel's change.
    """
    change = after - before
    down, across = np.gradient(before, axis=(0, 1))
    stiffness = [np.sum(one * other, axis=2) for one, other in ((across, across), (across, down), (down, down))]
    xx, xy, yy = stiffness[0] + _RIDGE, stiffness[1], stiffness[2] + _RIDGE
    pull_x, pull_y = np.sum(across * change, axis=2), np.sum(down * change, axis=2)
    area = xx * yy - xy * xy
    dx, dy = (yy * pull_x - xy * pull_y) / area, (xx * pull_y - xy * pull_x) / area
    rest = np.linalg.norm(change - across * dx[..., None] - down * dy[..., None], axis=2)
    typical = float(np.median(np.sqrt(stiffness[0] + stiffness[2])[is_face]))
    return np.sqrt(dx * dx + dy * dy) + rest / max(typical, np.sqrt(_RIDGE))


def _step(picture: np.ndarray, is_face: np.ndarray) -> np.ndarray:
    """Return (R, R): by how much a picture (R, R, 3) changes from a pixel of the face to the next around it."""
    down, across = (np.linalg.norm(part, axis=2) for part in np.gradient(picture, axis=(0, 1)))
    return cv2.dilate(np.maximum(down, across) * is_face, np.ones((3, 3), np.uint8))


def _outline(*faces: np.ndarray) -> np.ndarray:
    """Return (R, R) bool: the rim of the faces, without where the picture's edge cuts them."""
    inside = np.logical_and.reduce(faces).astype(np.uint8)
    reach = np.ones((2 * _OUTLINE_PX + 1, 2 * _OUTLINE_PX + 1), np.uint8)
    return np.logical_or.reduce(faces) & ~cv2.erode(inside, reach).astype(bool)


def _head_motion(outline: np.ndarray, faces: list[np.ndarray], edited: PassFrame, unedited: PassFrame) -> float:
    """Return 0..1: how far the upper half of the face's rim moves, which an expression cannot do."""
    height = np.where(faces[0], edited.corr[..., 1], unedited.corr[..., 1])
    is_face = faces[0] | faces[1]
    is_upper_rim = _outline(*faces) & (height > np.median(height[is_face]))
    return float(np.median(outline[is_upper_rim])) if is_upper_rim.any() else 0.0


def _widened(strength: np.ndarray, margin_px: float, feather_px: float) -> np.ndarray:
    """Return a strength (R, R) carried `margin_px` outward in full, and softly over `feather_px` more.

    It is the mean over levels of the soft surroundings of where the strength is at least so high.
    """
    total = np.zeros(strength.shape, np.float32)
    for level in (np.arange(_LEVELS) + 0.5) / _LEVELS:
        is_above = strength >= level
        if is_above.any():
            distance_px = cv2.distanceTransform((~is_above).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            total += smooth_step((distance_px - margin_px) / max(feather_px, 1.0))
    return total / _LEVELS


def _ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return 1.0 - smooth_step((values - low) / (high - low))
