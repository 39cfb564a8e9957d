"""The skin whose colours are compared, in many frames: the counterpart of `SkinPatch` and of `frames._appearance`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dvp_core.data.camera import Camera
from dvp_core.tracking.appearance import SkinPatch
from dvp_core.tracking.batched.photometric import Looks
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.batched.surface import RidingPoints, cross, riding_points, see
from dvp_core.tracking.frames import LEAST_FACING, FrameProblem


@dataclass(frozen=True)
class Normals:
    """The surface around N vertices, from which their normals follow; see `SkinPatch`.

    Attributes:
        around: M vertices of the triangles around.
        triangles: (T, 3) numbers into `around`.
        meeting: (N, K) numbers of the triangles that meet in each vertex; T where there are fewer than K.
    """

    around: RidingPoints
    triangles: torch.Tensor
    meeting: torch.Tensor

    def head(self, expression: torch.Tensor) -> torch.Tensor:
        """Return unit normals (B, N, 3) in head space under expressions (B, E)."""
        around = self.around.at(expression)
        first, second, third = (around[:, corner] for corner in self.triangles.unbind(1))
        areas = cross(second - first, third - first)
        sums = torch.nn.functional.pad(areas, (0, 0, 0, 1))[:, self.meeting].sum(dim=2)
        return torch.nn.functional.normalize(sums, dim=-1, eps=1e-30)


def normals_of(patch: SkinPatch, device: torch.device, dtype: torch.dtype) -> Normals:
    """Return a patch's normals on a device."""
    around = RidingPoints(
        torch.as_tensor(patch.neutral, dtype=dtype, device=device),
        torch.as_tensor(patch.expression_basis.reshape(len(patch.neutral), 3, -1), dtype=dtype, device=device),
    )
    triangles = torch.as_tensor(patch.triangles, dtype=torch.int64, device=device)
    return Normals(around, triangles, torch.as_tensor(_meeting_triangles(patch), device=device))


@dataclass(frozen=True)
class Skin:
    """N compared vertices.

    Attributes:
        points: The vertices.
        normals: Their normals.
        reflectance: (N, 3).
        precision: (N,) one over the expected error of a colour that is seen straight on.
    """

    points: RidingPoints
    normals: Normals
    reflectance: torch.Tensor
    precision: torch.Tensor

    def looks(self, states: FrameStates, light: torch.Tensor, camera: Camera) -> Looks:
        """Return how the vertices look in each frame under light (B, 9, 3), those turned away switched off."""
        normals = self.normals.head(states.expression)
        towards = torch.nn.functional.normalize(see(self.points, states, camera).points_camera, dim=-1)
        facing = -((normals @ states.rotation.transpose(1, 2)) * towards).sum(dim=-1)
        precision = torch.where(facing > LEAST_FACING, self.precision * facing.clamp(min=LEAST_FACING).sqrt(), 0.0)
        return Looks(self.reflectance, normals, light, precision)


def skin_of(problem: FrameProblem, device: torch.device, dtype: torch.dtype) -> Skin | None:
    """Return the skin of a problem on a device, None where colours are not compared."""
    if problem.patch is None or problem.skin is None or problem.person is None or problem.photometric is None:
        return None
    patch = problem.patch
    options, spread = problem.photometric, problem.person.spread[patch.vertices]
    precision = np.sqrt(options.weight) / np.sqrt(options.sigma**2 + spread**2)
    return Skin(
        riding_points(problem.skin, device, dtype),
        normals_of(patch, device, dtype),
        torch.as_tensor(problem.person.reflectance[patch.vertices], dtype=dtype, device=device),
        torch.as_tensor(precision, dtype=dtype, device=device),
    )


def _meeting_triangles(patch: SkinPatch) -> np.ndarray:
    """Return (N, K) numbers of the triangles that meet in each compared vertex, filled up with their count."""
    corners = patch.triangles.ravel()
    order = np.argsort(corners, kind="stable")
    counts = np.bincount(corners, minlength=len(patch.neutral))
    rank = np.arange(len(corners)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((len(patch.neutral), counts.max()), len(patch.triangles), dtype=np.int64)
    table[corners[order], rank] = order // 3
    return table[patch.places]
