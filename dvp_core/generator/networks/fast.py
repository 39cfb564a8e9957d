"""The network that blends: most of the picture is known before it learns anything.

Four guesses of every pixel are blended by predicted shares: the still background of a fixed crop (a learned image),
pictures that move with the head (hair), the colour pass with a learned skin detail laid on through the correspondence,
and what the convolutions paint themselves with the help of a neural texture. The learned images carry the sharp detail,
so that no convolution runs at the full resolution: a small U-Net works at a quarter of it, its last layer paints 2 x 2
pixels at once. The ten older frames enter at an eighth and tell motion.

Normalisation takes each frame's own statistics: a batch's would tie a frame's pixels to its neighbours, and without
any the activations grow a hundredfold within twenty of Adam's steps. Residual branches start at zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dvp_core.data.passes import CHANNELS_PER_FRAME, WINDOW_FRAMES
from dvp_core.generator.networks.depth_layers import STOREYS, DepthLayers
from dvp_core.generator.networks.head_frame import HeadFrame, fitted_head_frame
from dvp_core.generator.networks.head_images import RESERVE, HeadImages
from dvp_core.generator.networks.neural_texture import NeuralTexture, from_the_side, lookup
from dvp_core.generator.networks.window import Window

LAYERS = 4
"""Background, pictures that move with the head, skin, painted image."""
DECISION = 6.0
"""Gain of the shares' logits: a share has to travel from even to certain within some hundred small steps."""
SKIN, PAINTED = 2, 3
"""The places of the last two among them."""
LIKELY = 0.3
"""How far the logits begin from even: for skin where there is a surface, against what nothing has painted yet."""
NEVER = 30.0
"""A logit this low is a share of zero."""
FLOW_SCALE = 0.02
"""Half-widths of the picture a unit of predicted flow moves: without it one optimiser step tears the picture apart."""


@dataclass(frozen=True)
class FastConfig:
    """Shape of the fast network."""

    window: int = WINDOW_FRAMES
    resolution_px: int = 256
    width: int = 40
    """Channels at a quarter of the resolution, a multiple of 8."""
    texture_channels: int = 8
    texture_size: int = 128
    skin_size: int = 384
    head_images: int = 8
    """Pictures that move with the head."""
    history_scale: int = 8


class Residual(nn.Module):
    """Two convolutions 3x3 beside the identity; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = normalisation(channels)
        self.first = nn.Conv2d(channels, channels, 3, 1, 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        return features + self.second(functional.silu(self.first(functional.silu(self.norm(features)))))


def normalisation(channels: int) -> nn.GroupNorm:
    """Group normalisation in groups of some eight channels: a frame's own statistics, never its batch's."""
    return nn.GroupNorm(max(channels // 8, 1), channels)


class Merge(nn.Module):
    """Coarser features, enlarged bilinearly (no checkerboard), joined with the skip of their level."""

    def __init__(self, coarse: int, skip: int, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(coarse, channels, 1)
        self.join = nn.Conv2d(channels + skip, channels, 3, 1, 1)
        self.norm = normalisation(channels)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """Features (batch, channels, height, width) of the skip's size."""
        enlarged = functional.interpolate(self.narrow(coarse), scale_factor=2, mode="bilinear")
        return functional.silu(self.norm(self.join(torch.cat([enlarged, skip], dim=1))))


class Trunk(nn.Module):
    """U-Net from a quarter of the resolution down to a thirty-second, where it sees the whole picture."""

    def __init__(self, config: FastConfig) -> None:
        super().__init__()
        a, b, c, d = config.width, 2 * config.width, 3 * config.width, 4 * config.width
        older = CHANNELS_PER_FRAME * (config.window - 1)
        self.motion = nn.Conv2d(older, b, 1)
        self.down_b = nn.Conv2d(a, b, 4, 2, 1)
        self.encode_b, self.down_c = Residual(b), nn.Conv2d(b, c, 4, 2, 1)
        self.encode_c, self.down_d = Residual(c), nn.Conv2d(c, d, 4, 2, 1)
        self.encode_d = nn.Sequential(Residual(d), Residual(d))
        self.up_c, self.decode_c = Merge(d, c, c), Residual(c)
        self.up_b, self.decode_b = Merge(c, b, b), Residual(b)
        self.up_a, self.decode_a = Merge(b, a, a), Residual(a)

    def forward(self, features: Tensor, history: Tensor) -> Tensor:
        """Features (batch, width, height / 4, width / 4), from as many and the reduced older frames."""
        at_a = functional.silu(features)
        at_b = self.encode_b(self.down_b(at_a) + self.motion(history))
        at_c = self.encode_c(self.down_c(at_b))
        at_d = self.encode_d(self.down_d(at_c))
        at_c = self.decode_c(self.up_c(at_d, at_c))
        at_b = self.decode_b(self.up_b(at_c, at_b))
        return self.decode_a(self.up_a(at_b, at_a))


