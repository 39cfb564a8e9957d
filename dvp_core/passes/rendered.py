"""A take's passes drawn when they are asked for: for work in one place, which need not put them into files first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from dvp_core.data.face_model import FaceModel
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame
from dvp_core.data.take import Take
from dvp_core.passes.render import render_passes, with_face

_KEPT = 16  # frames: what is asked for twice is asked for soon


class RenderedPasses:
    """Pass frames of a take, drawn one by one; implements `PassSource`.

    Colours keep all bits that a file's half floats round away.

    Args:
        take: The performance.
        face: The model it was tracked with, where the take carries no face of its own.

    Raises:
        DataError: The take's face is missing or another one.
    """

    def __init__(self, take: Take, *, face: FaceModel | None = None) -> None:
        self._take = with_face(take, face)
        self._take_sha256 = take.sha256  # of the take as given: with a face put in it would be another
        self._kept: OrderedDict[int, PassFrame] = OrderedDict()

    @property
    def frames(self) -> FrameRange:
        """The take's frames."""
        return self._take.frames

    def read(self, frame: int) -> PassFrame:
        """Return one frame's passes.

        Raises:
            DataError: The frame lies outside the take.
        """
        if frame not in self._kept:
            drawn = next(render_passes(self._take, frames=[frame]))
            self._kept[frame] = replace(drawn, take_sha256=self._take_sha256)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[frame]
