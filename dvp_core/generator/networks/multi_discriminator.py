"""The discriminators of the preset `best`: they tell made pictures from filmed ones.

There is one for each of several scales of the whole picture (Wang et al. 2018, section 3.2), a temporal one for how two
consecutive pictures change, and one each for mouth and eyes, because people look there and they are a hundredth of the
picture. Each is conditioned on the passes of the current frame alone: the ten before it tell a network about motion,
and would help a discriminator to learn frames by heart.

Nothing is normalised by a batch: weights are, so that the response to one frame never depends on its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dvp_core.data.passes import CHANNELS_PER_FRAME
from dvp_core.generator.networks.dvp2018 import LEAK
from dvp_core.generator.networks.regions import (
    EYES_ASPECT,
    MOUTH_ASPECT,
    cropped,
    eyes_region,
    mouth_region,
    region_side_px,
)
from dvp_core.generator.networks.spectral import SpectralConvolution

_SCENE_CHANNELS = CHANNELS_PER_FRAME + 3


@dataclass(frozen=True)
class Response:
    """Response of one discriminator to a batch.

    Attributes:
        logits: (batch, 1, rows, columns), one a patch: above 0 is filmed.
        features: Activations of its hidden layers, each (batch, channels, rows, columns).
        weight: (batch,) whether there was anything to see in that picture, 0 or 1.
        share: What it counts among the responses of the others.
    """

    logits: Tensor
    features: list[Tensor]
    weight: Tensor
    share: float


class SpectralPatchDiscriminator(nn.Module):
    """PatchGAN of 54-pixel patches: three halvings and two convolutions more, spectrally normalised."""

    def __init__(self, input_channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                SpectralConvolution(input_channels, width, 4, 2),
                SpectralConvolution(width, 2 * width, 4, 2),
                SpectralConvolution(2 * width, 4 * width, 4, 2),
                SpectralConvolution(4 * width, 4 * width, 3, 1),
            ]
        )
        self.logits = SpectralConvolution(4 * width, 1, 3, 1)

    def forward(self, scene: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits of patches, and the features of every layer, of (batch, channels, height, width)."""
        features: list[Tensor] = []
        for layer in self.layers:
            scene = functional.leaky_relu(layer(scene), LEAK)
            features.append(scene)
        return self.logits(scene), features


class MultiDiscriminator(nn.Module):
    """All discriminators of a recipe."""

    def __init__(
        self, *, resolution_px: int, width: int, scales: int, temporal_share: float = 0.0, crop_share: float = 0.0
    ) -> None:
        """Make the discriminators; one whose share is 0 is not made.

        Args:
            resolution_px: Side of the pictures.
            width: Channels of a discriminator's first layer.
            scales: Number of scales of the whole picture, each with a discriminator of its own.
            temporal_share: What the temporal discriminator counts, against those of all scales together.
            crop_share: What each of the mouth and eye discriminators counts.
        """
        super().__init__()
        self.region_side_px = region_side_px(resolution_px)
        self.temporal_share, self.crop_share = temporal_share, crop_share
        self.whole = nn.ModuleList(SpectralPatchDiscriminator(_SCENE_CHANNELS, width) for _ in range(scales))
        self.temporal = SpectralPatchDiscriminator(_SCENE_CHANNELS + 3, width) if temporal_share > 0 else None
        self.mouth = SpectralPatchDiscriminator(_SCENE_CHANNELS, width) if crop_share > 0 else None
        self.eyes = SpectralPatchDiscriminator(_SCENE_CHANNELS, width) if crop_share > 0 else None

    def follow_spectra(self) -> None:
        """Bring every layer's norm up to date; once before each step."""
        for layer in self.modules():
            if isinstance(layer, SpectralConvolution):
                layer.follow()

    def forward(self, current: Tensor, image: Tensor) -> list[Response]:
        """Return all responses to images (batch, 3, H, W), conditioned on the frames' channels (batch, 9, H, W).

        With a temporal discriminator, the batch's second half are the frames that follow those of its first.
        """
        responses = self._of_whole_pictures(torch.cat([current, image], dim=1))
        if self.temporal is not None:
            responses.append(self._of_change(self.temporal, current, image))
        if self.mouth is not None and self.eyes is not None:
            responses += self._of_regions(self.mouth, self.eyes, current, image)
        return responses

    def _of_whole_pictures(self, scene: Tensor) -> list[Response]:
        responses = []
        weight, share = scene.new_ones(len(scene)), 1 / len(self.whole)
        for number, discriminator in enumerate(self.whole):
            if number:
                scene = functional.avg_pool2d(scene, 2)
            responses.append(_response(discriminator, scene, weight, share))
        return responses

    def _of_change(self, discriminator: SpectralPatchDiscriminator, current: Tensor, image: Tensor) -> Response:
        (before, now), (earlier, later) = current.chunk(2), image.chunk(2)
        is_moving = (before != now).flatten(1).any(dim=1)  # a frame without neighbours is paired with itself
        scene = torch.cat([now, earlier, later], dim=1)
        return _response(discriminator, scene, is_moving.to(image.dtype), self.temporal_share)

    def _of_regions(
        self, mouth: SpectralPatchDiscriminator, eyes: SpectralPatchDiscriminator, current: Tensor, image: Tensor
    ) -> list[Response]:
        scene, side = torch.cat([current, image], dim=1), self.region_side_px
        responses = []
        for discriminator, region, aspect in (
            (mouth, mouth_region(current), MOUTH_ASPECT),
            (eyes, eyes_region(current), EYES_ASPECT),
        ):
            seen = cropped(scene, region, width=side, height=round(side / aspect))
            responses.append(_response(discriminator, seen, region.weight, self.crop_share))
        return responses


def _response(discriminator: nn.Module, scene: Tensor, weight: Tensor, share: float) -> Response:
    logits, features = discriminator(scene)
    return Response(logits, features, weight, share)
