"""Where the head is: a plane that moves with it, found from the correspondence image alone.

Hair has no correspondence, but it moves with the head. The affine camera that maps correspondences to pixels, fitted
to what is seen of the face, extends to a plane through the head's middle that reaches beyond the face. Pictures and
features painted on that plane follow the head to places where it never was in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_STRIDE = 4
_FEWEST_POINTS = 16
_RIDGE = 1e-4
_SMALLEST_AREA = 1e-4
NUMBERS = 8
"""Of a frame: four say how it is turned and sized, two how depth shows, two where it is."""
_OFFSET_WEIGHT = 0.3
"""A head that has moved looks less different than one that has turned as much in these units."""


@dataclass(frozen=True)
class HeadFrame:
    """Affine map from the plane, in the correspondence's units, to the picture, its corners at -1 and 1.

    Attributes:
        linear: (batch, 2, 2).
        depth: (batch, 2) how far a point moves in the picture that lies a unit before the plane.
        offset: (batch, 2).
    """

    linear: Tensor
    depth: Tensor
    offset: Tensor

    def numbers(self) -> Tensor:
        """All of it as (batch, NUMBERS): how far two of them are apart says how different the head looks."""
        return torch.cat([self.linear.flatten(1), self.depth, _OFFSET_WEIGHT * self.offset], dim=1)

    def to_picture(self, places: Tensor) -> Tensor:
        """Map plane points (batch, ..., 2) to the picture."""
        return _affine(self.linear, self.offset, places)

    def to_plane(self, places: Tensor) -> Tensor:
        """Map picture points (batch, ..., 2) to the plane."""
        inverse = _inverse(self.linear)
        return _affine(inverse, -torch.einsum("bij,bj->bi", inverse, self.offset), places)

    def after_leaving(self, picture: HeadFrame) -> HeadFrame:
        """Return the one map that takes points of another frame's picture onto the plane and from there to this one.

        A picture has many points: two maps one after the other cost twice as much as their product.
        """
        inverse = _inverse(picture.linear)
        linear = self.linear @ inverse
        depth = self.depth - torch.einsum("bij,bj->bi", linear, picture.depth)
        return HeadFrame(linear, depth, self.offset - torch.einsum("bij,bj->bi", linear, picture.offset))


def _affine(linear: Tensor, offset: Tensor, places: Tensor) -> Tensor:
    """Map points (batch, ..., 2); the result lies in memory as two planes, which are looked up faster than pairs."""
    x, y = places.unbind(-1)
    for_each_point = (-1, *[1] * (x.dim() - 1))
    rows = []
    for row in range(2):
        across, down, shift = (part.reshape(for_each_point) for part in (*linear[:, row].unbind(1), offset[:, row]))
        rows.append(torch.addcmul(shift + across * x, down, y))
    return torch.stack(rows, dim=1).movedim(1, -1)


def _area(matrices: Tensor) -> Tensor:
    """Determinants (batch,) of (batch, 2, 2)."""
    return matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]


def _inverse(matrices: Tensor) -> Tensor:
    """Inverses of (batch, 2, 2)."""
    a, b, c, d = matrices.flatten(1).unbind(1)
    return torch.stack([d, -b, -c, a], dim=1).reshape(matrices.shape) / _area(matrices)[:, None, None]


def solved(matrices: Tensor, right: Tensor) -> Tensor:
    """Solutions (batch, n, k) of symmetric positive definite systems (batch, n, n), right sides (batch, n, k).

    Gauss-Jordan elimination, which needs no pivots there, in operations that every format of networks knows: other
    programs run this network too (`onnx_export.py`).
    """
    rows = torch.cat([matrices, right], dim=2)
    count = matrices.shape[1]
    for column in range(count):
        pivot = rows[:, column : column + 1] / rows[:, column : column + 1, column : column + 1]
        factors = rows[:, :, column : column + 1]
        rows = torch.cat(
            [
                rows[:, :column] - factors[:, :column] * pivot,
                pivot,
                rows[:, column + 1 :] - factors[:, column + 1 :] * pivot,
            ],
            dim=1,
        )
    return rows[:, :, count:]


def fitted_head_frame(correspondence: Tensor, mask: Tensor, grid: Tensor) -> HeadFrame:
    """Fit the head's plane to a correspondence image by least squares.

    Args:
        correspondence: (batch, 3, height, width) in [-1, 1].
        mask: (batch, 1, height, width), 1 where there is a surface.
        grid: (1, height, width, 2) pixel centres in [-1, 1].

    Returns:
        The frame; where too little of the face is seen, the picture's own.
    """
    points = correspondence[..., ::_STRIDE, ::_STRIDE].flatten(2).transpose(1, 2).double()
    weight = mask[..., ::_STRIDE, ::_STRIDE].flatten(1)[..., None].double()
    pixels = grid[:, ::_STRIDE, ::_STRIDE].reshape(1, -1, 2).double()
    homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], dim=2)
    weighted = (homogeneous * weight).transpose(1, 2)
    count = weight.sum(dim=1).clamp(min=1)
    ridge = torch.eye(4, dtype=torch.float64, device=points.device) * (_RIDGE * count[..., None])
    camera = solved(weighted @ homogeneous + ridge, weighted @ pixels).transpose(1, 2)
    linear, depth, offset = camera[:, :, :2], camera[:, :, 2], camera[:, :, 3]
    is_seen = (count[:, 0] >= _FEWEST_POINTS) & (_area(linear).abs() > _SMALLEST_AREA)
    identity = torch.eye(2, dtype=torch.float64, device=points.device).expand_as(linear)
    linear = torch.where(is_seen[:, None, None], linear, identity)
    depth, offset = (torch.where(is_seen[:, None], part, torch.zeros_like(part)) for part in (depth, offset))
    return HeadFrame(linear.float(), depth.float(), offset.float())
