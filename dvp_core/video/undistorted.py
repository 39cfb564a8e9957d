"""A plate as a pinhole camera with square pixels would have filmed it: pictures resampled by a table made once.

Beyond the plate its edge pixels repeat. Places are rounded to sixteenths of a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dvp_core.data.clip import Clip, FrameSource
from dvp_core.data.files import canonical_json, sha256_of_bytes
from dvp_core.data.lens import lens_to_dict
from dvp_core.maths.lens import PlateCorrection

_STEPS = 16  # of a pixel: four weights then add to 256, and a colour stays within 16 bits
_ROWS = 64  # resampled at a time, so that what is worked on stays in the processor's cache


@dataclass(frozen=True)
class ResamplingTable:
    """Where each pixel of the new picture comes from.

    Attributes:
        upper_left: (height, width) int64 index of the upper left of four neighbours in the flattened old picture.
        weights: (4, height, width) uint16 of upper left, upper right, lower left, lower right; they add to 256.
        old_width_px: Width of the old picture.
    """

    upper_left: np.ndarray
    weights: np.ndarray
    old_width_px: int

    def resampled(self, picture: np.ndarray) -> np.ndarray:
        """Return the new picture (height, width, 3) uint8 of an old one."""
        height_px, width_px = self.upper_left.shape
        old = picture.reshape(-1, 3)
        new = np.empty((height_px, width_px, 3), np.uint8)
        for top in range(0, height_px, _ROWS):
            rows = slice(top, top + _ROWS)
            total = np.full((*self.upper_left[rows].shape, 3), 128, np.uint16)
            for corner, offset in enumerate((0, 1, self.old_width_px, self.old_width_px + 1)):
                colours = np.take(old, self.upper_left[rows] + offset, axis=0)
                total += colours * self.weights[corner, rows, :, None]
            new[rows] = total >> 8
        return new


@dataclass(frozen=True)
class UndistortedSource:
    """A `FrameSource` that shows another one corrected; see `undistorted`."""

    whole: FrameSource
    clip: Clip
    table: ResamplingTable

    def read(self, index: int) -> np.ndarray:
        """Return picture `index`, corrected."""
        return self.table.resampled(self.whole.read(index))

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the pictures `start` to `stop`, corrected."""
        return (self.table.resampled(picture) for picture in self.whole.iterate(start, stop))


def undistorted(source: FrameSource, correction: PlateCorrection) -> UndistortedSource:
    """Return a clip as a pinhole camera with square pixels would have filmed it.

    Its `sha256` and `file_name` (`undistorted_...`) are others than the plate's: a take of it does not fit the plate as
    filmed.

    Args:
        source: The clip as filmed.
        correction: For pictures of its size.
    """
    width_px, height_px = correction.corrected_size_wh
    clip = replace(
        source.clip,
        file_name=f"undistorted_{source.clip.file_name}",
        sha256=_corrected_sha256(source.clip, correction),
        width_px=width_px,
        height_px=height_px,
        pixel_aspect=Fraction(1),
    )
    return UndistortedSource(source, clip, resampling_table(correction))


def resampling_table(correction: PlateCorrection) -> ResamplingTable:
    """Return where each pixel of the corrected plate comes from, bilinearly between four pixels of the plate."""
    width_px, height_px = correction.corrected_size_wh
    old_width_px, old_height_px = correction.size_wh
    x, y = np.meshgrid(np.arange(width_px) + 0.5, np.arange(height_px) + 0.5)
    places = correction.plate_px(np.stack([x, y], axis=-1)) - 0.5  # from the centre of the first pixel
    largest = np.array([old_width_px - 1, old_height_px - 1])
    sixteenths = np.rint(np.clip(places, 0, largest) * _STEPS).astype(np.int64)
    whole = np.minimum(sixteenths // _STEPS, largest - 1)
    right, down = np.moveaxis((sixteenths - whole * _STEPS).astype(np.uint16), -1, 0)
    left, up = _STEPS - right, _STEPS - down
    weights = np.stack([left * up, right * up, left * down, right * down]).astype(np.uint16)
    return ResamplingTable(whole[..., 1] * old_width_px + whole[..., 0], weights, old_width_px)


def _corrected_sha256(clip: Clip, correction: PlateCorrection) -> str:
    lens = None if correction.lens is None else lens_to_dict(correction.lens)
    facts = {"clip": clip.sha256, "lens": lens, "pixel_aspect": str(correction.pixel_aspect)}
    return sha256_of_bytes(canonical_json(facts))
