"""What the tracker moves: the state of a frame, what all frames share, and where each stands in a step.

No energy and no picture here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvp_core.maths.rotations import matrix_from_rotation_vector
from dvp_core.tracking.solver import StepBox


@dataclass(frozen=True)
class FrameState:
    """One frame's head.

    Attributes:
        rotation: (3, 3), head to camera space.
        translation_m: (3,), head to camera space.
        expression: (E,), 0..1.
    """

    rotation: np.ndarray
    translation_m: np.ndarray
    expression: np.ndarray


@dataclass(frozen=True)
class SharedState:
    """What does not change in a clip: identity (I,) in standard deviations, and the focal length in plate pixels."""

    identity: np.ndarray
    focal_px: float


@dataclass(frozen=True)
class Layout:
    """Places in a step: rotation vector (camera axes), translation, expression, then identity and log focal length.

    Attributes:
        expression_count: E.
        identity_count: I, zero where the identity is fixed.
        has_focal: Whether the focal length may move.
    """

    expression_count: int
    identity_count: int = 0
    has_focal: bool = False

    rotation = slice(0, 3)
    translation = slice(3, 6)

    @property
    def expression(self) -> slice:
        """Where the expression stands."""
        return slice(6, 6 + self.expression_count)

    @property
    def identity(self) -> slice:
        """Where the identity stands."""
        return slice(self.frame_size, self.frame_size + self.identity_count)

    @property
    def focal(self) -> slice:
        """Where the logarithm of the focal length stands; empty where it is fixed."""
        start = self.frame_size + self.identity_count
        return slice(start, start + int(self.has_focal))

    @property
    def frame_size(self) -> int:
        """Numbers that belong to one frame."""
        return 6 + self.expression_count

    @property
    def size(self) -> int:
        """All numbers of the step."""
        return self.focal.stop

    def places(self, number: int, frame_count: int) -> np.ndarray:
        """Return (size,): where a frame's step stands in that of several frames, which all share the last numbers."""
        start = self.frame_size * frame_count
        own = np.arange(number * self.frame_size, (number + 1) * self.frame_size)
        return np.concatenate([own, np.arange(start, start + self.size - self.frame_size)])


@dataclass(frozen=True)
class ExpressionRange:
    """Between which values each expression may lie.

    Attributes:
        lower: (E,), or one number for all.
        upper: (E,), or one number for all.
    """

    lower: np.ndarray | float = 0.0
    upper: np.ndarray | float = 1.0

    def held(self, expression: np.ndarray) -> np.ndarray:
        """Return an expression (E,) within the range."""
        return np.clip(expression, self.lower, self.upper)

    def likely_middle(self, expression_count: int, push: float) -> np.ndarray:
        """Return the middle (E,) of the prior: `push` below zero for what starts at zero, else zero."""
        return np.broadcast_to(np.where(np.asarray(self.lower) < 0, 0.0, -push), (expression_count,))


NAMED_RANGE = ExpressionRange()
"""Of named shapes."""


def moved_frame(state: FrameState, step: np.ndarray, within: ExpressionRange = NAMED_RANGE) -> FrameState:
    """Return the frame after the first `frame_size` numbers of a step; expressions stay in their range."""
    return FrameState(
        rotation=matrix_from_rotation_vector(step[0:3]) @ state.rotation,
        translation_m=state.translation_m + step[3:6],
        expression=within.held(state.expression + step[6 : 6 + len(state.expression)]),
    )


def moved_shared(shared: SharedState, step: np.ndarray) -> SharedState:
    """Return identity and focal length after a step that holds the identity and, where it is free, the focal length."""
    count = len(shared.identity)
    moved = replace(shared, identity=shared.identity + step[:count])
    return moved if len(step) == count else replace(moved, focal_px=shared.focal_px * float(np.exp(step[count])))


def frame_box(state: FrameState, within: ExpressionRange) -> StepBox:
    """Return the steps that keep every expression in its range."""
    free = np.full(6, np.inf)
    return StepBox(
        lower=np.concatenate([-free, within.lower - state.expression]),
        upper=np.concatenate([free, within.upper - state.expression]),
    )
