"""Measures the tracker on real clips, where no truth is known, and prints one JSON object last.

    python benchmarks/track_real.py CLIP... --face-model M [--landmarks F...] [--frames 1-200] [--seed 1]

`held_out_percent`: a quarter of the detector's inner points takes no part in the fit; how far the model's own place for
them lies from where the detector saw them, over frames and points, in percent of the distance between the outer eye
corners. Points that also say how far lips and lids are open are never among them. The first guess of pose and the
choice of key frames still see iBUG's 51. Held-out points lie scattered among fitted ones, whose errors are alike: a
whole region held out would be stricter. It needs a detector's table for the face model.

`jitter`: root mean square of second differences in still stretches (the inner points' mean, smoothed over nine frames,
moves less than half a percent of the eye distance a frame), all with zero lag: head rotation against that of the
detector's points with their depth (rigid alignment to their mean), and the mean over expressions against the scores in
the landmarks file where there are such. `measured` is the take at 0 of the dial, `smoothed` at its default; `ratio` is
the smoothed one's share of the detector's, `measured_ratio` the other's. `frames_per_s` counts the frames alone,
without what the key frames took.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from track_truth import Stopwatch, commit, means

from dvp_core.data.detector_table import DetectorTable
from dvp_core.data.face_model import FaceModel, read_face_model
from dvp_core.data.files import read_arrays
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_definitions import EYES_68, MEDIAPIPE_OF_68, MEDIAPIPE_OUTLINE, ibug_points
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks
from dvp_core.data.take import Take
from dvp_core.edit import smooth
from dvp_core.edit.smoothing import DEFAULT_SMOOTHING
from dvp_core.face import import_ict
from dvp_core.face.detectors import detector_table
from dvp_core.maths.projection import project
from dvp_core.maths.rotations import matrix_from_quaternion_wxyz, rotation_vector_from_matrix
from dvp_core.pipeline.clips import part_of
from dvp_core.tracking import track
from dvp_core.tracking.detector import calibrated_detector
from dvp_core.tracking.evidence import OPENING_PAIRS
from dvp_core.video import open_clip
from dvp_core.video.cuts import find_cuts

HELD_OUT_SHARE = 0.25
STILL_SHARE = 0.005  # of the eye distance, a frame
STILL_FRAMES = 15
TO_REACH = {"held_out_percent": 1.5, "jitter_ratio": 0.5}


def eye_distance_px(points: LandmarkTrack) -> float:
    """Return the outer eye corners' distance where the face is turned least away (the 75th percentile)."""
    corners = ibug_points(points)[points.is_detected][:, [EYES_68[0, 3], EYES_68[1, 0]]]
    return float(np.percentile(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=-1), 75))


def held_out_percent(take: Take, points: LandmarkTrack, model: FaceModel, held: DetectorTable) -> dict[str, float]:
    """Return median and mean distance of points that took no part, in percent of the eye distance."""
    detector = calibrated_detector(model, held, stray_m=0.0).baked(take.identity.astype(np.float64))
    rotations = matrix_from_quaternion_wxyz(take.head_rotation_wxyz.astype(np.float64))
    nobody = np.zeros(0)
    distances = []
    for index in np.flatnonzero(points.is_detected):
        translation = take.head_translation_m[index].astype(np.float64)
        placed = detector.seen_from(rotations[index], translation)
        head = placed.at(take.expression[index].astype(np.float64), nobody)
        seen = project(head @ rotations[index].T + translation, take.camera)
        distances.append(np.linalg.norm(seen - points.points_px[index, held.numbers], axis=1))
    share = 100 * np.array(distances) / eye_distance_px(points)
    return {"median": round(float(np.median(share)), 3), "mean": round(float(share.mean()), 3)}


def still_frames(points: LandmarkTrack) -> np.ndarray:
    """Return (F,) bool: frames inside stretches of at least 15 in which the face hardly moves."""
    places = ibug_points(points)[:, 17:].mean(axis=1)
    kernel = np.ones(9) / 9
    padded = np.pad(places, ((4, 4), (0, 0)), mode="edge")
    calm = np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(2)], axis=1)
    speed = np.linalg.norm(np.gradient(calm, axis=0), axis=1)
    is_slow = (speed < STILL_SHARE * eye_distance_px(points)) & points.is_detected
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_slow.astype(int), [0]])))
    result = np.zeros(len(is_slow), dtype=bool)
    for start, stop in edges.reshape(-1, 2):
        if stop - start >= STILL_FRAMES:
            result[start:stop] = True
    return result


def second_differences(values: np.ndarray, is_still: np.ndarray) -> np.ndarray:
    """Return (N, C) second differences of curves (F, C) whose three frames are all still."""
    inside = is_still[:-2] & is_still[1:-1] & is_still[2:]
    return np.diff(values, n=2, axis=0)[inside]


def rotation_jitter_deg(rotations: np.ndarray, is_still: np.ndarray) -> float:
    """Return the root mean square second difference of rotations (F, 3, 3), degrees."""
    steps = rotation_vector_from_matrix(np.swapaxes(rotations[:-1], -1, -2) @ rotations[1:])
    inside = is_still[:-2] & is_still[1:-1] & is_still[2:]
    change = np.diff(steps, axis=0)[inside]
    return float(np.degrees(np.sqrt((change**2).sum(axis=1).mean())))


