"""A convolution that enlarges nothing: its weights are divided by their largest singular value (Miyato et al. 2018).

The singular vectors are followed between steps, by a call of their own, so that a forward pass changes nothing: made
and wanted pictures meet the same weights, and a frame's logits do not depend on what came before or beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_FIRST_ROUNDS = 10


class SpectralConvolution(nn.Conv2d):
    """Convolution whose weights, as a matrix of outputs by all else, have the spectral norm 1."""

    def __init__(self, input_channels: int, output_channels: int, kernel: int, stride: int) -> None:
        super().__init__(input_channels, output_channels, kernel, stride, 1)
        self.register_buffer("left", functional.normalize(torch.randn(output_channels), dim=0))
        self.register_buffer("right", torch.zeros(self.weight[0].numel()))
        self.follow(_FIRST_ROUNDS)

    def follow(self, rounds: int = 1) -> None:
        """Bring the singular vectors nearer to those of the present weights."""
        left, right = self.get_buffer("left"), self.get_buffer("right")
        with torch.no_grad():
            matrix = self.weight.flatten(1)
            for _ in range(rounds):
                right.copy_(functional.normalize(matrix.T @ left, dim=0))
                left.copy_(functional.normalize(matrix @ right, dim=0))

    def forward(self, input: Tensor) -> Tensor:
        """Features (batch, out, rows, columns)."""
        outer = self.get_buffer("left")[:, None] * self.get_buffer("right")
        norm = (self.weight.flatten(1) * outer).sum()  # sums stay in float32 where products are halved
        return self._conv_forward(input, self.weight / norm, self.bias)
