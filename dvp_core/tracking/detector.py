"""A detector's points on a face as measured beforehand on renders of the model: places, responses, covariance.

Where such a table is at hand it replaces all that a clip could tell about where its points lie (`calibration.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from dvp_core.data.detector_table import DetectorTable, view_terms
from dvp_core.data.face_model import FaceModel
from dvp_core.tracking.surface import SurfacePoints, vertex_points

_METRES_PER_MM = 1e-3


REMEMBERED = 16  # whitenings of unsure points: as many as there are key frames, which are looked at again and again


@dataclass(frozen=True)
class CalibratedDetector:
    """D points that answer a detector's.

    Attributes:
        numbers: (D,) the points' numbers among the detector's.
        points: Where the detector would see them.
        view_response_m: (D, 3, 6), see `DetectorTable.view_mm`.
        covariance_m2: (2 D, 2 D) of their errors in metres, see `DetectorTable.covariance_mm2`.
        ways_m: (2 D, K) ways in which the points can move at all, see `condensed`; None: any way.
    """

    numbers: np.ndarray
    points: SurfacePoints
    view_response_m: np.ndarray
    covariance_m2: np.ndarray
    ways_m: np.ndarray | None = None

    @cached_property
    def whitening(self) -> np.ndarray:
        """(2 D or K, 2 D), turns errors of points that are sure into independent ones of unit size."""
        return self._whitening(np.ones(len(self.numbers)))

    def whitening_of(self, confidence: np.ndarray | None) -> np.ndarray:
        """Return the whitening of points that the detector is so sure of: (D,) 0..1, None for wholly."""
        if confidence is None or (confidence >= 1).all():
            return self.whitening
        return self._unsure_whitening(np.asarray(confidence, np.float64).tobytes())

    @cached_property
    def _unsure_whitening(self) -> Callable[[bytes], np.ndarray]:
        @lru_cache(maxsize=REMEMBERED)
        def found(confidence: bytes) -> np.ndarray:
            return self._whitening(np.frombuffer(confidence))

        return found

    def _whitening(self, confidence: np.ndarray) -> np.ndarray:
        found = whitening(self.covariance_m2, confidence, self.ways_m)
        # Of every frame: what must be read from memory again and again is best small.
        return found if self.ways_m is None else found.astype(np.float32)

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
    return CalibratedDetector(table.numbers, points, table.view_mm * _METRES_PER_MM, covariance)


def whitening(covariance_m2: np.ndarray, confidence: np.ndarray, ways_m: np.ndarray | None) -> np.ndarray:
    """Return (2 D or K, 2 D): turns errors into independent ones of unit size.

    A point's own variance is divided by its confidence; what it shares with the others stays. With ways the energy is,
    but for a number that nothing moves, the same along them.

    Args:
        covariance_m2: (2 D, 2 D) of sure points.
        confidence: (D,) 0..1; a point of zero says nothing.
        ways_m: (2 D, K) the only ways in which points move; None: any way.
    """
    sure = np.repeat(np.clip(confidence, 0.0, 1.0), 2)
    # Both sides times the root of the confidence, or a point that says nothing would have an infinite variance.
    root = np.sqrt(sure)
    covariance = root[:, None] * covariance_m2 * root
    np.fill_diagonal(covariance, np.diagonal(covariance_m2))
    if ways_m is None:
        return np.linalg.inv(np.linalg.cholesky(covariance)) * root
    moved = root[:, None] * ways_m
    pull = np.linalg.solve(covariance, moved)
    information = moved.T @ pull
    least = 1e-12 * np.trace(np.atleast_2d(information)) + np.finfo(np.float64).tiny
    lower = np.linalg.cholesky(information + least * np.eye(len(information)))
    return np.linalg.solve(lower, pull.T) * root
