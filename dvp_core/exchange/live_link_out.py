"""Writes a performance as Live Link Face's CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import write_bytes_atomically
from dvp_core.exchange.angles import angles_from_gaze, angles_from_head_rotation
from dvp_core.exchange.live_link_columns import ANGLES, SHAPES
from dvp_core.exchange.performance import Performance
from dvp_core.exchange.timecode import timecode_text
from dvp_core.face.expression_names import SPLIT_NAMES, canonical_name


@dataclass(frozen=True)
class Written:
    """What a file could not take of a performance.

    Attributes:
        left_out_names: Expressions that the format has no column for.
        zero_names: Expressions of the format that the performance lacks, written as 0.
    """

    left_out_names: tuple[str, ...]
    zero_names: tuple[str, ...]


def write_live_link(path: Path | str, performance: Performance) -> Written:
    """Write a Live Link Face CSV: 63 columns in the app's order, angles in radians, timecodes from the times.

    Values that were not recorded become empty cells. Two halves of a split shape become one, their mean.

    Raises:
        DataError: The performance has no rate, or the file cannot be written.
    """
    if performance.fps is None:
        raise DataError("the performance has no frame rate", where=path, remedy="Give it by --fps")
    columns = _columns(performance)
    zero_names = tuple(name for name in SHAPES if name not in columns)
    count = performance.sample_count
    turns = np.zeros((count, 9))
    if performance.head_rotation_wxyz is not None:
        turns[:, :3] = angles_from_head_rotation(performance.head_rotation_wxyz)
    if performance.gaze_rad is not None:
        angles = angles_from_gaze(performance.gaze_rad)
        turns[:, 3:5], turns[:, 6:8] = angles[:, 0], angles[:, 1]
    shapes = np.stack([columns.get(name, np.zeros(count)) for name in SHAPES], axis=1)
    header = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in SHAPES), *ANGLES]
    lines = [",".join(header)]
    for time_s, row in zip(performance.times_s, np.concatenate([shapes, turns], axis=1), strict=True):
        cells = ["" if np.isnan(value) else f"{value:.9g}" for value in row]
        lines.append(",".join([timecode_text(float(time_s), performance.fps), str(len(row)), *cells]))
    write_bytes_atomically(path, ("\n".join(lines) + "\n").encode())
    known = set(SHAPES) | {half for pair in SPLIT_NAMES.values() for half in pair}
    spelled = {canonical_name(name): name for name in performance.expression_names}
    return Written(tuple(name for short, name in spelled.items() if short not in known), zero_names)


def _columns(performance: Performance) -> dict[str, np.ndarray]:
    """Return the columns (S,) that the file has, by ARKit's name."""
    own = {
        canonical_name(name): column
        for name, column in zip(performance.expression_names, performance.expression.T, strict=True)
    }
    wholes = {
        whole: (own[left] + own[right]) / 2.0
        for whole, (left, right) in SPLIT_NAMES.items()
        if left in own and right in own
    }
    return {name: column for name, column in (wholes | own).items() if name in SHAPES}
