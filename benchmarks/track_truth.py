"""Measures the tracker against sequences whose truth is known, and prints one JSON object last.

A folder holds `0000.png` ..., `landmarks.npz` and `truth.npz` with `head_to_camera (frame, 4, 4)` for an OpenGL camera,
`focal_px`, and where known `identity (I)`, `vertices_camera_cm (frame, V, 3)` and `gaze_pitch_yaw_deg (frame, 2)`.

    python benchmarks/track_truth.py FOLDER... --face-model ict.face.npz [--focal given|unknown|both] [--smoothing 0.5]

`rotation_deg_mean` is what is left after the best constant offset; `rotation_axis_rms_deg` splits it into pitch, yaw
and roll of the head. `posed_mm` and `neutral_mm` are mean distances of ICT-FaceKit's face vertices 0..9408 after a
similarity alignment, per frame and of the neutral face. `gaze_deg` is the mean angle between the mean of both eyes'
directions and the truth's. `lip_gap_correlation` is Pearson's, over frames, of the distance between the inner lips'
middles.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.face_model import FaceModel, read_face_model
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.data.take import Take
from dvp_core.edit import smooth
from dvp_core.edit.smoothing import DEFAULT_SMOOTHING
from dvp_core.face import import_ict, pose_vertices
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import (
    matrix_from_quaternion_wxyz,
    matrix_from_rotation_vector,
    rotation_vector_from_matrix,
)
from dvp_core.tracking import TrackOptions, track
from dvp_core.video import open_clip

FACE_VERTEX_COUNT = 9409  # ICT-FaceKit's skin of the face
INNER_LIP_MIDDLES = (62, 66)  # iBUG's, upper and lower
TO_REACH = {"rotation_deg_mean": 0.7, "posed_mm": 1.3, "neutral_mm": 1.2, "gaze_deg": 4.0, "lip_gap_correlation": 0.97}


class Stopwatch:
    """A progress listener that notes when the frames begin."""

    def __init__(self) -> None:
        self.started_s = time.perf_counter()
        self.frames_s = self.started_s

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Note the time of the first frame."""
        del total
        if stage == "frames" and done == 0:
            self.frames_s = time.perf_counter()


def rotation_errors_rad(take: Take, head_to_camera: np.ndarray) -> np.ndarray:
    """Return (F, 3) rotation vectors from tracked to true rotation after the best constant offset, in head axes."""
    truth = OPENGL_CAMERA_FROM_CAMERA @ head_to_camera[:, :3, :3].astype(np.float64)
    found = matrix_from_quaternion_wxyz(take.head_rotation_wxyz.astype(np.float64))
    away = rotation_vector_from_matrix(np.swapaxes(found, -1, -2) @ truth)
    for _ in range(20):
        found = found @ matrix_from_rotation_vector(away.mean(axis=0))
        away = rotation_vector_from_matrix(np.swapaxes(found, -1, -2) @ truth)
    return away


def gaze_errors_deg(gaze_rad: np.ndarray, truth_pitch_yaw_deg: np.ndarray) -> np.ndarray:
    """Return (F,) angles between gaze (F, 2) yaw and pitch, radians, and the true one (F, 2) pitch and yaw, degrees."""
    found, truth = (_directions(angles) for angles in (gaze_rad, np.radians(truth_pitch_yaw_deg[:, ::-1])))
    return np.degrees(np.arccos(np.clip((found * truth).sum(axis=1), -1, 1)))


def _directions(yaw_pitch_rad: np.ndarray) -> np.ndarray:
    yaw, pitch = yaw_pitch_rad.T
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)


def lip_gaps_m(vertices: np.ndarray, model: FaceModel) -> np.ndarray:
    """Return (F,) distances between the inner lips' middles of vertices (F, V, 3)."""
    upper, lower = (
        np.einsum("c,fcx->fx", model.landmark_barycentric[point], vertices[:, model.landmark_vertices[point]])
        for point in INNER_LIP_MIDDLES
    )
    return np.linalg.norm(upper - lower, axis=1)


