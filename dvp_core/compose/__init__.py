"""Puts generated squares back into their plates, and cuts the squares out that a generator learns from."""

from dvp_core.compose.frame import compose_frame, compose_layers, plate_matte
from dvp_core.compose.matte import MatteOptions, head_matte
from dvp_core.compose.matte_of_edit import edit_matte
from dvp_core.compose.square import crop_plate, resized_square

__all__ = [
    "MatteOptions",
    "compose_frame",
    "compose_layers",
    "crop_plate",
    "edit_matte",
    "head_matte",
    "plate_matte",
    "resized_square",
]
