"""A take's numbers over time, put together as a person reads them: degrees, centimetres, and what moves most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.doubt import DoubtChannel
from dvp_core.data.take import Take
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import yaw_pitch_roll_rad

_EXPRESSION_COUNT = 6
_ERRORS: frozenset[DoubtChannel] = frozenset({"face", "points", "picture", "shot"})
_HEAD: frozenset[DoubtChannel] = frozenset({"face", "points", "picture", "shot", "head"})
_EXPRESSION: frozenset[DoubtChannel] = frozenset({"face", "points", "picture", "shot", "expression"})
_GAZE: frozenset[DoubtChannel] = frozenset({"face", "gaze"})


@dataclass(frozen=True)
class Curve:
    """One number over F frames.

    Attributes:
        name: What it is.
        shown: (F,) as the take shows it, smoothed.
        measured: (F,) as it was measured, where the take knows.
        sigma: (F,) standard deviation of the measurement.
    """

    name: str
    shown: np.ndarray
    measured: np.ndarray | None = None
    sigma: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """Curves that share an axis.

    Attributes:
        title: What they are, with the unit.
        curves: At least one.
        channels: Doubts of these channels concern it.
    """

    title: str
    curves: tuple[Curve, ...]
    channels: frozenset[DoubtChannel]


def panels_of(take: Take) -> tuple[Panel, ...]:
    """Return head, expressions that move most, gaze and errors of a take over time."""
    points = Curve("points", take.landmark_error_px.astype(np.float64))
    colours = Curve("colours", take.photometric_error.astype(np.float64))
    return (
        Panel("head rotation, degrees", _rotation(take), _HEAD),
        Panel("head translation from its median, cm", _translation(take), _HEAD),
        *(Panel(f"expression {curve.name}, 0 to 1", (curve,), _EXPRESSION) for curve in _expressions(take)),
        Panel("gaze to the subject's left, degrees", _gaze(take, 0), _GAZE),
        Panel("gaze up, degrees", _gaze(take, 1), _GAZE),
        Panel("error of points, px", (points,), _ERRORS),
        Panel("error of colours, 0 to 1", (colours,), _ERRORS),
    )


def _rotation(take: Take) -> tuple[Curve, ...]:
    """Yaw, pitch and roll; their deviations are those about the camera's y, x and z, which they are near the front."""
    names, camera_axes = ("yaw", "pitch", "roll"), (1, 0, 2)
    shown = np.degrees(yaw_pitch_roll_rad(relative_to_facing(take.head_rotation_wxyz)))
    if take.measured is None:
        return tuple(Curve(name, shown[:, axis]) for axis, name in enumerate(names))
    measured = np.degrees(yaw_pitch_roll_rad(relative_to_facing(take.measured.head_rotation_wxyz)))
    sigma = np.degrees(take.measured.rotation_sigma_rad[:, camera_axes])
    return tuple(Curve(name, shown[:, axis], measured[:, axis], sigma[:, axis]) for axis, name in enumerate(names))


def _translation(take: Take) -> tuple[Curve, ...]:
    middle = np.median(take.head_translation_m, axis=0)
    shown = 100 * (take.head_translation_m - middle)
    names = ("right", "down", "away")
    if take.measured is None:
        return tuple(Curve(name, shown[:, axis]) for axis, name in enumerate(names))
    measured = 100 * (take.measured.head_translation_m - middle)
    sigma = 100 * take.measured.translation_sigma_m
    return tuple(Curve(name, shown[:, axis], measured[:, axis], sigma[:, axis]) for axis, name in enumerate(names))


def _expressions(take: Take) -> tuple[Curve, ...]:
    """Return the expressions that move most, the most lively first."""
    order = np.argsort(-take.expression.std(axis=0), kind="stable")[:_EXPRESSION_COUNT]
    measured = take.measured
    if measured is None:
        return tuple(Curve(take.expression_names[index], take.expression[:, index]) for index in order)
    return tuple(
        Curve(
            take.expression_names[index],
            take.expression[:, index],
            measured.expression[:, index],
            measured.expression_sigma[:, index],
        )
        for index in order
    )


def _gaze(take: Take, axis: int) -> tuple[Curve, ...]:
    """Return both eyes' angles. Their deviation is one constant for open eyes, so it is not drawn."""
    shown = np.degrees(take.gaze_rad[..., axis])
    measured = None if take.measured is None else np.degrees(take.measured.gaze_rad[..., axis])
    return tuple(
        Curve(name, shown[:, side], None if measured is None else measured[:, side])
        for side, name in enumerate(("left eye", "right eye"))
    )
