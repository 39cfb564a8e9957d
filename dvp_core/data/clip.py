"""A portrait video as the rest of the program sees it: what it is, and frames by index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from dvp_core.data.frame_range import FrameRange


@dataclass(frozen=True)
class Clip:
    """Facts about a movie or an image sequence.

    Attributes:
        file_name: The name without folders.
        sha256: Hash of the movie file; of an image sequence, the hash over its files' hashes in order.
        width_px: Width of the picture.
        height_px: Height of the picture.
        fps: Frames per second, an exact rational.
        start_frame: The plate's number of the first frame.
        frame_count: How many frames there are.
        pixel_aspect: Width of a pixel divided by its height.
    """

    file_name: str
    sha256: str
    width_px: int
    height_px: int
    fps: Fraction
    start_frame: int
    frame_count: int
    pixel_aspect: Fraction = Fraction(1)

    @property
    def frames(self) -> FrameRange:
        """The plate's frame numbers."""
        return FrameRange.span(self.start_frame, self.start_frame + self.frame_count - 1)

    @property
    def hold_out_start(self) -> int:
        """Index at which the held-out last third begins."""
        return self.frame_count * 2 // 3


class FrameSource(Protocol):
    """Pictures of a clip by index; index 0 is the plate's frame `clip.start_frame`."""

    @property
    def clip(self) -> Clip:
        """What is being read."""
        ...

    def read(self, index: int) -> np.ndarray:
        """Return picture `index` as sRGB-encoded RGB, shape (height, width, 3), uint8."""
        ...

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the pictures `start` to `stop` (not included; None: to the end) in order."""
        ...
