"""The heads of many frames at once: the counterpart of `dvp_core.tracking.states`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dvp_core.tracking.batched.rotations import matrix_from_rotation_vector
from dvp_core.tracking.states import FrameState


@dataclass(frozen=True)
class FrameStates:
    """B frames' heads.

    Attributes:
        rotation: (B, 3, 3), head to camera space.
        translation_m: (B, 3), head to camera space.
        expression: (B, E), 0..1.
    """

    rotation: torch.Tensor
    translation_m: torch.Tensor
    expression: torch.Tensor

    def frame(self, index: int) -> FrameStates:
        """Return one frame, as a batch of one."""
        part = slice(index, None) if index == -1 else slice(index, index + 1)
        return FrameStates(self.rotation[part], self.translation_m[part], self.expression[part])


def chosen(which: torch.Tensor, these: FrameStates, others: FrameStates) -> FrameStates:
    """Return `these` where `which` (B,) is true, else the others."""
    return FrameStates(
        torch.where(which[:, None, None], these.rotation, others.rotation),
        torch.where(which[:, None], these.translation_m, others.translation_m),
        torch.where(which[:, None], these.expression, others.expression),
    )


@dataclass(frozen=True)
class Range:
    """Between which values each expression may lie, (E,) each; see `ExpressionRange`."""

    lower: torch.Tensor
    upper: torch.Tensor


def moved(states: FrameStates, step: torch.Tensor, within: Range) -> FrameStates:
    """Return the frames after steps (B, 6 + E); expressions stay in their range."""
    return FrameStates(
        matrix_from_rotation_vector(step[:, 0:3]) @ states.rotation,
        states.translation_m + step[:, 3:6],
        torch.minimum(torch.maximum(states.expression + step[:, 6:], within.lower), within.upper),
    )


def step_box(states: FrameStates, within: Range) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least and the largest step (B, 6 + E) that keep every expression in its range."""
    free = torch.full_like(states.rotation[:, :2].flatten(1), torch.inf)
    lower, upper = within.lower - states.expression, within.upper - states.expression
    return torch.cat([-free, lower], dim=1), torch.cat([free, upper], dim=1)


def after_the_frame_before(states: FrameStates, before: FrameStates | None) -> FrameStates:
    """Return for each frame the one before it; for the first `before`, or itself where there is none."""
    first = states.frame(0) if before is None else before
    return FrameStates(
        torch.cat([first.rotation, states.rotation[:-1]]),
        torch.cat([first.translation_m, states.translation_m[:-1]]),
        torch.cat([first.expression, states.expression[:-1]]),
    )


def frames_of(states: FrameStates) -> list[FrameState]:
    """Return a batch as frames, in float64."""
    parts = (states.rotation, states.translation_m, states.expression)
    rotation, translation_m, expression = (part.double().cpu().numpy() for part in parts)
    return [FrameState(*each) for each in zip(rotation, translation_m, expression, strict=True)]
