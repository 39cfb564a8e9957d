"""Diffuse light in nine numbers a colour.

Ramamoorthi & Hanrahan, "An efficient representation for irradiance environment maps", SIGGRAPH 2001.
Normals are in camera space. The Lambert factors A_l of the paper (pi, 2 pi / 3, pi / 4) divided by pi are folded into
the basis, so that a coefficient vector that holds 1 / Y_00 in its first place alone gives reflectance times one.
"""

from __future__ import annotations

import numpy as np

# Y_lm constants of the paper, eq. 3, times A_l / pi.
_BAND_0 = 0.282095
_BAND_1 = 0.488603 * 2 / 3
_BAND_2 = 1.092548 / 4
_BAND_2_ZZ = 0.315392 / 4
_BAND_2_XX = 0.546274 / 4


def sh_basis(normals: np.ndarray) -> np.ndarray:
    """Return (..., 9) values of the basis: 1, y, z, x, xy, yz, 3zz-1, xz, xx-yy, for unit normals (..., 3)."""
    x, y, z = np.moveaxis(normals, -1, 0)
    return np.stack(
        [
            np.full_like(x, _BAND_0),
            _BAND_1 * y,
            _BAND_1 * z,
            _BAND_1 * x,
            _BAND_2 * x * y,
            _BAND_2 * y * z,
            _BAND_2_ZZ * (3 * z * z - 1),
            _BAND_2 * x * z,
            _BAND_2_XX * (x * x - y * y),
        ],
        axis=-1,
    )


def sh_basis_jacobian(normals: np.ndarray) -> np.ndarray:
    """Return (..., 9, 3): the derivatives of `sh_basis` by the normal."""
    x, y, z = np.moveaxis(normals, -1, 0)
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = [
        [zero, zero, zero],
        [zero, _BAND_1 * one, zero],
        [zero, zero, _BAND_1 * one],
        [_BAND_1 * one, zero, zero],
        [_BAND_2 * y, _BAND_2 * x, zero],
        [zero, _BAND_2 * z, _BAND_2 * y],
        [zero, zero, _BAND_2_ZZ * 6 * z],
        [_BAND_2 * z, zero, _BAND_2 * x],
        [_BAND_2_XX * 2 * x, -_BAND_2_XX * 2 * y, zero],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def shade(normals: np.ndarray, illumination_sh: np.ndarray) -> np.ndarray:
    """Return (..., 3) light arriving at surfaces with unit normals (..., 3) in camera space.

    Args:
        normals: Unit normals.
        illumination_sh: (9, 3) coefficients by colour. Colour leaving the surface is reflectance times this.
    """
    return sh_basis(normals) @ illumination_sh


def ambient_light(level: float = 1.0) -> np.ndarray:
    """Return (9, 3) coefficients of white light from everywhere: `shade` gives `level` for every normal."""
    coefficients = np.zeros((9, 3))
    coefficients[0] = level / _BAND_0
    return coefficients
