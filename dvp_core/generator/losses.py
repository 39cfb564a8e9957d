"""What training minimises: ten-line functions of made and wanted images.

Images are (batch, 3, H, W) in [-1, 1]. Nothing here knows a network or an optimiser.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

FACE_WEIGHT = 1.0
EYE_WEIGHT = 3.0
GRADIENT_WEIGHT = 0.5
COARSE_WEIGHT = 0.5
COARSE_PX = 8


def importance(current: Tensor) -> Tensor:
    """Weight (batch, 1, H, W) of each pixel: 1, more on the face, most around the eyes, where people look.

    Args:
        current: (batch, 9, H, W) channels of the frame; black is -1.
    """
    is_face = (current[:, 3:6].amax(dim=1, keepdim=True) > -1).float()
    is_eye = (current[:, 6:9].amax(dim=1, keepdim=True) > 0).float()
    around_eye = functional.avg_pool2d(functional.max_pool2d(is_eye, 7, 1, 3), 7, 1, 3)
    return 1 + FACE_WEIGHT * is_face + EYE_WEIGHT * around_eye


def absolute_error(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference."""
    return ((made - wanted).abs() * weight).sum() / (3 * weight.sum())


def gradient_error(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference of neighbouring pixels' differences: keeps edges, which l1 alone blurs."""
    difference = made - wanted
    across = (difference[..., 1:] - difference[..., :-1]).abs() * weight[..., 1:]
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs() * weight[..., 1:, :]
    return (across.sum() + down.sum()) / (6 * weight.sum())


def coarse_error(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of images averaged over squares: pulls displaced things into place from afar."""
    return functional.avg_pool2d(made - wanted, COARSE_PX).abs().mean()


def reconstruction_error(made: Tensor, wanted: Tensor, current: Tensor) -> Tensor:
    """The fast preset's loss."""
    weight = importance(current)
    fine = absolute_error(made, wanted, weight) + GRADIENT_WEIGHT * gradient_error(made, wanted, weight)
    return fine + COARSE_WEIGHT * coarse_error(made, wanted)
