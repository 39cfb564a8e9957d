"""Writes a performance as a table with named columns, losing nothing; `coefficients.py` reads it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvp_core.data.files import write_bytes_atomically
from dvp_core.exchange.performance import Performance

HEAD_ROTATION = ("head_qw", "head_qx", "head_qy", "head_qz")
HEAD_PLACE = ("head_x_m", "head_y_m", "head_z_m")
GAZE = tuple(f"gaze_{side}_{turn}_rad" for side in ("left", "right") for turn in ("yaw", "pitch"))


def write_table(path: Path | str, performance: Performance) -> None:
    """Write times, expressions, head and gaze, separated by tabs; what was not recorded is an empty cell.

    Raises:
        DataError: The file cannot be written.
    """
    columns: list[tuple[tuple[str, ...], np.ndarray]] = [
        (("time_s",), performance.times_s[:, None]),
        (performance.expression_names, performance.expression),
    ]
    for names, values in (
        (HEAD_ROTATION, performance.head_rotation_wxyz),
        (HEAD_PLACE, performance.head_translation_m),
        (GAZE, performance.gaze_rad),
    ):
        if values is not None:
            columns.append((names, values.reshape(len(values), -1)))
    lines = ["\t".join(name for names, _ in columns for name in names)]
    for row in np.concatenate([values for _, values in columns], axis=1):
        lines.append("\t".join("" if np.isnan(value) else f"{value:.12g}" for value in row))
    write_bytes_atomically(path, ("\n".join(lines) + "\n").encode())
