"""What a detector says about many frames, and the terms that hold the model to it: the counterpart of `evidence.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dvp_core.data.camera import Camera
from dvp_core.data.landmark_definitions import JAW_68
from dvp_core.tracking.batched.detector import DetectorPoints, detector_points, detector_residual, metres_upright
from dvp_core.tracking.batched.points import (
    OutlineCandidates,
    Outlines,
    contour_residual,
    landmark_residual,
    opening_residual,
    outline_candidates,
)
from dvp_core.tracking.batched.solver import Residuals
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.batched.surface import RidingPoints, riding_points, see
from dvp_core.tracking.detector import CalibratedDetector
from dvp_core.tracking.evidence import OPENING_PAIRS, FramePoints, Rig
from dvp_core.tracking.options import LandmarkOptions

JAW = slice(int(JAW_68[0]), int(JAW_68[-1]) + 1)  # a list of numbers would travel to the device in every step


@dataclass(frozen=True)
class DetectedPoints:
    """Detected points of B frames in plate pixels; see `FramePoints`.

    Attributes:
        ibug_px: (B, 68, 2).
        dense_px: (B, D, 2).
        detector_px: (B, N, 2) of a calibrated detector, those that its table knows.
        doubt: (B, 68), what a point's expected error is multiplied by.
        eye_distance_px: The unit of the detector's errors.
        whitening: (B, K, 2 N) of a calibrated detector, None where it is sure of all its points in all frames.
        sure: (B, N) how sure it is, None as before.
    """

    ibug_px: torch.Tensor
    dense_px: torch.Tensor
    detector_px: torch.Tensor | None
    doubt: torch.Tensor
    eye_distance_px: float
    whitening: torch.Tensor | None = None
    sure: torch.Tensor | None = None


@dataclass(frozen=True)
class RidingRig:
    """Model points that answer a detector's; see `Rig`, of which `reference` is the detector."""

    ibug: RidingPoints
    ibug_factors: torch.Tensor
    dense: RidingPoints
    dense_factors: torch.Tensor
    outline: OutlineCandidates | None
    options: LandmarkOptions
    detector: DetectorPoints | None
    opening_pairs: torch.Tensor
    reference: CalibratedDetector | None

    def outlines(self, points: DetectedPoints, states: FrameStates, camera: Camera) -> Outlines | None:
        """Return where the outline lies in each frame, None where its points are not used."""
        is_used = self.outline is not None and points.detector_px is None
        return self.outline.find(points.ibug_px[:, JAW], states, camera) if self.outline and is_used else None

    def terms(
        self, points: DetectedPoints, states: FrameStates, camera: Camera, outlines: Outlines | None
    ) -> list[Residuals]:
        """Return the residuals of all detected points; see `dvp_core.tracking.evidence.point_terms`."""
        unit_px = self.options.sigma * points.eye_distance_px
        seen = see(self.ibug, states, camera)
        opening_px = unit_px * self.options.opening_factor * points.doubt[:, self.opening_pairs].amax(dim=2)
        openings = opening_residual(seen, self.opening_pairs, points.ibug_px, opening_px)
        if self.detector is not None and points.detector_px is not None:
            return [_calibrated_term(self.detector, points.detector_px, points.whitening, states, camera), openings]
        terms = [landmark_residual(seen, points.ibug_px, unit_px * self.ibug_factors * points.doubt), openings]
        if len(self.dense_factors):
            sigma_px = unit_px * self.dense_factors
            terms.append(landmark_residual(see(self.dense, states, camera), points.dense_px, sigma_px))
        if outlines is not None:
            seen_outline = see(outlines.points, states, camera)
            jaw_px = unit_px * self.options.jaw_factor * points.doubt[:, JAW]
            terms.append(contour_residual(seen_outline, points.ibug_px[:, JAW], outlines.across, jaw_px))
        return terms

    def errors_px(self, points: DetectedPoints, states: FrameStates, camera: Camera) -> torch.Tensor:
        """Return (B,): see `dvp_core.tracking.frames.landmark_error_px`."""
        if self.detector is not None and points.detector_px is not None:
            missing = self.detector.seen(states, camera).points_px - points.detector_px
            if points.sure is not None:
                share = points.sure / points.sure.sum(dim=1, keepdim=True).clamp(min=1e-6)
                return (missing.square().sum(dim=-1) * share).sum(dim=1).sqrt()
        else:
            missing = (see(self.ibug, states, camera).points_px - points.ibug_px)[:, 17:]
        return missing.square().sum(dim=-1).mean(dim=1).sqrt()


def _calibrated_term(
    detector: DetectorPoints,
    detector_px: torch.Tensor,
    whitening: torch.Tensor | None,
    states: FrameStates,
    camera: Camera,
) -> Residuals:
    seen = detector.seen(states, camera)
    upright = metres_upright(states, seen.points_camera[..., 2].mean(dim=1), camera.focal_px)
    return detector_residual(seen, detector_px, detector.whitening if whitening is None else whitening, upright)


def riding_rig(rig: Rig, device: torch.device, dtype: torch.dtype) -> RidingRig:
    """Return one person's rig (identity applied) on a device."""
    return RidingRig(
        riding_points(rig.ibug, device, dtype),
        torch.as_tensor(rig.ibug_factors, dtype=dtype, device=device),
        riding_points(rig.dense, device, dtype),
        torch.as_tensor(rig.dense_factors, dtype=dtype, device=device),
        None if rig.outline is None else outline_candidates(rig.outline, device, dtype),
        rig.options,
        None if rig.detector is None else detector_points(rig.detector, device, dtype),
        torch.as_tensor(OPENING_PAIRS, dtype=torch.int64, device=device),
        rig.detector,
    )


def detected_points(
    frames: list[FramePoints], rig: RidingRig, device: torch.device, dtype: torch.dtype
) -> DetectedPoints:
    """Return the points of a batch of frames on a device."""

    def stacked(values: list[np.ndarray]) -> torch.Tensor:
        return torch.as_tensor(np.stack(values), dtype=dtype, device=device)

    known = [frame.detector_px for frame in frames if frame.detector_px is not None]
    is_calibrated = rig.detector is not None and len(known) == len(frames)
    is_unsure = any((c := frame.detector_confidence) is not None and (c < 1).any() for frame in frames)
    return DetectedPoints(
        stacked([frame.ibug_px for frame in frames]),
        stacked([frame.dense_px for frame in frames]),
        stacked(known)[:, rig.detector.numbers] if rig.detector and is_calibrated else None,
        stacked([1 / np.sqrt(np.maximum(frame.confidence, 1e-3)) for frame in frames]),
        frames[0].eye_distance_px,
        stacked(_whitenings(frames, rig.reference)) if is_unsure and rig.reference else None,
        stacked(_confidences(frames, rig.reference)) if is_unsure and rig.reference else None,
    )


def _whitenings(frames: list[FramePoints], detector: CalibratedDetector) -> list[np.ndarray]:
    return [detector.whitening_of(frame.confidence_of(detector.numbers)) for frame in frames]


def _confidences(frames: list[FramePoints], detector: CalibratedDetector) -> list[np.ndarray]:
    known = [frame.confidence_of(detector.numbers) for frame in frames]
    return [np.ones(len(detector.numbers)) if sure is None else sure for sure in known]
