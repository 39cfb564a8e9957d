"""Where and in which precision to compute."""

from __future__ import annotations

import torch
from torch import nn

from dvp_core.data.errors import DataError
from dvp_core.generator.networks import Preset

_IMAGE_DIMENSIONS = 4


def chosen_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is a graphics card where there is one.

    Raises:
        DataError: Unknown, or not there.
    """
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name.partition(":")[0] != "cuda" or not has_cuda:
        raise DataError(f"'{name}' cannot be used here", where="device", remedy="Use 'cpu', or 'auto'")
    return torch.device(name)


def default_preset(device_name: str = "auto") -> Preset:
    """Return what is trained where nobody names a preset: what a graphics card can do in minutes, else a processor.

    Raises:
        DataError: The device is unknown, or not there.
    """
    return "best" if chosen_device(device_name).type == "cuda" else "fast"


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, its convolutions' weights with channels last, as its inputs come."""
    network.to(device)
    for parameter in network.parameters():
        if parameter.dim() == _IMAGE_DIMENSIONS:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def trains_faster_in_half(device: torch.device) -> bool:
    """Say whether bfloat16 pays: on a graphics card, and on a processor that multiplies it in hardware.

    Measured on one with AVX-512 BF16: convolutions run 2.0 to 2.4 times as fast; without it, slower than in float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported())
