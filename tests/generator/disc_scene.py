"""A tiny procedural person: a textured disc that moves and opens its mouth, with passes and a plate made from them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame
from dvp_core.data.take import Take

SIZE = 64
FRAME_COUNT = 24
START_FRAME = 101
CROP = Crop(3, 5, 128, SIZE)


def disc(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask (H, W), places on the disc in 0..1 (H, W, 2) and the mouth's mask of a frame."""
    centres = np.arange(SIZE) + 0.5
    x, y = np.meshgrid(centres, centres)
    centre_x = SIZE / 2 + 8 * np.sin(index * 0.5)
    centre_y = SIZE / 2 + 4 * np.cos(index * 0.3)
    u, v = (x - centre_x) / 20, (y - centre_y) / 20
    is_disc = u**2 + v**2 < 1
    is_mouth = (np.abs(u) < 0.4) & (np.abs(v - 0.4) < 0.05 + 0.15 * (1 + np.sin(index)))
    places = np.stack([(u + 1) / 2, (v + 1) / 2], axis=-1)
    return is_disc, places, is_mouth & is_disc


def pass_frame(index: int, take_sha256: str) -> PassFrame:
    is_disc, places, is_mouth = disc(index)
    corr = np.concatenate([places, np.full((SIZE, SIZE, 1), 0.5)], axis=2) * is_disc[..., None]
    color = np.where(is_mouth[..., None], [0.3, 0.05, 0.05], [0.6, 0.4, 0.3]) * is_disc[..., None]
    is_eye = is_disc & (np.abs(places[..., 1] - 0.35) < 0.06) & (np.abs(np.abs(places[..., 0] - 0.5) - 0.2) < 0.1)
    gaze = np.ones((SIZE, SIZE, 3)) * is_eye[..., None]
    mask = is_disc.astype(np.float32)
    arrays = [np.asarray(array, dtype=np.float32) for array in (color, corr, gaze, mask, mask)]
    return PassFrame(START_FRAME + index, *arrays, CROP, take_sha256, "face" * 16)


def plate(index: int) -> np.ndarray:
    """The photograph that belongs to the passes: the disc with stripes, before a textured wall."""
    is_disc, places, is_mouth = disc(index)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    wall = np.stack([60 + 40 * np.sin(x / 5.0), 90 + 30 * np.cos(y / 7.0), 120 + 0 * x], axis=-1)
    stripes = 150 + 40 * np.sin(places[..., 0] * 25)
    skin = np.stack([stripes + 40, stripes, stripes - 20], axis=-1)
    picture = np.where(is_disc[..., None], skin, wall)
    return np.where(is_mouth[..., None], [90, 20, 30], picture).round().astype(np.uint8)


def plate_crops(frame: int) -> np.ndarray:
    return plate(frame - START_FRAME)


def make_take(**changes: object) -> Take:
    index = np.arange(FRAME_COUNT)
    zeros = np.zeros((FRAME_COUNT, 3), dtype=np.float32)
    translation = zeros + np.stack([np.sin(index * 0.5), np.cos(index * 0.3), 0 * index], axis=1).astype(np.float32)
    values: dict[str, object] = {
        "subject": "disc",
        "clip": Clip("disc.mp4", "c" * 64, 160, 160, Fraction(25), START_FRAME, FRAME_COUNT),
        "camera": Camera.centered(500, 160, 160),
        "crop": CROP,
        "face": None,
        "face_model_id": "disc",
        "face_model_sha256": "face" * 16,
        "expression_names": ("jawOpen",),
        "identity": np.zeros(0, dtype=np.float32),
        "reflectance": np.zeros((1, 3), dtype=np.float32),
        "head_rotation_wxyz": np.tile(np.array([1, 0, 0, 0], dtype=np.float32), (FRAME_COUNT, 1)),
        "head_translation_m": translation,
        "expression": (1 + np.sin(index))[:, None].astype(np.float32) / 2,
        "gaze_rad": np.zeros((FRAME_COUNT, 2, 2), dtype=np.float32),
        "illumination_sh": np.zeros((FRAME_COUNT, 9, 3), dtype=np.float32),
        "is_tracked": np.ones(FRAME_COUNT, dtype=bool),
        "landmark_error_px": np.zeros(FRAME_COUNT, dtype=np.float32),
        "photometric_error": np.zeros(FRAME_COUNT, dtype=np.float32),
    }
    return Take(**(values | changes))  # type: ignore[arg-type]


class DiscPasses:
    """Passes of the disc; counts how often each is read, and can lack frames."""

    def __init__(self, take: Take, *, missing: tuple[int, ...] = ()) -> None:
        self.take = take
        self.frames = FrameRange.of(set(take.frames) - set(missing))
        self.reads: dict[int, int] = {}

    def read(self, frame: int) -> PassFrame:
        if frame not in self.frames:
            raise DataError(f"frame {frame} is missing")
        self.reads[frame] = self.reads.get(frame, 0) + 1
        return pass_frame(frame - START_FRAME, self.take.sha256)
