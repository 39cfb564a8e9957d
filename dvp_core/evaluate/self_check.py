"""Holds rendered frames against the take they were made from, frame by frame and without a tracker.

Frames pass by once; of each a few hundred numbers stay. What can be told from pictures alone is told first
(`picture_faults`), the rest from points that optical flow follows from the plate (`motion_faults`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take
from dvp_core.evaluate.asked_points import asked_points, face_box, shown_points
from dvp_core.evaluate.faults import Fault
from dvp_core.evaluate.motion_faults import Motion, asked_steps, find_motion_faults, without_constant
from dvp_core.evaluate.picture_faults import BLACK_SHARE, Looks, block_means, find_picture_faults

LEAST_FRAMES = 12
"""Fewer tell too little of what is usual."""


@dataclass
class SelfCheck:
    """Takes note of rendered frames as they pass by; one run of consecutive frames.

    Args:
        tracked: The take as tracked, with its face.
        edited: The take whose passes the frames were made from.
        frames: The consecutive plate frames that will be added, in their order.

    Raises:
        DataError: The takes do not belong together, or carry no face.
    """

    tracked: Take
    edited: Take
    frames: FrameRange
    _shown: list[np.ndarray] = field(default_factory=list)
    _made: list[np.ndarray] = field(default_factory=list)
    _plate: list[np.ndarray] = field(default_factory=list)
    _change: list[float] = field(default_factory=list)
    _before: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.tracked.frames != self.edited.frames or self.tracked.crop != self.edited.crop:
            raise DataError(
                "is of other frames or another crop than the tracked one",
                where=f"take '{self.edited.subject}'",
                remedy="Give the tracked take that this one was edited from",
            )
        indices = np.array([self.tracked.index_of(frame) for frame in self.frames])
        self.tracked_px, self.asked_px = (asked_points(take, indices) for take in (self.tracked, self.edited))

    def add(self, made: np.ndarray, plate: np.ndarray) -> None:
        """Take note of the next frame.

        Args:
            made: (R, R, 3) uint8, the rendered square.
            plate: (R, R, 3) uint8, the plate's crop.

        Raises:
            DataError: The square is not of the crop's resolution.
        """
        if made.shape != plate.shape:
            raise DataError(
                f"is {made.shape[1]} x {made.shape[0]} pixels, the take's crop {plate.shape[1]} x {plate.shape[0]}",
                where=f"frame {self.frames.first + len(self._made)}",
                remedy="Give the frames that were rendered from this take's passes",
            )
        points = self.tracked_px[len(self._made)]
        is_seen = made.mean() >= BLACK_SHARE * plate.mean()
        self._shown.append(shown_points(plate, made, points) if is_seen else points)
        box = face_box(points, len(made))
        face = made.astype(np.int16)
        change = np.inf if self._before is None else float(np.abs(face[box] - self._before[box]).mean())
        self._change.append(change)
        self._before = face
        self._made.append(block_means(made))
        self._plate.append(block_means(plate))

    def faults(self) -> list[Fault]:
        """Return what is wrong with the frames, by frame.

        Raises:
            DataError: Too few frames were added.
        """
        if len(self._made) < LEAST_FRAMES:
            raise DataError(f"{len(self._made)} frames are too few to check", remedy=f"Give {LEAST_FRAMES} or more")
        looks = Looks(np.array(self._made), np.array(self._plate), np.array(self._change))
        found = find_picture_faults(looks, asked_steps(self.asked_px), self.frames.first)
        left_out = np.zeros(len(self._made), np.bool_)
        for fault in found:
            if fault.kind in ("black", "frozen"):
                left_out[fault.first_frame - self.frames.first : fault.last_frame - self.frames.first + 1] = True
        motion = self.motion()
        found += find_motion_faults(motion, self.frames.first, left_out)
        return sorted(found, key=lambda fault: (fault.first_frame, fault.last_frame))

    def motion(self) -> Motion:
        """Return the points of the frames that were added."""
        count = len(self._shown)
        asked = self.asked_px[:count]
        return Motion(self.tracked_px[:count], asked, without_constant(np.array(self._shown), asked))
