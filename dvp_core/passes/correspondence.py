"""The correspondence image: which point of the face a pixel shows, as its place in the mean face's bounding box."""

from __future__ import annotations

import numpy as np

from dvp_core.passes.surface import VisibleSurface


def correspondence_image(surface: VisibleSurface, correspondence: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) float32 in 0..1.

    Args:
        surface: What is seen.
        correspondence: (V, 3) float32, `FaceModel.correspondence`.
    """
    return surface.picture(np.clip(surface.blend(correspondence), 0.0, 1.0))
