"""What a person looks at after tracking: what is doubtful, in a few lines."""

from __future__ import annotations

from dvp_core.data.doubt import doubtful_frames, gravest_first
from dvp_core.data.take import Take
from dvp_core.edit import find_doubts

_MOST_LINES = 8


def doubts_summary(take: Take) -> str:
    """Return what is doubtful in a take as a few lines for a terminal, the gravest first; one line where nothing is."""
    doubts = find_doubts(take)
    doubtful = doubtful_frames(doubts)
    if not len(doubtful):
        return f"Nothing doubtful in {take.frame_count} frames.\n"
    told = [doubt for doubt in gravest_first(doubts) if doubt.severity != "note"]
    lines = [f"{len(doubtful)} of {take.frame_count} frames are doubtful:"]
    for doubt in told[:_MOST_LINES]:
        lines.append(f"  {doubt.severity:<5}{doubt.frames!s:>12}  {doubt.channel}: {doubt.reason}. {doubt.remedy}.")
    if len(told) > _MOST_LINES:
        lines.append(f"  and {len(told) - _MOST_LINES} more; `dvp report` shows them all")
    return "\n".join(lines) + "\n"
