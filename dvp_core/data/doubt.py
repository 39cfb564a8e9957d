"""A place in a take that a person should look at, and what to do about it. Found by `dvp_core.edit.find_doubts`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dvp_core.data.frame_range import FrameRange

Severity = Literal[
    "note",  # told for completeness; nothing is wrong
    "look",  # worth a look: it may be right
    "bad",  # not to be used as it is
]
DoubtChannel = Literal["face", "points", "picture", "head", "expression", "gaze", "shot"]
_GRAVEST_FIRST: tuple[Severity, ...] = ("bad", "look", "note")


@dataclass(frozen=True)
class Doubt:
    """One run of frames and one reason.

    Attributes:
        first_frame: Plate frame at which it begins.
        last_frame: Plate frame at which it ends, included.
        channel: What is doubtful.
        reason: What was seen, in plain words with its figure.
        severity: How grave it is.
        remedy: What a person can do about it.
    """

    first_frame: int
    last_frame: int
    channel: DoubtChannel
    reason: str
    severity: Severity
    remedy: str

    @property
    def frames(self) -> FrameRange:
        """Its plate frames."""
        return FrameRange.span(self.first_frame, self.last_frame)

    @property
    def frame_count(self) -> int:
        """How many frames it covers."""
        return self.last_frame - self.first_frame + 1

    def covers(self, frame: int) -> bool:
        """Say whether a plate frame lies in it."""
        return self.first_frame <= frame <= self.last_frame

    def as_json(self) -> dict[str, Any]:
        """Return it in short, as plain JSON values."""
        return {
            "frames": str(self.frames),
            "channel": self.channel,
            "severity": self.severity,
            "reason": self.reason,
            "remedy": self.remedy,
        }


def gravest_first(doubts: Iterable[Doubt]) -> list[Doubt]:
    """Return the doubts by severity, then by frame."""
    return sorted(doubts, key=lambda doubt: (_GRAVEST_FIRST.index(doubt.severity), doubt.first_frame))


def doubtful_frames(doubts: Iterable[Doubt]) -> FrameRange:
    """Return the plate frames of all doubts but the notes."""
    return FrameRange.of(frame for doubt in doubts if doubt.severity != "note" for frame in doubt.frames)