def aligned_distance_mm(points: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean distance (mm) of points (N, 3) from true ones after the best similarity (Umeyama 1991)."""
    a, b = points - points.mean(axis=0), truth - truth.mean(axis=0)
    left, values, right = np.linalg.svd(a.T @ b)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = (values * signs).sum() / (a**2).sum()
    return float(1000 * np.linalg.norm(scale * a @ (left * signs) @ right - b, axis=1).mean())


def measured(folder: Path, model: FaceModel, *, is_focal_given: bool, smoothing: float) -> dict[str, Any]:
    """Return one sequence's figures."""
    truth = dict(np.load(folder / "truth.npz", allow_pickle=False))
    options = TrackOptions(focal_px=float(truth["focal_px"]) if is_focal_given else None)
    points = read_landmarks(folder / "landmarks.npz")
    watch = Stopwatch()
    take = track(open_clip(folder, fps=points.fps or Fraction(30)), points, model, options=options, progress=watch)
    end_s = time.perf_counter()
    take = smooth(take, smoothing)
    errors = rotation_errors_rad(take, truth["head_to_camera"])
    result = {
        "folder": folder.name,
        "focal": "given" if is_focal_given else "unknown",
        "frame_count": take.frame_count,
        "rotation_deg_mean": float(np.degrees(np.linalg.norm(errors, axis=1)).mean()),
        "rotation_axis_rms_deg": np.degrees(np.sqrt((errors**2).mean(axis=0))).round(3).tolist(),
        **_shape_figures(take, model, truth),
        "landmark_error_px_mean": float(take.landmark_error_px.mean()),
        "photometric_error_mean": float(take.photometric_error.mean()),
        "focal_px": take.camera.focal_px,
        "frames_per_s": take.frame_count / (end_s - watch.frames_s),
        "identity_stage_s": watch.frames_s - watch.started_s,
    }
    if "gaze_pitch_yaw_deg" in truth:
        result["gaze_deg"] = float(gaze_errors_deg(take.gaze_rad.mean(axis=1), truth["gaze_pitch_yaw_deg"]).mean())
        each = [gaze_errors_deg(take.gaze_rad[:, side], truth["gaze_pitch_yaw_deg"]).mean() for side in range(2)]
        result["gaze_deg_left_right"] = np.round(each, 3).tolist()
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}


def _shape_figures(take: Take, model: FaceModel, truth: dict[str, np.ndarray]) -> dict[str, float]:
    """Return distances of posed and neutral face and the lips' figures, where ICT-FaceKit's vertices are known."""
    figures: dict[str, float] = {}
    skin = slice(0, FACE_VERTEX_COUNT)
    if model.vertex_count <= FACE_VERTEX_COUNT:
        return figures
    if "vertices_camera_cm" in truth:
        true_m = truth["vertices_camera_cm"].astype(np.float64) * np.diag(OPENGL_CAMERA_FROM_CAMERA) / 100
        posed = np.stack([pose_vertices(take, index)[: true_m.shape[1]] for index in range(take.frame_count)])
        distances = [aligned_distance_mm(a[skin], b[skin]) for a, b in zip(posed, true_m, strict=True)]
        gaps = lip_gaps_m(posed, model), lip_gaps_m(true_m, model)
        figures |= {
            "posed_mm": float(np.mean(distances)),
            "lip_gap_correlation": float(np.corrcoef(*gaps)[0, 1]),
            "lip_gap_error_mm": float(1000 * np.abs(gaps[0] - gaps[1]).mean()),
        }
    if "identity" in truth and take.face is not None:
        identity = truth["identity"].astype(np.float64)
        neutral = model.vertices + np.tensordot(identity, model.identity_basis[: len(identity)].astype(np.float64), 1)
        figures["neutral_mm"] = aligned_distance_mm(take.face.vertices[skin], neutral[skin])
        figures["neutral_mm_of_mean_face"] = aligned_distance_mm(model.vertices[skin], neutral[skin])
    return figures


def commit() -> str:
    """Return the commit that is measured, and whether files differ from it."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()


def _focals(is_given: Sequence[bool]) -> list[str]:
    return ["given" if kind else "unknown" for kind in is_given]


def means(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of each number over the clips or folders that have it; what is no number is left out."""
    result: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in figures for name in each):
        values = [each[name] for each in figures if each.get(name) is not None]
        if values and all(isinstance(value, dict) for value in values):
            result[name] = means(values)
        elif values and all(isinstance(value, (int, float)) for value in values):
            result[name] = round(float(np.mean(values)), 4)
    return result


def main() -> None:
    """Run all folders and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--face-model", type=Path, required=True, help="*.face.npz, or ICT-FaceKit's folder or npz")
    parser.add_argument("--focal", choices=("given", "unknown", "both"), default="both")
    parser.add_argument("--smoothing", type=float, default=DEFAULT_SMOOTHING)
    arguments = parser.parse_args()
    is_own = arguments.face_model.name.endswith(".face.npz")
    model = read_face_model(arguments.face_model) if is_own else import_ict(arguments.face_model)
    kinds = {"given": [True], "unknown": [False], "both": [True, False]}[arguments.focal]
    sequences = [
        measured(folder, model, is_focal_given=kind, smoothing=arguments.smoothing)
        for kind in kinds
        for folder in arguments.folders
    ]
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    hardware = {"machine": platform.machine(), "cpu_count": os.cpu_count(), "threads": threads}
    report = {
        "commit": commit(),
        "hardware": hardware,
        "to_reach": TO_REACH,
        "sequences": sequences,
        "mean": {focal: means([each for each in sequences if each["focal"] == focal]) for focal in _focals(kinds)},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
