"""A performance as a mirror shows it: left and right exchanged, the head reflected in the camera's vertical plane.

Only signs and names change, so that mirroring twice gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.edit.neutral import Neutral
from dvp_core.edit.resampling import Motion
from dvp_core.face.expression_names import canonical_name, is_named, mirrored_name

_ROTATION_SIGNS = np.array([1.0, 1.0, -1.0, -1.0])  # a reflection in X leaves turns about X, and turns the others back
_TRANSLATION_SIGNS = np.array([-1.0, 1.0, 1.0])
_GAZE_SIGNS = np.array([-1.0, 1.0])


def mirrored_rotation(rotation_wxyz: np.ndarray) -> np.ndarray:
    """Return quaternions (..., 4) as a mirror shows the turns."""
    return rotation_wxyz * _ROTATION_SIGNS


def mirrored_translation(translation_m: np.ndarray) -> np.ndarray:
    """Return places (..., 3) as a mirror shows them."""
    return translation_m * _TRANSLATION_SIGNS


def mirrored_gaze(gaze_rad: np.ndarray) -> np.ndarray:
    """Return yaw and pitch (..., 2, 2) of both eyes with the eyes exchanged."""
    return gaze_rad[..., ::-1, :] * _GAZE_SIGNS


def mirrored_motion(motion: Motion) -> Motion:
    """Return the motion mirrored; expressions keep their columns, whose names change by `mirrored_names`."""
    return replace(
        motion,
        head_rotation_wxyz=mirrored_rotation(motion.head_rotation_wxyz),
        head_translation_m=mirrored_translation(motion.head_translation_m),
        gaze_rad=mirrored_gaze(motion.gaze_rad),
    )


def mirrored_neutral(neutral: Neutral) -> Neutral:
    """Return the person at rest mirrored, in the manner of `mirrored_motion`."""
    return replace(
        neutral,
        head_rotation_wxyz=mirrored_rotation(neutral.head_rotation_wxyz),
        head_translation_m=mirrored_translation(neutral.head_translation_m),
        gaze_rad=mirrored_gaze(neutral.gaze_rad),
    )


def mirrored_names(expression_names: Sequence[str]) -> tuple[str, ...]:
    """Return what each expression is called in the mirror, in canonical spelling.

    Raises:
        DataError: A numbered mode, which has no left and right.
    """
    for name in expression_names:
        if not is_named(name):
            raise DataError(
                f"the numbered expression '{name}' has no left and right to swap",
                remedy="Swap takes of a face model with named expressions, or the regions head and gaze alone",
            )
    return tuple(mirrored_name(canonical_name(name)) for name in expression_names)
