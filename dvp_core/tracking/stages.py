"""The order of work as data: what may move, which evidence counts, how many steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BundleStage:
    """One pass over the key frames.

    Attributes:
        name: For people.
        has_focal: Whether the focal length moves.
        has_outline: Whether the sliding outline counts.
        is_calibrating: Whether the detector's points are placed anew on the model afterwards.
        max_steps: Of the solver.
    """

    name: str
    has_focal: bool
    has_outline: bool
    is_calibrating: bool
    max_steps: int


BUNDLE_STAGES = (
    BundleStage("shape from 68 points", has_focal=False, has_outline=False, is_calibrating=False, max_steps=8),
    BundleStage("shape with outline", has_focal=True, has_outline=True, is_calibrating=True, max_steps=10),
    BundleStage("all points", has_focal=True, has_outline=True, is_calibrating=True, max_steps=10),
    BundleStage("all points again", has_focal=True, has_outline=True, is_calibrating=True, max_steps=8),
)


@dataclass(frozen=True)
class FrameStage:
    """One pass over a frame.

    Attributes:
        name: For people.
        has_photometric: Whether colours count.
        has_texture: Whether the skin's pattern counts.
        max_steps: Of the solver.
    """

    name: str
    has_photometric: bool
    has_texture: bool
    max_steps: int


FRAME_STAGES = (
    FrameStage("points", has_photometric=False, has_texture=False, max_steps=3),
    FrameStage("points and colours", has_photometric=True, has_texture=False, max_steps=4),
)
TEXTURE_STAGES = (
    FrameStage("points", has_photometric=False, has_texture=False, max_steps=2),
    FrameStage("points and pattern", has_photometric=False, has_texture=True, max_steps=2),
    FrameStage("points and pattern again", has_photometric=False, has_texture=True, max_steps=1),
)
