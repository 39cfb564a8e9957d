"""The skin's quads: a grid of directions around the head with three holes, which rings of vertices fill.

The grid's lines bend around the eyes and the mouth, so that the rings there run like the muscles do. This file knows
directions only; where the skin lies along them is `head_surface`'s affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dvp_core.face.built_in.parts import fan

EYE_COLUMNS, EYE_ROWS = (5, 17), (8, 16)
MOUTH_COLUMNS, MOUTH_ROWS = (-10, 10), (-12, -4)
# Azimuths from the middle to the ear, elevations from the throat to the hairline: (steps, degrees to go), so that the
# nose between the eyes and above the mouth is drawn twice as finely as the cheeks.
_COLUMN_BANDS = ((5, 7.5), (15, 37.5))
_ROW_BANDS = ((14, 35.0), (12, 22.5), (8, 15.6), (6, 10.4))
_LOWEST_FACE_DEG = -45.0
_SIDE_COLUMNS = 18
_TOP_ROWS_DEG = (42.0, 47.0, 53.0, 60.0, 69.0, 80.0)
_NECK_ROWS_DEG = (-105.0, -88.0, -73.0, -60.0, -49.0, -39.5, -31.0, -24.0, -17.5, -11.5, -5.5)
_FRONT_COLUMNS = sum(steps for steps, _ in _COLUMN_BANDS)
LOWEST_FACE_ROW = -18


@dataclass(frozen=True)
class Grid:
    """Directions of the grid's vertices in degrees: azimuth and elevation, both (rows, columns)."""

    azimuth_deg: np.ndarray
    elevation_deg: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.azimuth_deg.shape[0], self.azimuth_deg.shape[1]

    @cached_property
    def numbers(self) -> np.ndarray:
        """(rows, columns) vertex numbers of the grid, -1 inside the holes."""
        inside = np.zeros(self.shape, dtype=bool)
        for columns, rows in hole_rectangles():
            inside[rows[0] + 1 : rows[1], columns[0] + 1 : columns[1]] = True
        numbers = np.full(self.shape, -1)
        numbers[~inside] = np.arange(np.count_nonzero(~inside))
        return numbers


def row_of(step: int) -> int:
    """The grid row of a face row counted in steps from eye-level zero."""
    return step - LOWEST_FACE_ROW + len(_NECK_ROWS_DEG)


def column_of(step: int) -> int:
    """The grid column of a column counted from the middle, positive to the subject's left."""
    return step + _FRONT_COLUMNS + _SIDE_COLUMNS - 1


def hole_rectangles() -> tuple[tuple[tuple[int, int], tuple[int, int]], ...]:
    """Grid columns and rows, first and last, of the holes of the left eye, the right eye and the mouth."""
    left = (column_of(EYE_COLUMNS[0]), column_of(EYE_COLUMNS[1]))
    right = (column_of(-EYE_COLUMNS[1]), column_of(-EYE_COLUMNS[0]))
    eye_rows = (row_of(EYE_ROWS[0]), row_of(EYE_ROWS[1]))
    mouth = (column_of(MOUTH_COLUMNS[0]), column_of(MOUTH_COLUMNS[1]))
    return (left, eye_rows), (right, eye_rows), (mouth, (row_of(MOUTH_ROWS[0]), row_of(MOUTH_ROWS[1])))


