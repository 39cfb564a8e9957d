"""Measures the tracker against sequences whose truth is known, and prints one JSON object.

A folder holds `0000.png` ..., `landmarks.npz` and `truth.npz` with `head_to_camera (frame, 4, 4)` for an OpenGL camera,
`focal_px`, and where known `vertices_camera_cm (frame, V, 3)` and `gaze_pitch_yaw_deg (frame, 2)`.

    python benchmarks/tracking_accuracy.py FOLDER... --face-model ict.face.npz [--focal given|unknown]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.face_model import FaceModel, read_face_model
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.data.take import Take
from dvp_core.face import import_ict, pose_vertices
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import (
    angle_between_deg,
    matrix_from_quaternion_wxyz,
    matrix_from_rotation_vector,
    rotation_vector_from_matrix,
)
from dvp_core.tracking import TrackOptions, track
from dvp_core.video import open_clip

FACE_VERTEX_COUNT = 9409  # ICT-FaceKit's skin of the face


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


def rotation_errors_deg(take: Take, head_to_camera: np.ndarray) -> np.ndarray:
    """Return (F,) angles between tracked and true rotation after the best constant offset in head axes."""
    truth = OPENGL_CAMERA_FROM_CAMERA @ head_to_camera[:, :3, :3].astype(np.float64)
    found = matrix_from_quaternion_wxyz(take.head_rotation_wxyz)
    for _ in range(20):
        away = rotation_vector_from_matrix(np.swapaxes(found, -1, -2) @ truth)
        found = found @ matrix_from_rotation_vector(away.mean(axis=0))
    return angle_between_deg(found, truth)


def aligned_distance_mm(points: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean distance (mm) of points (N, 3) from true ones after the best similarity (Umeyama 1991)."""
    a, b = points - points.mean(axis=0), truth - truth.mean(axis=0)
    left, values, right = np.linalg.svd(a.T @ b)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = (values * signs).sum() / (a**2).sum()
    return float(1000 * np.linalg.norm(scale * a @ (left * signs) @ right - b, axis=1).mean())


def measured(folder: Path, model: FaceModel, *, is_focal_given: bool) -> dict[str, Any]:
    """Return one sequence's figures."""
    truth = dict(np.load(folder / "truth.npz", allow_pickle=False))
    options = TrackOptions(focal_px=float(truth["focal_px"]) if is_focal_given else None)
    watch = Stopwatch()
    source = open_clip(folder, fps=Fraction(30))
    take = track(source, read_landmarks(folder / "landmarks.npz"), model, options=options, progress=watch)
    end_s = time.perf_counter()
    errors = rotation_errors_deg(take, truth["head_to_camera"])
    result = {
        "folder": folder.name,
        "frame_count": take.frame_count,
        "rotation_deg_mean": float(errors.mean()),
        "rotation_deg_median": float(np.median(errors)),
        "rotation_deg_max": float(errors.max()),
        "landmark_error_px_mean": float(take.landmark_error_px.mean()),
        "photometric_error_mean": float(take.photometric_error.mean()),
        "focal_px": take.camera.focal_px,
        "frames_per_s": take.frame_count / (end_s - watch.frames_s),
        "identity_stage_s": watch.frames_s - watch.started_s,
    }
    if "vertices_camera_cm" in truth and model.vertex_count > FACE_VERTEX_COUNT:
        true_m = truth["vertices_camera_cm"].astype(np.float64) * np.diag(OPENGL_CAMERA_FROM_CAMERA) / 100
        skin = slice(0, FACE_VERTEX_COUNT)
        result["posed_mm"] = float(
            np.mean(
                [aligned_distance_mm(pose_vertices(take, k)[skin], true_m[k, skin]) for k in range(take.frame_count)]
            )
        )
    if "gaze_pitch_yaw_deg" in truth:
        away = np.degrees(take.gaze_rad.mean(axis=1)) - truth["gaze_pitch_yaw_deg"][:, ::-1]
        result["gaze_deg"] = float(np.linalg.norm(away, axis=1).mean())
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}


def main() -> None:
    """Run all folders and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--face-model", type=Path, required=True, help="*.face.npz, or ICT-FaceKit's folder or npz")
    parser.add_argument("--focal", choices=("given", "unknown"), default="given")
    arguments = parser.parse_args()
    is_own = arguments.face_model.name.endswith(".face.npz")
    model = read_face_model(arguments.face_model) if is_own else import_ict(arguments.face_model)
    sequences = [measured(folder, model, is_focal_given=arguments.focal == "given") for folder in arguments.folders]
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    hardware = {"machine": platform.machine(), "cpu_count": os.cpu_count(), "threads": threads}
    print(json.dumps({"focal": arguments.focal, "hardware": hardware, "sequences": sequences}, indent=2))


if __name__ == "__main__":
    main()
