"""The parts of many plates around the head, made linear, shrunk and softened on the device.

The counterpart of `dvp_core.tracking.picture`. Plates are cut where they are decoded, so that only the pixels around
the head travel to the device, as bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dvp_core.tracking.picture import BINOMIAL, LINEAR_OF_BYTE, PlateCut


@dataclass(frozen=True)
class Pictures:
    """Linear pictures of B windows on one canvas size; beyond a window its edge repeats.

    Attributes:
        pixels: (B, H, W, 3), linear.
        sizes_wh: (B, 2) of the windows, in picture pixels.
        origin_px: (B, 2) plate position of each window's upper left corner.
        pixel_size_px: (B,) plate pixels a picture pixel is wide.
    """

    pixels: torch.Tensor
    sizes_wh: torch.Tensor
    origin_px: torch.Tensor
    pixel_size_px: torch.Tensor

    def sample(self, points_px: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return colours (B, N, 3) at plate positions (B, N, 2), and their derivatives (B, N, 3, 2) by the position.

        Bilinear; outside the window the edge repeats.
        """
        count, height, width = self.pixels.shape[:3]
        size = self.pixel_size_px[:, None, None]
        place = (points_px - self.origin_px[:, None]) / size - 0.5
        # A step that went wrong may hold no numbers; it must not read beyond the canvas.
        place = torch.minimum(place.nan_to_num(0.0).clamp(min=0.0), (self.sizes_wh - 1.001)[:, None])
        corner = place.floor()
        fraction = place - corner
        first = torch.arange(count, device=place.device)[:, None] * (height * width)
        start = first + (corner[..., 1] * width + corner[..., 0]).to(torch.int64)
        flat = self.pixels.view(-1, 3)
        a, b, c, d = (flat[start + offset] for offset in (0, 1, width, width + 1))
        fx, fy = fraction[..., :1], fraction[..., 1:]
        right_above, right_below = b - a, d - c
        top = a + fx * right_above
        down = c + fx * right_below - top
        by_x = right_above + fy * (right_below - right_above)
        return top + fy * down, torch.stack([by_x, down], dim=-1) / size[..., None]


def pictures_of(cuts: Sequence[PlateCut], device: torch.device, dtype: torch.dtype) -> Pictures:
    """Return the pictures of cut plates; see `window_of_plate`."""
    pictures = shrunk_cuts(cuts, LINEAR_OF_BYTE, device, dtype)
    return replace(pictures, pixels=softened(pictures.pixels).contiguous())


def shrunk_cuts(cuts: Sequence[PlateCut], table: np.ndarray, device: torch.device, dtype: torch.dtype) -> Pictures:
    """Return cut plates, shrunk but not softened.

    Args:
        cuts: B of them.
        table: (256,) what each byte stands for.
        device: Where to.
        dtype: Of the pixels.
    """
    factors = np.array([cut.window.pixel_size_px for cut in cuts])
    sizes = np.array([cut.pixels.shape[1::-1] for cut in cuts]) // factors[:, None]
    width, height = sizes.max(axis=0)
    pixels = torch.empty((len(cuts), height, width, 3), dtype=dtype, device=device)
    values = torch.as_tensor(table, dtype=dtype, device=device)
    for factor in np.unique(factors):
        group = np.flatnonzero(factors == factor)
        shrunk = _shrunk([cuts[number].pixels for number in group], int(factor), (width, height), values)
        pixels[torch.as_tensor(group, device=device)] = shrunk
    sizes_wh = torch.as_tensor(sizes, device=device)
    return Pictures(
        with_repeated_edges(pixels, sizes_wh),
        sizes_wh,
        torch.as_tensor(np.stack([cut.window.origin_px for cut in cuts]), dtype=dtype, device=device),
        torch.as_tensor(factors, dtype=dtype, device=device),
    )


def _shrunk(cuts: Sequence[np.ndarray], factor: int, size_wh: tuple[int, int], table: torch.Tensor) -> torch.Tensor:
    """Return pictures (G, H, W, 3) of cuts that are shrunk by the same factor; beyond a cut stand zero bytes."""
    canvas = np.zeros((len(cuts), size_wh[1] * factor, size_wh[0] * factor, 3), dtype=np.uint8)
    for place, cut in zip(canvas, cuts, strict=True):
        place[: cut.shape[0], : cut.shape[1]] = cut
    linear = table[torch.from_numpy(canvas).to(table.device).to(torch.int32)]
    if factor == 1:
        return linear
    blocks = linear.unflatten(2, (size_wh[0], factor)).unflatten(1, (size_wh[1], factor))
    return blocks.mean(dim=(2, 4))


def with_repeated_edges(pixels: torch.Tensor, sizes_wh: torch.Tensor) -> torch.Tensor:
    """Return canvases on which each window's last column and row repeat to the canvas's edge."""
    height, width = pixels.shape[1:3]
    columns = torch.minimum(torch.arange(width, device=pixels.device), sizes_wh[:, :1] - 1)
    rows = torch.minimum(torch.arange(height, device=pixels.device), sizes_wh[:, 1:] - 1)
    frames = torch.arange(len(pixels), device=pixels.device)
    return pixels[frames[:, None, None], rows[:, :, None], columns[:, None, :]]


def softened(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels (B, H, W, C) after the 5-tap binomial filter along both axes; the edge repeats."""
    far, near, middle = (float(weight) for weight in BINOMIAL[:3])
    for axis in (1, 2):
        taps = _taps(pixels, axis)
        pixels = (taps[0] + taps[4]).mul_(far).add_(taps[1] + taps[3], alpha=near).add_(taps[2], alpha=middle)
    return pixels


def boxed(pixels: torch.Tensor) -> torch.Tensor:
    """Return running means of five pixels along both axes of (B, H, W, C); the edge repeats."""
    for axis in (1, 2):
        taps = _taps(pixels, axis)
        pixels = (taps[0] + taps[1]).add_(taps[2]).add_(taps[3]).add_(taps[4]).div_(len(taps))
    return pixels


def _taps(pixels: torch.Tensor, axis: int) -> list[torch.Tensor]:
    length = pixels.shape[axis]
    first, last = pixels.narrow(axis, 0, 1), pixels.narrow(axis, length - 1, 1)
    padded = torch.cat([first, first, pixels, last, last], dim=axis)
    return [padded.narrow(axis, start, length) for start in range(5)]
