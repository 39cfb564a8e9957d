"""What a tracker measured in a clip before anything was smoothed, and how sure it is of each number.

A take carries this beside the performance that is seen, so that smoothing stays a dial that can be turned at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import take_array


@dataclass(frozen=True)
class Measurement:
    """Raw curves of F frames and E expressions, each with its standard deviation; all float32.

    Where no face was found the values are interpolated and the deviations large.

    Attributes:
        head_rotation_wxyz: (F, 4) unit quaternions of `T_camera_head`.
        head_translation_m: (F, 3).
        expression: (F, E).
        gaze_rad: (F, 2, 2), as in a take.
        rotation_sigma_rad: (F, 3) about the camera's axes.
        translation_sigma_m: (F, 3) along the camera's axes.
        expression_sigma: (F, E).
        gaze_sigma_rad: (F, 2, 2).
    """

    head_rotation_wxyz: np.ndarray
    head_translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray
    rotation_sigma_rad: np.ndarray
    translation_sigma_m: np.ndarray
    expression_sigma: np.ndarray
    gaze_sigma_rad: np.ndarray


def measurement_arrays(measurement: Measurement) -> dict[str, np.ndarray]:
    """Return the arrays by name, as a take's file holds them."""
    return {item.name: getattr(measurement, item.name) for item in fields(measurement)}


def measurement_from_arrays(
    arrays: Mapping[str, np.ndarray], *, frame_count: int, expression_count: int, where: str | Path
) -> Measurement:
    """Return the measurement whose arrays `measurement_arrays` gave, each checked.

    Raises:
        DataError: An array is missing, of another shape, not finite, or a deviation is not positive.
    """
    shapes: dict[str, tuple[int, ...]] = {
        "head_rotation_wxyz": (frame_count, 4),
        "head_translation_m": (frame_count, 3),
        "expression": (frame_count, expression_count),
        "gaze_rad": (frame_count, 2, 2),
        "rotation_sigma_rad": (frame_count, 3),
        "translation_sigma_m": (frame_count, 3),
        "expression_sigma": (frame_count, expression_count),
        "gaze_sigma_rad": (frame_count, 2, 2),
    }
    checked = {name: take_array(arrays, name, shape, np.float32, where=where) for name, shape in shapes.items()}
    if np.abs(np.linalg.norm(checked["head_rotation_wxyz"], axis=1) - 1).max(initial=0.0) > 1e-3:
        raise DataError("head_rotation_wxyz holds a quaternion that is not of unit length", where=where)
    for name in ("rotation_sigma_rad", "translation_sigma_m", "expression_sigma", "gaze_sigma_rad"):
        if (checked[name] <= 0).any():
            raise DataError(f"field '{name}' holds a standard deviation that is not positive", where=where)
    return Measurement(**checked)
