"""Puts a take's face where the camera saw it: expression, gaze and head pose of one frame."""

from __future__ import annotations

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take
from dvp_core.face.evaluation import evaluate, rotate_eyes
from dvp_core.maths.rigid import camera_from_head


def pose_vertices(take: Take, index: int, *, face: FaceModel | None = None) -> np.ndarray:
    """Vertices (V, 3) of one frame in camera space, metres.

    Args:
        take: The performance.
        index: Frame index from 0 (not the plate's frame number).
        face: The person's face (identity applied), for takes that do not carry it.
    """
    model = face if face is not None else take.face
    if model is None:
        raise DataError(
            f"the take carries no face (model '{take.face_model_id}')",
            where=take.subject,
            remedy="name the model with --face-model",
        )
    vertices = evaluate(model, expression=take.expression[index])
    turned = rotate_eyes(model, vertices, take.gaze_rad[index])
    return camera_from_head(take.head_rotation_wxyz[index], take.head_translation_m[index], turned)
