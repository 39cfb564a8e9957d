"""Which of two surfaces a pixel shows: the one in front, as lips and lids are, or what lies behind it.

A texture seen from the front has one texel for the lips and for the teeth behind them, for the lids and for the
eyeballs. Both would have to share what is learned there. So textures have two storeys, one for the surface in front
and one for all behind it (two of the layers of Shade et al., Layered Depth Images, SIGGRAPH 1998), and which of them a
pixel belongs to is seen from its correspondence alone, once the frontmost depth over every texel is known.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn

from dvp_core.generator.networks.neural_texture import lookup

STOREYS = 2
GAP = 0.03
"""So much farther back than the frontmost surface, in halves of the unit cube, and it is another surface: some
three millimetres of a head."""
_NOWHERE = -1.0


class DepthLayers(nn.Module):
    """The frontmost depth over the front plane of the unit cube; before it is measured all is in front."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("front", torch.full((1, 1, size, size), _NOWHERE))

    def measure(self, correspondences: Tensor) -> None:
        """Raise the frontmost depth at surface points (3, N) and in the texels beside them to theirs."""
        front = self.get_buffer("front")
        size = front.shape[-1]
        column, row = ((correspondences[axis] + 1).mul(size / 2).long() for axis in (0, 1))
        depths = correspondences[2].to(front.dtype)
        for down, across in product((-1, 0, 1), repeat=2):
            texels = (row + down).clamp(0, size - 1) * size + (column + across).clamp(0, size - 1)
            front.view(-1).scatter_reduce_(0, texels, depths, "amax")

    def places(self, correspondence: Tensor) -> Tensor:
        """Places (batch, height, width, 2) in a picture of two storeys, the front's above that of all behind it.

        Args:
            correspondence: (batch, 3, height, width) in [-1, 1].
        """
        x, y, z = correspondence.unbind(1)
        frontmost = lookup(self.get_buffer("front"), correspondence[:, :2].movedim(1, -1))[:, 0]
        is_behind = (z < frontmost - GAP).to(y.dtype)
        return torch.stack([x, (y - 1) / STOREYS + is_behind], dim=1).movedim(1, -1)
