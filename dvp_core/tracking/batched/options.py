"""How frames are fitted many at a time. No torch here: whoever only names a device need not load it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Batches:
    """Where and how the frames are fitted.

    Attributes:
        device: A graphics card by "cuda"; "cpu" runs the same code without one.
        frame_count: Frames fitted at the same time; memory grows with it, the clip's length does not matter.
        precision: Of the arithmetic; deviations are always computed in float64.
    """

    device: Device = "cuda"
    frame_count: int = 128
    precision: Precision = "float32"
