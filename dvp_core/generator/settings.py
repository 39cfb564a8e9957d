"""Which settings a shot is rendered with where nobody asks for others: a table, so that equal shots come out equal."""

from __future__ import annotations

import torch

from dvp_core.data.errors import DataError
from dvp_core.data.render_settings import Precision, RenderSettings
from dvp_core.generator.devices import trains_faster_in_half
from dvp_core.generator.networks import Preset

_DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_BATCH_SIZES: dict[Preset, dict[Precision, int]] = {
    "fast": {"float32": 1, "bfloat16": 1},
    "best": {"float32": 1, "bfloat16": 1},
    "dvp2018": {"float32": 2, "bfloat16": 4},
    "pix2pix": {"float32": 2, "bfloat16": 4},
}
"""The smallest batch within a few hundredths of the best rate (`benchmarks/render_speed.py`): a large one only makes
the first frame late and the last batch wasteful. Faster arithmetic waits longer for weights, so it shares them more."""
_CUDA_BATCH_SIZE = 8


def dtype_of(precision: Precision) -> torch.dtype:
    """Return torch's name of a precision."""
    return _DTYPES[precision]


def settings_for(preset: Preset, device: torch.device) -> RenderSettings:
    """Return the settings for a preset on a device, with as many threads as this process was given."""
    precision: Precision = "bfloat16" if trains_faster_in_half(device) else "float32"
    batch_size = _CUDA_BATCH_SIZE if device.type == "cuda" else _BATCH_SIZES[preset][precision]
    return RenderSettings(batch_size, torch.get_num_threads(), precision)


def check_settings(settings: RenderSettings, device: torch.device) -> None:
    """Refuse a precision that the device only imitates.

    Raises:
        DataError: bfloat16 on a processor without instructions for it, a hundred times slower than float32 there.
    """
    if settings.precision == "bfloat16" and not trains_faster_in_half(device):
        raise DataError(
            "bfloat16 is not multiplied in hardware here",
            where=f"device {device}",
            remedy="Render on the kind of machine that began this folder, or into another one with --precision float32",
        )
