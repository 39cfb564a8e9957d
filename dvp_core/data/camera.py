"""The pinhole camera of a plate, and the square of it that the network sees."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with square pixels, OpenCV's axes, and pixel centres at +0.5.

    Attributes:
        focal_px: Focal length in pixels.
        principal_px: Where the optical axis meets the picture, (x, y).
        width_px: Width of the picture.
        height_px: Height of the picture.
    """

    focal_px: float
    principal_px: tuple[float, float]
    width_px: int
    height_px: int

    @classmethod
    def centered(cls, focal_px: float, width_px: int, height_px: int) -> Camera:
        """Return a camera whose optical axis meets the middle of the picture."""
        return cls(float(focal_px), (width_px / 2, height_px / 2), width_px, height_px)


@dataclass(frozen=True)
class Crop:
    """A fixed square of the plate, rendered at its own resolution.

    The square may reach beyond the plate; there the plate's edge pixels repeat.

    Attributes:
        x_px: Left border in plate pixels, from the outer corner of the top-left pixel.
        y_px: Top border.
        size_px: Side of the square in plate pixels.
        resolution_px: Side of the square as rendered.
    """

    x_px: int
    y_px: int
    size_px: int
    resolution_px: int = field(default=256)

    @property
    def scale(self) -> float:
        """Rendered pixels per plate pixel."""
        return self.resolution_px / self.size_px

    def to_crop_px(self, points_px: np.ndarray) -> np.ndarray:
        """Map plate pixels (..., 2) to pixels of the rendered crop."""
        return (points_px - np.array([self.x_px, self.y_px], dtype=np.float64)) * self.scale

    def to_plate_px(self, points_px: np.ndarray) -> np.ndarray:
        """Map pixels of the rendered crop (..., 2) to plate pixels."""
        return points_px / self.scale + np.array([self.x_px, self.y_px], dtype=np.float64)

    def crop_camera(self, camera: Camera) -> Camera:
        """Return the camera whose picture is this crop at its resolution."""
        return Camera(
            focal_px=camera.focal_px * self.scale,
            principal_px=(
                (camera.principal_px[0] - self.x_px) * self.scale,
                (camera.principal_px[1] - self.y_px) * self.scale,
            ),
            width_px=self.resolution_px,
            height_px=self.resolution_px,
        )
