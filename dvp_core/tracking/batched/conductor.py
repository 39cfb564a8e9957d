"""Streams a clip through the batched solver; memory holds two batches of cut pictures, never the clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dvp_core.data.ahead import ahead
from dvp_core.data.camera import Camera
from dvp_core.data.progress import Progress
from dvp_core.tracking.batched.device import torch_device, torch_type
from dvp_core.tracking.batched.evidence import detected_points
from dvp_core.tracking.batched.frames import Batch, BatchProblem, FittedBatch, batch_problem, fit_batch
from dvp_core.tracking.batched.options import Batches
from dvp_core.tracking.batched.pattern import textures_of
from dvp_core.tracking.batched.pictures import pictures_of
from dvp_core.tracking.batched.states import FrameStates, frames_of
from dvp_core.tracking.eye_sight import EyePair, EyeSight, eye_pair, sight_of_eyes
from dvp_core.tracking.following import FollowedFrame, in_groups
from dvp_core.tracking.frames import FittedFrame
from dvp_core.tracking.picture import PlateCut, cut_of_plate
from dvp_core.tracking.setup import ClipPoints, KnownClip
from dvp_core.tracking.states import FrameState

EYE_MARGIN_PX = 4


@dataclass(frozen=True)
class _EyeCut:
    """The part of a plate around both eyes, and the detector's lids and irises in its own pixels.

    Attributes:
        pixels: (H, W, 3) uint8.
        origin_px: (2,) plate position of its upper left corner.
        lids_px: (2, 2, K, 2), see `lid_lines`.
        irises_px: (2, 2), None where the detector gives none.
    """

    pixels: np.ndarray
    origin_px: np.ndarray
    lids_px: np.ndarray
    irises_px: np.ndarray | None

    def sight(self, eyes: EyePair, state: FrameState, camera: Camera) -> EyeSight:
        """Return both eyeballs as the frame shows them."""
        x, y = np.asarray(camera.principal_px) - self.origin_px
        moved = replace(camera, principal_px=(float(x), float(y)))
        return sight_of_eyes(self.pixels, eyes, state, self.lids_px, moved, irises_px=self.irises_px)


def _eye_cut(plate: np.ndarray, lids_px: np.ndarray, irises_px: np.ndarray | None) -> _EyeCut:
    """Cut the eyes out of a plate, with a margin: a batch must not hold whole plates."""
    limit = np.array(plate.shape[1::-1])
    corners = lids_px.reshape(-1, 2)
    low = np.clip(np.floor(corners.min(axis=0)) - EYE_MARGIN_PX, 0, limit - 2).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + EYE_MARGIN_PX, low + 2, limit).astype(int)
    pixels = plate[low[1] : high[1], low[0] : high[0]].copy()
    return _EyeCut(pixels, low, lids_px - low, None if irises_px is None else irises_px - low)


@dataclass(frozen=True)
class _Seen:
    """One decoded frame that shows a face: its number, and cuts for colours, for the pattern, and of the eyes."""

    index: int
    cut: PlateCut | None
    texture: PlateCut | None
    eyes: _EyeCut


@dataclass(frozen=True)
class _Shots:
    """Of each frame (F,): whether it resembles the one before it, and whether its light is that of a new shot."""

    follows: np.ndarray
    begins: np.ndarray


def follow_in_batches(clip: KnownClip, batches: Batches, progress: Progress) -> Iterator[FollowedFrame]:
    """Yield every frame that shows a face, fitted.

    Args:
        clip: The clip, its person known.
        batches: Where, and how many at a time.
        progress: Told of "frames".

    Raises:
        DataError: The device is not there.
    """
    person = clip.person
    device, dtype = torch_device(batches.device), torch_type(batches.precision)
    problem = batch_problem(person.problem, torch.as_tensor(person.light), device, dtype)
    shots = _shots(clip.landmarks.is_detected, clip.cuts)
    eyes = eye_pair(person.face)
    before, light = None, problem.fresh_light
    for seen in ahead(in_groups(_seen_frames(clip), batches.frame_count), count=1):
        progress("frames", seen[0].index, clip.frame_count)
        with torch.inference_mode():
            result = fit_batch(problem, _batch(seen, clip.points, shots, problem, before, light))
            before, light = result.states.frame(-1), result.lights[-1]
            fitted = _fitted_frames(result)
        for frame, found in zip(seen, fitted, strict=True):
            sight = frame.eyes.sight(eyes, found.state, person.problem.camera)
            yield FollowedFrame(frame.index, found, sight)
    progress("frames", clip.frame_count, clip.frame_count)


def _seen_frames(clip: KnownClip) -> Iterator[_Seen]:
    landmarks, problem = clip.landmarks, clip.person.problem
    for index, plate in enumerate(clip.source.iterate()):
        if not landmarks.is_detected[index]:
            continue
        ibug_px = clip.points.ibug_px[index]
        cut = texture = None
        if problem.photometric is not None:
            cut = cut_of_plate(plate, ibug_px, across_px=problem.photometric.across_px)
            if problem.texture is not None:
                texture = cut_of_plate(plate, ibug_px, across_px=problem.texture.across_px)
        yield _Seen(index, cut, texture, _eye_cut(plate, *clip.points.eyes(index)))


def _shots(is_detected: np.ndarray, cuts: Sequence[int]) -> _Shots:
    is_cut = np.isin(np.arange(len(is_detected)), np.asarray(cuts, dtype=np.int64))
    follows = is_detected & np.concatenate([[False], is_detected[:-1]]) & ~is_cut
    # A cut at a frame without a face counts for the next frame that shows one.
    shot = np.cumsum(is_cut)
    seen = np.flatnonzero(is_detected)
    begins = np.zeros(len(is_detected), dtype=bool)
    begins[seen[1:]] = np.diff(shot[seen]) > 0
    begins[seen[:1]] = True
    return _Shots(follows, begins)


def _batch(
    seen: Sequence[_Seen],
    points: ClipPoints,
    shots: _Shots,
    problem: BatchProblem,
    before: FrameStates | None,
    light: torch.Tensor,
) -> Batch:
    device, dtype = light.device, light.dtype
    numbers = [frame.index for frame in seen]
    cuts = [frame.cut for frame in seen if frame.cut is not None]
    textures = [frame.texture for frame in seen if frame.texture is not None]
    return Batch(
        detected_points([points.frame(number) for number in numbers], problem.rig, device, dtype),
        pictures_of(cuts, device, dtype) if cuts else None,
        textures_of(textures, device, dtype) if textures else None,
        torch.as_tensor(shots.follows[numbers], device=device),
        torch.as_tensor(shots.begins[numbers], device=device),
        before,
        light,
    )


def _fitted_frames(result: FittedBatch) -> list[FittedFrame]:
    parts = (result.lights, result.landmark_error_px, result.photometric_error, result.sigma)
    lights, errors_px, colour_errors, sigma = (part.double().cpu().numpy() for part in parts)
    return [
        FittedFrame(state, light, float(error_px), float(colour_error), deviations)
        for state, light, error_px, colour_error, deviations in zip(
            frames_of(result.states), lights, errors_px, colour_errors, sigma, strict=True
        )
    ]
