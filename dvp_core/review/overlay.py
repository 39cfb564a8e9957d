"""One frame of a take as a person checks it: plate, mesh, points, gaze, number, doubts and the strip of errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.doubt import Doubt, gravest_first
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import ibug_points, iris_points
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.take import Take
from dvp_core.face.evaluation import landmarks_68
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.projection import project
from dvp_core.maths.rigid import camera_from_head
from dvp_core.maths.rotations import gaze_rotation
from dvp_core.review.marks import (
    ALARM,
    DETECTED,
    MISS,
    MODEL,
    RAYS,
    WARNING,
    draw_border,
    draw_lines_of_text,
    draw_points,
    draw_ray,
    draw_segments,
    wrapped,
    write,
)
from dvp_core.review.mesh import mesh_over, outline_over
from dvp_core.review.strip import Strip, strip_of

SMALLEST_SIDE_PX = 512
LARGEST_SIDE_PX = 1280
_RAY_M = 0.09
_BORDER_PX = 5
_MOST_REASONS = 3


@dataclass(frozen=True)
class Overlay:
    """What is the same for all frames of an overlay.

    Attributes:
        take: The performance, with its face.
        face: That face.
        camera: The plate's camera at the size that is drawn.
        scale: Drawn pixels per plate pixel.
        ibug_px: (F, 68, 2) detected points in drawn pixels, where there are any.
        irises_px: (F, 2, 2) detected irises, where there are any.
        is_detected: (F,) bool, of the points.
        doubts: What is doubtful.
        strip: The errors over time.
    """

    take: Take
    face: FaceModel
    camera: Camera
    scale: float
    ibug_px: np.ndarray | None
    irises_px: np.ndarray | None
    is_detected: np.ndarray
    doubts: tuple[Doubt, ...]
    strip: Strip


def overlay_of(take: Take, doubts: Sequence[Doubt], points: LandmarkTrack | None = None) -> Overlay:
    """Return what `drawn_frame` needs.

    The picture is the plate's size, but for plates whose longer side is below 512 or above 1280 pixels.

    Args:
        take: The performance, with its face.
        doubts: What is doubtful in it.
        points: The detector's points of the take's frames.

    Raises:
        DataError: The take has no face, or the points are of another clip.
    """
    if take.face is None:
        raise DataError(f"carries no face ('{take.face_model_id}')", where="take", remedy="Give it by --face-model")
    if points is not None and points.frame_count != take.frame_count:
        raise DataError(f"landmarks are of {points.frame_count} frames, the take of {take.frame_count}")
    longer = max(take.camera.width_px, take.camera.height_px)
    scale = float(np.clip(longer, SMALLEST_SIDE_PX, LARGEST_SIDE_PX)) / longer
    camera = scaled_camera(take.camera, scale)
    irises = None if points is None else iris_points(points)
    return Overlay(
        take=take,
        face=take.face,
        camera=camera,
        scale=scale,
        ibug_px=None if points is None else ibug_points(points) * scale,
        irises_px=None if irises is None else irises * scale,
        is_detected=np.zeros(take.frame_count, np.bool_) if points is None else points.is_detected,
        doubts=tuple(doubts),
        strip=strip_of(take, doubts, camera.width_px),
    )


def scaled_camera(camera: Camera, scale: float) -> Camera:
    """Return the camera of the same picture at another size."""
    return Camera(
        camera.focal_px * scale,
        (camera.principal_px[0] * scale, camera.principal_px[1] * scale),
        round(camera.width_px * scale),
        round(camera.height_px * scale),
    )


def drawn_frame(overlay: Overlay, plate: np.ndarray, index: int) -> np.ndarray:
    """Return one frame of the overlay with its words and the strip below, (H + 64, W, 3) uint8.

    Args:
        overlay: Of `overlay_of`.
        plate: (height, width, 3) uint8 of the frame.
        index: The frame's index in the take.
    """
    picture = drawn_plate(overlay, plate, index)
    frame = overlay.take.clip.start_frame + index
    here = [doubt for doubt in overlay.doubts if doubt.covers(frame) and doubt.severity != "note"]
    if here:
        is_bad = any(doubt.severity == "bad" for doubt in here)
        draw_border(picture, ALARM if is_bad else WARNING, width_px=_BORDER_PX)
        lines = [
            line
            for doubt in gravest_first(here)[:_MOST_REASONS]
            for line in wrapped(doubt.reason, picture.shape[1] - 24)
        ]
        draw_lines_of_text(picture, lines, left_px=12, top_px=_BORDER_PX, colour=(255, 190, 180))
    _write_facts(picture, overlay.take, index)
    return np.concatenate([picture, overlay.strip.at(index)])


def drawn_plate(overlay: Overlay, plate: np.ndarray, index: int) -> np.ndarray:
    """Return the plate at the overlay's size with mesh, points and gaze, (H, W, 3) uint8; see `drawn_frame`."""
    take, face, camera = overlay.take, overlay.face, overlay.camera
    vertices = pose_vertices(take, index)
    draw = mesh_over if take.is_tracked[index] else outline_over
    picture = draw(resized(plate, camera), face, vertices, camera)
    if overlay.ibug_px is not None and overlay.is_detected[index]:
        model_px = project(landmarks_68(face, vertices), camera)
        draw_segments(picture, model_px, overlay.ibug_px[index], MISS)
        draw_points(picture, model_px, MODEL, radius_px=1.5)
        draw_points(picture, overlay.ibug_px[index], DETECTED, radius_px=1.5)
    if overlay.irises_px is not None and overlay.is_detected[index]:
        draw_points(picture, overlay.irises_px[index], DETECTED, radius_px=2.0)
    for (start, end), colour in zip(_gaze_rays_px(overlay, index), RAYS, strict=True):
        draw_ray(picture, start, end, colour)
    return picture


def resized(plate: np.ndarray, camera: Camera) -> np.ndarray:
    """Return a plate at a camera's size; pixel centres stay at +0.5."""
    size = (camera.width_px, camera.height_px)
    if plate.shape[1::-1] == size:
        return plate.copy()
    kernel = cv2.INTER_AREA if size[0] < plate.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(plate, size, interpolation=kernel)


def _gaze_rays_px(overlay: Overlay, index: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return start and end in the picture of each eye's look, the left eye first."""
    take, face = overlay.take, overlay.face
    rays = []
    for side, (yaw_rad, pitch_rad) in enumerate(take.gaze_rad[index].astype(np.float64)):
        ahead = gaze_rotation(yaw_rad, pitch_rad)[:, 2]
        along_m = np.array([[face.eye_radii[side]], [_RAY_M]])
        ends = face.eye_centers[side] + along_m * ahead
        start, end = project(
            camera_from_head(take.head_rotation_wxyz[index], take.head_translation_m[index], ends), overlay.camera
        )
        rays.append((start, end))
    return rays


def _write_facts(picture: np.ndarray, take: Take, index: int) -> None:
    """Write the frame's number and errors at the lower left."""
    frame = take.clip.start_frame + index
    errors = f"points {take.landmark_error_px[index]:.2f} px   colours {take.photometric_error[index]:.3f}"
    text = f"frame {frame}   {errors}" if take.is_tracked[index] else f"frame {frame}   no face: bridged"
    write(picture, text, (12, picture.shape[0] - 12))
