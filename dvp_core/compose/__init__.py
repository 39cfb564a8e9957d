"""Puts generated squares back into their plates, and cuts the squares out that a generator learns from."""

from dvp_core.compose.edit_matte import edit_matte
from dvp_core.compose.frame import compose_frame
from dvp_core.compose.matte import MatteOptions, head_matte
from dvp_core.compose.square import crop_plate, resized_square

__all__ = ["MatteOptions", "compose_frame", "crop_plate", "edit_matte", "head_matte", "resized_square"]
