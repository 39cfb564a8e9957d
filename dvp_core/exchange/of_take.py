"""A take's performance, as other tools want it."""

from __future__ import annotations

import numpy as np

from dvp_core.data.take import Take
from dvp_core.exchange.performance import Performance
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA, relative_to_facing
from dvp_core.maths.rotations import normalized, quaternion_wxyz_from_matrix, unwrapped_quaternions


def performance_of(take: Take) -> Performance:
    """Return what a take performs, its first frame at 0 s; `onto_take` on the same take gives the same curves."""
    turns = quaternion_wxyz_from_matrix(relative_to_facing(normalized(take.head_rotation_wxyz.astype(np.float64))))
    return Performance(
        times_s=np.array([float(index / take.clip.fps) for index in range(take.frame_count)]),
        expression_names=take.expression_names,
        expression=take.expression.astype(np.float64),
        head_rotation_wxyz=unwrapped_quaternions(turns),
        head_translation_m=take.head_translation_m.astype(np.float64) @ OPENGL_CAMERA_FROM_CAMERA.T,
        gaze_rad=take.gaze_rad.astype(np.float64),
        fps=take.clip.fps,
    )
