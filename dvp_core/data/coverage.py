"""What a generator has seen, and how far other frames leave it.

A network paints what it was shown. A head turned further than in any training frame, or a mouth opened wider, is
painted by guesswork; the numbers here let that be said before hours of rendering. Two measures: which parameters leave
the range that was seen, and how far a region's parameters together are from the nearest pose that was seen, which tells
of new combinations too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import yaw_pitch_roll_rad

_DEVIATIONS = 0.5
_SMALL = {"_rad": 0.05, "_m": 0.02}
_SMALL_WEIGHT = 0.05
SEEN, GUESSED = 1.0, 2.0
"""Distances from the seen poses up to which a network has seen the like, and from which on it guesses."""
_USUAL = 90.0
"""Percentile of the seen poses' distances to their nearest neighbour that counts as distance 1."""
_SMALLEST = 1e-6


@dataclass(frozen=True)
class Coverage:
    """The spread of every parameter over the training frames.

    Attributes:
        names: P names, see `parameter_names`.
        frame_count: How many frames were seen.
        lowest: (P,) smallest value.
        highest: (P,) largest value.
        deviation: (P,) standard deviation.
        poses: (K, P) of training frames that lie far apart, two at least.
    """

    names: tuple[str, ...]
    frame_count: int
    lowest: np.ndarray
    highest: np.ndarray
    deviation: np.ndarray
    poses: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """(P,) by what parameters are divided to be compared."""
        return parameter_scale(self.names, self.deviation)


@dataclass(frozen=True)
class Excess:
    """A parameter that leaves what was seen.

    Attributes:
        name: Which.
        frames: Where it does.
        worst_frame: Where it does most.
        value: What it is there; radians, metres or a weight, by its name.
        lowest: Smallest value seen.
        highest: Largest value seen.
    """

    name: str
    frames: FrameRange
    worst_frame: int
    value: float
    lowest: float
    highest: float


