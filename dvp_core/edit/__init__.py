"""Changes to performances: keyed edits, transfer between people, smoothing, limits.

Every function takes takes and gives takes; none reads a file or draws a picture.
"""

from dvp_core.edit.apply import apply_edit
from dvp_core.edit.channels import CHANNELS, REGIONS, region_of
from dvp_core.edit.neutral import Neutral, find_neutral
from dvp_core.edit.smoothing import DEFAULT_SMOOTHING, checked_smoothing, smooth
from dvp_core.edit.transfer import transfer

__all__ = [
    "CHANNELS",
    "DEFAULT_SMOOTHING",
    "REGIONS",
    "Neutral",
    "apply_edit",
    "checked_smoothing",
    "find_neutral",
    "region_of",
    "smooth",
    "transfer",
]
