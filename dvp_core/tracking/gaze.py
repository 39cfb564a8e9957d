"""Where each eye looks, from its iris in the picture: a ray through the iris meets the eyeball.

Where the detector gives no irises, the iris is the dark blot between the lids. A closed eye keeps looking where its
neighbours in time look.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import EYES_68
from dvp_core.maths.projection import rays
from dvp_core.tracking.states import FrameState

LARGEST_RAD = np.radians([40.0, 30.0])
CLOSED = 0.14  # opening over width below which no iris is seen


def gaze_of_frame(face: FaceModel, state: FrameState, irises_px: np.ndarray, camera: Camera) -> np.ndarray:
    """Return (2, 2) radians: left and right eye, yaw to +X and pitch up, in head space.

    Args:
        face: The person's face.
        state: The head.
        irises_px: (2, 2) iris centres, left eye first, plate pixels.
        camera: The plate's camera.
    """
    gaze = np.zeros((2, 2))
    for side, iris_ray in enumerate(rays(irises_px, camera) @ state.rotation):
        center = face.eye_centers[side]
        origin = -state.rotation.T @ state.translation_m
        direction = iris_ray / np.linalg.norm(iris_ray)
        to_center = center - origin
        along = to_center @ direction
        miss_squared = to_center @ to_center - along**2
        # The iris is a disc inside the ball, at the depth where the ball is as wide as the iris.
        depth_squared = max(face.eye_radii[side] ** 2 - face.iris_radii[side] ** 2, 1e-8)
        reach = np.sqrt(max(depth_squared - miss_squared, 0.0))
        look = origin + (along - reach) * direction - center
        look /= np.linalg.norm(look)
        gaze[side] = np.arctan2(look[0], look[2]), np.arcsin(np.clip(look[1], -1, 1))
    return np.clip(gaze, -LARGEST_RAD, LARGEST_RAD)


def openings(ibug_px: np.ndarray) -> np.ndarray:
    """Return (F, 2): height over width of the left and the right eye's opening, from iBUG's points (F, 68, 2)."""
    eyes = ibug_px[:, EYES_68]
    width = np.linalg.norm(eyes[:, :, 0] - eyes[:, :, 3], axis=-1)
    height = np.linalg.norm(eyes[:, :, [1, 2]] - eyes[:, :, [5, 4]], axis=-1).mean(axis=-1)
    return height / np.maximum(width, 1e-6)


def dark_irises(plate: np.ndarray, ibug_px: np.ndarray) -> np.ndarray:
    """Return iris centres (2, 2) in plate pixels, left eye first, as the middle of what is dark between the lids.

    Args:
        plate: (H, W, 3) uint8.
        ibug_px: (68, 2) points of the frame.
    """
    return np.stack([_dark_middle(plate, ibug_px[eye]) for eye in EYES_68])


def _dark_middle(plate: np.ndarray, outline_px: np.ndarray) -> np.ndarray:
    limit = np.array(plate.shape[1::-1])
    low = np.clip(np.floor(outline_px.min(axis=0)), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(outline_px.max(axis=0)), low + 1, limit).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    places = np.stack([x, y], axis=-1) + 0.5
    grey = plate[low[1] : high[1], low[0] : high[0]].mean(axis=-1)
    # Inside a convex outline every edge has the place on the same side; its points run clockwise in the picture.
    edges = np.roll(outline_px, -1, axis=0) - outline_px
    to_place = places[:, :, None] - outline_px
    side = edges[:, 0] * to_place[..., 1] - edges[:, 1] * to_place[..., 0]
    is_inside = (side >= 0).all(axis=-1) | (side <= 0).all(axis=-1)
    if is_inside.sum() < 4:
        return outline_px.mean(axis=0)
    level = np.percentile(grey[is_inside], 35)
    weight = np.where(is_inside, np.clip(level - grey, 0.0, None), 0.0)
    if weight.sum() <= 0:
        return outline_px.mean(axis=0)
    return (places * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
