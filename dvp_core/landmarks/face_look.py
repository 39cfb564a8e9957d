"""What tells one face in a picture from another: its shape, and the colours of skin, hair and clothes.

Nothing here recognises people: two looks are only compared with each other, within one clip, and are kept in no file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Where colours are taken, in sizes of the face from the middle of its points: the face, the hair, the clothes.
_FACE_CELLS = [(x, y) for y in (-0.4, -0.15, 0.1, 0.35) for x in (-0.3, -0.1, 0.1, 0.3)]
_CELLS = np.array([*_FACE_CELLS, (-0.2, -0.6), (0.2, -0.6), (-0.3, 0.95), (0.0, 0.95), (0.3, 0.95)])
_CELL_SIZE = 0.12
_SAMPLES = 5
# Brightness changes with the light, the proportion of colours hardly.
_CHROMA_WEIGHT, _LUMA_WEIGHT = 4.0, 0.35
# How far two pictures of one person differ, seconds apart in real clips; two people differ by 2 to 6 in colours.
# Blinks, the mouth and, without depth, turns of the head change a shape nearly as much as another person does.
SHAPE_SPREAD_3D, SHAPE_SPREAD_2D, COLOUR_SPREAD = 0.12, 0.14, 0.04


@dataclass(frozen=True)
class Look:
    """A face's shape and colours.

    Attributes:
        shape: (point, 2 or 3) the points about their middle, their squares adding to one.
        colours: (cell, 3) parts of red and green, and brightness beside the other cells, each weighted.
    """

    shape: np.ndarray
    colours: np.ndarray

    def distance(self, other: Look) -> float:
        """Return how unlike two looks are: mostly under 1.5 for one person, over 2 for two."""
        spread = SHAPE_SPREAD_3D if self.shape.shape[1] == 3 else SHAPE_SPREAD_2D
        shape = shape_distance(self.shape, other.shape) / spread
        colour = float(np.sqrt(np.mean((self.colours - other.colours) ** 2))) / COLOUR_SPREAD
        return float(np.hypot(shape, colour))

    def blended(self, newer: Look, part: float) -> Look:
        """Return this look moved by `part` of the way to a newer one of the same face."""
        turned = newer.shape @ _turn(newer.shape, self.shape)
        shape = (1 - part) * self.shape + part * turned
        return Look(shape / np.linalg.norm(shape), (1 - part) * self.colours + part * newer.colours)


def look_of(points: np.ndarray, plate: np.ndarray) -> Look:
    """Return the look of a face.

    Args:
        points: (point, 2 or 3) x and y in plate pixels, and depth at their scale where it is known.
        plate: (H, W, 3) uint8.
    """
    centred = points - points.mean(axis=0)
    norm = float(np.linalg.norm(centred))
    return Look(centred / norm if norm > 0 else centred, _colours(points[:, :2], plate))


def face_size(points_px: np.ndarray) -> float:
    """Return the longer side of the box around a face's points (point, 2), in pixels."""
    return float(np.ptp(points_px[:, :2], axis=0).max())


def shape_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the distance of two normalised shapes after the best rotation: 0 alike, at most the square root of 2."""
    left, strengths, right = np.linalg.svd(one.T @ other)
    strengths[-1] *= np.sign(np.linalg.det(left) * np.linalg.det(right))  # no mirroring
    return float(np.sqrt(max(0.0, 2.0 - 2.0 * strengths.sum())))


def _turn(moved: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Return the rotation R with `moved @ R` nearest to `fixed`."""
    left, _, right = np.linalg.svd(moved.T @ fixed)
    left[:, -1] *= np.sign(np.linalg.det(left) * np.linalg.det(right))
    return left @ right


def _colours(points_px: np.ndarray, plate: np.ndarray) -> np.ndarray:
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    size = max(float((high - low).max()), 1.0)
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    within = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) * _CELL_SIZE
    places = (low + high) / 2 + size * (_CELLS[:, None] + within)
    column = np.clip(places[..., 0], 0, plate.shape[1] - 1).astype(np.intp)
    row = np.clip(places[..., 1], 0, plate.shape[0] - 1).astype(np.intp)
    cells = plate[row, column].mean(axis=1, dtype=np.float64) + 4.0  # black has no colour
    total = cells.sum(axis=1, keepdims=True)
    luma = total / total.mean() - 1.0
    return np.concatenate([_CHROMA_WEIGHT * cells[:, :2] / total, _LUMA_WEIGHT * np.tanh(luma)], axis=1)
