"""Rotations of many frames at once: the counterpart in torch of `dvp_core.maths.rotations`."""

from __future__ import annotations

import torch


def cross_matrix(vectors: torch.Tensor) -> torch.Tensor:
    """Return the (..., 3, 3) matrices M of vectors v (..., 3) for which M u is the cross product of v and u."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def matrix_from_rotation_vector(vectors_rad: torch.Tensor) -> torch.Tensor:
    """Return rotation matrices (..., 3, 3) of rotation vectors (..., 3) (Rodrigues' formula)."""
    angle = torch.linalg.vector_norm(vectors_rad, dim=-1)[..., None, None]
    cross = cross_matrix(vectors_rad)
    # sinc is smooth at zero, so nothing has to be guarded: sin(a) / a and (1 - cos(a)) / a^2.
    first = torch.sinc(angle / torch.pi)
    second = 0.5 * torch.sinc(angle / (2 * torch.pi)) ** 2
    return _identity_like(cross) + first * cross + second * (cross @ cross)


def rotation_vector_from_matrix(matrices: torch.Tensor) -> torch.Tensor:
    """Return rotation vectors (..., 3) of at most pi length."""
    quaternion = _quaternion_from_matrix(matrices)
    shortest = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = torch.linalg.vector_norm(shortest[..., 1:], dim=-1, keepdim=True)
    is_small = sine < 1e-8
    safe = torch.where(is_small, 1.0, sine)
    scale = torch.where(is_small, 2.0, 2 * torch.atan2(safe, shortest[..., :1]) / safe)
    return scale * shortest[..., 1:]


def inverse_left_jacobian(turns_rad: torch.Tensor) -> torch.Tensor:
    """Return (..., 3, 3): derivatives of log(exp(w) exp(turn)) by w at zero (Solà et al. 2018, eq. 146)."""
    angle = torch.linalg.vector_norm(turns_rad, dim=-1)[..., None, None]
    # 1e-2 instead of the reference's 1e-4: in float32 the closed form has lost its digits there.
    is_small = angle < 1e-2
    safe = torch.where(is_small, 1.0, angle)
    closed = 1 / safe**2 - (1 + torch.cos(safe)) / (2 * safe * torch.sin(safe))
    factor = torch.where(is_small, 1 / 12 + angle**2 / 720, closed)
    cross = cross_matrix(turns_rad)
    return _identity_like(cross) - cross / 2 + factor * (cross @ cross)


def _identity_like(matrices: torch.Tensor) -> torch.Tensor:
    return torch.eye(3, dtype=matrices.dtype, device=matrices.device).expand_as(matrices)


def _quaternion_from_matrix(m: torch.Tensor) -> torch.Tensor:
    """Return unit quaternions (..., 4) in the order w, x, y, z; of four exact forms the most stable one."""
    d0, d1, d2 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = torch.stack([1 + d0 + d1 + d2, 1 + d0 - d1 - d2, 1 - d0 + d1 - d2, 1 - d0 - d1 + d2], dim=-1)
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    p, q, r = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    forms = torch.stack(
        [
            torch.stack([squares[..., 0], a, b, c], dim=-1),
            torch.stack([a, squares[..., 1], p, q], dim=-1),
            torch.stack([b, p, squares[..., 2], r], dim=-1),
            torch.stack([c, q, r, squares[..., 3]], dim=-1),
        ],
        dim=-2,
    )
    best = squares.argmax(dim=-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    return torch.nn.functional.normalize(forms.gather(-2, best).squeeze(-2), dim=-1)
