"""What can be wrong with rendered frames, named with the frames in which it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from dvp_core.data.frame_range import FrameRange

FaultKind = Literal[
    "missing",  # a frame of the run does not stand in the folder
    "black",  # shows next to nothing
    "colour",  # other colours than the plate's
    "flicker",  # brightness jumps back and forth
    "frozen",  # the same picture while the keys move
    "order",  # shows what another frame asks for: dropped, doubled or exchanged pictures
    "jaw",  # does not open and close as asked
    "eyes",  # left and right exchanged
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True)
class Fault:
    """One run of frames and what is wrong with it.

    Attributes:
        kind: What is wrong.
        first_frame: Plate frame at which it begins.
        last_frame: Plate frame at which it ends, included.
        reason: What was seen, in plain words with its figure.
        remedy: What a person can do about it.
    """

    kind: FaultKind
    first_frame: int
    last_frame: int
    reason: str
    remedy: str

    @property
    def frames(self) -> FrameRange:
        """Its plate frames."""
        return FrameRange.span(self.first_frame, self.last_frame)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"kind": self.kind, "frames": str(self.frames), "reason": self.reason, "remedy": self.remedy}


def runs_of(is_faulty: np.ndarray) -> list[slice]:
    """Return the runs of true values (T,) as slices of indices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_faulty.astype(np.int8), [0]])))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
