"""What a person looks at after tracking: the mesh over its plate, curves over time, and the report's page.

Nothing here writes a file: a movie is published by `trust`, a page written by `pipeline`.
"""

from dvp_core.review.overlay import Overlay, drawn_frame, overlay_of

__all__ = ["Overlay", "drawn_frame", "overlay_of"]
