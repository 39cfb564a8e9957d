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

STILL_PX, MOVED_PX = 0.05, 0.6
"""A surface that moves less than the first is the plate's, one that moves farther than the second the generator's."""
UNLIT, RELIT = 0.006, 0.04
"""The same for the colour pass, relative to what it was; half floats round by 0.0005."""
_DARKEST = 0.02
_LEVELS = 6
_OUTLINE_PX = 3
_FEWEST_PIXELS = 16


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
    """Return (R, R) float32: 1 where the edit moves the surface or changes its light, 0 where it does nothing.

    Single pixels along contours flip at the smallest motion; a median keeps them from counting.
    """
    before, after = unedited.mask > 0.5, edited.mask > 0.5
    strength = (before ^ after).astype(np.float32)
    both = before & after
    if both.any():
        moved_px = np.linalg.norm(edited.corr - unedited.corr, axis=2) / _places_per_px(unedited.corr, before)
        light = np.abs(edited.color - unedited.color).max(axis=2) / (unedited.color.max(axis=2) + _DARKEST)
        changed = np.maximum(_ramp(moved_px, STILL_PX, MOVED_PX), _ramp(light, UNLIT, RELIT))
        strength[both] = changed[both]
    return cv2.medianBlur(strength, 3)


def _places_per_px(places: np.ndarray, is_face: np.ndarray) -> float:
    """Return by how much the correspondence (R, R, 3) changes from one pixel of the face to the next, typically."""
    steps = np.linalg.norm(np.diff(places, axis=1), axis=2)[is_face[:, 1:] & is_face[:, :-1]]
    if len(steps) < _FEWEST_PIXELS:
        return 1.0 / len(places)
    return max(float(np.median(steps)), 1e-6)


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
