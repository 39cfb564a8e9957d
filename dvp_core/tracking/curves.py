"""What is kept of every frame until the clip's end: the take's own curves, a few hundred bytes a frame, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.measurement import Measurement
from dvp_core.maths.rotations import normalized, quaternion_wxyz_from_matrix, unwrapped_quaternions
from dvp_core.tracking.bridging import bridged
from dvp_core.tracking.frames import FittedFrame
from dvp_core.tracking.states import Layout

UNSEEN_SIGMA = 1.0  # of anything in a frame without a face: as good as unknown


@dataclass(frozen=True)
class Curves:
    """A performance as arrays over F frames, float32 as in a take; E expressions.

    Attributes:
        rotation_wxyz: (F, 4) unit quaternions, head to camera space.
        translation_m: (F, 3), head to camera space.
        expression: (F, E).
        gaze_rad: (F, 2, 2), left eye first, yaw and pitch.
        illumination_sh: (F, 9, 3).
        landmark_error_px: (F,).
        photometric_error: (F,).
        sigma: (F, 6 + E) deviations of rotation, translation and expression in the order of `Layout`.
        gaze_sigma_rad: (F, 2, 2).
    """

    rotation_wxyz: np.ndarray
    translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray
    illumination_sh: np.ndarray
    landmark_error_px: np.ndarray
    photometric_error: np.ndarray
    sigma: np.ndarray
    gaze_sigma_rad: np.ndarray

    def put(self, index: int, fitted: FittedFrame) -> None:
        """Write down a fitted frame; nothing of it is held."""
        state = fitted.state
        self.rotation_wxyz[index] = quaternion_wxyz_from_matrix(state.rotation)
        self.translation_m[index] = state.translation_m
        self.expression[index] = state.expression
        self.illumination_sh[index] = fitted.illumination_sh
        self.landmark_error_px[index] = fitted.landmark_error_px
        self.photometric_error[index] = fitted.photometric_error
        self.sigma[index] = fitted.sigma

    def measurement(self) -> Measurement:
        """Return the curves as a take's measurement; the arrays are shared."""
        return Measurement(
            head_rotation_wxyz=self.rotation_wxyz,
            head_translation_m=self.translation_m,
            expression=self.expression,
            gaze_rad=self.gaze_rad,
            rotation_sigma_rad=self.sigma[:, Layout.rotation],
            translation_sigma_m=self.sigma[:, Layout.translation],
            expression_sigma=self.sigma[:, Layout.translation.stop :],
            gaze_sigma_rad=self.gaze_sigma_rad,
        )


def empty_curves(frame_count: int, expression_count: int) -> Curves:
    """Return curves of frames of which nothing is known yet."""

    def unknown(*shape: int, value: float = 0.0) -> np.ndarray:
        return np.full((frame_count, *shape), value, np.float32)

    return Curves(
        rotation_wxyz=unknown(4),
        translation_m=unknown(3),
        expression=unknown(expression_count),
        gaze_rad=unknown(2, 2),
        illumination_sh=unknown(9, 3),
        landmark_error_px=unknown(),
        photometric_error=unknown(),
        sigma=unknown(Layout(expression_count).frame_size, value=UNSEEN_SIGMA),
        gaze_sigma_rad=unknown(2, 2, value=UNSEEN_SIGMA),
    )


def without_gaps(curves: Curves, is_fitted: np.ndarray, is_open: np.ndarray, cuts: Sequence[int]) -> Curves:
    """Return the curves with what was not seen bridged from what was, within the shot.

    Args:
        curves: As the frames were put.
        is_fitted: (F,) bool, true somewhere.
        is_open: (F, 2) bool; a closed eye looks where it looks before and after, and one never open looks ahead.
        cuts: Indices of the frames that begin a new shot.
    """

    def over_time(values: np.ndarray) -> np.ndarray:
        return bridged(values, is_fitted, cuts)

    rotation = curves.rotation_wxyz.copy()
    rotation[is_fitted] = unwrapped_quaternions(rotation[is_fitted])
    gaze_sigma = np.where(is_open[..., None], curves.gaze_sigma_rad, np.float32(UNSEEN_SIGMA))
    return replace(
        curves,
        rotation_wxyz=normalized(over_time(rotation)),
        translation_m=over_time(curves.translation_m),
        expression=over_time(curves.expression),
        gaze_rad=_bridged_eyes(curves.gaze_rad, is_open, cuts),
        illumination_sh=over_time(curves.illumination_sh),
        landmark_error_px=over_time(curves.landmark_error_px),
        photometric_error=over_time(curves.photometric_error),
        gaze_sigma_rad=gaze_sigma,
    )


def _bridged_eyes(gaze_rad: np.ndarray, is_open: np.ndarray, cuts: Sequence[int]) -> np.ndarray:
    """Return gaze (F, 2, 2) in which a closed eye looks where it looks before and after; one never open looks ahead."""
    sides = [
        bridged(gaze_rad[:, side], is_open[:, side], cuts)
        if is_open[:, side].any()
        else np.zeros_like(gaze_rad[:, side])
        for side in range(2)
    ]
    return np.stack(sides, axis=1)
