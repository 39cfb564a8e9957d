"""Changes to performances: keyed edits, transfer between people, smoothing, limits; and where one is doubtful.

Nothing here reads a file or draws a picture, and all of it runs inside Blender.
"""

from dvp_core.edit.apply import apply_edit
from dvp_core.edit.channels import CHANNELS, REGIONS, region_of
from dvp_core.edit.doubts import find_doubts
from dvp_core.edit.neutral import Neutral, find_neutral, neutral_at
from dvp_core.edit.seen import clamped_to_seen
from dvp_core.edit.smoothing import DEFAULT_SMOOTHING, checked_smoothing, smooth
from dvp_core.edit.transfer import transfer

__all__ = [
    "CHANNELS",
    "DEFAULT_SMOOTHING",
    "REGIONS",
    "Neutral",
    "apply_edit",
    "checked_smoothing",
    "clamped_to_seen",
    "find_doubts",
    "find_neutral",
    "neutral_at",
    "region_of",
    "smooth",
    "transfer",
]
