"""Times the playback of a posed rig in Blender, as evaluation without drawing.

    python benchmarks/blender_playback.py [--face MODEL.face.npz] [--frames 100] [--rounds 3] [-o playback.json]

A take that moves in every channel is imported; each frame is set, and the deformed mesh asked for. Three rigs are
timed: without controls, with every control at rest, and with every control, slider, neck and aim keyed, so that every
driver gives another number at every frame. Without a model it takes the built-in face. Run it on a machine with nothing
else to do; it prints JSON with medians and quartiles after a warm-up round.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon.compat import ActionCurves, vertex_positions  # noqa: E402
from blender_addon.rig.animation import animator_curves, fill_curve  # noqa: E402
from blender_addon.rig.control_table import controls_for  # noqa: E402
from blender_addon.rig.controls import shape_property  # noqa: E402
from blender_addon.rig.importing import ImportedTake, import_take  # noqa: E402
from dvp_core.data.camera import Camera, Crop  # noqa: E402
from dvp_core.data.clip import Clip  # noqa: E402
from dvp_core.data.face_model import FaceModel, read_face_model  # noqa: E402
from dvp_core.data.files import write_atomically  # noqa: E402
from dvp_core.data.take import Take, with_compact_face, write_take  # noqa: E402
from dvp_core.face import built_in_face  # noqa: E402
from dvp_core.maths.frames import facing_camera_rotation_wxyz  # noqa: E402

FIRST_FRAME = 1001
WANTED_FRAMES_PER_SECOND = 24.0


def main() -> None:
    """Print the figures as JSON, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, help="a face model; the built-in one otherwise")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3, help="times the frames are played after the warm-up")
    parser.add_argument("-o", "--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    blender_addon.register()
    try:
        text = json.dumps(figures(options), indent=2)
    finally:
        blender_addon.unregister()
    sys.stdout.write(text + "\n")
    if options.output:
        write_atomically(options.output, lambda path: _write(path, text + "\n"))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def figures(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was timed and on what."""
    model = read_face_model(options.face) if options.face else built_in_face()
    face = with_compact_face(model.baked(np.zeros(model.identity_count)))
    results: dict[str, Any] = {
        "blender": bpy.app.version_string,
        "machine": platform.processor() or platform.machine(),
        "face": face.id,
        "vertices": face.vertex_count,
        "shapes": face.expression_count,
        "frames": options.frames,
        "rounds": options.rounds,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "moving.take"
        write_take(path, moving_take(face, options.frames))
        for name, has_controls, is_keyed in (
            ("no_controls", False, False),
            ("controls_at_rest", True, False),
            ("every_control_keyed", True, True),
        ):
            bpy.ops.wm.read_homefile(use_empty=True)
            start = time.perf_counter()
            imported = import_take(path, context=bpy.context, has_controls=has_controls)
            seconds = time.perf_counter() - start
            if is_keyed:
                key_everything(imported)
            results[name] = {"import_s": round(seconds, 3), **played(imported, options.rounds)}
    slowest = results["every_control_keyed"]["frames_per_second"]
    results["is_fast_enough"] = slowest >= WANTED_FRAMES_PER_SECOND
    return results


def moving_take(face: FaceModel, frame_count: int) -> Take:
    """Return a take whose every expression moves, smoothly, within 0.1..0.9."""
    random = np.random.default_rng(0)
    phase = np.arange(frame_count)[:, None] / 24 + random.uniform(0, 10, face.expression_count)
    expression = (0.5 + 0.4 * np.sin(2 * np.pi * phase)).astype(np.float32)
    clip = Clip("moving.mp4", "0" * 64, 512, 512, Fraction(24), FIRST_FRAME, frame_count)
    return Take(
        subject="Playback",
        clip=clip,
        camera=Camera.centered(800.0, 512, 512),
        crop=Crop(0, 0, 512, 256),
        face=face,
        face_model_id=face.id,
        face_model_sha256=face.sha256,
        expression_names=face.expression_names,
        identity=np.zeros(0, np.float32),
        reflectance=face.reflectance_mean,
        head_rotation_wxyz=np.tile(facing_camera_rotation_wxyz().astype(np.float32), (frame_count, 1)),
        head_translation_m=np.tile(np.array([0.0, 0.0, 0.7], np.float32), (frame_count, 1)),
        expression=expression,
        gaze_rad=np.zeros((frame_count, 2, 2), np.float32),
        illumination_sh=np.ones((frame_count, 9, 3), np.float32),
        is_tracked=np.ones(frame_count, np.bool_),
        landmark_error_px=np.zeros(frame_count, np.float32),
        photometric_error=np.zeros(frame_count, np.float32),
        tool_version="benchmark",
    )


def key_everything(imported: ImportedTake) -> None:
    """Key every axis of every control, every slider, the neck and the aim at every frame, in the animator's layer."""
    curves = animator_curves(imported.rig)
    frames = np.array(imported.take.frames.numbers, np.float64)
    wave = np.sin(2 * np.pi * (frames - FIRST_FRAME) / 24)
    for control in controls_for(imported.take.expression_names):
        for axis in sorted({pull.axis for pull in control.pulls}):
            reach = max(abs(pull.reach) for pull in control.pulls if pull.axis == axis)
            channel, index = ("rotation_euler", 0) if axis == "turn_x" else ("location", "xyz".index(axis))
            _fill(curves, f'pose.bones["{control.name}"].{channel}', index, frames, 0.3 * reach * wave)
    for shape in imported.take.expression_names:
        _fill(curves, shape_property(shape), 0, frames, 0.2 * wave)
    for index in range(3):
        _fill(curves, 'pose.bones["neck"].rotation_euler', index, frames, 0.1 * wave)
        _fill(curves, 'pose.bones["aim"].location', index, frames, 0.1 * wave)
    _fill(curves, 'pose.bones["aim"]["influence"]', 0, frames, 0.5 + 0.5 * wave)


def _fill(curves: ActionCurves, data_path: str, index: int, frames: np.ndarray, values: np.ndarray) -> None:
    fill_curve(curves.find_or_new(data_path, index), frames, values)


def played(imported: ImportedTake, rounds: int) -> dict[str, float]:
    """Return the time to evaluate a frame, and how many that are a second."""
    times_ms: list[float] = []
    for number in range(rounds + 1):
        for frame in imported.take.frames:
            start = time.perf_counter()
            bpy.context.scene.frame_set(frame)
            evaluated = imported.face.evaluated_get(bpy.context.evaluated_depsgraph_get())
            vertex_positions(evaluated.data)
            if number:  # the first round only warms up
                times_ms.append((time.perf_counter() - start) * 1e3)
    low, median, high = np.percentile(times_ms, [25, 50, 75])
    return {
        "median_ms": round(float(median), 2),
        "quartile_25_ms": round(float(low), 2),
        "quartile_75_ms": round(float(high), 2),
        "frames_per_second": round(1e3 / float(median), 1),
    }


if __name__ == "__main__":
    main()
