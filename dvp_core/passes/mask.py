"""The mask: which pixels the model covers. Compositing takes its matte from it; the generator does not see it."""

from __future__ import annotations

import numpy as np

from dvp_core.passes.surface import VisibleSurface


def mask_image(surface: VisibleSurface) -> np.ndarray:
    """Return (H, W) float32, 1 where the face, its eyes, teeth or neck are seen, else 0."""
    return surface.is_covered.astype(np.float32)
