"""How badly an iris at each place of a grid explains what is seen of an eyeball, as an energy.

An iris is a disc darker than the rest, its pupil a smaller disc darker still; their levels are found by least
squares for every place. What lies behind the lids counts for nothing. Nothing here knows about time or the other eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.tracking.eye_sight import PITCHES_RAD, YAWS_RAD, EyeSight, directions

LOOK_YAWS_RAD = np.radians(np.arange(-42.0, 43.0, 2.0))
LOOK_PITCHES_RAD = np.radians(np.arange(-30.0, 31.0, 2.0))
EDGE_RAD = np.radians(4.0)  # softness of the iris's edge
PUPIL_SHARE = 0.36  # of the iris's radius
HIGHLIGHTS = 0.85  # share of the seen area whose level bounds what is brighter: reflections say nothing
LEVEL_RIDGE, PUPIL_RIDGE = 0.004, 0.01
INDEPENDENT_SHARE = 0.25  # of the pixels: neighbours share blur
MOST_INDEPENDENT = 100.0  # however sharp the picture: a disc is not all of the truth
CHANNELS = np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class Discs:
    """Iris and pupil at each of G places, as masks (G, N) on the unrolled eyeball, and products of them."""

    iris: np.ndarray
    pupil: np.ndarray
    stacked: np.ndarray


def discs_of(iris_angle_rad: float) -> Discs:
    """Return the masks of irises that span an angle from their middle to their edge, seen from the eyeball's centre."""
    cosines = (directions(LOOK_YAWS_RAD, LOOK_PITCHES_RAD) @ directions(YAWS_RAD, PITCHES_RAD).T).astype(np.float32)
    stacked = np.empty((5, *cosines.shape), np.float32)
    iris, iris2, pupil, pupil2, both = stacked
    _draw_disc(iris, cosines, iris_angle_rad)
    _draw_disc(pupil, cosines, float(np.arcsin(PUPIL_SHARE * np.sin(iris_angle_rad))))
    np.square(iris, out=iris2)
    np.square(pupil, out=pupil2)
    np.multiply(iris, pupil, out=both)
    return Discs(iris, pupil, stacked.reshape(-1, cosines.shape[1]))


def _draw_disc(mask: np.ndarray, cosines: np.ndarray, angle_rad: float) -> None:
    """Fill a mask with 1 / (1 + exp((cosine of the edge - cosines) / softness)), in place: there are many masks."""
    softness = np.sin(angle_rad) * EDGE_RAD
    np.multiply(cosines, np.float32(-1 / softness), out=mask)
    mask += np.float32(np.cos(angle_rad) / softness)
    np.minimum(mask, np.float32(80.0), out=mask)  # the exponential of more is infinite in float32
    np.exp(mask, out=mask)
    mask += 1
    np.reciprocal(mask, out=mask)


def energies(sights: Sequence[EyeSight], discs: Discs, channel: np.ndarray) -> np.ndarray:
    """Return (F, 2, pitches, yaws) energies of an iris at every place of both eyes; half of it is a squared deviation.

    Args:
        sights: F frames.
        discs: The iris's size.
        channel: (3,) weights of red, green and blue.
    """
    level = np.stack([sight.colours for sight in sights]).astype(np.float32) @ channel.astype(np.float32)
    weight = np.stack([sight.weights for sight in sights]).astype(np.float32)
    samples = level.shape[2]
    total = np.maximum(weight.sum(axis=2, keepdims=True), 1.0)
    left = _left_over(level.reshape(-1, samples), (weight / total).reshape(-1, samples), discs)
    counts = INDEPENDENT_SHARE * np.stack([sight.pixel_counts for sight in sights])
    shape = (*weight.shape[:2], len(LOOK_PITCHES_RAD), len(LOOK_YAWS_RAD))
    counts = counts / (1 + counts / MOST_INDEPENDENT)
    return 0.5 * counts[:, :, None, None] * np.log(left).reshape(shape)


def _left_over(level: np.ndarray, weight: np.ndarray, discs: Discs) -> np.ndarray:
    """Return (F, G) shares of the variance of levels (F, N) that iris and pupil at each place leave unexplained."""
    is_seen = weight.any(axis=0)
    weight, level = weight[:, is_seen], level[:, is_seen]
    level = _without_highlights(level, weight)
    away = level - (weight * level).sum(axis=1, keepdims=True)
    variance = np.maximum((weight * away**2).sum(axis=1, keepdims=True), 1.0)
    iris, iris2, pupil, pupil2, both = np.split(weight @ discs.stacked[:, is_seen].T, 5, axis=1)
    by_iris = (weight * away) @ discs.iris[:, is_seen].T
    by_pupil = (weight * away) @ discs.pupil[:, is_seen].T
    a, d, b = iris2 - iris**2 + LEVEL_RIDGE, pupil2 - pupil**2 + PUPIL_RIDGE, both - iris * pupil
    dark = np.minimum(by_iris / a, 0.0)
    left = variance - dark * (2 * by_iris - dark * a)
    determinant = a * d - b**2
    iris_level = (by_iris * d - by_pupil * b) / determinant
    pupil_level = (by_pupil * a - by_iris * b) / determinant
    left_with_pupil = variance - iris_level * by_iris - pupil_level * by_pupil
    has_pupil = (iris_level < 0) & (pupil_level < 0)
    left = np.where(has_pupil, np.minimum(left, left_with_pupil), left)
    return np.maximum(left / variance, 0.01)


def _without_highlights(level: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return levels (F, N) bounded by the one below which `HIGHLIGHTS` of each frame's seen area lies."""
    order = np.argsort(level, axis=1)
    share = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    place = np.minimum((share < HIGHLIGHTS).sum(axis=1, keepdims=True), level.shape[1] - 1)
    return np.minimum(level, np.take_along_axis(level, np.take_along_axis(order, place, axis=1), axis=1))


def evidence(energy: np.ndarray) -> float:
    """Return the mean log likelihood of frames' energies (F, 2, pitches, yaws), wherever the irises are."""
    lowest = energy.min(axis=(2, 3), keepdims=True)
    spread = np.log(np.exp(lowest - energy).mean(axis=(2, 3)))
    return float((spread - lowest[:, :, 0, 0]).sum(axis=1).mean())
