"""Times the rasteriser's backends side by side, and a whole frame of passes.

    python benchmarks/raster_speed.py [--face MODEL.face.npz] [--repeats 30]

Without a model it draws a ball of 52,000 triangles. Every figure is the median after a warm-up, with the quartiles as
spread; the ratio is to the compiled version. Run it on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.face_model import FaceModel, read_face_model
from dvp_core.maths.projection import project
from dvp_core.maths.spherical_harmonics import ambient_light
from dvp_core.passes import render_pass_frame
from dvp_core.raster import Backend, rasterize

SIDE_PX = 256
CAMERA = Camera.centered(1000.0, SIDE_PX, SIDE_PX)
BACKENDS: tuple[Backend, ...] = ("reference", "compiled", "torch")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, help="a face model; a whole pass frame is timed too")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    _use_one_thread()
    face = read_face_model(options.face) if options.face else None
    head, triangles = (face.vertices, face.triangles) if face else ball(26_000)
    vertices = head * [1, -1, -1] + [0, 0, 1.05]
    print(f"{platform.processor() or platform.machine()}, one thread, commit {_commit()}, load {_load()}")
    print(f"{len(triangles):,} triangles at {SIDE_PX} x {SIDE_PX} px, {options.repeats} repeats")
    medians = {}
    for is_culling in (False, True):
        for backend in BACKENDS:
            medians[backend] = report(
                f"rasterize {backend}{', culling' if is_culling else ''}",
                lambda backend=backend, is_culling=is_culling: draw(vertices, triangles, backend, is_culling),
                options.repeats,
            )
        print("  ratio to compiled: " + ", ".join(f"{b} {medians[b] / medians['compiled']:.1f}" for b in BACKENDS))
    if face:
        for backend in BACKENDS:
            report(
                f"pass frame {backend}",
                lambda backend=backend: whole_frame(face, vertices, backend),
                options.repeats,
            )


def ball(triangle_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (V, 3) and triangles (T, 3) of a ball of 10 cm, counter-clockwise from outside."""
    rows = int(np.sqrt(triangle_pairs / 2))
    height = np.linspace(np.pi, 0, rows + 1)
    turn = np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False)
    around, up = np.meshgrid(turn, height)
    vertices = 0.1 * np.stack([np.sin(up) * np.cos(around), np.sin(up) * np.sin(around), np.cos(up)], axis=-1)
    number = np.arange(vertices.shape[0] * vertices.shape[1]).reshape(vertices.shape[:2])
    after = np.roll(number, -1, axis=1)
    a, b, c, d = (part.ravel() for part in (number[:-1], after[:-1], after[1:], number[1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return vertices.reshape(-1, 3), triangles.astype(np.int32)


def draw(vertices: np.ndarray, triangles: np.ndarray, backend: Backend, is_culling: bool) -> object:
    """Project and rasterise, as a pass does."""
    points_px = project(vertices, CAMERA)
    return rasterize(points_px, vertices[:, 2], triangles, SIDE_PX, SIDE_PX, is_culling=is_culling, backend=backend)


def whole_frame(face: FaceModel, vertices: np.ndarray, backend: Backend) -> object:
    """Draw all five images."""
    return render_pass_frame(
        face,
        vertices,
        CAMERA,
        illumination_sh=ambient_light(0.8),
        reflectance=face.reflectance_mean,
        frame=1,
        crop=Crop(0, 0, SIDE_PX, SIDE_PX),
        take_sha256="",
        face_model_sha256="",
        backend=backend,
    )


def report(name: str, run: Callable[[], object], repeats: int) -> float:
    """Print and return the median of a call in milliseconds, after three warm-up calls."""
    for _ in range(3):
        run()
    times_ms = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times_ms.append((time.perf_counter() - start) * 1e3)
    low, median, high = np.percentile(times_ms, [25, 50, 75])
    print(f"{name:32s} {median:8.2f} ms  (quartiles {low:.2f} .. {high:.2f})")
    return float(median)


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _commit() -> str:
    folder = Path(__file__).parent
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _load() -> str:
    return Path("/proc/loadavg").read_text().split()[0] if Path("/proc/loadavg").exists() else "unknown"


if __name__ == "__main__":
    main()
