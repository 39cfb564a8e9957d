"""Coefficients a frame, as face trackers of the FaceWarehouse family write them: a table with names, or arrays.

No such format is standard, so this one is written down in docs/exchange.md: times, pose and gaze go by fixed names, and
every other column is an expression of its own name. Conventions are the project's.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays, take_array
from dvp_core.exchange.angles import head_rotation_from_angles
from dvp_core.exchange.performance import Performance, Reading, ReadingOptions
from dvp_core.exchange.table import Table
from dvp_core.exchange.table_out import HEAD_PLACE, HEAD_ROTATION
from dvp_core.exchange.timecode import likely_rate, parse_timecode, seconds_of
from dvp_core.face.expression_names import canonical_name
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA, relative_to_facing
from dvp_core.maths.rotations import normalized, quaternion_wxyz_from_matrix

KIND_TABLE, KIND_ARRAYS = "table of coefficients", "arrays of coefficients"
NO_NAME = "-"
_SECONDS = {"time_s": 1.0, "time": 1.0, "timestamp": 1.0, "seconds": 1.0, "time_ms": 1e-3, "timestamp_ms": 1e-3}
_TURNS = ("yaw", "pitch", "roll")
_UNITS = {"deg": np.pi / 180.0, "rad": 1.0}


def read_names(path: Path | str) -> tuple[str, ...]:
    """Read a file of names, one a line; `-` stands for a column that is not wanted.

    Raises:
        DataError: No such file, or no names in it.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read as names ({error})", where=path, remedy="Write one name a line") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise DataError("holds no names", where=path, remedy="Write one name a line")
    return names


def table_performance(table: Table, options: ReadingOptions) -> Reading:
    """Return the performance of a table with named columns.

    Raises:
        DataError: No time, frame or rate; no column left for expressions; a cell that is no number.
    """
    column_of = {name.lower(): name for name in table.names if name}
    used: set[str] = set()
    times, fps = _times(table, column_of, options, used)
    head = _head_rotation(table, column_of, used)
    shift = _columns(table, column_of, HEAD_PLACE, used)
    gaze = _gaze(table, column_of, used)
    rest = {name: table.numbers_or_none(name) for name in column_of.values() if name not in used}
    shapes = {name: values for name, values in rest.items() if values is not None}
    if not shapes and head is None and gaze is None:
        raise DataError("has no column of numbers beside its times", where=table.path)
    performance = Performance(
        times_s=times,
        expression_names=tuple(canonical_name(name) for name in shapes),
        expression=np.stack(list(shapes.values()), axis=1) if shapes else np.zeros((len(times), 0)),
        head_rotation_wxyz=head,
        head_translation_m=shift,
        gaze_rad=gaze,
        fps=fps,
    )
    return Reading(performance, KIND_TABLE, ignored_columns=tuple(name for name in rest if name not in shapes))


def _times(
    table: Table, column_of: dict[str, str], options: ReadingOptions, used: set[str]
) -> tuple[np.ndarray, Fraction | None]:
    """Return seconds (S,) and the rate: from times, timecodes, frame numbers, or one row a frame."""
    for name, unit in _SECONDS.items():
        if name in column_of:
            used.add(column_of[name])
            return table.numbers(column_of[name]) * unit, options.fps
    if "timecode" in column_of:
        used.add(column_of["timecode"])
        timecodes = [parse_timecode(text) for text in table.text(column_of["timecode"])]
        fps = options.fps or likely_rate(timecodes)
        if fps is not None:
            return seconds_of(timecodes, fps, is_drop_frame=options.is_drop_frame), fps
    if options.fps is None:
        raise DataError("has no column of times and no frame rate", where=table.path, remedy="Give it by --fps")
    if "frame" in column_of:
        used.add(column_of["frame"])
        return table.numbers(column_of["frame"]) / float(options.fps), options.fps
    return np.array([float(row / options.fps) for row in range(len(table.rows))]), options.fps


def _columns(table: Table, column_of: dict[str, str], names: tuple[str, ...], used: set[str]) -> np.ndarray | None:
    """Return the named columns (S, N), None unless all are there."""
    if not all(name in column_of for name in names):
        return None
    used.update(column_of[name] for name in names)
    return np.stack([table.numbers(column_of[name]) for name in names], axis=1)


