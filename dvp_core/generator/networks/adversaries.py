"""The judges of the preset `best`: what tells made pictures from filmed ones, and what they see in a picture.

Whole pictures are judged at several sizes (Wang et al. 2018, section 3.2), two consecutive ones for how they change,
and mouth and eyes by judges of their own, because people look there and they are a hundredth of the picture. Each
sees the passes of the current frame alone: the ten before it tell a network about motion, and would help a judge to
learn frames by heart.

Nothing is normalised by a batch: weights are, so that one frame's judgement never depends on its neighbours.
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
class Judgement:
    """What one judge says of a batch.

    Attributes:
        logits: (batch, 1, rows, columns), one a patch: above 0 is filmed.
        features: What it saw on the way, layer by layer, each (batch, channels, rows, columns).
        weight: (batch,) whether the judge has seen anything in that picture, 0 or 1.
        share: What its judgement counts among the others.
    """

    logits: Tensor
    features: list[Tensor]
    weight: Tensor
    share: float


class PatchJudge(nn.Module):
    """Looks at overlapping patches of 54 pixels: three halvings and two convolutions more, spectrally normalised."""

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
        self.answer = SpectralConvolution(4 * width, 1, 3, 1)

    def forward(self, scene: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits of patches, and the features of every layer, of (batch, channels, height, width)."""
        features: list[Tensor] = []
        for layer in self.layers:
            scene = functional.leaky_relu(layer(scene), LEAK)
            features.append(scene)
        return self.answer(scene), features


class Adversaries(nn.Module):
    """All judges of a recipe."""

    def __init__(
        self, *, resolution_px: int, width: int, scales: int, temporal_share: float = 0.0, crop_share: float = 0.0
    ) -> None:
        """Make the judges; one whose share is 0 is not made.

        Args:
            resolution_px: Side of the pictures.
            width: Channels of a judge's first layer.
            scales: Sizes at which whole pictures are judged.
            temporal_share: What the judge of two consecutive pictures counts, against all of whole ones together.
            crop_share: What each of the judges of mouth and eyes counts.
        """
        super().__init__()
        self.region_side_px = region_side_px(resolution_px)
        self.temporal_share, self.crop_share = temporal_share, crop_share
        self.whole = nn.ModuleList(PatchJudge(_SCENE_CHANNELS, width) for _ in range(scales))
        self.temporal = PatchJudge(_SCENE_CHANNELS + 3, width) if temporal_share > 0 else None
        self.mouth = PatchJudge(_SCENE_CHANNELS, width) if crop_share > 0 else None
        self.eyes = PatchJudge(_SCENE_CHANNELS, width) if crop_share > 0 else None

    def follow_spectra(self) -> None:
        """Bring every layer's norm up to date; once before each step."""
        for layer in self.modules():
            if isinstance(layer, SpectralConvolution):
                layer.follow()

    def forward(self, current: Tensor, image: Tensor) -> list[Judgement]:
        """Judge images (batch, 3, H, W) of frames with the channels `current` (batch, 9, H, W).

        Where change is judged, the batch's second half are the frames that follow those of its first.
        """
        judgements = self._of_whole_pictures(torch.cat([current, image], dim=1))
        if self.temporal is not None:
            judgements.append(self._of_change(self.temporal, current, image))
        if self.mouth is not None and self.eyes is not None:
            judgements += self._of_regions(self.mouth, self.eyes, current, image)
        return judgements

    def _of_whole_pictures(self, scene: Tensor) -> list[Judgement]:
        judgements = []
        weight, share = scene.new_ones(len(scene)), 1 / len(self.whole)
        for number, judge in enumerate(self.whole):
            if number:
                scene = functional.avg_pool2d(scene, 2)
            judgements.append(_judged(judge, scene, weight, share))
        return judgements

    def _of_change(self, judge: PatchJudge, current: Tensor, image: Tensor) -> Judgement:
        (before, now), (earlier, later) = current.chunk(2), image.chunk(2)
        is_moving = (before != now).flatten(1).any(dim=1)  # a frame without neighbours is paired with itself
        scene = torch.cat([now, earlier, later], dim=1)
        return _judged(judge, scene, is_moving.to(image.dtype), self.temporal_share)

    def _of_regions(self, mouth: PatchJudge, eyes: PatchJudge, current: Tensor, image: Tensor) -> list[Judgement]:
        scene, side = torch.cat([current, image], dim=1), self.region_side_px
        judgements = []
        for judge, region, aspect in (
            (mouth, mouth_region(current), MOUTH_ASPECT),
            (eyes, eyes_region(current), EYES_ASPECT),
        ):
            seen = cropped(scene, region, width=side, height=round(side / aspect))
            judgements.append(_judged(judge, seen, region.weight, self.crop_share))
        return judgements


def _judged(judge: nn.Module, scene: Tensor, weight: Tensor, share: float) -> Judgement:
    logits, features = judge(scene)
    return Judgement(logits, features, weight, share)
