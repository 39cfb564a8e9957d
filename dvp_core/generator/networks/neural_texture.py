"""Features painted on the face's surface, looked up where the correspondence image says which point is seen.

Thies, Zollhöfer, Nießner, Deferred Neural Rendering, SIGGRAPH 2019, with the correspondence image in place of uv
coordinates: it is a place in the mean face's bounding box, so a texture here is two planes, one seen from the front (in
two storeys, see `depth_layers.py`) and one from the side. This file knows no face; to it the correspondence is a point
in the unit cube.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class NeuralTexture(nn.Module):
    """Learned front (x, y) and side (z, y) planes over the unit cube."""

    def __init__(self, channels: int, size: int, *, storeys: int = 1) -> None:
        super().__init__()
        self.front = nn.Parameter(torch.zeros(1, channels, storeys * size, size))
        self.side = nn.Parameter(torch.zeros(1, channels, size, size))

    def forward(self, front_places: Tensor, side_places: Tensor, mask: Tensor) -> Tensor:
        """Features (batch, 2 * channels, height, width), zero outside the mask.

        Args:
            front_places: (batch, height, width, 2) where to look in the front plane.
            side_places: (batch, height, width, 2) where in the side plane, see `from_the_side`.
            mask: (batch, 1, height, width), 1 where there is a surface.
        """
        return torch.cat([lookup(self.front, front_places), lookup(self.side, side_places)], dim=1) * mask


def from_the_side(correspondence: Tensor) -> Tensor:
    """Places (batch, height, width, 2) in the side plane of correspondences (batch, 3, height, width)."""
    return correspondence[:, [2, 1]].movedim(1, -1)


def lookup(image: Tensor, places: Tensor) -> Tensor:
    """Values (batch, channels, height, width) of one image, bilinear, its edge repeated.

    Args:
        image: (1, channels, rows, columns).
        places: (batch, height, width, 2) x and y in [-1, 1], the image's outer corners.
    """
    shared = image.expand(places.shape[0], -1, -1, -1)
    return functional.grid_sample(shared, places, padding_mode="border", align_corners=False)