def _head_rotation(table: Table, column_of: dict[str, str], used: set[str]) -> np.ndarray | None:
    quaternion = _columns(table, column_of, HEAD_ROTATION, used)
    if quaternion is not None:
        if (np.linalg.norm(quaternion, axis=1) < 1e-6).any():
            raise DataError("has a head rotation of length 0", where=table.path)
        return normalized(quaternion)
    for unit, factor in _UNITS.items():
        angles = _columns(table, column_of, tuple(f"head_{turn}_{unit}" for turn in _TURNS), used)
        if angles is not None:
            yaw, pitch, roll = (angles * factor).T
            return head_rotation_from_angles(yaw, -pitch, roll)
    return None


def _gaze(table: Table, column_of: dict[str, str], used: set[str]) -> np.ndarray | None:
    for unit, factor in _UNITS.items():
        names = tuple(f"gaze_{side}_{turn}_{unit}" for side in ("left", "right") for turn in _TURNS[:2])
        angles = _columns(table, column_of, names, used)
        if angles is not None:
            return (angles * factor).reshape(-1, 2, 2)
    return None


def read_coefficient_arrays(path: Path | str, options: ReadingOptions | None = None) -> Reading:
    """Read an `.npz` of coefficients; docs/exchange.md lists its arrays.

    Raises:
        DataError: No such file, an array missing, of another shape or not finite, no names, or no rate.
    """
    given = options or ReadingOptions()
    arrays = read_arrays(path)
    values = take_array(arrays, "coefficients", (None, None), np.float64, where=path)
    names = given.names or tuple(str(name) for name in arrays.get("names", np.zeros(0)).ravel())
    if len(names) != values.shape[1]:
        raise DataError(
            f"holds {values.shape[1]} coefficients and {len(names)} names",
            where=path,
            remedy="Store an array 'names', or give a file of names by --names",
        )
    times, fps = _array_times(arrays, given, len(values), path)
    kept = [column for column, name in enumerate(names) if name != NO_NAME]
    performance = Performance(
        times_s=times,
        expression_names=tuple(canonical_name(names[column]) for column in kept),
        expression=np.ascontiguousarray(values[:, kept]),
        head_rotation_wxyz=_array_rotation(arrays, len(values), path),
        head_translation_m=_optional(arrays, "translation_camera_head_m", (len(values), 3), path, flip=True),
        gaze_rad=_optional(arrays, "gaze_rad", (len(values), 2, 2), path),
        fps=fps,
    )
    known = {"coefficients", "names", "fps", "times_s", "rotation_camera_head", "translation_camera_head_m", "gaze_rad"}
    return Reading(performance, KIND_ARRAYS, ignored_columns=tuple(sorted(set(arrays) - known)))


def _array_times(
    arrays: dict[str, np.ndarray], options: ReadingOptions, count: int, path: Path | str
) -> tuple[np.ndarray, Fraction | None]:
    fps = options.fps
    if fps is None and "fps" in arrays:
        rate = np.atleast_1d(arrays["fps"]).astype(np.float64)
        if rate.shape not in ((1,), (2,)) or not (np.isfinite(rate).all() and (rate > 0).all()):
            raise DataError(f"fps is {arrays['fps']}, expected a rate or its numerator and denominator", where=path)
        fps = Fraction(*(Fraction(float(part)).limit_denominator(1001) for part in rate))
    if "times_s" in arrays:
        return take_array(arrays, "times_s", (count,), np.float64, where=path), fps
    if fps is None:
        raise DataError("has neither 'times_s' nor 'fps'", where=path, remedy="Give the rate by --fps")
    return np.array([float(row / fps) for row in range(count)]), fps


def _array_rotation(arrays: dict[str, np.ndarray], count: int, path: Path | str) -> np.ndarray | None:
    matrices = _optional(arrays, "rotation_camera_head", (count, 3, 3), path)
    if matrices is None:
        return None
    departure = np.abs(matrices @ np.swapaxes(matrices, 1, 2) - np.eye(3)).max(initial=0.0)
    if departure > 1e-3 or (np.linalg.det(matrices) < 0).any():
        raise DataError("field 'rotation_camera_head' holds a matrix that is no rotation", where=path)
    return quaternion_wxyz_from_matrix(relative_to_facing(quaternion_wxyz_from_matrix(matrices)))


def _optional(
    arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...], path: Path | str, *, flip: bool = False
) -> np.ndarray | None:
    if name not in arrays:
        return None
    values = take_array(arrays, name, shape, np.float64, where=path)
    return values @ OPENGL_CAMERA_FROM_CAMERA.T if flip else values
