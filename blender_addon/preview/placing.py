# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a preview lies in a view: rectangles and texture coordinates, as pure arithmetic that needs no Blender."""

from __future__ import annotations

from dataclasses import dataclass

from dvp_core.data.camera import Crop


@dataclass(frozen=True)
class Rectangle:
    """In pixels of a view's region, whose origin is its lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """Extent to the right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Extent upwards."""
        return self.top - self.bottom

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Lower left, lower right, upper right, upper left."""
        return ((self.left, self.bottom), (self.right, self.bottom), (self.right, self.top), (self.left, self.top))


@dataclass(frozen=True)
class Wiped:
    """The part of a square that shows the preview.

    Attributes:
        rectangle: In the region.
        uv: Of its corners in the picture, in the order of `Rectangle.corners`, (0, 0) at the lower left.
        line_x: Where preview and plate meet; None where only one of them is seen.
    """

    rectangle: Rectangle
    uv: tuple[tuple[float, float], ...]
    line_x: float | None


def plate_rectangle(camera_frame: Rectangle, *, width_px: int, height_px: int, pixel_aspect: float) -> Rectangle:
    """Return where the plate lies in a camera's view.

    The plate has the frame's width and middle (the camera's sensor fits its width); the frame's own height follows the
    scene's resolution, which need not have the plate's shape.

    Args:
        camera_frame: The border of the camera's picture in the region.
        width_px: Width of the plate.
        height_px: Height of the plate.
        pixel_aspect: Width of a pixel of the plate over its height.
    """
    middle = (camera_frame.bottom + camera_frame.top) / 2
    half = camera_frame.width * height_px / (width_px * pixel_aspect) / 2
    return Rectangle(camera_frame.left, middle - half, camera_frame.right, middle + half)


def crop_rectangle(plate: Rectangle, crop: Crop, *, width_px: int, height_px: int) -> Rectangle:
    """Return where a crop lies in a plate that is drawn in `plate`; a crop counts its pixels downwards."""
    right, up = plate.width / width_px, plate.height / height_px
    return Rectangle(
        plate.left + crop.x_px * right,
        plate.top - (crop.y_px + crop.size_px) * up,
        plate.left + (crop.x_px + crop.size_px) * right,
        plate.top - crop.y_px * up,
    )


def wiped(square: Rectangle, wipe: float) -> Wiped | None:
    """Return what of a square shows the preview; None where the plate alone is seen.

    Args:
        square: The crop's place.
        wipe: Its share from the left that shows the preview, 0..1.
    """
    share = min(max(wipe, 0.0), 1.0)
    if share == 0.0:
        return None
    right = square.left + share * square.width
    uv = ((0.0, 0.0), (share, 0.0), (share, 1.0), (0.0, 1.0))
    return Wiped(Rectangle(square.left, square.bottom, right, square.top), uv, right if share < 1.0 else None)
