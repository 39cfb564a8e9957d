"""From the picture as a lens bends it to the picture of a pinhole camera with square pixels, and back.

The pinhole picture keeps the lens's focal length and principal point, so that a plate undistorted by another program
with the same calibration lies on it. Pixels follow the one rule of `projection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.lens import LensDistortion

_ROUNDS = 30
_TOLERANCE = 1e-10  # of slopes: less than a millionth of a pixel
_ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True)
class PlateCorrection:
    """What turns a plate into the picture of a pinhole camera with square pixels.

    Attributes:
        lens: How the lens bends the plate; None where it does not.
        pixel_aspect: Width of a plate's pixel divided by its height.
        size_wh: Width and height of the plate as filmed.
    """

    lens: LensDistortion | None
    pixel_aspect: Fraction
    size_wh: tuple[int, int]

    def __post_init__(self) -> None:
        if not Fraction(1, 8) <= self.pixel_aspect <= 8:
            raise DataError(f"pixels of {self.pixel_aspect} are not possible", where="pixel aspect", remedy="Give 2:1")
        if self.lens is None:
            return
        if self.lens.size_wh != self.size_wh:
            raise DataError(
                f"was calibrated for {self.lens.size_wh}, the plate is {self.size_wh}",
                where="lens",
                remedy="Calibrate the lens with this size of picture",
            )
        implied = self.lens.focal_px[1] / self.lens.focal_px[0]
        if abs(implied / float(self.pixel_aspect) - 1) > _ASPECT_TOLERANCE:
            raise DataError(
                f"implies pixels {implied:.3f} times as wide as high, not {float(self.pixel_aspect):.3f}",
                where="lens",
                remedy=f"Give --pixel-aspect {implied:.3f}, or check the lens's two focal lengths",
            )

    @property
    def scale_xy(self) -> np.ndarray:
        """(2,) pixels of the corrected plate per pixel of the plate: the longer side of a pixel is divided."""
        aspect = float(self.pixel_aspect)
        return np.array([max(aspect, 1.0), max(1 / aspect, 1.0)])

    @property
    def corrected_size_wh(self) -> tuple[int, int]:
        """Width and height of the corrected plate."""
        width, height = np.rint(self.scale_xy * self.size_wh).astype(int)
        return int(width), int(height)

    @property
    def focal_px(self) -> float | None:
        """Focal length in pixels of the corrected plate, where the lens tells it."""
        return None if self.lens is None else float(np.mean(self.scale_xy * self.lens.focal_px))

    def corrected_px(self, points_px: np.ndarray) -> np.ndarray:
        """Map plate pixels (..., 2) to pixels of the corrected plate."""
        return (points_px if self.lens is None else undistorted_px(points_px, self.lens)) * self.scale_xy

    def plate_px(self, points_px: np.ndarray) -> np.ndarray:
        """Map pixels of the corrected plate (..., 2) back to plate pixels."""
        points_px = points_px / self.scale_xy
        return points_px if self.lens is None else distorted_px(points_px, self.lens)


def distorted_px(points_px: np.ndarray, lens: LensDistortion) -> np.ndarray:
    """Return where a lens puts the points (..., 2) of its pinhole picture, in pixels.

    Beyond the radius at which the radial polynomial turns back, points stay at that radius.
    """
    focal, principal = np.asarray(lens.focal_px), np.asarray(lens.principal_px)
    slopes = (points_px - principal) / focal
    radius = np.linalg.norm(slopes, axis=-1, keepdims=True)
    slopes = slopes * np.minimum(1.0, _turning_radius(lens) / np.maximum(radius, 1e-12))
    return _bent(slopes, lens) * focal + principal


def undistorted_px(points_px: np.ndarray, lens: LensDistortion) -> np.ndarray:
    """Return the pinhole picture's points (..., 2) that a lens puts at the given ones, in pixels.

    Newton's method on the formula of `distorted_px`.

    Raises:
        DataError: A point that this lens cannot show.
    """
    focal, principal = np.asarray(lens.focal_px), np.asarray(lens.principal_px)
    wanted = (points_px - principal) / focal
    limit = _turning_radius(lens)
    slopes = wanted.copy()
    for _ in range(_ROUNDS):
        error = _bent(slopes, lens) - wanted
        if np.abs(error).max(initial=0.0) < _TOLERANCE:
            break
        slopes = slopes - np.linalg.solve(_bent_jacobian(slopes, lens), error[..., None])[..., 0]
        radius = np.linalg.norm(slopes, axis=-1, keepdims=True)
        slopes = slopes * np.minimum(1.0, 0.999 * limit / np.maximum(radius, 1e-12))
    else:
        worst = points_px.reshape(-1, 2)[int(np.abs(error).max(axis=-1).argmax())]
        raise DataError(
            f"cannot show anything at ({worst[0]:.1f}, {worst[1]:.1f}): its distortion turns back before",
            where="lens",
            remedy="Check the coefficients, and that they are OpenCV's k1, k2, p1, p2, k3",
        )
    return slopes * focal + principal


def _bent(slopes: np.ndarray, lens: LensDistortion) -> np.ndarray:
    """Symbols as in OpenCV's camera model: x, y are slopes of rays, r their distance from the axis."""
    x, y = slopes[..., 0], slopes[..., 1]
    k1, k2, p1, p2, k3 = lens.coefficients
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )


def _bent_jacobian(slopes: np.ndarray, lens: LensDistortion) -> np.ndarray:
    """Return the derivatives (..., 2, 2) of `_bent` by the slopes."""
    x, y = slopes[..., 0], slopes[..., 1]
    k1, k2, p1, p2, k3 = lens.coefficients
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    growth = 2 * (k1 + r2 * (2 * k2 + 3 * r2 * k3))
    across = x * y * growth + 2 * p1 * x + 2 * p2 * y
    rows = [
        [radial + x * x * growth + 2 * p1 * y + 6 * p2 * x, across],
        [across, radial + y * y * growth + 6 * p1 * y + 2 * p2 * x],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def _turning_radius(lens: LensDistortion) -> float:
    """Return the radius at which r (1 + k1 r^2 + k2 r^4 + k3 r^6) stops growing, infinite where it never does."""
    inverse = np.roots([1.0, 3 * lens.k1, 5 * lens.k2, 7 * lens.k3])  # in 1 / r^2, so that zeros lead nowhere
    squares = [root.real for root in inverse if abs(root.imag) < 1e-12 * abs(root) and root.real > 1e-12]
    return float(1 / np.sqrt(max(squares))) if squares else np.inf
