"""`dvp smooth`."""

from __future__ import annotations

from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.pipeline.track import DEFAULT_SMOOTHING, smooth_take


def smooth(take: Input, output: Output, *, strength: float = DEFAULT_SMOOTHING) -> dict[str, Any]:
    """Turn a take's dial of smoothing, starting from what was measured however it stood before.

    Args:
        take: The `*.take`; it is not changed.
        output: The `*.take` to write.
        strength: 0 (as measured) to 1. A take without a measurement, such as an edited one, is smoothed for good.
    """
    result = smooth_take(take, output, strength=strength)
    return {
        "take": str(output),
        "frame_count": result.frame_count,
        "smoothing": strength,
        "can_be_turned_back": result.measured is not None,
    }
