"""Where a performance asks facial points to be in its crop, and where pictures made of it show them.

The points are the 68 of the face's own mesh and the middles of both irises, so that nothing has to be detected and no
tracker runs. What a picture shows is found by optical flow from the plate's crop of the same frame.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take
from dvp_core.evaluate.point_flow import moved_points
from dvp_core.face.evaluation import landmarks_68
from dvp_core.maths.projection import project
from dvp_core.maths.rigid import camera_from_head
from dvp_core.maths.rotations import gaze_rotation

IRISES = (68, 69)
"""Numbers of the left and the right iris among the points."""
POINT_COUNT = 70
INNER = tuple(range(17, POINT_COUNT))
"""All but the outline, which a turning head slides along and flow follows badly."""
MOUTH = tuple(range(48, 68))
RIGID = (*range(17, 36), 36, 39, 42, 45)
"""Brows, nose and corners of the eyes: what tells the head's own motion best."""


def asked_points(take: Take, indices: np.ndarray) -> np.ndarray:
    """Return where a take's points lie in its crop, (T, 70, 2) pixels.

    Args:
        take: The performance, with its face.
        indices: (T,) its frames' indices.

    Raises:
        DataError: The take carries no face.
    """
    if take.face is None:
        raise DataError("carries no face", where=f"take '{take.subject}'", remedy="Load it with its face model")
    face, camera = take.face, take.crop.crop_camera(take.camera)
    # Landmarks and eye centres are lines in the coefficients: no vertex but theirs is moved.
    landmarks, centers = landmarks_68(face, face.vertices), np.asarray(face.eye_centers, np.float64)
    landmark_offsets = np.array([landmarks_68(face, basis.astype(np.float64)) for basis in face.expression_basis])
    center_offsets = np.array(
        [[basis[start:stop].mean(axis=0) for start, stop in face.eye_ranges] for basis in face.expression_basis]
    )
    found = []
    for index in indices.tolist():
        weights = take.expression[index].astype(np.float64)
        irises = centers + np.tensordot(weights, center_offsets, axes=1) + _iris_offsets(face, take.gaze_rad[index])
        points = np.concatenate([landmarks + np.tensordot(weights, landmark_offsets, axes=1), irises])
        posed = camera_from_head(take.head_rotation_wxyz[index], take.head_translation_m[index], points)
        found.append(project(posed, camera))
    return np.array(found)


def _iris_offsets(face: FaceModel, gaze_rad: np.ndarray) -> np.ndarray:
    """Return where irises (2, 3) lie from their eyeballs' centres."""
    ahead = [gaze_rotation(float(yaw), float(pitch)) @ np.array([0.0, 0.0, 1.0]) for yaw, pitch in gaze_rad]
    return np.asarray(face.eye_radii, np.float64)[:, None] * np.array(ahead)


def shown_points(plate: np.ndarray, made: np.ndarray, tracked_px: np.ndarray) -> np.ndarray:
    """Return where a picture shows points (P, 2), followed from the plate within a box around the face.

    Args:
        plate: (R, R, 3) uint8, the plate's crop.
        made: (R, R, 3) uint8, the picture made of the same frame.
        tracked_px: (P, 2) where the points lie in the plate's crop.
    """
    rows, columns = face_box(tracked_px, plate.shape[0])
    origin = np.array([columns.start, rows.start])
    before, after = (np.ascontiguousarray(picture[rows, columns]) for picture in (plate, made))
    return origin + moved_points(before, after, tracked_px - origin, is_enlarged=False)


def face_box(points_px: np.ndarray, size_px: int) -> tuple[slice, slice]:
    """Return rows and columns of a box around points (P, 2), a tenth of the crop's size wider, 16 pixels at least."""
    margin = size_px / 10
    low = np.floor(np.clip(points_px.min(axis=0) - margin, 0, size_px - 16)).astype(int)
    high = np.ceil(np.clip(points_px.max(axis=0) + margin, low + 16, size_px)).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])
