"""What a frame shows of both eyeballs: their surface unrolled, as far as the lids leave it open.

The unrolled eyeball has head space's yaw and pitch as axes, so an iris is a disc of one size wherever the eye looks and
however the head is turned. No iris is looked for here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.maths.projection import project, rays
from dvp_core.tracking.picture import between_pixels
from dvp_core.tracking.states import FrameState

STEP_RAD = np.radians(4.0)
YAWS_RAD = np.arange(-16, 17) * STEP_RAD
PITCHES_RAD = np.arange(-12, 13) * STEP_RAD
# Lashes and shadow darken a strip below the upper lid; shares of the opening's width.
UPPER_MARGIN, MARGIN, MARGIN_SOFTNESS = 0.09, 0.04, 0.06
SLANTED = 0.25  # cosine of the surface's angle to the line of sight below which it tells nothing


def directions(yaws_rad: np.ndarray, pitches_rad: np.ndarray) -> np.ndarray:
    """Return unit vectors (pitches x yaws, 3) of a grid of looks, yaw running fastest."""
    yaw, pitch = (grid.ravel() for grid in np.meshgrid(yaws_rad, pitches_rad))
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)


@dataclass(frozen=True)
class EyePair:
    """A person's eyeballs.

    Attributes:
        centers: (2, 3) centres of the neutral face, head space, metres.
        shifts: (E, 2, 3) how each expression moves them.
        radii: (2,).
        iris_radii: (2,) as the face model has them.
    """

    centers: np.ndarray
    shifts: np.ndarray
    radii: np.ndarray
    iris_radii: np.ndarray


@dataclass(frozen=True)
class EyeSight:
    """A frame's unrolled eyeballs; N samples lie at `directions(YAWS_RAD, PITCHES_RAD)`.

    Attributes:
        colours: (2, N, 3) uint8, sRGB as in the plate.
        weights: (2, N) uint8, how much of the sample's area is seen, 255 for all of it.
        pixel_counts: (2,) plate pixels that show each eyeball.
        irises_rad: (2, 2) yaw and pitch at which the detector sees each iris; not a number where it sees none.
    """

    colours: np.ndarray
    weights: np.ndarray
    pixel_counts: np.ndarray
    irises_rad: np.ndarray


def eye_pair(face: FaceModel) -> EyePair:
    """Return the eyeballs of a person's face (identity applied)."""
    ranges = [slice(start, stop) for start, stop in face.eye_ranges]
    shifts = np.stack([face.expression_basis[:, eye].astype(np.float64).mean(axis=1) for eye in ranges], axis=1)
    return EyePair(face.eye_centers, shifts, face.eye_radii, face.iris_radii)


def sight_of_eyes(
    plate: np.ndarray,
    eyes: EyePair,
    state: FrameState,
    lids_px: np.ndarray,
    camera: Camera,
    *,
    irises_px: np.ndarray | None = None,
) -> EyeSight:
    """Return both eyeballs as a frame shows them.

    Args:
        plate: (H, W, 3) uint8.
        eyes: The person's eyeballs.
        state: The fitted head.
        lids_px: (2, 2, K, 2) one frame of `lid_lines`.
        camera: The plate's camera.
        irises_px: (2, 2) iris centres, left eye first, where the detector gives them.
    """
    on_ball = directions(YAWS_RAD, PITCHES_RAD)
    centers = eyes.centers + np.einsum("e,esx->sx", state.expression, eyes.shifts)
    places = centers[:, None] + eyes.radii[:, None, None] * on_ball
    points = places @ state.rotation.T + state.translation_m
    points_px = project(points, camera)
    facing = -(points * (on_ball @ state.rotation.T)).sum(axis=2) / np.linalg.norm(points, axis=2)
    area = np.clip((facing - SLANTED) / 0.2, 0.0, 1.0) * facing * np.linalg.norm(on_ball[:, [0, 2]], axis=1)
    weights = area * np.stack([_openness(points_px[side], lids_px[side]) for side in range(2)])
    sample_px = eyes.radii * STEP_RAD * camera.focal_px / points[:, :, 2].mean(axis=1)
    is_seen = weights > 0
    colours = np.zeros((*weights.shape, 3), np.uint8)
    colours[is_seen] = np.round(between_pixels(plate, points_px[is_seen]))
    return EyeSight(
        colours=colours,
        weights=np.round(255 * weights).astype(np.uint8),
        pixel_counts=weights.sum(axis=1) * sample_px**2,
        irises_rad=np.full((2, 2), np.nan) if irises_px is None else _on_ball(irises_px, centers, eyes, state, camera),
    )


def _on_ball(
    irises_px: np.ndarray, centers: np.ndarray, eyes: EyePair, state: FrameState, camera: Camera
) -> np.ndarray:
    """Return yaw and pitch (2, 2) at which rays through plate positions (2, 2) meet the irises' depth in the balls."""
    origin = -state.rotation.T @ state.translation_m
    towards = rays(irises_px, camera) @ state.rotation
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    to_center = centers - origin
    along = (to_center * towards).sum(axis=1)
    # The iris is a disc inside the ball, at the depth where the ball is as wide as the iris.
    depth_squared = np.maximum(eyes.radii**2 - eyes.iris_radii**2, 1e-8)
    miss_squared = (to_center**2).sum(axis=1) - along**2
    reach = np.sqrt(np.maximum(depth_squared - miss_squared, 0.0))
    look = (along - reach)[:, None] * towards - to_center
    look /= np.linalg.norm(look, axis=1, keepdims=True)
    return np.stack([np.arctan2(look[:, 0], look[:, 2]), np.arcsin(np.clip(look[:, 1], -1, 1))], axis=1)


def _openness(points_px: np.ndarray, lids_px: np.ndarray) -> np.ndarray:
    """Return for points (N, 2) whether they lie between the lids (2, K, 2): 0 outside, 1 well inside."""
    corner, across = lids_px[0, 0], lids_px[0, -1] - lids_px[0, 0]
    width_squared = max(float(across @ across), 1e-6)
    axes = np.stack([across, [-across[1], across[0]]], axis=1) / width_squared
    place = np.where(np.isfinite(points_px), points_px - corner, 1e6) @ axes
    upper, lower = (line[np.argsort(line[:, 0])] for line in (lids_px - corner) @ axes)
    below_upper = place[:, 1] - np.interp(place[:, 0], upper[:, 0], upper[:, 1]) - UPPER_MARGIN
    above_lower = np.interp(place[:, 0], lower[:, 0], lower[:, 1]) - place[:, 1] - MARGIN
    inside = np.minimum(place[:, 0], 1.0 - place[:, 0]) - MARGIN
    return np.clip(np.minimum(np.minimum(below_upper, above_lower), inside) / MARGIN_SOFTNESS, 0.0, 1.0)
