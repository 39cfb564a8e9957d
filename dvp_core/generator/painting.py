"""A trained network made ready to paint: its convolutions fused, its precision the one that was chosen."""

from __future__ import annotations

import torch
from torch import nn

from dvp_core.generator.fused import FusedConvolution, filter_of, fused
from dvp_core.generator.networks import TranslationNetwork

_EXACT = ("flow", "output")
"""Layers of the fast network whose numbers are places and shares: three digits would show."""


def input_dtype(network: nn.Module, dtype: torch.dtype) -> torch.dtype:
    """Return what a network's windows are encoded in: where it looks up places it needs them exact."""
    return dtype if isinstance(network, TranslationNetwork) else torch.float32


def made_to_paint(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Change a network in place so that it paints faster and can no longer learn; return it.

    Args:
        network: In evaluation mode, on the device where it shall paint.
        dtype: What its convolutions compute in; the last ones and sampled images stay in float32.
    """
    if isinstance(network, TranslationNetwork):
        network.down = nn.ModuleList(fused(module.children(), dtype) for module in network.down)
        *enlarging, output = network.up
        painters = [fused(module.children(), dtype) for module in enlarging]
        network.up = nn.ModuleList([*painters, fused(output.children(), dtype, last_dtype=torch.float32)])
        return network
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv2d):
                kept = torch.float32 if name in _EXACT else dtype
                setattr(parent, name, FusedConvolution(filter_of(layer), kept))
    return network
