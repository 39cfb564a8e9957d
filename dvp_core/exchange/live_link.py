"""The CSV of Epic's Live Link Face app, and of everything that writes the same columns, read as a performance.

Columns go by name: their order, their case and further columns do not matter. docs/exchange.md says what is known of
the format, and what is assumed.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.exchange.angles import gaze_from_angles, head_rotation_from_angles
from dvp_core.exchange.live_link_columns import ANGLES, FLIP_OF_ANGLE
from dvp_core.exchange.performance import Performance, Reading, ReadingOptions
from dvp_core.exchange.table import Table, read_table
from dvp_core.exchange.timecode import (
    clock_seconds,
    likely_rate,
    over_midnight,
    parse_timecode,
    seconds_of,
)
from dvp_core.face.expression_names import ARKIT_52, SPLIT_NAMES, canonical_name

KIND = "Live Link Face CSV"
USUAL_FPS = Fraction(60)


def is_live_link(table: Table) -> bool:
    """Whether a table has the app's columns: a timecode and some of the 52 shapes."""
    names = {name.lower() for name in table.names}
    return "timecode" in names and any(name.lower() in names for name in ARKIT_52)


def read_live_link(path: Path | str, options: ReadingOptions | None = None) -> Reading:
    """Read a Live Link Face CSV. Rows without values are kept as samples without values.

    Raises:
        DataError: No such file, no table, no timecode or no shape among its columns, or a cell that is no number.
    """
    return live_link_performance(read_table(path), options or ReadingOptions())


def live_link_performance(table: Table, options: ReadingOptions) -> Reading:
    """Return the performance of a table; see `read_live_link`."""
    column_of = {name.lower(): name for name in table.names if name}
    if "timecode" not in column_of:
        raise DataError("has no column 'Timecode'", where=table.path, remedy="Export it as Live Link Face CSV")
    shapes = _shape_columns(table)
    if not shapes:
        raise DataError("names none of ARKit's 52 shapes in its first line", where=table.path)
    texts = table.text(column_of["timecode"])
    timed = np.array([bool(text) for text in texts], dtype=bool)
    times, fps, notes = _times([text for text in texts if text], options, table.path)
    if not timed.all():
        notes.append(f"{int((~timed).sum())} rows without a timecode were left out")
    expression = np.stack([table.numbers(column) for column in shapes.values()], axis=1)
    if "blendshapecount" in column_of:
        expression[table.numbers(column_of["blendshapecount"]) == 0] = np.nan
    angles = _angles(table, column_of, options, notes)
    is_lost = ~np.isfinite(expression).any(axis=1)  # the app still writes angles, as 0, when it has lost the face
    angles = {name: np.where(is_lost, np.nan, part) for name, part in angles.items()}
    head, gaze = _head(angles, notes), _gaze(angles, notes)
    performance = Performance(
        times_s=times,
        expression_names=tuple(shapes),
        expression=expression[timed],
        head_rotation_wxyz=None if head is None else head[timed],
        gaze_rad=None if gaze is None else gaze[timed],
        fps=fps,
        start_timecode=next(text for text in texts if text),
    )
    known = {"timecode", "blendshapecount", *angles}
    notes += _eye_doubts(performance)
    return Reading(
        performance,
        KIND,
        ignored_columns=tuple(
            name for name in table.names if name and name.lower() not in known and name not in shapes.values()
        ),
        missing_names=tuple(name for name in ARKIT_52 if name not in shapes),
        notes=tuple(notes),
    )


def _shape_columns(table: Table) -> dict[str, str]:
    """Return ARKit's name and the file's column of each shape, in the file's order."""
    plain = {name.lower(): name for name in ARKIT_52}
    halves = {half.lower(): half for pair in SPLIT_NAMES.values() for half in pair}
    found = {}
    for column in table.names:
        name = (plain | halves).get(canonical_name(column).lower())
        if name is not None and name not in found:
            found[name] = column
    return found


