"""When which sound is spoken: what a dubbing session's timings say about lips, whatever file they came from.

Seconds count from the first frame of the performance that speaks. Readers of other tools' files are in `exchange`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from dvp_core.data.errors import DataError

LipShape = Literal["closed", "teeth", "round"]
"""What lips must do in a sound: meet (p b m), lower lip to upper teeth (f v), narrow (w u)."""
LIP_SHAPES: tuple[LipShape, ...] = get_args(LipShape)


@dataclass(frozen=True)
class SpeechSound:
    """One sound, or one word where no finer timing is known.

    Attributes:
        start_s: When it begins.
        end_s: When it ends.
        symbol: As the file writes it.
        lips: What the lips must do in it; None where they are free.
    """

    start_s: float
    end_s: float
    symbol: str
    lips: LipShape | None = None


@dataclass(frozen=True)
class Speech:
    """All sounds in order of time, silences left out.

    Raises:
        DataError: A sound that ends before it begins, or that begins before the one before it.
    """

    sounds: tuple[SpeechSound, ...]

    def __post_init__(self) -> None:
        before_s = -np.inf
        for sound in self.sounds:
            is_ordered = np.isfinite(sound.end_s) and before_s <= sound.start_s < sound.end_s
            if not is_ordered:
                raise DataError(
                    f"'{sound.symbol}' runs from {sound.start_s:g} to {sound.end_s:g} s, out of order",
                    remedy="Sounds must follow each other in time, each ending after it begins",
                )
            before_s = sound.start_s

    @property
    def spans_s(self) -> np.ndarray:
        """(N, 2) float64, begin and end of every sound."""
        return np.array([(sound.start_s, sound.end_s) for sound in self.sounds], np.float64).reshape(-1, 2)
