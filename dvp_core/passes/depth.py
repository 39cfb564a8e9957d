"""The depth image, for compositing in other programs; the generator does not see it."""

from __future__ import annotations

import numpy as np

from dvp_core.passes.surface import VisibleSurface


def depth_image(surface: VisibleSurface) -> np.ndarray:
    """Return (H, W) float32, metres along the optical axis, 0 where there is nothing."""
    return surface.picture(surface.depth_m)
