"""Measures of one way of making frames, gathered frame by frame with memory for one frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dvp_core.evaluate.metrics import change_error, psnr, rgb_distance, similarity_image, similarity_within

_STILL_LEVELS = 2.0
"""A plate's pixel stands still where its standard deviation over the frames is below this many levels of 255."""


@dataclass(frozen=True)
class Scores:
    """Means over frames; RGB distances and drifts in levels of 255.

    Attributes:
        rgb_distance: Mean RGB distance over the whole crop.
        rgb_distance_head: The same where the passes show the head.
        rgb_distance_mouth: The same in the mouth's rectangle.
        psnr: Mean of the frames' PSNR over the whole crop, dB; `psnr_head` and `psnr_mouth` as above.
        ssim: Structural similarity; `ssim_head` and `ssim_mouth` as above.
        flicker: Mean RGB distance between the made and the real change from one frame to the next.
        background_drift: Standard deviation over time of pixels that stand still in the plate.
    """

    rgb_distance: float
    rgb_distance_head: float
    rgb_distance_mouth: float
    psnr: float
    psnr_head: float
    psnr_mouth: float
    ssim: float
    ssim_head: float
    ssim_mouth: float
    flicker: float
    background_drift: float


@dataclass
class Spread:
    """Running mean and standard deviation over time of every pixel."""

    count: int = 0
    total: np.ndarray = field(default_factory=lambda: np.zeros(()))
    total_square: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def add(self, image: np.ndarray) -> None:
        """Take note of one frame."""
        values = image.astype(np.float64)
        self.count += 1
        self.total = self.total + values
        self.total_square = self.total_square + values**2

    def deviation(self) -> np.ndarray:
        """Standard deviation (H, W, 3) so far."""
        mean = self.total / self.count
        return np.sqrt(np.maximum(self.total_square / self.count - mean**2, 0.0))


@dataclass
class Tally:
    """Gathers the scores of one way of making frames."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    made_spread: Spread = field(default_factory=Spread)
    plate_spread: Spread = field(default_factory=Spread)
    before: tuple[int, np.ndarray, np.ndarray] | None = None

    def add(self, frame: int, made: np.ndarray, plate: np.ndarray, head: np.ndarray, mouth: np.ndarray) -> None:
        """Take note of one frame; `head` and `mouth` are masks (H, W)."""
        regions = (None, head, mouth)
        similarity = similarity_image(made, plate)
        self.rows.append(
            (
                *(rgb_distance(made, plate, mask) for mask in regions),
                *(psnr(made, plate, mask) for mask in regions),
                *(similarity_within(similarity, mask) for mask in regions),
            )
        )
        if self.before is not None and self.before[0] == frame - 1:
            self.changes.append(change_error(made, self.before[1], plate, self.before[2]))
        self.before = (frame, made, plate)
        self.made_spread.add(made)
        self.plate_spread.add(plate)

    def scores(self) -> Scores:
        """Return the means so far."""
        means = np.mean(self.rows, axis=0)
        is_still = self.plate_spread.deviation().max(axis=2) < _STILL_LEVELS
        drift = self.made_spread.deviation()[is_still]
        return Scores(
            *(float(mean) for mean in means),
            flicker=float(np.mean(self.changes)) if self.changes else 0.0,
            background_drift=float(drift.mean()) if drift.size else 0.0,
        )
