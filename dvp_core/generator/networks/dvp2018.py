"""The rendering-to-video translation network of Deep Video Portraits, kept as the paper published it.

Kim et al., Deep Video Portraits, SIGGRAPH 2018, section 5: a U-Net of eight downsampling and eight upsampling
modules with skip connections; every upsampling module ends in two refinement convolutions (the cascaded
refinement of Chen and Koltun 2017). With a window of 1 it is the image-to-image baseline of Isola et al.
Nothing here is tuned: improvements live in other networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dvp_core.data.passes import CHANNELS_PER_FRAME, WINDOW_FRAMES
from dvp_core.generator.networks.window import Window

LEAK = 0.2
DROPPED_MODULES = 3
"""The three innermost upsampling modules drop half of their activations while training."""


@dataclass(frozen=True)
class TranslationConfig:
    """Shape of the paper's network."""

    window: int = WINDOW_FRAMES
    resolution_px: int = 256
    width: int = 64
    """Channels of the first module; the paper's is 64, a half-width network 32."""
    history_scale: int = 1

    @property
    def module_count(self) -> int:
        """Down-modules until one pixel is left: eight at 256 px, nine at 512 px."""
        return self.resolution_px.bit_length() - 1


def down_channels(config: TranslationConfig) -> list[int]:
    """Output channels of the downsampling modules: 64, 128, 256, then 512."""
    return [config.width * min(2**level, 8) for level in range(config.module_count)]


class DownModule(nn.Sequential):
    """Halves the image: convolution 4x4 stride 2, batch normalisation, leaky ReLU."""

    def __init__(self, input_channels: int, output_channels: int, *, is_normalised: bool) -> None:
        layers: list[nn.Module] = [nn.Conv2d(input_channels, output_channels, 4, 2, 1, bias=not is_normalised)]
        if is_normalised:
            layers.append(nn.BatchNorm2d(output_channels))
        super().__init__(*layers, nn.LeakyReLU(LEAK))


def refinement(channels: int, *, dropout: float) -> list[nn.Module]:
    """Layers of one refinement convolution: 3x3 stride 1, batch normalisation, dropout, ReLU."""
    return [
        nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.Dropout(dropout),
        nn.ReLU(),
    ]


class UpModule(nn.Sequential):
    """Doubles the image: deconvolution 4x4 stride 2, then two refinement convolutions."""

    def __init__(self, input_channels: int, output_channels: int, *, dropout: float) -> None:
        super().__init__(
            nn.ConvTranspose2d(input_channels, output_channels, 4, 2, 1, bias=False),
            nn.BatchNorm2d(output_channels),
            nn.Dropout(dropout),
            nn.ReLU(),
            *refinement(output_channels, dropout=dropout),
            *refinement(output_channels, dropout=dropout),
        )


class OutputModule(nn.Sequential):
    """The last upsampling module: the same convolutions to three channels, without normalisation, then tanh.

    Between its convolutions stands a leaky ReLU: with only three channels and no normalisation a plain one can
    die for good and leave a constant image.
    """

    def __init__(self, input_channels: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(input_channels, 3, 4, 2, 1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(3, 3, 3, 1, 1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(3, 3, 3, 1, 1),
            nn.Tanh(),
        )


class TranslationNetwork(nn.Module):
    """The paper's generator: window of conditioning images in, one RGB image in [-1, 1] out."""

    def __init__(self, config: TranslationConfig) -> None:
        super().__init__()
        self.config = config
        channels = down_channels(config)
        inputs = [CHANNELS_PER_FRAME * config.window, *channels[:-1]]
        self.down = nn.ModuleList(
            DownModule(before, after, is_normalised=level > 0)
            for level, (before, after) in enumerate(zip(inputs, channels, strict=True))
        )
        self.up = nn.ModuleList(self._up_modules(channels))
        initialise_normal(self)

    @staticmethod
    def _up_modules(channels: list[int]) -> list[nn.Module]:
        outputs = channels[-2::-1]
        modules: list[nn.Module] = []
        incoming = channels[-1]
        for index, width in enumerate(outputs):
            dropout = 0.5 if index < DROPPED_MODULES else 0.0
            modules.append(UpModule(incoming, width, dropout=dropout))
            incoming = 2 * width
        return [*modules, OutputModule(incoming)]

    def forward(self, window: Window) -> Tensor:
        """RGB (batch, 3, height, width) in [-1, 1] of the window's current frame."""
        features = window.joined()
        skips: list[Tensor] = []
        for module in self.down:
            features = module(features)
            skips.append(features)
        features = self.up[0](skips.pop())
        for module in self.up[1:]:
            features = module(torch.cat([features, skips.pop()], dim=1))
        return features


def initialise_normal(network: nn.Module) -> None:
    """Draw convolution weights from N(0, 0.02), as pix2pix does.

    The paper prints 0.2, with which tanh saturates at once; it is taken for a misprint of the 0.02 of the
    framework it builds on (Isola et al. 2017).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
