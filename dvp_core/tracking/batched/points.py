"""Detected points of many frames: the counterpart of `outline.py` and of the terms on points without a table."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dvp_core.data.camera import Camera
from dvp_core.tracking.batched.solver import Residuals
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.batched.surface import RidingPoints, SeenPoints, riding_points, see
from dvp_core.tracking.outline import EDGE_COSINE, REACH_M, OutlineFinder

ROBUST_SCALE = 3.0


def landmark_residual(seen: SeenPoints, targets_px: torch.Tensor, sigma_px: torch.Tensor) -> Residuals:
    """Return 2 N residuals a frame: distances of seen points from detected ones, over their expected errors.

    Args:
        seen: N model points.
        targets_px: (B, N, 2) detected points.
        sigma_px: (B, N) or (N,) expected errors; infinite switches a point off.
    """
    precision = (1 / sigma_px)[..., None]
    values = (seen.points_px - targets_px) * precision
    jacobian = seen.pixel_jacobian() * precision[..., None]
    return Residuals(values.flatten(1), jacobian.flatten(1, 2), group_size=2, robust_scale=ROBUST_SCALE)


def opening_residual(
    seen: SeenPoints, pairs: torch.Tensor, targets_px: torch.Tensor, sigma_px: torch.Tensor
) -> Residuals:
    """Return 2 M residuals a frame: the difference of each pair of points, seen against detected.

    Args:
        seen: N model points.
        pairs: (M, 2) numbers of upper and lower points among the N.
        targets_px: (B, N, 2) detected points.
        sigma_px: (B, M) expected errors of the difference.
    """
    upper, lower = pairs.unbind(1)
    precision = (1 / sigma_px)[..., None]
    away = seen.points_px - targets_px
    by_step = seen.pixel_jacobian()
    values = (away[:, upper] - away[:, lower]) * precision
    jacobian = (by_step[:, upper] - by_step[:, lower]) * precision[..., None]
    return Residuals(values.flatten(1), jacobian.flatten(1, 2), group_size=2, robust_scale=ROBUST_SCALE)


def contour_residual(
    seen: SeenPoints, targets_px: torch.Tensor, across: torch.Tensor, sigma_px: torch.Tensor
) -> Residuals:
    """Return N residuals a frame: distances from detected outline points, measured across the outline alone.

    Args:
        seen: N points of each frame's present outline.
        targets_px: (B, N, 2) detected outline points.
        across: (B, N, 2) unit vectors across the outline in the picture.
        sigma_px: (B, N) expected errors.
    """
    weighted = across / sigma_px[..., None]
    values = ((seen.points_px - targets_px) * weighted).sum(dim=-1)
    jacobian = seen.jacobian(seen.pixel_rows_of(weighted[..., None, :])).squeeze(2)
    return Residuals(values, jacobian, robust_scale=ROBUST_SCALE)


@dataclass(frozen=True)
class Outlines:
    """The 17 outline points of each frame, and the directions (B, 17, 2) across the outline in the picture."""

    points: RidingPoints
    across: torch.Tensor


@dataclass(frozen=True)
class OutlineCandidates:
    """What may be outline: N points of the skin near the jaw; see `OutlineFinder`.

    Attributes:
        points: N points.
        normals_head: (N, 3) of the face at rest.
        is_near: (17, N) whether a candidate may answer an outline point.
    """

    points: RidingPoints
    normals_head: torch.Tensor
    is_near: torch.Tensor

    def find(self, jaw_px: torch.Tensor, states: FrameStates, camera: Camera) -> Outlines:
        """Return for each detected outline point (B, 17, 2) the nearest skin that is seen edge-on."""
        seen = see(self.points, states, camera)
        normals = self.normals_head @ states.rotation.transpose(1, 2)
        along = (normals * seen.points_camera).sum(dim=-1)
        facing = along.abs() / torch.linalg.vector_norm(seen.points_camera, dim=-1)
        distance = torch.linalg.vector_norm(seen.points_px[:, None] - jaw_px[:, :, None], dim=-1)
        unit = camera.focal_px * REACH_M / seen.points_camera[..., 2].mean(dim=1)
        turned = torch.where(facing > EDGE_COSINE, 4.0 * facing, 0.0)
        best = (distance / unit[:, None, None] + turned[:, None] + torch.where(self.is_near, 0.0, 100.0)).argmin(dim=2)
        across = normals[..., :2].gather(1, best[..., None].expand(-1, -1, 2))
        length = torch.linalg.vector_norm(across, dim=-1, keepdim=True).clamp(min=1e-6)
        return Outlines(self.points.chosen(best), across / length)


def outline_candidates(finder: OutlineFinder, device: torch.device, dtype: torch.dtype) -> OutlineCandidates:
    """Return a finder's candidates on a device."""
    return OutlineCandidates(
        riding_points(finder.candidates, device, dtype),
        torch.as_tensor(finder.normals_head, dtype=dtype, device=device),
        torch.as_tensor(finder.is_near, device=device),
    )
