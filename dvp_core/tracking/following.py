"""Follows a known person through a clip: each frame is fitted and handed on, and nothing of it is kept here."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dvp_core.data.ahead import ahead
from dvp_core.data.progress import Progress
from dvp_core.tracking.eye_sight import EyePair, EyeSight, eye_pair, sight_of_eyes
from dvp_core.tracking.frames import FittedFrame, fit_frame
from dvp_core.tracking.gaze import KnownEyes, known_eyes, telling_frames
from dvp_core.tracking.plates import PreparedPlate, prepared_plate, prepared_plates
from dvp_core.tracking.setup import KnownClip
from dvp_core.tracking.states import FrameState

Item = TypeVar("Item")


@dataclass(frozen=True)
class FollowedFrame:
    """One frame that shows a face: its index in the clip, what was fitted, and what it shows of the eyes."""

    index: int
    fitted: FittedFrame
    sight: EyeSight


def follow(clip: KnownClip, progress: Progress) -> Iterator[FollowedFrame]:
    """Yield every frame that shows a face, fitted from where the one before it ended.

    Args:
        clip: The clip, its person known.
        progress: Told of "frames".
    """
    eyes = eye_pair(clip.person.face)
    before: FrameState | None = None
    light = clip.person.light
    for prepared in ahead(prepared_plates(clip)):
        index = prepared.index
        progress("frames", index, clip.frame_count)
        if index in clip.cuts:
            before, light = None, clip.person.light
        if not clip.landmarks.is_detected[index]:
            before = None
            continue
        points = clip.points.frame(index)
        fitted = fit_frame(clip.person.problem, points, prepared.pictures, before=before, light=light)
        before, light = fitted.state, fitted.illumination_sh
        yield FollowedFrame(index, fitted, _sight(clip, prepared, eyes, before))
    progress("frames", clip.frame_count, clip.frame_count)


def eyes_of_clip(clip: KnownClip, is_open: np.ndarray, progress: Progress) -> KnownEyes:
    """Return what stays the same about the clip's eyes, from a few frames fitted each by itself.

    Known before the clip is followed, it lets every frame's gaze be found at once.

    Args:
        clip: The clip, its person known.
        is_open: (F, 2) bool.
        progress: Told of "eyes".
    """
    eyes = eye_pair(clip.person.face)
    frames = telling_frames(is_open)
    sights: list[EyeSight] = []
    for number, frame in enumerate(frames):
        progress("eyes", number, len(frames))
        prepared = prepared_plate(clip, int(frame), clip.source.read(int(frame)))
        points = clip.points.frame(prepared.index)
        fitted = fit_frame(clip.person.problem, points, prepared.pictures, before=None, light=clip.person.light)
        sights.append(_sight(clip, prepared, eyes, fitted.state))
    progress("eyes", len(frames), len(frames))
    return known_eyes(eyes, sights)


def in_groups(items: Iterable[Item], count: int) -> Generator[list[Item], None, None]:
    """Yield the items as they come in lists of `count`, the last one shorter."""
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) == count:
            yield group
            group = []
    if group:
        yield group


def _sight(clip: KnownClip, prepared: PreparedPlate, eyes: EyePair, state: FrameState) -> EyeSight:
    lids_px, irises_px = clip.points.eyes(prepared.index)
    return sight_of_eyes(prepared.plate, eyes, state, lids_px, clip.person.problem.camera, irises_px=irises_px)
