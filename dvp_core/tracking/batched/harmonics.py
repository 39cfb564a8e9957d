"""The nine functions of light over normals of many frames, as quadratic forms: see `maths/spherical_harmonics.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dvp_core.maths.spherical_harmonics import sh_basis, sh_basis_jacobian


@dataclass(frozen=True)
class Harmonics:
    """The basis at a normal n is constant + linear n + n quadratic n.

    Attributes:
        constant: (9,).
        linear: (9, 3).
        quadratic: (9, 3, 3), symmetric.
    """

    constant: torch.Tensor
    linear: torch.Tensor
    quadratic: torch.Tensor

    def basis(self, normals: torch.Tensor) -> torch.Tensor:
        """Return (..., 9) values for normals (..., 3)."""
        squares = (normals[..., :, None] * normals[..., None, :]).flatten(-2)
        return self.constant + normals @ self.linear.T + squares @ self.quadratic.flatten(1).T

    def shade_and_slope(self, normals: torch.Tensor, light: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the light that arrives (B, N, 3) and its derivatives (B, N, 3, 3) by the normal.

        Args:
            normals: (B, N, 3).
            light: (B, 9, 3) coefficients by colour.
        """
        constant = self.constant @ light
        linear = torch.einsum("ki,bkc->bci", self.linear, light)
        quadratic = torch.einsum("kij,bkc->bcij", self.quadratic, light)
        bent = (normals @ quadratic.flatten(1, 2).transpose(1, 2)).unflatten(-1, (3, 3))
        slope = linear[:, None] + 2 * bent
        arriving = constant[:, None] + ((slope - bent) * normals[..., None, :]).sum(dim=-1)
        return arriving, slope


def harmonics(device: torch.device, dtype: torch.dtype) -> Harmonics:
    """Return the forms, read off the reference: the basis is quadratic, so its values at four places are all of it."""
    places = np.concatenate([np.zeros((1, 3)), np.eye(3)])
    slopes = sh_basis_jacobian(places)
    bends = np.stack([slopes[1 + axis] - slopes[0] for axis in range(3)], axis=-1) / 2
    parts = (sh_basis(places[0]), slopes[0], bends)
    return Harmonics(*(torch.as_tensor(part, dtype=dtype, device=device) for part in parts))
