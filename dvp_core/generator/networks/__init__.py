"""The networks, one box of the figure a file, and the one place where a preset becomes a network."""

from __future__ import annotations

from typing import Literal

from torch import nn

from dvp_core.generator.networks.dvp2018 import TranslationConfig, TranslationNetwork
from dvp_core.generator.networks.fast import FastConfig, FastNetwork
from dvp_core.generator.networks.patch_discriminator import PatchDiscriminator
from dvp_core.generator.networks.window import Window

Preset = Literal[
    "fast",  # the project's own, for minutes on a processor
    "dvp2018",  # the paper's network and training
    "pix2pix",  # the paper's with a window of 1: image-to-image translation
]

NetworkConfig = TranslationConfig | FastConfig

__all__ = [
    "FastConfig",
    "FastNetwork",
    "NetworkConfig",
    "PatchDiscriminator",
    "Preset",
    "TranslationConfig",
    "TranslationNetwork",
    "Window",
    "build_network",
    "config_of_preset",
]


def config_of_preset(preset: Preset, *, resolution_px: int, width: int | None = None) -> NetworkConfig:
    """Return a preset's shape at a resolution; `width` makes it narrower or wider than its default."""
    if preset == "fast":
        return FastConfig(resolution_px=resolution_px, **({} if width is None else {"width": width}))
    window = {} if preset == "dvp2018" else {"window": 1}
    return TranslationConfig(resolution_px=resolution_px, **window, **({} if width is None else {"width": width}))


def build_network(config: NetworkConfig) -> nn.Module:
    """Return a network of the given shape with fresh weights, drawn from torch's global generator."""
    return FastNetwork(config) if isinstance(config, FastConfig) else TranslationNetwork(config)
