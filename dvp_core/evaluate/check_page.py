"""The page of `dvp check`: what is wrong, curves asked for and got, and the frames in question beside the plate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from dvp_core.data.doubt import Doubt, DoubtChannel
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take
from dvp_core.evaluate.faults import Fault, FaultKind
from dvp_core.review.curves import Curve, Panel
from dvp_core.review.html import Markup, element, embedded_picture, page, table
from dvp_core.review.svg import panel_svg

_CHANNEL_OF: dict[FaultKind, DoubtChannel] = {
    "missing": "shot",
    "black": "picture",
    "colour": "picture",
    "flicker": "picture",
    "frozen": "shot",
    "order": "head",
    "jaw": "expression",
    "eyes": "gaze",
}
_EVERYWHERE: frozenset[DoubtChannel] = frozenset(_CHANNEL_OF.values())


@dataclass(frozen=True)
class AskedAndGot:
    """One channel over T frames.

    Attributes:
        name: What it is, with its unit.
        asked: (T,) as the keys have it.
        got: (T,) as the pictures show it.
    """

    name: str
    asked: np.ndarray
    got: np.ndarray

    @property
    def mean_difference(self) -> float:
        """Mean absolute difference, the constant part taken out."""
        difference = self.got - self.asked
        return float(np.abs(difference - np.median(difference)).mean())


@dataclass(frozen=True)
class Exhibit:
    """A frame to show: the plate's crop and the picture made of it, with words."""

    plate: np.ndarray
    made: np.ndarray
    caption: str


def check_page(
    take: Take,
    frames: FrameRange,
    faults: Sequence[Fault],
    channels: Sequence[tuple[FrameRange, AskedAndGot]],
    exhibits: Sequence[Exhibit],
) -> str:
    """Return the page.

    Args:
        take: The edited take.
        frames: The frames that were checked.
        faults: What is wrong with them.
        channels: Curves, each over its own consecutive frames.
        exhibits: Frames to show.
    """
    verdict = "Nothing is wrong." if not faults else f"{len(faults)} fault{'s' if len(faults) > 1 else ''} found."
    parts = [
        element("h1", f"Check of {take.clip.file_name}, frames {frames}"),
        element("p", verdict, kind="verdict fine" if not faults else "verdict bad"),
    ]
    if faults:
        rows = [(str(fault.frames), fault.kind, fault.reason, fault.remedy) for fault in faults]
        parts.append(table(rows, head=("frames", "what", "seen", "what to do"), kinds=["bad"] * len(rows)))
    if channels:
        parts.append(element("h2", "Asked for (blue) and got (orange)"))
    parts += [_panel(take, span, channel, faults) for span, channel in channels]
    if exhibits:
        parts.append(element("h2", "Plate and picture"))
    parts += [
        embedded_picture(np.concatenate([exhibit.plate, exhibit.made], axis=1), exhibit.caption) for exhibit in exhibits
    ]
    return page(f"Check of {take.clip.file_name}", parts)


def _panel(take: Take, span: FrameRange, channel: AskedAndGot, faults: Sequence[Fault]) -> Markup:
    title = f"{channel.name}: {channel.mean_difference:.3g} apart on average"
    curves = (Curve("asked", channel.asked), Curve("got", channel.got))
    shaded = [
        _shade(fault, span) for fault in faults if fault.first_frame <= span.last and fault.last_frame >= span.first
    ]
    return panel_svg(Panel(title, curves, _EVERYWHERE), frames_of(take, span), shaded)


def _shade(fault: Fault, span: FrameRange) -> Doubt:
    first, last = max(fault.first_frame, span.first), min(fault.last_frame, span.last)
    return Doubt(first, last, _CHANNEL_OF[fault.kind], f"{fault.kind}: {fault.reason}", "bad", fault.remedy)


def frames_of(take: Take, span: FrameRange) -> Take:
    """Return the part of a take that holds consecutive frames, without its measurement."""
    part = slice(take.index_of(span.first), take.index_of(span.last) + 1)
    per_frame: Mapping[str, np.ndarray] = {
        item.name: getattr(take, item.name)[part] for item in fields(take) if item.name in _PER_FRAME
    }
    clip = replace(take.clip, start_frame=span.first, frame_count=len(span))
    starts = tuple(frame for frame in take.shot_starts if span.first < frame <= span.last)
    return replace(take, clip=clip, shot_starts=starts, measured=None, **per_frame)


_PER_FRAME = frozenset(
    (
        "head_rotation_wxyz",
        "head_translation_m",
        "expression",
        "gaze_rad",
        "illumination_sh",
        "is_tracked",
        "landmark_error_px",
        "photometric_error",
    )
)
