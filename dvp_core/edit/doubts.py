"""Where a take is not to be trusted, found in the take alone: so the command line, a report and Blender agree.

Nothing is stored: a doubt follows from what the take holds, its measurement above all. Every limit is relative to the
clip's own usual, since a usual error differs from lens to lens and from face to face.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dvp_core.data.doubt import Doubt
from dvp_core.data.take import Take
from dvp_core.edit.doubt_checks import CHECKS, Finding
from dvp_core.edit.evidence import evidence_of


def find_doubts(take: Take) -> tuple[Doubt, ...]:
    """Return what a person should look at in a tracked take, by first frame.

    A take without a measurement (edited, transferred) is judged by its own curves. No run reaches over a cut.

    Args:
        take: The performance.
    """
    evidence = evidence_of(take)
    found = [
        _as_doubt(finding, run, take)
        for check in CHECKS
        for finding in check(evidence)
        for shot in evidence.shots
        for run in _runs(finding, shot, evidence.frames_in(finding.gap_s))
    ]
    return tuple(sorted(found, key=lambda doubt: (doubt.first_frame, doubt.channel, doubt.reason)))


def _runs(finding: Finding, shot: slice, gap: int) -> Iterator[slice]:
    """Yield the runs of doubtful frames inside a shot that last long enough; short gaps are closed."""
    indices = shot.start + np.flatnonzero(finding.is_doubtful[shot])
    if not len(indices):
        return
    breaks = np.flatnonzero(np.diff(indices) > gap)
    for part in np.split(indices, breaks + 1):
        if len(part) >= finding.least_frames:
            yield slice(int(part[0]), int(part[-1]) + 1)


def _as_doubt(finding: Finding, run: slice, take: Take) -> Doubt:
    first = take.clip.start_frame
    return Doubt(
        first_frame=first + run.start,
        last_frame=first + run.stop - 1,
        channel=finding.channel,
        reason=finding.reason(run),
        severity=finding.severity(run),
        remedy=finding.remedy,
    )
