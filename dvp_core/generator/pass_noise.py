"""Passes as a tracker that errs would have drawn them: small errors of pose, gaze and light, another one each step.

A generator trained on one tracking learns its errors as if they were the person, and paints them wherever an animator's
clean curves have none. Shaken passes before an unshaken plate teach it not to trust a fraction of a pixel.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from dvp_core.data.passes import CHANNELS_PER_FRAME
from dvp_core.generator.networks import Window

FRAME_SHARE = 0.3
"""How much of the error changes from frame to frame; the rest is the whole window's."""
GAZE_SHARE = 0.5
"""How far the irises err within the face, against how far the face does."""
LIGHT = 0.02
"""Standard deviation of the light's strength and of its tint, for noise of a pixel."""
_BLACK = -1.0


def shaken(window: Window, deviation_px: float) -> Window:
    """Return a window with errors drawn from torch's generator.

    Places and gaze keep the values that a renderer writes: pixels move, none is mixed with its neighbour, so no surface
    point appears that lies on no face.

    Args:
        window: Windows as rendered.
        deviation_px: Standard deviation of the face's place in pixels of the current frame; 0 changes nothing.
    """
    if deviation_px == 0:
        return window
    count, _, size, _ = window.current.shape
    older_count = window.history.shape[1] // CHANNELS_PER_FRAME
    motions = _motions(count, older_count + 1, deviation_px / size).to(window.current.device)
    lights = _lights(count, deviation_px).to(window.current.device)
    current = _moved(window.current, motions[:, -1], "nearest")
    older = window.history.reshape(-1, CHANNELS_PER_FRAME, *window.history.shape[2:])
    older = _moved(older, motions[:, :-1].flatten(0, 1), "bilinear")
    older = _lit(older, lights.repeat_interleave(older_count, dim=0)).reshape(window.history.shape)
    return Window(_channels_last(_lit(current, lights)), _channels_last(older))


def _motions(count: int, frames: int, share: float) -> Tensor:
    """Errors (count, frames, 6) of a face's place: shift x and y, turn, zoom, and the irises' shift x and y.

    Shifts are in half-widths of the picture. Turn and zoom move a point at a quarter of the width as far as a shift.
    """
    scale = torch.tensor([2.0, 2.0, 4.0, 4.0, 2 * GAZE_SHARE, 2 * GAZE_SHARE]) * share
    common, own = torch.randn(count, 1, 6), torch.randn(count, frames, 6)
    return (common * math.sqrt(1 - FRAME_SHARE**2) + own * FRAME_SHARE) * scale


def _moved(images: Tensor, motions: Tensor, mode: str) -> Tensor:
    """Images (N, 9, H, W) of faces placed wrongly by `motions` (N, 6), the irises in them once more."""
    if not len(images):
        return images
    face, gaze = images[:, :6], images[:, 6:]
    at_gaze = torch.cat([motions[:, :2] + motions[:, 4:], motions[:, 2:4]], dim=1)
    return torch.cat([_sampled(face, motions, mode), _sampled(gaze, at_gaze, mode)], dim=1)


def _sampled(images: Tensor, motions: Tensor, mode: str) -> Tensor:
    x, y, turn, zoom = motions[:, :4].unbind(dim=1)
    cosine, sine = (1 + zoom) * turn.cos(), (1 + zoom) * turn.sin()
    rows = torch.stack([torch.stack([cosine, -sine, x], dim=1), torch.stack([sine, cosine, y], dim=1)], dim=1)
    grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)


def _lights(count: int, deviation_px: float) -> Tensor:
    """Factors (count, 3) on the colour pass: one strength for all, and a tint."""
    return 1 + LIGHT * deviation_px * (torch.randn(count, 1) + torch.randn(count, 3)) / math.sqrt(2)


def _lit(images: Tensor, lights: Tensor) -> Tensor:
    """Images (N, 9, H, W) with their colour pass under another light; black stays black."""
    colour = (images[:, :3] - _BLACK) * lights[..., None, None] + _BLACK
    return torch.cat([colour.clamp(max=1), images[:, 3:]], dim=1)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
