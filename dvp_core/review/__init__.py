"""What a person looks at after tracking: the mesh over its plate, curves over time, and the report's page.

Nothing here writes a file: a movie is published by `trust`, a page written by `pipeline`.
"""

from dvp_core.review.overlay import Overlay, drawn_frame, drawn_plate, overlay_of, resized
from dvp_core.review.report import FramePicture, frames_to_show, report_page

__all__ = [
    "FramePicture",
    "Overlay",
    "drawn_frame",
    "drawn_plate",
    "frames_to_show",
    "overlay_of",
    "report_page",
    "resized",
]
