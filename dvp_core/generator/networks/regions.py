"""Where in a picture people look first, found from the passes alone, and pictures of these places at one size.

A place is the smallest box around its pixels, with a margin, at a fixed aspect. Whoever uses it learns with it whether
the place is seen whole: a face that leaves the picture, turned-away lips and closed eyes have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MOUTH_LOW = (-0.32, -0.18, 0.5)
MOUTH_HIGH = (0.32, 0.03, 1.0)
"""The mouth's box in the correspondence image, whose values are places in the mean face's bounding box from -1 to 1.

It holds the twenty lip landmarks of both face models at rest, with a margin: those of the built-in face lie in
(-0.30, -0.13, 0.72) to (0.30, -0.01, 0.86), ICT-FaceKit's in (-0.20, -0.12, 0.73) to (0.20, 0.00, 0.89); a test asks
the models. As the lips move they take their correspondences along."""
MOUTH_ASPECT, EYES_ASPECT = 1.0, 2.0
"""Width over height."""
_MARGIN = 1.25
_FEWEST = 1 / 2048
"""Share of the picture's pixels that a place needs to count as seen."""
_SMALLEST_SIDE_PX = 32
_FARTHEST = 2.0


@dataclass(frozen=True)
class Region:
    """One place in each of a batch's pictures, whose corners are -1 and 1.

    Attributes:
        centre: (batch, 2) x and y.
        half: (batch, 2) half its width and height.
        weight: (batch,) 1 where the place is seen whole, else 0.
    """

    centre: Tensor
    half: Tensor
    weight: Tensor


def mouth_region(current: Tensor) -> Region:
    """Return where the mouth is seen in frames' channels (batch, 9, H, W)."""
    places = current[:, 3:6].unbind(dim=1)
    (x, y, z) = (
        (place >= low) & (place <= high) for place, low, high in zip(places, MOUTH_LOW, MOUTH_HIGH, strict=True)
    )
    return _around(x & y & z, MOUTH_ASPECT)


def eyes_region(current: Tensor) -> Region:
    """Return where the eyes are seen open in frames' channels (batch, 9, H, W): the gaze image is black elsewhere."""
    return _around(current[:, 6:9].amax(dim=1) > 0, EYES_ASPECT)


def _around(mask: Tensor, aspect: float) -> Region:
    """The box around a mask (batch, H, W)."""
    spans = [_span(mask.any(dim=axis)) for axis in (1, 2)]
    is_seen = mask.float().mean(dim=(1, 2)) >= _FEWEST
    centre = torch.stack([(low + high) / 2 for low, high in spans], dim=1)
    (left, right), (top, bottom) = spans
    width = torch.maximum(right - left, aspect * (bottom - top)) * (_MARGIN / 2)
    half = torch.stack([width, width / aspect], dim=1)
    is_inside = (centre.abs() + half <= 1).all(dim=1)
    return Region(
        centre=torch.where(is_seen[:, None], centre, 0),
        half=torch.where(is_seen[:, None], half, 1),
        weight=(is_seen & is_inside).to(half.dtype),
    )


def _span(is_met: Tensor) -> tuple[Tensor, Tensor]:
    """First and last edge (batch,) of the pixels of a row or column (batch, size) that are met."""
    size = is_met.shape[1]
    edges = torch.arange(size + 1, device=is_met.device, dtype=torch.float32) * (2 / size) - 1
    low = torch.where(is_met, edges[:-1], _FARTHEST).amin(dim=1)
    high = torch.where(is_met, edges[1:], -_FARTHEST).amax(dim=1)
    return low, high


def region_side_px(resolution_px: int) -> int:
    """Return the width at which places are looked at in pictures of a resolution: about what they have there."""
    return max(resolution_px // 4, _SMALLEST_SIDE_PX)


def cropped(images: Tensor, region: Region, *, width: int, height: int) -> Tensor:
    """Return the region of every image (batch, channels, H, W), resampled to (batch, channels, height, width)."""
    rows, columns = (
        (torch.arange(count, device=images.device, dtype=torch.float32) + 0.5) * (2 / count) - 1
        for count in (height, width)
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    unit = torch.stack([x, y], dim=-1)
    grid = region.centre[:, None, None] + region.half[:, None, None] * unit
    sampled = functional.grid_sample(images, grid, "bilinear", "border", align_corners=False)
    return sampled.contiguous(memory_format=torch.channels_last)