def ring_cells(columns: tuple[int, int], rows: tuple[int, int]) -> np.ndarray:
    """Grid cells (N, 2) as (row, column) around a hole, counter-clockwise from the middle of its left side (+X)."""
    (low_column, high_column), (low_row, high_row) = columns, rows
    up = [(row, high_column) for row in range(low_row, high_row)]
    leftward = [(high_row, column) for column in range(high_column, low_column, -1)]
    down = [(row, low_column) for row in range(high_row, low_row, -1)]
    rightward = [(low_row, column) for column in range(low_column, high_column)]
    ring = np.array([*up, *leftward, *down, *rightward])
    return np.roll(ring, -((high_row - low_row) // 2), axis=0)


def regular_grid() -> Grid:
    """The grid before it bends around eyes and mouth."""
    front = _banded(0.0, _COLUMN_BANDS)
    growth = np.cumsum(np.linspace(1.0, 2.1, _SIDE_COLUMNS))
    side = front[-1] + (180.0 - front[-1]) * growth / growth[-1]
    half = np.concatenate([front, side])
    azimuth = np.concatenate([-half[-2:0:-1], half])
    face = _banded(_LOWEST_FACE_DEG, _ROW_BANDS)
    elevation = np.concatenate([_LOWEST_FACE_DEG + np.array(_NECK_ROWS_DEG), face, _TOP_ROWS_DEG])
    grid = np.meshgrid(azimuth, elevation)
    return Grid(grid[0], grid[1])


def _banded(start: float, bands: tuple[tuple[int, float], ...]) -> np.ndarray:
    """Values from `start` on: each band takes so many even steps over so many degrees."""
    steps = np.concatenate([np.full(count, width / count) for count, width in bands])
    return start + np.concatenate([[0.0], np.cumsum(steps)])


def bent(grid: Grid, targets: list[tuple[np.ndarray, np.ndarray]]) -> Grid:
    """The grid with some cells moved to given directions and the others following smoothly.

    Args:
        grid: The regular grid.
        targets: Pairs of cells (N, 2) and their directions (N, 2) as azimuth, elevation.

    The shift satisfies Laplace's equation between the targets and the unmoved far field.
    """
    shift = np.zeros((*grid.shape, 2))
    is_fixed = (np.abs(grid.azimuth_deg) > 70) | (grid.elevation_deg > 60) | (grid.elevation_deg < -52)
    for cells, wanted in targets:
        rows, columns = cells.T
        shift[rows, columns, 0] = wanted[:, 0] - grid.azimuth_deg[rows, columns]
        shift[rows, columns, 1] = wanted[:, 1] - grid.elevation_deg[rows, columns]
        is_fixed[rows, columns] = True
    held = shift.copy()
    for _ in range(400):
        mean = (np.roll(shift, 1, 0) + np.roll(shift, -1, 0) + np.roll(shift, 1, 1) + np.roll(shift, -1, 1)) / 4.0
        shift = np.where(is_fixed[..., None], held, mean)
    placed = np.stack([grid.azimuth_deg, grid.elevation_deg], axis=-1) + shift
    return _evened(placed, held=is_fixed, grid=grid)


def _evened(placed: np.ndarray, *, held: np.ndarray, grid: Grid) -> Grid:
    """The grid with its steps evened out near the holes: a few rounds of plain averaging, fading away from the face."""
    fade = np.clip((62.0 - np.abs(grid.azimuth_deg)) / 20.0, 0, 1) * np.clip((48.0 - grid.elevation_deg) / 8.0, 0, 1)
    fade = np.where(held, 0.0, 0.8 * fade * np.clip((grid.elevation_deg + 52.0) / 8.0, 0, 1))[..., None]
    for _ in range(30):
        mean = (np.roll(placed, 1, 0) + np.roll(placed, -1, 0) + np.roll(placed, 1, 1) + np.roll(placed, -1, 1)) / 4.0
        placed = placed + fade * (mean - placed)
    return Grid(placed[..., 0], placed[..., 1])


def grid_polygons(grid: Grid) -> np.ndarray:
    """Quads (P, 4) of the grid outside its holes, closed around the back, and the triangles at the crown.

    The crown's vertex has the number that follows the grid's last.
    """
    numbers = grid.numbers
    right = np.roll(numbers, -1, axis=1)
    quads = np.stack([numbers[:-1], right[:-1], right[1:], numbers[1:]], axis=-1)
    is_skin = np.ones(quads.shape[:2], dtype=bool)
    for columns, rows in hole_rectangles():
        is_skin[rows[0] : rows[1], columns[0] : columns[1]] = False
    return np.vstack([quads[is_skin], fan(numbers[-1], int(numbers.max()) + 1)])
