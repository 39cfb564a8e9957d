"""Sound as numbers, for what is measured on it; files are read by `dvp_core.video`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sound:
    """One channel of sound from time 0 on.

    Attributes:
        samples: (N,) float32, full scale is -1..1.
        rate_hz: Samples a second.
    """

    samples: np.ndarray
    rate_hz: int

    def levels(self, times_s: np.ndarray, *, window_s: float) -> np.ndarray:
        """Return root mean squares (T,) float64 of windows around the given times; 0 where there is no sound.

        Args:
            times_s: (T,) the windows' middles.
            window_s: Their length.
        """
        energy = np.concatenate([[0.0], np.cumsum(self.samples.astype(np.float64) ** 2)])
        length = max(round(window_s * self.rate_hz), 1)
        first = np.round(np.asarray(times_s) * self.rate_hz).astype(np.int64) - length // 2
        low, high = (np.clip(edge, 0, len(self.samples)) for edge in (first, first + length))
        return np.sqrt(np.maximum(energy[high] - energy[low], 0.0) / length)
