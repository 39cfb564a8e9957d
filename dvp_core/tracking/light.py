"""Light as nine numbers a colour from a lit surface: linear least squares, so no solver is needed."""

from __future__ import annotations

import numpy as np

from dvp_core.maths.spherical_harmonics import sh_basis

# Higher bands are weaker in any real light (Ramamoorthi & Hanrahan 2001); this is what makes half a sphere enough.
BAND_SIGMA = np.array([2.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5])
# Of a point under unit stiffness. Reflectance is about 0.3, so its square brings the prior to the rows' own size.
DAMPING = 0.01 * 0.1


def estimated_light(
    colours: np.ndarray,
    reflectance: np.ndarray,
    normals_camera: np.ndarray,
    weights: np.ndarray,
    *,
    expected: np.ndarray | None = None,
    stiffness: float = 1.0,
) -> np.ndarray:
    """Return (9, 3) coefficients that light the surface as seen.

    Args:
        colours: (N, 3) seen, linear.
        reflectance: (N, 3) linear.
        normals_camera: (N, 3) unit normals in camera space.
        weights: (N,) trust.
        expected: (9, 3) light of before; None: no light is more likely than another beyond weak higher bands.
        stiffness: Weight of the expectation against the mean trust of a point.
    """
    basis = sh_basis(normals_camera)
    prior = np.zeros((9, 3)) if expected is None else expected
    damping = stiffness * DAMPING * len(colours) / BAND_SIGMA**2
    light = prior
    robust = weights
    for _ in range(2):
        light = np.stack([_solved(c, colours, reflectance, basis, robust, prior, damping) for c in range(3)], axis=1)
        missing = np.linalg.norm(colours - reflectance * (basis @ light), axis=1)
        scale = 1.5 * np.median(missing) + 1e-4
        robust = weights / (1 + (missing / scale) ** 2)
    return light


def _solved(
    channel: int,
    colours: np.ndarray,
    reflectance: np.ndarray,
    basis: np.ndarray,
    weights: np.ndarray,
    prior: np.ndarray,
    damping: np.ndarray,
) -> np.ndarray:
    rows = basis * reflectance[:, channel : channel + 1]
    weighted = rows * weights[:, None]
    return np.linalg.solve(
        weighted.T @ rows + np.diag(damping), weighted.T @ colours[:, channel] + damping * prior[:, channel]
    )
