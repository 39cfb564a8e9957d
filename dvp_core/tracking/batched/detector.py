"""A calibrated detector's points in many frames: the counterpart of `detector.py` and of the term `detector`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dvp_core.data.camera import Camera
from dvp_core.tracking.batched.solver import Residuals
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.batched.surface import RidingPoints, SeenPoints, riding_points, see
from dvp_core.tracking.detector import CalibratedDetector


@dataclass(frozen=True)
class DetectorPoints:
    """D points that answer a detector's; see `CalibratedDetector`.

    Attributes:
        numbers: (D,) the points' numbers among the detector's.
        points: Where the detector would see them.
        view_response_m: (D, 3, 6).
        whitening: (K, 2 D) of points that are sure.
    """

    numbers: torch.Tensor
    points: RidingPoints
    view_response_m: torch.Tensor
    whitening: torch.Tensor

    def seen(self, states: FrameStates, camera: Camera) -> SeenPoints:
        """Return the points where the detector would see them from where each frame's camera stands."""
        shift = view_terms(states) @ self.view_response_m.flatten(0, 1).T
        return see(self.points.shifted(shift.unflatten(1, (-1, 3))), states, camera)


def view_terms(states: FrameStates) -> torch.Tensor:
    """Return (B, 6): see `dvp_core.data.detector_table.view_terms`."""
    to_camera = -(states.translation_m[:, None] @ states.rotation).squeeze(1)
    x, y, _ = torch.nn.functional.normalize(to_camera, dim=-1).unbind(-1)
    return torch.stack([x, y, x * x, y * y, x * y, x**3], dim=-1)


def detector_residual(
    seen: SeenPoints, targets_px: torch.Tensor, whitening: torch.Tensor, upright: torch.Tensor
) -> Residuals:
    """Return K residuals a frame: whitened distances of seen points from detected ones.

    Args:
        seen: N model points.
        targets_px: (B, N, 2) detected points.
        whitening: (K, 2 N), or one a frame (B, K, 2 N).
        upright: (B, 2, 2), see `metres_upright`.
    """
    away = ((seen.points_px - targets_px) @ upright.transpose(1, 2)).flatten(1)
    jacobian = seen.jacobian(seen.pixel_rows_of(upright[:, None])).flatten(1, 2)
    return Residuals((away[:, None] @ whitening.mT).squeeze(1), whitening @ jacobian)


def metres_upright(states: FrameStates, distance_m: torch.Tensor, focal_px: float) -> torch.Tensor:
    """Return (B, 2, 2): turns distances in the picture into metres at the head, along its right and up in the picture.

    Args:
        states: B frames.
        distance_m: (B,) of the heads from the camera.
        focal_px: Focal length.
    """
    up = torch.nn.functional.normalize(states.rotation[:, :2, 1], dim=-1, eps=1e-9)
    right = torch.stack([-up[:, 1], up[:, 0]], dim=-1)
    return torch.stack([right, up], dim=1) * (distance_m / focal_px)[:, None, None]


def detector_points(detector: CalibratedDetector, device: torch.device, dtype: torch.dtype) -> DetectorPoints:
    """Return one person's detector (identity applied) on a device."""
    return DetectorPoints(
        torch.as_tensor(detector.numbers, dtype=torch.int64, device=device),
        riding_points(detector.points, device, dtype),
        torch.as_tensor(detector.view_response_m, dtype=dtype, device=device),
        torch.as_tensor(detector.whitening, dtype=dtype, device=device),
    )
