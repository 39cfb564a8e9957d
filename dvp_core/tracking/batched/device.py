"""The device that was asked for, or a plain word that it is not there."""

from __future__ import annotations

import torch

from dvp_core.data.errors import DataError
from dvp_core.tracking.batched.options import Device, Precision


def torch_device(name: Device) -> torch.device:
    """Return the device of a name.

    Raises:
        DataError: torch finds no graphics card.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise DataError(
            "no graphics card that torch can use (CUDA) was found",
            remedy="track with --device cpu, or install a build of torch for this machine's card; `dvp doctor` looks",
        )
    return torch.device(name)


def torch_type(precision: Precision) -> torch.dtype:
    """Return torch's name of a precision."""
    return torch.float64 if precision == "float64" else torch.float32
