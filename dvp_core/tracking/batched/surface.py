"""Points that ride on a face, seen in many frames at once: the counterpart of `dvp_core.tracking.surface`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from dvp_core.data.camera import Camera
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.surface import SurfacePoints

LEAST_DEPTH_M = 1e-4  # a point at or behind the lens is seen far out instead of nowhere


@dataclass(frozen=True)
class RidingPoints:
    """N points of one person's face, head space, metres; the same for all frames, or each frame's own.

    Attributes:
        neutral: (N, 3) or (B, N, 3).
        expression_basis: (N, 3, E) or (B, N, 3, E).
    """

    neutral: torch.Tensor
    expression_basis: torch.Tensor

    def at(self, expression: torch.Tensor) -> torch.Tensor:
        """Return the points (B, N, 3) in head space under expressions (B, E)."""
        basis = self.expression_basis
        if basis.ndim == 4:
            return self.neutral + (basis * expression[:, None, None]).sum(dim=-1)
        return self.neutral + (expression @ basis.flatten(0, 1).T).unflatten(1, basis.shape[:2])

    def shifted(self, offsets_head: torch.Tensor) -> RidingPoints:
        """Return the points moved by each frame's own offsets (B, N, 3)."""
        return replace(self, neutral=self.neutral + offsets_head)

    def chosen(self, numbers: torch.Tensor) -> RidingPoints:
        """Return each frame's own choice (B, K) among points that are the same for all frames."""
        return RidingPoints(self.neutral[numbers], self.expression_basis[numbers])


@dataclass(frozen=True)
class SeenPoints:
    """Points in front of the camera in B frames, with what is needed for derivatives.

    Attributes:
        points: The points themselves.
        rotation: (B, 3, 3).
        rotated: (B, N, 3), the points rotated but not yet shifted.
        points_camera: (B, N, 3).
        points_px: (B, N, 2).
        focal_px: Of the camera.
    """

    points: RidingPoints
    rotation: torch.Tensor
    rotated: torch.Tensor
    points_camera: torch.Tensor
    points_px: torch.Tensor
    focal_px: float

    def jacobian(self, rows_camera: torch.Tensor) -> torch.Tensor:
        """Return (B, N, K, 6 + E): derivatives by the step of K quantities a point, given theirs by the point.

        Args:
            rows_camera: (B, N, K, 3) derivatives by the point in camera space.
        """
        # Many tiny matrix products would starve any device; these are few large ones and plain sums.
        rows_head = (rows_camera.flatten(1, 2) @ self.rotation).view_as(rows_camera)
        basis = self.points.expression_basis[..., None, :]  # (B?, N, 3, 1, E)
        result = rows_camera.new_empty((*rows_camera.shape[:-1], 6 + basis.shape[-1]))
        by_expression = result[..., 6:]
        torch.mul(rows_head[..., 0:1], basis[..., 0, :, :], out=by_expression)
        for axis in (1, 2):
            by_expression.addcmul_(rows_head[..., axis : axis + 1], basis[..., axis, :, :])
        result[..., 0:3] = cross(self.rotated[:, :, None], rows_camera)
        result[..., 3:6] = rows_camera
        return result

    def pixel_rows_of(self, rows_px: torch.Tensor) -> torch.Tensor:
        """Return (B, N, K, 3): derivatives by the point in camera space of K quantities, given theirs by its pixel.

        Args:
            rows_px: (B, N, K, 2) derivatives by the pixel, or (B, 1, K, 2) the same for all points of a frame.
        """
        by_point = self.pixel_rows()
        return rows_px[..., 0:1] * by_point[:, :, None, 0] + rows_px[..., 1:2] * by_point[:, :, None, 1]

    def pixel_rows(self) -> torch.Tensor:
        """Return (B, N, 2, 3): derivatives of `points_px` by the point in camera space."""
        x, y, z = self.points_camera.unbind(-1)
        inverse = 1 / z.clamp(min=LEAST_DEPTH_M)
        zero = torch.zeros_like(z)
        rows = [inverse, zero, -x * inverse**2, zero, inverse, -y * inverse**2]
        return self.focal_px * torch.stack(rows, dim=-1).unflatten(-1, (2, 3))

    def pixel_jacobian(self) -> torch.Tensor:
        """Return (B, N, 2, 6 + E): derivatives of `points_px` by the step."""
        return self.jacobian(self.pixel_rows())


def cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the cross products (..., 3) of vectors of shapes that fit each other."""
    (ax, ay, az), (bx, by, bz) = a.unbind(-1), b.unbind(-1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=-1)


def see(points: RidingPoints, states: FrameStates, camera: Camera) -> SeenPoints:
    """Return points as the camera sees them in each frame."""
    rotated = points.at(states.expression) @ states.rotation.transpose(1, 2)
    points_camera = rotated + states.translation_m[:, None]
    slopes = points_camera[..., :2] / points_camera[..., 2:].clamp(min=LEAST_DEPTH_M)
    places = camera.focal_px * slopes
    points_px = torch.stack([places[..., 0] + camera.principal_px[0], places[..., 1] + camera.principal_px[1]], dim=-1)
    return SeenPoints(points, states.rotation, rotated, points_camera, points_px, camera.focal_px)


def riding_points(points: SurfacePoints, device: torch.device, dtype: torch.dtype) -> RidingPoints:
    """Return one person's surface points (identity applied) on a device."""
    assert points.identity_basis.shape[2] == 0
    return RidingPoints(
        torch.as_tensor(points.neutral, dtype=dtype, device=device),
        torch.as_tensor(points.expression_basis, dtype=dtype, device=device),
    )
