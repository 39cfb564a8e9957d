"""How long a preview keeps Blender from answering, and how long its passes take to draw in the thread beside.

    python benchmarks/blender_preview.py [--face MODEL.face.npz] [--poses 20]

A rig with controls stands at the twelfth frame of a take that moves in every channel; for each pose one shape is set
and the window of eleven frames read, drawn and packed. "read" is done in Blender's main thread, which nothing else can
use meanwhile; "draw_first" is a window of which nothing is known, "draw_next" one whose last frame alone is new. numba
is blocked, since Blender has none. The farm's part is measured by `preview_latency.py`. Prints one JSON object last.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

sys.modules["numba"] = None  # pyright: ignore[reportArgumentType] - makes its import fail
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402
from blender_playback import FIRST_FRAME, moving_take  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon.preview.window import PackedFrames, PosedWindow, read_window  # noqa: E402
from blender_addon.rig.importing import import_take  # noqa: E402
from dvp_core.data.face_model import FaceModel, read_face_model  # noqa: E402
from dvp_core.data.take import with_compact_face, write_take  # noqa: E402
from dvp_core.face import built_in_face  # noqa: E402

Result = TypeVar("Result")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, help="a face model; the built-in one otherwise")
    parser.add_argument("--poses", type=int, default=20)
    options = parser.parse_args()
    model = read_face_model(options.face) if options.face else built_in_face()
    face = with_compact_face(model.baked(np.zeros(model.identity_count)))
    blender_addon.register()
    try:
        times = measured(face, pose_count=options.poses)
    finally:
        blender_addon.unregister()
    facts = {
        "blender": bpy.app.version_string,
        "face": face.id,
        "vertices": face.vertex_count,
        "resolution_px": 256,
        "poses": options.poses,
        "cores": os.cpu_count(),
        "load_at_end": os.getloadavg()[0],
    }
    sys.stdout.write(json.dumps(facts | {name: summary(values) for name, values in times.items()}) + "\n")


def measured(face: FaceModel, *, pose_count: int) -> dict[str, list[float]]:
    """Return milliseconds of each phase, for each pose after a first one that warms up."""
    times: dict[str, list[float]] = {"read": [], "draw_first": [], "draw_next": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "moving.take"
        write_take(path, moving_take(face, 12))
        bpy.ops.wm.read_homefile(use_empty=True)
        rig = import_take(path, context=bpy.context).rig
    bpy.context.scene.frame_set(FIRST_FRAME + 11)
    shape = rig.dvp_rig.face.data.shape_keys.key_blocks[1]
    kept = PackedFrames()
    for number in range(pose_count + 1):
        shape.value = (number + 1) / (pose_count + 2)
        bpy.context.view_layer.update()
        window: PosedWindow = timed(lambda: read_window(bpy.context), times["read"])
        timed(lambda window=window: PackedFrames().of_window(window), times["draw_first"])
        timed(lambda window=window: kept.of_window(window), times["draw_next"])
    return {name: values[1:] for name, values in times.items()}


def timed(action: Callable[[], Result], times: list[float]) -> Result:
    """Run something and note its milliseconds."""
    started_s = time.perf_counter()
    result = action()
    times.append(1000 * (time.perf_counter() - started_s))
    return result


def summary(values: list[float]) -> dict[str, float]:
    """Return median and 95th percentile."""
    return {"p50_ms": round(float(np.median(values)), 1), "p95_ms": round(float(np.percentile(values, 95)), 1)}


if __name__ == "__main__":
    main()
