"""The networks, one box of the figure a file, and the one place where a preset becomes a network."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch import nn

from dvp_core.generator.networks.dvp2018 import TranslationConfig, TranslationNetwork
from dvp_core.generator.networks.fast import FastConfig, FastNetwork
from dvp_core.generator.networks.multi_discriminator import MultiDiscriminator, Response, SpectralPatchDiscriminator
from dvp_core.generator.networks.patch_discriminator import PatchDiscriminator
from dvp_core.generator.networks.window import Window

Preset = Literal[
    "fast",  # the project's own, for minutes on a processor
    "best",  # the same design, larger, for a graphics card
    "dvp2018",  # the paper's network and training
    "pix2pix",  # the paper's with a window of 1: image-to-image translation
]

NetworkConfig = TranslationConfig | FastConfig

_CONFIGS: dict[Preset, NetworkConfig] = {
    "fast": FastConfig(),
    "best": FastConfig(width=96, texture_channels=16, texture_size=256, skin_size=768),
    "dvp2018": TranslationConfig(),
    "pix2pix": TranslationConfig(window=1),
}

__all__ = [
    "FastConfig",
    "FastNetwork",
    "MultiDiscriminator",
    "NetworkConfig",
    "PatchDiscriminator",
    "Preset",
    "Response",
    "SpectralPatchDiscriminator",
    "TranslationConfig",
    "TranslationNetwork",
    "Window",
    "build_network",
    "config_of_preset",
    "config_type",
]


def config_of_preset(preset: Preset, *, resolution_px: int, width: int | None = None) -> NetworkConfig:
    """Return a preset's shape at a resolution; `width` makes it narrower or wider than its default."""
    config = _CONFIGS[preset]
    return replace(config, resolution_px=resolution_px, width=config.width if width is None else width)


def config_type(preset: Preset) -> type[NetworkConfig]:
    """Return the kind of shape that a preset's networks have."""
    return type(_CONFIGS[preset])


def build_network(config: NetworkConfig) -> nn.Module:
    """Return a network of the given shape with fresh weights, drawn from torch's global generator."""
    return FastNetwork(config) if isinstance(config, FastConfig) else TranslationNetwork(config)
