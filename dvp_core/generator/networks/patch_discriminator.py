"""PatchGAN: tells real image patches from made ones, given what they were made from (Isola et al. 2017).

Each output value belongs to one of the overlapping patches of 70 pixels. No sigmoid: losses take logits.
"""

from __future__ import annotations

from torch import Tensor, nn

from dvp_core.generator.networks.dvp2018 import LEAK, initialise_normal


class PatchDiscriminator(nn.Module):
    """Convolutions 4x4 with 64, 128, 256, 512, 1 channels; the last two keep their resolution."""

    def __init__(self, input_channels: int, *, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(input_channels, width, 4, 2, 1), nn.LeakyReLU(LEAK)]
        for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [
                nn.Conv2d(width * before, width * after, 4, stride, 1, bias=False),
                nn.BatchNorm2d(width * after),
                nn.LeakyReLU(LEAK),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))
        initialise_normal(self)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (batch, 1, rows, columns), one a patch, of conditioning and image (batch, channels, h, w)."""
        return self.layers(image)
