"""Where a detector's points lie on a face model, as measured on renders of the model, and how far they stray.

A detector's 'eye corner' is not the model's vertex: it follows its own idea of a face. A table says for each of its
points which vertex it rides on, how it departs from there with shape, expression and view, and the covariance of what
is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays, read_header, take_array, write_arrays

FORMAT_VERSION = 1
VIEW_TERM_COUNT = 6


@dataclass(frozen=True)
class DetectorTable:
    """D points of a detector on a face model with I identity modes and E expressions.

    Attributes:
        detector: Such as "mediapipe-478".
        model_id: The face model's name.
        expression_names: E names, in the model's order.
        numbers: (D,) the points' numbers among the detector's.
        vertices: (D,) vertices of the model they ride on.
        offset_mm: (D, 3) from the vertex of the mean face, head space.
        identity_mm: (D, 3, I) further departure a standard deviation of identity.
        expression_mm: (D, 3, E) further departure at a full expression.
        view_mm: (D, 3, 6) further departure by where the head is seen from, see `view_terms`: a contour's points slide.
        covariance_mm2: (2 D, 2 D) of what is left, point by point along the picture's right and up as the head stands
            upright in it, measured at the head's distance.
    """

    detector: str
    model_id: str
    expression_names: tuple[str, ...]
    numbers: np.ndarray
    vertices: np.ndarray
    offset_mm: np.ndarray
    identity_mm: np.ndarray
    expression_mm: np.ndarray
    view_mm: np.ndarray
    covariance_mm2: np.ndarray

    def chosen(self, which: np.ndarray) -> DetectorTable:
        """Return the table of some of the points, by mask or places."""
        places = np.arange(len(self.numbers))[which]
        both = (2 * places[:, None] + [0, 1]).ravel()
        return replace(
            self,
            numbers=self.numbers[places],
            vertices=self.vertices[places],
            offset_mm=self.offset_mm[places],
            identity_mm=self.identity_mm[places],
            expression_mm=self.expression_mm[places],
            view_mm=self.view_mm[places],
            covariance_mm2=self.covariance_mm2[np.ix_(both, both)],
        )

    @property
    def error_mm(self) -> float:
        """Root mean square length of a point's error in the picture, at the head's distance."""
        return float(np.sqrt(2 * np.diag(self.covariance_mm2).mean()))


def view_terms(rotation: np.ndarray, translation_m: np.ndarray) -> np.ndarray:
    """Return (6,): x, y, x^2, y^2, x y, x^3 of the unit vector from the head to the camera, in head space.

    Args:
        rotation: (3, 3), head to camera space.
        translation_m: (3,), head to camera space.
    """
    to_camera = -(rotation.T @ translation_m)
    x, y, _ = to_camera / np.linalg.norm(to_camera)
    return np.array([x, y, x * x, y * y, x * y, x**3])


def write_detector_table(path: Path | str, table: DetectorTable) -> None:
    """Write a table; departures and covariance as float16, which holds them to a few micrometres."""
    arrays = {
        "numbers": table.numbers.astype(np.int32),
        "vertices": table.vertices.astype(np.int32),
        "offset_mm": table.offset_mm.astype(np.float16),
        "identity_mm": table.identity_mm.astype(np.float16),
        "expression_mm": table.expression_mm.astype(np.float16),
        "view_mm": table.view_mm.astype(np.float16),
        "covariance_mm2": table.covariance_mm2.astype(np.float16),
    }
    header = {
        "version": FORMAT_VERSION,
        "detector": table.detector,
        "model_id": table.model_id,
        "expression_names": list(table.expression_names),
    }
    write_arrays(path, arrays, header=header)


def read_detector_table(path: Path | str) -> DetectorTable:
    """Read a table.

    Raises:
        DataError: No such file, or its arrays do not fit each other.
    """
    header = read_header(path)
    if not isinstance(header, dict) or header.get("version") != FORMAT_VERSION:
        raise DataError(
            f"is no detector table of version {FORMAT_VERSION}", where=path, remedy="Calibrate the model anew"
        )
    arrays = read_arrays(path)
    names = tuple(str(name) for name in header.get("expression_names", ()))
    numbers = take_array(arrays, "numbers", (None,), np.int64, where=path)
    count = len(numbers)
    identity = take_array(arrays, "identity_mm", (count, 3, None), np.float64, where=path)
    covariance = take_array(arrays, "covariance_mm2", (2 * count, 2 * count), np.float64, where=path)
    return DetectorTable(
        detector=str(header.get("detector")),
        model_id=str(header.get("model_id")),
        expression_names=names,
        numbers=numbers,
        vertices=take_array(arrays, "vertices", (count,), np.int64, where=path),
        offset_mm=take_array(arrays, "offset_mm", (count, 3), np.float64, where=path),
        identity_mm=identity,
        expression_mm=take_array(arrays, "expression_mm", (count, 3, len(names)), np.float64, where=path),
        view_mm=take_array(arrays, "view_mm", (count, 3, VIEW_TERM_COUNT), np.float64, where=path),
        covariance_mm2=(covariance + covariance.T) / 2,
    )