class FastNetwork(nn.Module):
    """Window of conditioning images in, one RGB image out, nominally in [-1, 1]."""

    def __init__(self, config: FastConfig) -> None:
        super().__init__()
        self.config = config
        size, half_width = config.resolution_px, config.width // 2
        self.background = nn.Parameter(torch.zeros(1, 3, size, size))
        self.on_head = HeadImages(count=config.head_images, size=size)
        self.around_head = nn.Parameter(torch.zeros(1, config.width, size // 4, size // 4))
        self.depth = DepthLayers(config.skin_size)
        self.skin = nn.Parameter(torch.zeros(1, 3, STOREYS * config.skin_size, config.skin_size))
        self.texture = NeuralTexture(config.texture_channels, config.texture_size, storeys=STOREYS)
        self.to_half = nn.Conv2d(CHANNELS_PER_FRAME, half_width, 2, 2)
        self.to_quarter = nn.Conv2d(half_width + 2 * config.texture_channels, config.width, 4, 2, 1)
        self.trunk = Trunk(config)
        self.flow = nn.Conv2d(config.width, 2, 3, 1, 1)
        self.up_half = Merge(config.width, half_width + 2 * config.texture_channels, half_width)
        self.output = nn.Conv2d(half_width, 4 * (3 + LAYERS), 3, 1, 1)
        self._initialise()

    def image_parameters(self) -> list[nn.Parameter]:
        """The learned pictures, whose values are colours and features, not convolution weights."""
        on_head = [self.on_head.images, self.on_head.motion, self.around_head]
        return [self.background, *on_head, self.skin, self.texture.front, self.texture.side]

    def _initialise(self) -> None:
        """Keep the size of activations through the depth (He et al. 2015), and begin with the known images alone."""
        silent = [self.flow, self.output, *(part.second for part in self.modules() if isinstance(part, Residual))]
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(_bias(layer))
        for layer in silent:
            nn.init.zeros_(layer.weight)
        logits = _bias(self.output).data.view(3 + LAYERS, 4)[3:]
        logits[SKIN] += LIKELY
        logits[PAINTED] -= LIKELY

    def forward(self, window: Window) -> Tensor:
        """RGB (batch, 3, height, width) of the window's current frame."""
        current = window.current
        correspondence = current[:, 3:6].float().contiguous()
        mask = (correspondence.amax(dim=1, keepdim=True) > -1).to(current.dtype)
        on_skin, from_side = self.depth.places(correspondence), from_the_side(correspondence[..., ::2, ::2])
        features = self.texture(on_skin[:, ::2, ::2], from_side, mask[..., ::2, ::2])
        half = self.to_half(current)
        at_half = torch.cat([functional.silu(half), _channels_last(features.to(half.dtype))], dim=1)
        grid = pixel_grid(self.config.resolution_px, current.device)
        frame = fitted_head_frame(correspondence, mask, grid)
        moving = lookup(self.around_head, self._around_head(frame, grid[:, 1::4, 1::4]))
        at_quarter = self.trunk(self.to_quarter(at_half) + _channels_last(moving.to(half.dtype)), window.history)
        painted = functional.pixel_shuffle(self.output(self.up_half(at_quarter, at_half)).float(), 2).contiguous()
        outside = 1 - functional.avg_pool2d(mask, 4)
        on_head = self.on_head(frame, grid, FLOW_SCALE * self.flow(at_quarter).float().contiguous(), outside)
        surface = current[:, :3] + lookup(self.skin, on_skin)
        known = (self.background, on_head[:, :3], surface, painted[:, :3])
        shares = _shares(painted[:, 3:], on_head[:, 3:], mask)
        image = known[0] * shares[:, :1]
        for index, layer in enumerate(known[1:], start=1):
            image = torch.addcmul(image, layer, shares[:, index : index + 1])
        return image

    def _around_head(self, frame: HeadFrame, points: Tensor) -> Tensor:
        """Places of picture points in what moves with the head as it was in the most typical picture."""
        return RESERVE * self.on_head.typical().after_leaving(frame).to_picture(points)


def _shares(logits: Tensor, on_head: Tensor, mask: Tensor) -> Tensor:
    """Shares (batch, LAYERS, height, width) of the layers; skin only where there is a surface.

    Args:
        logits: (batch, LAYERS, height, width) as predicted.
        on_head: (batch, 1, height, width) what the pictures on the head add to theirs.
        mask: (batch, 1, height, width), 1 where there is a surface.
    """
    background, moving, skin, painted = (DECISION * logits).split(1, dim=1)
    skin = skin + (mask - 1) * NEVER
    return torch.cat([background, moving + DECISION * on_head, skin, painted], dim=1).softmax(dim=1)


def pixel_grid(size: int, device: torch.device) -> Tensor:
    """Pixel centres (1, size, size, 2) as x and y in [-1, 1], the image's outer corners."""
    centres = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x, y])[None].movedim(1, -1)


def _channels_last(features: Tensor) -> Tensor:
    """The order in memory in which convolutions want features; sampled ones come in planes."""
    return features.contiguous(memory_format=torch.channels_last)


def _bias(layer: nn.Conv2d) -> Tensor:
    if layer.bias is None:
        raise ValueError("the layer was made without a bias")
    return layer.bias
