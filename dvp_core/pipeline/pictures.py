"""Pictures that explain: the rig over its plate, a frame's passes, and sheets of them with captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dvp_core.data.passes import PassFrame
from dvp_core.maths.colour import srgb_encode

_CAPTION_PX = 22
_GAP_PX = 4
_INK = (235, 235, 235)
_LAMP = np.array([-0.35, -0.45, -0.82])  # over the camera's left shoulder, towards the face


@dataclass(frozen=True)
class SheetRow:
    """One row of a sheet: its name and pictures of one height."""

    name: str
    pictures: tuple[np.ndarray, ...]


def rig_picture(plate_square: np.ndarray, pass_frame: PassFrame) -> np.ndarray:
    """Return the posed mesh in grey over a dimmed plate, (R, R, 3) uint8, shaded by the depth's own slope."""
    normals = _normals(pass_frame)
    light = np.clip(normals @ (_LAMP / np.linalg.norm(_LAMP)), 0.0, 1.0)
    grey = srgb_encode(0.06 + 0.6 * light)[..., None] * np.array([235.0, 240.0, 255.0])
    weight = pass_frame.mask[..., None]
    return np.rint(weight * grey + (1.0 - weight) * plate_square * 0.45).astype(np.uint8)


def _normals(pass_frame: PassFrame) -> np.ndarray:
    """Return (R, R, 3) unit normals towards the camera from the depth image; a focal length would only scale it."""
    depth = cv2.GaussianBlur(pass_frame.depth, (0, 0), 0.7)
    typical_m = float(np.median(pass_frame.depth[pass_frame.mask > 0])) if pass_frame.mask.any() else 1.0
    relief = 4.0 * len(depth) / max(typical_m, 1e-6)
    slope_y, slope_x = np.gradient(depth)
    slopes = np.stack([slope_x * relief, slope_y * relief, -np.ones_like(depth)], axis=-1)
    return slopes / np.linalg.norm(slopes, axis=-1, keepdims=True)


def pass_pictures(pass_frame: PassFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return colour, correspondence and gaze of a frame as (R, R, 3) uint8 for looking at."""
    colour = srgb_encode(np.clip(pass_frame.color, 0.0, 1.0))
    images = (colour, np.clip(pass_frame.corr, 0.0, 1.0), np.clip(pass_frame.gaze, 0.0, 1.0))
    color, corr, gaze = (np.rint(image * 255.0).astype(np.uint8) for image in images)
    return color, corr, gaze


def sheet(rows: Sequence[SheetRow], *, columns: Sequence[str], cell_px: int = 200) -> np.ndarray:
    """Return rows of pictures with captions above the columns and names at the rows, (H, W, 3) uint8."""
    drawn = [_row(row, cell_px) for row in rows]
    width = max(row.shape[1] for row in drawn)
    header = _band(columns, width, cell_px)
    padded = [np.pad(row, ((0, _GAP_PX), (0, width - row.shape[1]), (0, 0))) for row in drawn]
    return np.concatenate([header, *padded])


def _row(row: SheetRow, cell_px: int) -> np.ndarray:
    cells = [_fitted(picture, cell_px) for picture in row.pictures]
    joined = np.concatenate([np.pad(cell, ((0, 0), (0, _GAP_PX), (0, 0))) for cell in cells], axis=1)
    _write(joined, row.name, (6, cell_px - 8))
    return joined


def _fitted(picture: np.ndarray, cell_px: int) -> np.ndarray:
    """Return a picture shrunk or grown into a square cell, centred on black."""
    scale = cell_px / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(picture), size, interpolation=kernel)
    cell = np.zeros((cell_px, cell_px, 3), np.uint8)
    top, left = (cell_px - size[1]) // 2, (cell_px - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = resized
    return cell


def _band(columns: Sequence[str], width_px: int, cell_px: int) -> np.ndarray:
    band = np.zeros((_CAPTION_PX, width_px, 3), np.uint8)
    for number, name in enumerate(columns):
        _write(band, name, (number * (cell_px + _GAP_PX) + 6, _CAPTION_PX - 7))
    return band


def _write(image: np.ndarray, text: str, corner_px: tuple[int, int]) -> None:
    """Write light text with a dark rim, so that it reads on any picture."""
    for ink, thickness in (((0, 0, 0), 3), (_INK, 1)):
        cv2.putText(image, text, corner_px, cv2.FONT_HERSHEY_SIMPLEX, 0.45, ink, thickness, cv2.LINE_AA)
