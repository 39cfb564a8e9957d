"""The face, lit as estimated, should have the picture's colours.

E_photo of Thies et al. 2016 and Kim et al. 2018, taken at points of the surface instead of at pixels, which
needs no rasteriser inside the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.maths.projection import project_jacobian
from dvp_core.maths.spherical_harmonics import sh_basis, sh_basis_jacobian
from dvp_core.tracking.picture import Picture
from dvp_core.tracking.solver import Residual
from dvp_core.tracking.surface import SeenPoints


@dataclass(frozen=True)
class Appearance:
    """What N surface points look like.

    Attributes:
        reflectance: (N, 3) linear.
        normals_head: (N, 3) unit normals in head space.
        illumination_sh: (9, 3) light in camera space.
        sigma: (N,) expected error of a colour, linear; infinite switches a point off.
    """

    reflectance: np.ndarray
    normals_head: np.ndarray
    illumination_sh: np.ndarray
    sigma: np.ndarray


def photometric_residual(
    seen: SeenPoints, appearance: Appearance, picture: Picture, *, robust_scale: float | None = 1.5
) -> Residual:
    """Return 3 N residuals: colour of the picture minus colour of the lit surface, over the expected error.

    The normals turn with the head; that the expression also bends them is left out of the derivative.
    """
    normals = appearance.normals_head @ seen.rotation.T
    colours, gradient_px = picture.sample(seen.points_px)
    lit = appearance.reflectance * (sh_basis(normals) @ appearance.illumination_sh)
    precision = 1 / appearance.sigma
    values = (colours - lit) * precision[:, None]

    def jacobian() -> np.ndarray:
        by_step = seen.jacobian(gradient_px @ project_jacobian(seen.points_camera, seen.camera))
        by_normal = np.einsum("nbi,bc->nci", sh_basis_jacobian(normals), appearance.illumination_sh)
        by_step[..., seen.layout.rotation] -= np.cross(normals[:, None], by_normal * appearance.reflectance[..., None])
        by_step *= precision[:, None, None]
        return by_step.reshape(values.size, -1)

    return Residual(values.ravel(), jacobian, group_size=3, robust_scale=robust_scale)
