"""What is known of the person before the first training step: averages over the training frames.

The fast network blends learned images; starting them at the median plate, at a real frame and at what the
colour pass lacks at every surface point saves the first minute of its training.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dvp_core.generator.dataset import TrainingImages
from dvp_core.generator.networks import FastNetwork
from dvp_core.generator.networks.fast import RESERVE, pixel_grid
from dvp_core.generator.networks.head_frame import HeadFrame, fitted_head_frame
from dvp_core.generator.networks.neural_texture import lookup

_MOST_FRAMES = 48
_SMALLEST = 1e-8
_CPU = torch.device("cpu")


def set_initial_images(network: FastNetwork, images: TrainingImages) -> None:
    """Start the network's background, canonical image and texture at averages of the training frames."""
    picks = np.linspace(0, len(images.targets) - 1, min(_MOST_FRAMES, len(images.targets))).round().astype(int)
    indices = images.targets[np.unique(picks)]
    plates = images.plates[indices].astype(np.float32) * (2 / 255) - 1
    median = np.median(plates, axis=0)
    most_typical = indices[int(np.abs(plates - median).mean(axis=(1, 2, 3)).argmin())]
    with torch.no_grad():
        network.background.copy_(torch.from_numpy(median).movedim(2, 0)[None])
        network.canonical.copy_(with_reserve(images, most_typical))
        rest = head_frame_of(images, most_typical)
        network.rest().linear.copy_(rest.linear)
        network.rest().offset.copy_(rest.offset)
        for plane, axes in ((network.skin, (0, 1)), (network.texture.front, (0, 1)), (network.texture.side, (2, 1))):
            plane[0, :3] = mean_details(images, indices, axes, plane.shape[-1])


def head_frame_of(images: TrainingImages, index: int) -> HeadFrame:
    """The head's plane in one training frame."""
    window, _ = images.batch(np.array([index]), _CPU)
    correspondence = window.current[:, 3:6]
    mask = (correspondence.amax(dim=1, keepdim=True) > -1).float()
    return fitted_head_frame(correspondence, mask, pixel_grid(correspondence.shape[-1], _CPU))


def with_reserve(images: TrainingImages, index: int) -> Tensor:
    """A training frame's plate (1, 3, H, W), shrunk so that a rim is left; the plate's edge repeats there."""
    _, plate = images.batch(np.array([index]), _CPU)
    return lookup(plate, pixel_grid(plate.shape[-1], _CPU) / RESERVE)


def mean_details(images: TrainingImages, indices: np.ndarray, axes: tuple[int, int], size: int) -> Tensor:
    """Mean difference (3, size, size) of plate and colour pass at the surface points in each texel; 0 where none falls.

    It is shrunk where it varies more than it is worth, as at the lips, which share their texels with teeth behind.

    Args:
        images: The training frames.
        indices: Which of them to average.
        axes: Which two coordinates of the correspondence are the texture's column and row.
        size: Side of the texture.
    """
    total, total_square = torch.zeros(2, 3, size * size)
    count = torch.zeros(size * size)
    for index in indices:
        window, plate = images.batch(np.array([index]), _CPU)
        places = window.current[0, 3:6].flatten(1)
        seen = places.amax(0) > -1
        column, row = (((places[axis, seen] + 1) * (size / 2)).long().clamp(0, size - 1) for axis in axes)
        texel = row * size + column
        details = (plate[0] - window.current[0, :3]).flatten(1)[:, seen]
        total.index_add_(1, texel, details)
        total_square.index_add_(1, texel, details**2)
        count.index_add_(0, texel, torch.ones(len(texel)))
    mean, mean_square = total / count.clamp(min=1), total_square / count.clamp(min=1)
    return (mean * mean**2 / mean_square.clamp(min=_SMALLEST)).reshape(3, size, size)