def _times(texts: list[str], options: ReadingOptions, path: Path) -> tuple[np.ndarray, Fraction, list[str]]:
    """Return seconds (S,), the rate and what was assumed of it."""
    if not texts:
        raise DataError("holds no timecode", where=path, remedy="Check that the recording is not empty")
    clock = [clock_seconds(text) for text in texts]
    if all(seconds is not None for seconds in clock):
        return over_midnight(np.array(clock, dtype=np.float64)), options.fps or USUAL_FPS, []
    try:
        timecodes = [parse_timecode(text) for text in texts]
        told = likely_rate(timecodes)
        fps = options.fps or told or USUAL_FPS
        times = seconds_of(timecodes, fps, is_drop_frame=options.is_drop_frame)
    except DataError as error:
        raise DataError(error.what, where=path, remedy=error.remedy) from error
    if options.fps is not None:
        return times, fps, []
    how = "told by its timecodes" if told else "assumed"
    return times, fps, [f"{fps} frames a second, {how}; give --fps where the recorder ran at another rate"]


def _angles(
    table: Table, column_of: dict[str, str], options: ReadingOptions, notes: list[str]
) -> dict[str, np.ndarray]:
    """Return the angles (S,) in radians that the table has, by their column's name in small letters."""
    names = [name.lower() for name in ANGLES if name.lower() in column_of]
    values = {name: table.numbers(column_of[name]) for name in names}
    is_degrees = options.is_degrees
    if is_degrees is None:
        largest = max((float(np.nan_to_num(np.abs(part)).max(initial=0.0)) for part in values.values()), default=0.0)
        is_degrees = largest > np.pi
        if is_degrees:
            notes.append(f"angles reach {largest:.1f}, so they are taken for degrees")
    unit = np.pi / 180.0 if is_degrees else 1.0
    return {name: part * (-unit if FLIP_OF_ANGLE[name] in options.flips else unit) for name, part in values.items()}


def _head(angles: dict[str, np.ndarray], notes: list[str]) -> np.ndarray | None:
    """Return the head's rotations (S, 4), None where they were not recorded."""
    turns = [angles.get(f"head{turn}") for turn in ("yaw", "pitch", "roll")]
    yaw, pitch, roll = turns
    if yaw is None or pitch is None or roll is None:
        return None
    if not any(np.nan_to_num(turn).any() for turn in (yaw, pitch, roll)):
        notes.append("the head's angles are all 0, so the head was not recorded")
        return None
    return head_rotation_from_angles(yaw, pitch, roll)


def _gaze(angles: dict[str, np.ndarray], notes: list[str]) -> np.ndarray | None:
    """Return the gaze (S, 2, 2), None where it was not recorded."""
    names = [f"{side}eye{turn}" for side in ("left", "right") for turn in ("yaw", "pitch")]
    if not all(name in angles for name in names):
        return None
    if not any(np.nan_to_num(angles[name]).any() for name in names):
        notes.append("the eyes' angles are all 0, so the gaze was not recorded")
        return None
    eyes = [gaze_from_angles(angles[f"{side}eyeyaw"], angles[f"{side}eyepitch"]) for side in ("left", "right")]
    return np.stack(eyes, axis=1)


def _eye_doubts(performance: Performance) -> list[str]:
    """Return what the look shapes say against the signs of the eyes' angles."""
    if performance.gaze_rad is None:
        return []
    score = dict(zip(performance.expression_names, performance.expression.T, strict=True))
    doubts = []
    for turn, plus, minus, angle in (
        ("yaw", ("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight"), 0),
        ("pitch", ("eyeLookUpLeft", "eyeLookUpRight"), ("eyeLookDownLeft", "eyeLookDownRight"), 1),
    ):
        if not all(name in score for name in plus + minus):
            continue
        looks = score[plus[0]] + score[plus[1]] - score[minus[0]] - score[minus[1]]
        angles = performance.gaze_rad[:, :, angle].mean(axis=1)
        known = np.isfinite(looks + angles)
        if known.sum() < 3 or min(looks[known].std(), angles[known].std()) < 1e-3:
            continue
        if np.corrcoef(looks[known], angles[known])[0, 1] < -0.3:
            doubts.append(f"the eyes' {turn} runs against the eyeLook shapes; --flip eye_{turn} turns its sign")
    return doubts
