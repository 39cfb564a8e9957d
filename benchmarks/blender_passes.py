"""Times what Blender's *Export Passes* takes a frame, against the same frames drawn without Blender.

    python benchmarks/blender_passes.py [--face MODEL.face.npz] [--frames 40] [--rounds 3] [--resolutions 256,512]

A take that moves in every expression is imported with its controls. Exported means: frame set, scene evaluated and
read; drawn, written and synchronised to the disk by threads. `drawn` is the same frames straight from the take, one
after the other; both take turns in one process. Every file is read back and compared: `largest_difference` is over all
channels. Without a model it takes the built-in face. Prints one JSON object last, after a warm-up round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from blender_playback import moving_take

import blender_addon
from blender_addon.passes.exporting import export_passes
from blender_addon.rig.importing import import_take
from blender_addon.rig.memory import forget_takes
from dvp_core.data.face_model import read_face_model
from dvp_core.data.take import Take, with_compact_face, write_take
from dvp_core.face import built_in_face
from dvp_core.passes import PassFolder, pass_path, render_passes, write_pass_frame

PICTURES = ("color", "corr", "gaze", "mask", "depth")


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, help="a face model; the built-in one otherwise")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3, help="exports after the warm-up")
    parser.add_argument("--resolutions", type=lambda text: [int(part) for part in text.split(",")], default=[256, 512])
    options = parser.parse_args()
    blender_addon.register()
    try:
        content = figures(options)
    finally:
        blender_addon.unregister()
    sys.stdout.write(json.dumps(content) + "\n")


def figures(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was timed and on what."""
    model = read_face_model(options.face) if options.face else built_in_face()
    face = with_compact_face(model.baked(np.zeros(model.identity_count)))
    take = moving_take(face, options.frames)
    result: dict[str, Any] = {
        "blender": bpy.app.version_string,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "vertices": face.vertex_count,
        "frames": options.frames,
        "rounds": options.rounds,
    }
    for resolution_px in options.resolutions:
        crop = replace(take.crop, resolution_px=resolution_px)
        result[str(resolution_px)] = timed(replace(take, crop=crop), options.rounds)
    return result


def timed(take: Take, rounds: int) -> dict[str, float]:
    """Return frames a second of both ways, and how far their files differ."""
    with tempfile.TemporaryDirectory() as folder:
        path, exported, drawn = Path(folder) / "long.take", Path(folder) / "exported", Path(folder) / "drawn"
        write_take(path, take)
        bpy.ops.wm.read_homefile(use_empty=True)
        forget_takes()
        import_take(path, context=bpy.context)
        seconds: dict[str, list[float]] = {"exported": [], "drawn": []}
        for _ in range(rounds + 1):
            seconds["exported"].append(seconds_of(lambda: export_passes(bpy.context.scene, exported)))
            seconds["drawn"].append(seconds_of(lambda: draw(take, drawn)))
        speeds = {
            f"{way}_frames_per_s": take.frame_count / float(np.median(times[1:])) for way, times in seconds.items()
        }
        return {name: round(speed, 1) for name, speed in speeds.items()} | {
            "largest_difference": largest_difference(PassFolder(exported), PassFolder(drawn))
        }


def seconds_of(work: Any) -> float:
    """Return how long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def draw(take: Take, folder: Path) -> None:
    """Write a take's passes without Blender."""
    for pass_frame in render_passes(take):
        write_pass_frame(pass_path(folder, pass_frame.frame), pass_frame)


def largest_difference(one: PassFolder, other: PassFolder) -> float:
    """Return the largest difference of two folders of passes over all frames and channels."""
    largest = 0.0
    for frame in one.frames:
        first, second = one.read(frame), other.read(frame)
        largest = max(largest, *(float(np.abs(getattr(first, n) - getattr(second, n)).max()) for n in PICTURES))
    return largest


if __name__ == "__main__":
    main()
