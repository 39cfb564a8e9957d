"""A detector's points on a face as measured beforehand on renders of the model: places, responses, covariance.

Where such a table is at hand it replaces all that a clip could tell about where its points lie (`calibration.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.detector_table import DetectorTable, view_terms
from dvp_core.data.face_model import FaceModel
from dvp_core.tracking.surface import SurfacePoints, vertex_points

_METRES_PER_MM = 1e-3


@dataclass(frozen=True)
class CalibratedDetector:
    """D points that answer a detector's.

    Attributes:
        numbers: (D,) the points' numbers among the detector's.
        points: Where the detector would see them.
        view_response_m: (D, 3, 6), see `DetectorTable.view_mm`.
        whitening: (2 D, 2 D): turns their errors in metres, see `DetectorTable.covariance_mm2`, into independent ones
            of unit size.
    """

    numbers: np.ndarray
    points: SurfacePoints
    view_response_m: np.ndarray
    whitening: np.ndarray

    def seen_from(self, rotation: np.ndarray, translation_m: np.ndarray) -> SurfacePoints:
        """Return the points where they lie for a head seen with this rotation (3, 3) and translation (3,).

        How they slide is not part of the points' derivatives: over a step of the solver the view hardly changes.
        """
        return self.points.shifted(self.view_response_m @ view_terms(rotation, translation_m))

    def baked(self, identity: np.ndarray) -> CalibratedDetector:
        """Return the detector's points on one person."""
        return replace(self, points=self.points.baked(identity))


def calibrated_detector(model: FaceModel, table: DetectorTable, *, stray_m: float) -> CalibratedDetector:
    """Return a table's points on its model.

    Args:
        model: The face.
        table: Its detector's.
        stray_m: Error of each point for itself beyond what renders show: renders are alike, people are not.
    """
    riding = vertex_points(model, table.vertices)
    points = SurfacePoints(
        riding.neutral + table.offset_mm * _METRES_PER_MM,
        riding.expression_basis + table.expression_mm * _METRES_PER_MM,
        riding.identity_basis + table.identity_mm * _METRES_PER_MM,
    )
    covariance = table.covariance_mm2 * _METRES_PER_MM**2 + stray_m**2 * np.eye(len(table.covariance_mm2))
    lower = np.linalg.cholesky(covariance)
    return CalibratedDetector(table.numbers, points, table.view_mm * _METRES_PER_MM, np.linalg.inv(lower))
