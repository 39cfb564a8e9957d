"""Rendered frames and the take they were made from, to what is wrong with them: a page and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.compose import crop_plate
from dvp_core.data.clip import FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.evaluate.channel_curves import point_channels, tracked_channels
from dvp_core.evaluate.check_page import AskedAndGot, Exhibit, check_page
from dvp_core.evaluate.faults import Fault
from dvp_core.evaluate.retracking import follow_made, follow_plate, retracked_frames
from dvp_core.evaluate.self_check import LEAST_FRAMES, SelfCheck
from dvp_core.pipeline.clips import open_clip_of
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.movie import Squares, rendered_frames
from dvp_core.pipeline.track import given_points

STAGE = "check"
PAGE_NAME, NUMBERS_NAME = "check.html", "check.json"
FAULTY = 3
"""Exit code of `dvp check` where something is wrong with the frames; 1 says that it could not be checked."""
_MOST_EXHIBITS = 8


@dataclass
class _Findings:
    faults: list[Fault] = field(default_factory=list)
    channels: list[tuple[FrameRange, AskedAndGot]] = field(default_factory=list)
    checked: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Rendered:
    """What is held against each other."""

    tracked: Take
    edited: Take
    squares: Squares
    source: FrameSource

    def pair(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a frame's rendered square and the plate's crop."""
        plate = crop_plate(self.source.read(self.tracked.index_of(frame)), self.tracked.crop)
        return self.squares.read(frame), plate


def check_render(
    frames: Path | str,
    take: Path | str,
    clip: Path | str,
    unedited: Path | str,
    output: Path | str,
    *,
    landmarks: Path | str | None = None,
    face_model: Path | str | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Write what is wrong with rendered frames as a page and as JSON; return it with an exit code.

    Args:
        frames: Folder of `frame.####.png`, as rendered, before they are composed.
        take: The take whose passes they were rendered from.
        clip: The plate.
        unedited: The take as tracked.
        output: Folder for `check.html` and `check.json`.
        landmarks: The points the take was tracked from; with them up to 75 frames are tracked again, and their
            channels shown beside the keys.
        face_model: The takes' face model, where they may not carry their face.
        progress: Told after every frame.

    Raises:
        DataError: Files that do not belong together, or too few consecutive frames.
    """
    tracked, edited = (load_take(path, face_model=face_model) for path in (unedited, take))
    numbers = rendered_frames(frames)
    source = open_clip_of(tracked, clip)
    rendered = _Rendered(tracked, edited, Squares(Path(frames) / "frame.####.png", numbers), source)
    outside = [frame for frame in numbers if frame not in tracked.frames]
    if outside:
        raise DataError(f"frame {outside[0]} lies outside the take's {tracked.frames}", where=frames)
    runs = runs_of_frames(numbers)
    if max(len(run) for run in runs) < LEAST_FRAMES:
        raise DataError(f"holds no {LEAST_FRAMES} consecutive frames", where=frames, remedy="Render more of them")
    findings = _Findings(faults=missing_frames(runs))
    for run in runs:
        if len(run) >= LEAST_FRAMES:
            _look(rendered, run, findings, progress, len(numbers))
    if landmarks is not None:
        points = given_points(source, landmarks)
        assert points is not None
        findings.channels += _tracked_again(rendered, points, numbers)
    return _written(rendered, numbers, findings, Path(output))


def runs_of_frames(numbers: FrameRange) -> list[FrameRange]:
    """Return the runs of consecutive frames."""
    values = np.array(list(numbers))
    return [FrameRange.of(run.tolist()) for run in np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)]


def missing_frames(runs: list[FrameRange]) -> list[Fault]:
    """Return the gaps between runs of frames as faults."""
    gaps = pairwise(runs)
    return [
        Fault("missing", before.last + 1, after.first - 1, "frames do not stand in the folder", "Render these frames")
        for before, after in gaps
    ]


def _look(rendered: _Rendered, run: FrameRange, findings: _Findings, progress: Progress, total: int) -> None:
    check = SelfCheck(rendered.tracked, rendered.edited, run)
    for frame in run:
        check.add(*rendered.pair(frame))
        findings.checked.append(frame)
        progress(STAGE, len(findings.checked), total)
    findings.faults += check.faults()
    findings.channels += [(run, channel) for channel in point_channels(check.motion())]


def _tracked_again(
    rendered: _Rendered, points: LandmarkTrack, numbers: FrameRange
) -> list[tuple[FrameRange, AskedAndGot]]:
    span = retracked_frames(rendered.tracked, points, numbers)
    if span is None:
        return []
    made, plates = (np.array(pictures) for pictures in zip(*(rendered.pair(frame) for frame in span), strict=True))
    plate = follow_plate(rendered.tracked, points, span, plates)
    followed = follow_made(plate, made)
    if followed is None:
        return []
    return [(span, channel) for channel in tracked_channels(rendered.tracked, rendered.edited, span, plate, followed)]


def _written(rendered: _Rendered, numbers: FrameRange, findings: _Findings, output: Path) -> dict[str, Any]:
    faults = sorted(findings.faults, key=lambda fault: (fault.first_frame, fault.last_frame))
    content = {
        "frames": str(numbers),
        "checked": len(findings.checked),
        "faults": [fault.as_json() for fault in faults],
        "channels": [_channel_json(span, channel) for span, channel in findings.channels],
    }
    exhibits = [_exhibit(rendered, fault) for fault in faults if fault.kind != "missing"][:_MOST_EXHIBITS]
    text = check_page(rendered.edited, numbers, faults, findings.channels, exhibits)
    write_bytes_atomically(output / PAGE_NAME, text.encode())
    write_bytes_atomically(output / NUMBERS_NAME, canonical_json(content))
    told = {name: value for name, value in content.items() if name != "channels"}
    return {"report": str(output / PAGE_NAME), **told, "exit_code": FAULTY if faults else 0}


def _channel_json(span: FrameRange, channel: AskedAndGot) -> dict[str, Any]:
    return {
        "name": channel.name,
        "frames": str(span),
        "asked": [round(float(value), 4) for value in channel.asked],
        "got": [round(float(value), 4) for value in channel.got],
        "mean_difference": round(channel.mean_difference, 4),
    }


def _exhibit(rendered: _Rendered, fault: Fault) -> Exhibit:
    frame = (fault.first_frame + fault.last_frame) // 2
    made, plate = rendered.pair(frame)
    return Exhibit(plate, made, f"frame {frame}: {fault.reason}")
