"""What is known of the person before the first training step: averages over the training frames.

The fast network blends learned images; starting them at the median plate, at a real frame and at what the
colour pass lacks at every surface point saves the first minute of its training.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dvp_core.generator.dataset import TrainingImages
from dvp_core.generator.networks import FastNetwork
from dvp_core.generator.networks.fast import pixel_grid
from dvp_core.generator.networks.head_frame import HeadFrame, fitted_head_frame
from dvp_core.generator.networks.head_images import RESERVE
from dvp_core.generator.networks.neural_texture import from_the_side, lookup

_MOST_FRAMES = 48
_SMALLEST = 1e-8
_REACH = 0.15
"""How fast a picture on the head gives way to others: its squared distance is measured in so much of that between
neighbours."""
_SMALLEST_REACH = 1e-6
_CPU = torch.device("cpu")


def set_initial_images(network: FastNetwork, images: TrainingImages) -> None:
    """Start the network's background, pictures on the head and textures at averages of the training frames."""
    picks = np.linspace(0, len(images.targets) - 1, min(_MOST_FRAMES, len(images.targets))).round().astype(int)
    indices = images.targets[np.unique(picks)]
    plates = images.plates[indices].astype(np.float32) * (2 / 255) - 1
    median = np.median(plates, axis=0)
    most_typical = indices[int(np.abs(plates - median).mean(axis=(1, 2, 3)).argmin())]
    with torch.no_grad():
        network.background.copy_(torch.from_numpy(median).movedim(2, 0)[None])
        _set_head_images(network, images, indices, int(np.flatnonzero(indices == most_typical)[0]))
        for index in indices:
            network.depth.measure(_surface(images, index)[0])
        for plane, places_of in (
            (network.skin, network.depth.places),
            (network.texture.front, network.depth.places),
            (network.texture.side, from_the_side),
        ):
            plane[0, :3] = mean_details(images, indices, places_of, rows=plane.shape[2], columns=plane.shape[3])


def _set_head_images(network: FastNetwork, images: TrainingImages, indices: np.ndarray, first: int) -> None:
    """Start the pictures that move with the head at frames of poses as different as there are."""
    on_head = network.on_head
    frames = [head_frame_of(images, index) for index in indices]
    numbers = torch.cat([frame.numbers() for frame in frames])
    chosen = spread_out(numbers, len(on_head.images), first=first)
    for place, own in enumerate(chosen):
        on_head.images[place, :3] = with_reserve(images, indices[own])[0]
        for name in ("linear", "depth", "offset"):
            on_head.get_buffer(name)[place] = getattr(frames[own], name)[0]
    on_head.get_buffer("reach").fill_(max(_REACH * nearest_distance(numbers[chosen]) ** 2, _SMALLEST_REACH))


def spread_out(points: Tensor, count: int, *, first: int) -> list[int]:
    """Rows of points (N, D) that lie far apart: the first, then each time the one farthest from all before it."""
    chosen = [first]
    nearest = torch.cdist(points, points[first : first + 1])[:, 0]
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, torch.cdist(points, points[chosen[-1] :][:1])[:, 0])
    return chosen


def nearest_distance(points: Tensor) -> float:
    """Median over points (N, D) of the distance to the nearest other one; 0 for a single one."""
    if len(points) < 2:
        return 0.0
    apart = torch.cdist(points, points)
    return float(apart.fill_diagonal_(torch.inf).amin(dim=1).median())


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


def mean_details(
    images: TrainingImages, indices: np.ndarray, places_of: Callable[[Tensor], Tensor], *, rows: int, columns: int
) -> Tensor:
    """Mean difference (3, rows, columns) of plate and colour pass at the surface points in each texel; 0 where none is.

    It is shrunk where it varies more than it is worth.

    Args:
        images: The training frames.
        indices: Which of them to average.
        places_of: Gives the places (1, 1, N, 2) in the texture of correspondences (1, 3, 1, N).
        rows: Of the texture.
        columns: Of the texture.
    """
    total, total_square = torch.zeros(2, 3, rows * columns)
    count = torch.zeros(rows * columns)
    for index in indices:
        correspondences, details = _surface(images, index)
        x, y = places_of(correspondences[None, :, None])[0, 0].unbind(-1)
        column, row = ((x + 1) * (columns / 2)).long(), ((y + 1) * (rows / 2)).long()
        texel = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
        total.index_add_(1, texel, details)
        total_square.index_add_(1, texel, details**2)
        count.index_add_(0, texel, torch.ones(len(texel)))
    mean, mean_square = total / count.clamp(min=1), total_square / count.clamp(min=1)
    return (mean * mean**2 / mean_square.clamp(min=_SMALLEST)).reshape(3, rows, columns)


def _surface(images: TrainingImages, index: int) -> tuple[Tensor, Tensor]:
    """Correspondences (3, N) of the surface points that a training frame shows, and what its plate is more (3, N)."""
    window, plate = images.batch(np.array([index]), _CPU)
    current = window.current[0].flatten(1)
    is_seen = current[3:6].amax(0) > -1
    return current[3:6, is_seen], (plate[0].flatten(1) - current[:3])[:, is_seen]
