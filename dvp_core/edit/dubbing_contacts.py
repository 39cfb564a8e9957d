"""Holds lips where speech needs them: the smallest change of a mouth that makes it meet, bite or narrow.

For every frame of a sound, and for a few before and after it, a small least squares problem with bounds is solved
(`dubbing_lips` says why it is linear). The change is eased in and out, so that the mouth arrives and leaves as lips do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.data.speech import LIP_SHAPES, LipShape, Speech
from dvp_core.edit.dubbing_lips import LipRule, lip_rule

EASE_S = 0.1
"""Over which a contact builds up before its sound and dissolves after it: lips take 70 to 120 ms to close."""
_STIFFNESS = 1e4
"""Weight of the contact against the change's size: leaves 1e-4 face heights of an opening of 10 %."""
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Contact:
    """What the lips must do in some frames.

    Attributes:
        shape: What they do.
        symbol: The sound.
        first: Index of the first frame that holds it.
        last: Index of the last one.
    """

    shape: LipShape
    symbol: str
    first: int
    last: int


def contacts_of(speech: Speech, *, fps: float, frame_count: int) -> tuple[Contact, ...]:
    """Return the contacts that timings ask for, in frames.

    A sound is held in every frame whose middle it covers, one at least: the frame nearest to its own middle. Sounds
    outside the frames are left out.
    """
    found = []
    for sound in speech.sounds:
        if sound.lips is None:
            continue
        first, last = (int(np.ceil(edge_s * fps - 0.5)) for edge_s in (sound.start_s, sound.end_s))
        last -= 1
        if last < first:
            first = last = int(np.floor(0.5 * (sound.start_s + sound.end_s) * fps))
        first, last = max(first, 0), min(last, frame_count - 1)
        if first <= last:
            found.append(Contact(sound.lips, sound.symbol, first, last))
    return tuple(found)


def rules_for(face: FaceModel, contacts: Sequence[Contact], rest: np.ndarray) -> dict[LipShape, LipRule]:
    """Return the rule of every shape that the contacts ask for; `rest` (E,) is the person at rest."""
    return {shape: lip_rule(face, shape, rest) for shape in LIP_SHAPES if any(c.shape == shape for c in contacts)}


def held_contacts(
    expression: np.ndarray,
    contacts: Sequence[Contact],
    rules: Mapping[LipShape, LipRule],
    *,
    fps: float,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """Return coefficients (F, E) in which every contact is made that the bounds allow.

    In a frame where several contacts act, the one whose sound is nearest is served last and wholly.

    Args:
        expression: (F, E) float64.
        contacts: What is asked for.
        rules: How, by shape.
        fps: Frames a second.
        low: (E,) least coefficients.
        high: (E,) largest coefficients.
    """
    held = expression.copy()
    for index, acting in enumerate(_acting(contacts, len(expression), fps)):
        for weight, contact in sorted(acting, key=lambda item: (item[0], -LIP_SHAPES.index(item[1].shape))):
            change = smallest_change(held[index], rules[contact.shape], low, high)
            held[index] += weight * change
    return held


def _acting(contacts: Sequence[Contact], frame_count: int, fps: float) -> list[list[tuple[float, Contact]]]:
    """Return for every frame the contacts that act in it, with their strengths."""
    acting: list[list[tuple[float, Contact]]] = [[] for _ in range(frame_count)]
    reach = EASE_S * fps
    for contact in contacts:
        for index in range(
            max(int(np.ceil(contact.first - reach)), 0), min(int(contact.last + reach) + 1, frame_count)
        ):
            distance = max(contact.first - index, index - contact.last, 0)
            part = 1.0 - distance / (reach + 1.0)
            acting[index].append((part * part * (3.0 - 2.0 * part), contact))
    return acting


def smallest_change(expression: np.ndarray, rule: LipRule, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the change (E,) of least squares that brings a rule's numbers into their range, within bounds.

    Numbers that lie in their range stay where they are. Where the bounds do not let a contact be made, the lips come
    as near to it as they can. Nothing but the rule's free coefficients changes.

    Args:
        expression: (E,) coefficients of one frame.
        rule: What the lips must do.
        low: (E,) least coefficients.
        high: (E,) largest coefficients.
    """
    change = np.zeros(len(expression))
    if rule.is_met(expression[None])[0]:
        return change
    values = rule.values(expression[None])[0]
    wanted = np.clip(values, rule.aim_low, rule.aim_high) - values
    free = np.flatnonzero(rule.is_free)
    own = expression[free]
    low, high = np.minimum(low[free], own), np.maximum(high[free], own)
    slope = rule.slope[:, free]
    hessian = _STIFFNESS * slope.T @ slope + np.eye(len(free))
    change[free] = _bounded_minimum(hessian, _STIFFNESS * slope.T @ wanted, low - own, high - own)
    return change


def _bounded_minimum(hessian: np.ndarray, linear: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the x within bounds that minimises x H x / 2 - linear x, H positive definite, by an active set.

    Bounds are taken in one at a time, the one met first on the way from the last point within, and given back where
    the gradient points inside (Nocedal and Wright 2006, algorithm 16.3, for bounds).
    """
    x = np.zeros(len(linear))
    is_held = np.zeros(len(linear), np.bool_)
    for _ in range(6 * len(linear)):
        target = _free_minimum(hessian, linear, x, is_held)
        step = target - x
        reach, blocking = _reach(x, step, low, high, is_held)
        x = np.clip(x + reach * step, low, high)
        if blocking is not None:
            is_held[blocking] = True
            continue
        gradient = hessian @ x - linear
        pull = np.where(x <= low + _TOLERANCE, -gradient, gradient) * is_held
        if pull.max(initial=0.0) <= _TOLERANCE:
            break
        is_held[int(np.argmax(pull))] = False
    return x


def _free_minimum(hessian: np.ndarray, linear: np.ndarray, x: np.ndarray, is_held: np.ndarray) -> np.ndarray:
    free, held = np.flatnonzero(~is_held), np.flatnonzero(is_held)
    target = x.copy()
    if free.size:
        rest = linear[free] - hessian[np.ix_(free, held)] @ x[held]
        target[free] = np.linalg.solve(hessian[np.ix_(free, free)], rest)
    return target


def _reach(
    x: np.ndarray, step: np.ndarray, low: np.ndarray, high: np.ndarray, is_held: np.ndarray
) -> tuple[float, int | None]:
    """Return how much of a step stays within bounds, 0..1, and which coefficient stops it."""
    bound = np.where(step > 0, high, low)
    is_moving = ~is_held & (np.abs(step) > _TOLERANCE)
    parts = np.where(is_moving, (bound - x) / np.where(is_moving, step, 1.0), np.inf)
    if not parts.size or parts.min() >= 1.0:
        return 1.0, None
    return max(float(parts.min()), 0.0), int(np.argmin(parts))