def parameter_names(expression_names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of what `parameter_values` gives: head angles, translation, gaze, expression."""
    return (
        *(f"head.{angle}_rad" for angle in ("yaw", "pitch", "roll")),
        *(f"head.{axis}_m" for axis in "xyz"),
        *(f"gaze.{eye}_{angle}_rad" for eye in ("left", "right") for angle in ("yaw", "pitch")),
        *(f"expression.{name}" for name in expression_names),
    )


def parameter_values(
    head_rotation_wxyz: np.ndarray, head_translation_m: np.ndarray, gaze_rad: np.ndarray, expression: np.ndarray
) -> np.ndarray:
    """Return the parameters (F, P) of frames given as in `Take`.

    The angles are from looking straight into the camera: as a rotation to camera coordinates that look is half a turn,
    where a rotation vector jumps to its opposite.

    Args:
        head_rotation_wxyz: (F, 4) quaternions of `T_camera_head`.
        head_translation_m: (F, 3).
        gaze_rad: (F, 2, 2), yaw and pitch of the left and the right eye.
        expression: (F, E) weights.
    """
    angles = yaw_pitch_roll_rad(relative_to_facing(head_rotation_wxyz))
    return np.concatenate([angles, head_translation_m, gaze_rad.reshape(len(gaze_rad), 4), expression], axis=1)


def parameter_scale(names: Sequence[str], deviation: np.ndarray) -> np.ndarray:
    """Return by what parameters (P,) are divided to be compared: their deviation, or what is too little to matter."""
    return np.maximum(deviation, [_small(name) for name in names])


def coverage_from_dict(content: Any, *, where: str | Path) -> Coverage:
    """Return the coverage that a generator's description tells.

    Raises:
        DataError: Fields are missing, or lists have other lengths than there are parameters.
    """
    try:
        names = tuple(str(name) for name in content["parameters"])
        measures = {name: np.array(content["value"][name], np.float64) for name in ("min", "max", "std")}
        frame_count = int(content["frame_count"])
        poses = np.array(content["poses"], np.float64).reshape(-1, len(names))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"has a damaged coverage ({error!r})", where=where) from error
    is_finite = all(np.isfinite(values).all() for values in (*measures.values(), poses))
    if not is_finite or len(poses) < 2 or any(values.shape != (len(names),) for values in measures.values()):
        raise DataError(f"has a coverage without one finite number for each of {len(names)} parameters", where=where)
    return Coverage(names, frame_count, measures["min"], measures["max"], measures["std"], poses)


def unseen(
    coverage: Coverage, names: Sequence[str], values: np.ndarray, regions: Mapping[str, Sequence[str]]
) -> dict[str, np.ndarray]:
    """Return for each region how far frames are from the nearest pose that was seen, (F,) each.

    Distance 1 is how far the seen poses that are kept lie from each other there (nine in ten lie nearer): below it a
    network has seen the like, above 2 it guesses. Parameters that the coverage does not know are passed over.

    Args:
        coverage: What the generator has seen.
        names: P names of the values.
        values: (F, P).
        regions: Names of parameters by region.

    """
    known = {name: number for number, name in enumerate(coverage.names)}
    own = {name: number for number, name in enumerate(names)}
    found = {}
    for region, members in regions.items():
        shared = [name for name in members if name in known and name in own]
        if shared:
            there = [known[name] for name in shared]
            poses = coverage.poses[:, there] / coverage.scale[there]
            frames = values[:, [own[name] for name in shared]] / coverage.scale[there]
            found[region] = _distances(frames, poses).min(axis=1) / _usual_distance(poses)
    return found


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distances (N, M) of points (N, D) to others (M, D)."""
    return np.linalg.norm(points[:, None] - others[None], axis=2)


def _usual_distance(poses: np.ndarray) -> float:
    apart = _distances(poses, poses)
    np.fill_diagonal(apart, np.inf)
    return max(float(np.percentile(apart.min(axis=1), _USUAL)), _SMALLEST)


def excesses(coverage: Coverage, frames: Sequence[int], names: Sequence[str], values: np.ndarray) -> tuple[Excess, ...]:
    """Return the parameters that leave what was seen, those that leave it furthest first.

    A parameter may leave its range by half its standard deviation, or by what is too little to matter: 0.05 rad,
    0.02 m, 0.05 of an expression. Parameters that the coverage does not know are passed over.

    Args:
        coverage: What the generator has seen.
        frames: F plate frame numbers.
        names: P names of the values.
        values: (F, P).
    """
    known = {name: number for number, name in enumerate(coverage.names)}
    found: dict[str, tuple[float, Excess]] = {}
    for column, name in enumerate(names):
        if name in known:
            found |= _excess_of(coverage, known[name], frames, values[:, column])
    return tuple(excess for _, excess in sorted(found.values(), key=lambda item: -item[0]))


def _excess_of(
    coverage: Coverage, number: int, frames: Sequence[int], values: np.ndarray
) -> Mapping[str, tuple[float, Excess]]:
    """Return a parameter's excess by name, with its size in allowances; empty where there is none."""
    name, lowest, highest = coverage.names[number], coverage.lowest[number], coverage.highest[number]
    allowance = max(_small(name), _DEVIATIONS * float(coverage.deviation[number]))
    beyond = np.maximum(lowest - values, values - highest) / allowance
    outside = np.flatnonzero(beyond > 1)
    if not outside.size:
        return {}
    worst = int(beyond.argmax())
    excess = Excess(
        name=name,
        frames=FrameRange.of(frames[index] for index in outside),
        worst_frame=frames[worst],
        value=float(values[worst]),
        lowest=float(lowest),
        highest=float(highest),
    )
    return {name: (float(beyond[worst]), excess)}


def _small(name: str) -> float:
    return next((size for unit, size in _SMALL.items() if name.endswith(unit)), _SMALL_WEIGHT)