def detector_rotations(points: LandmarkTrack) -> np.ndarray | None:
    """Return (F, 3, 3) rotations of the detector's inner points against their mean shape; None without depth."""
    if points.depth is None:
        return None
    inner = np.setdiff1d(np.arange(468), MEDIAPIPE_OUTLINE)
    shapes = np.concatenate([points.points_px, points.depth[..., None]], axis=2)[:, inner]
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    mean = shapes[0]
    rotations = np.zeros((len(shapes), 3, 3))
    for _ in range(3):
        left, _, right = np.linalg.svd(np.einsum("fpi,pj->fij", shapes, mean))
        flip = np.ones((len(shapes), 3))
        flip[:, 2] = np.sign(np.linalg.det(left @ right))
        rotations = (left * flip[:, None]) @ right
        mean = np.einsum("fpi,fij->pj", shapes, rotations) / len(shapes)
    return rotations


def jitter(take: Take, points: LandmarkTrack, scores: np.ndarray | None) -> dict[str, Any]:
    """Return jitter of the take, measured and smoothed, and of the detector, in still stretches."""
    is_still = still_frames(points)
    result: dict[str, Any] = {"still_frames": int(is_still.sum())}
    if not (is_still[:-2] & is_still[1:-1] & is_still[2:]).any():
        return result
    for name, curves in (("measured", smooth(take, 0.0)), ("smoothed", smooth(take, DEFAULT_SMOOTHING))):
        turns = matrix_from_quaternion_wxyz(curves.head_rotation_wxyz.astype(np.float64))
        change = second_differences(curves.expression.astype(np.float64), is_still)
        result[f"{name}_rotation_deg"] = rotation_jitter_deg(turns, is_still)
        result[f"{name}_expression"] = float(np.sqrt((change**2).mean(axis=0)).mean())
    turns = detector_rotations(points)
    if turns is not None:
        result["detector_rotation_deg"] = rotation_jitter_deg(turns, is_still)
    if scores is not None:
        result["detector_expression"] = float(np.sqrt((second_differences(scores, is_still) ** 2).mean(axis=0)).mean())
    for kind in ("rotation_deg", "expression"):
        if f"detector_{kind}" in result:
            result[f"ratio_{kind}"] = result[f"smoothed_{kind}"] / result[f"detector_{kind}"]
            result[f"measured_ratio_{kind}"] = result[f"measured_{kind}"] / result[f"detector_{kind}"]
    return {key: round(value, 5) if isinstance(value, float) else value for key, value in result.items()}


def measured(clip: Path, landmarks: Path, model: FaceModel, *, frames: str | None, seed: int) -> dict[str, Any]:
    """Return one clip's figures."""
    source, points = open_clip(clip), read_landmarks(landmarks)
    scores = read_arrays(landmarks).get("blendshapes")
    if frames:
        wanted = FrameRange.parse(frames)
        start = wanted.first - source.clip.start_frame
        source, points = part_of(source, wanted), points.part(start, start + len(wanted))
        scores = None if scores is None else scores[start : start + len(wanted)]
    held, table = held_out(detector_table(model), points, seed)
    cuts = find_cuts(source)
    watch = Stopwatch()
    take = track(source, points, model, cuts=cuts, table=table, progress=watch)
    end_s = time.perf_counter()
    return {
        "clip": clip.name,
        "frame_count": take.frame_count,
        "held_out_percent": None if held is None else held_out_percent(take, points, model, held),
        "jitter": jitter(take, points, scores),
        "photometric_error_median": round(float(np.median(take.photometric_error[take.is_tracked])), 4),
        "key_frames_s": round(watch.frames_s - watch.started_s, 2),
        "frames_per_s": round(take.frame_count / (end_s - watch.frames_s), 2),
        "frames_per_s_with_key_frames": round(take.frame_count / (end_s - watch.started_s), 2),
    }


def held_out(
    table: DetectorTable | None, points: LandmarkTrack, seed: int
) -> tuple[DetectorTable | None, DetectorTable | None]:
    """Return the part of a table that is held out of the fit, and the rest; nothing is held out of 68 points."""
    if table is None or points.point_count == 68:
        return None, table
    # Lips and lids also pull by their openings, whatever the table holds: they would not be held out.
    used_otherwise = MEDIAPIPE_OF_68[OPENING_PAIRS].ravel()
    is_inner = ~np.isin(table.numbers, np.concatenate([MEDIAPIPE_OUTLINE, used_otherwise]))
    is_held = is_inner & (np.random.default_rng(seed).random(len(is_inner)) < HELD_OUT_SHARE)
    return table.chosen(is_held), table.chosen(~is_held)


def main() -> None:
    """Measure clips and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--landmarks", nargs="+", type=Path, help="one a clip; CLIP's name with .landmarks.npz if none")
    parser.add_argument("--face-model", type=Path, required=True, help="*.face.npz, or ICT-FaceKit's folder or npz")
    parser.add_argument("--frames", help="a run of frames such as 1-200; the whole clip where not given")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of held-out points")
    arguments = parser.parse_args()
    files = arguments.landmarks or [clip.with_suffix(".landmarks.npz") for clip in arguments.clips]
    if len(files) != len(arguments.clips):
        parser.error(f"{len(files)} files of landmarks for {len(arguments.clips)} clips")
    is_own = arguments.face_model.name.endswith(".face.npz")
    model = read_face_model(arguments.face_model) if is_own else import_ict(arguments.face_model)
    clips = [
        measured(clip, file, model, frames=arguments.frames, seed=arguments.seed)
        for clip, file in zip(arguments.clips, files, strict=True)
    ]
    report = {
        "commit": commit(),
        "hardware": {"machine": platform.machine(), "cpu_count": os.cpu_count()},
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "to_reach": TO_REACH,
        "clips": clips,
        "mean": means(clips),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
