"""The face, lit as estimated, against many frames' pictures: the counterpart of the term `photometric`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dvp_core.tracking.batched.harmonics import Harmonics
from dvp_core.tracking.batched.pictures import Pictures
from dvp_core.tracking.batched.solver import Residuals
from dvp_core.tracking.batched.surface import SeenPoints, cross

ROBUST_SCALE = 1.5


@dataclass(frozen=True)
class Looks:
    """What N surface points look like in B frames.

    Attributes:
        reflectance: (N, 3) linear.
        normals_head: (B, N, 3) unit normals in head space.
        light: (B, 9, 3) in camera space.
        precision: (B, N), one over the expected error of a colour; zero switches a point off.
    """

    reflectance: torch.Tensor
    normals_head: torch.Tensor
    light: torch.Tensor
    precision: torch.Tensor


def photometric_residual(seen: SeenPoints, looks: Looks, pictures: Pictures, forms: Harmonics) -> Residuals:
    """Return 3 N residuals a frame: colour of the picture minus colour of the lit surface, over the expected error."""
    normals = looks.normals_head @ seen.rotation.transpose(1, 2)
    colours, gradient_px = pictures.sample(seen.points_px)
    arriving, slope = forms.shade_and_slope(normals, looks.light)
    precision = looks.precision[..., None]
    values = (colours - looks.reflectance * arriving) * precision
    jacobian = seen.jacobian(seen.pixel_rows_of(gradient_px * precision[..., None]))
    by_normal = slope * (looks.reflectance * precision)[..., None]
    jacobian[..., 0:3] -= cross(normals[:, :, None], by_normal)
    return Residuals(values.flatten(1), jacobian.flatten(1, 2), group_size=3, robust_scale=ROBUST_SCALE)
