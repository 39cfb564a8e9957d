"""The posed face drawn over its plate: a light tint, the lines of a grid that lies on the skin, and its outline.

The grid follows the face model's own places (`FaceModel.correspondence`), not its polygons: a fine mesh and a coarse
one look alike, and a slip of a centimetre shows as a line beside the feature it belongs to. Hidden lines never appear,
since only what the rasteriser sees is drawn.
"""

from __future__ import annotations

import cv2
import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.passes.surface import VisibleSurface, see_surface

Colour = tuple[int, int, int]
TRACKED: Colour = (90, 225, 255)
BRIDGED: Colour = (255, 140, 60)
_CELLS = (22, 28)  # of the grid, across and up the model's box: about a centimetre each
_TINT = 0.16
_LINE = 0.6
_OUTLINE = 0.9


def mesh_over(
    plate: np.ndarray, face: FaceModel, vertices_camera: np.ndarray, camera: Camera, *, colour: Colour = TRACKED
) -> np.ndarray:
    """Return a copy of a plate with the face drawn over it, (H, W, 3) uint8.

    Args:
        plate: (H, W, 3) uint8, as the camera sees it.
        face: The person's face.
        vertices_camera: (V, 3) posed, camera space, metres.
        camera: The plate's camera, of the plate's size.
        colour: Of tint, lines and outline.
    """
    surface = see_surface(vertices_camera, face.triangles, camera)
    ink = np.array(colour, np.float32)
    tint = _mixed(np.arange(256, dtype=np.uint8)[:, None, None], ink, _TINT)
    picture = plate.copy()
    cv2.copyTo(cv2.LUT(plate, tint), surface.is_covered.astype(np.uint8), picture)
    for is_inked, share in ((_grid_lines(surface, face.correspondence), _LINE), (_outline(surface), _OUTLINE)):
        picture[is_inked] = _mixed(picture[is_inked], ink, share)
    return picture


def outline_over(
    plate: np.ndarray, face: FaceModel, vertices_camera: np.ndarray, camera: Camera, *, colour: Colour = BRIDGED
) -> np.ndarray:
    """Return a copy of a plate with the face's outline alone; see `mesh_over`."""
    picture = plate.copy()
    is_rim = _outline(see_surface(vertices_camera, face.triangles, camera))
    picture[is_rim] = _mixed(picture[is_rim], np.array(colour, np.float32), _OUTLINE)
    return picture


def _mixed(pixels: np.ndarray, ink: np.ndarray, share: float) -> np.ndarray:
    return (pixels * np.float32(1.0 - share) + ink * np.float32(share) + np.float32(0.5)).astype(np.uint8)


def _grid_lines(surface: VisibleSurface, correspondence: np.ndarray) -> np.ndarray:
    """Return (H, W) bool: pixels whose right or lower neighbour lies in another cell of the grid."""
    across, up = (correspondence[:, axis] * cells for axis, cells in enumerate(_CELLS))
    cell = surface.blend(np.stack([across, up], axis=1)).astype(
        np.int16
    )  # cut off, which rounds down: none is negative
    number = np.full(surface.is_covered.size, -1, np.int16)
    number[surface.pixels] = cell[:, 0] * (_CELLS[1] + 1) + cell[:, 1]
    cells = number.reshape(surface.is_covered.shape)
    is_line = np.zeros(cells.shape, np.bool_)
    is_line[:, :-1] |= (cells[:, :-1] != cells[:, 1:]) & (cells[:, 1:] >= 0)
    is_line[:-1] |= (cells[:-1] != cells[1:]) & (cells[1:] >= 0)
    return is_line & surface.is_covered


def _outline(surface: VisibleSurface) -> np.ndarray:
    """Return (H, W) bool: covered pixels beside uncovered ones; none at the picture's border."""
    mask = surface.is_covered.astype(np.uint8)
    inside = cv2.erode(mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return surface.is_covered & (inside == 0)
