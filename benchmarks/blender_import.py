"""Times the import of a long take into Blender: 1,000 frames of a fine face with 52 shapes.

    python benchmarks/blender_import.py [--face MODEL.face.npz] [--frames 1000] [--rounds 5] [-o import.json]

What is timed is the function behind File > Import, from the file on disk to the rig: read, mesh, shape keys, bones with
controls, curves, camera. Without a model it takes the built-in face with every quad but the eyeballs' cut into four.
It prints JSON with the median and the quartiles after a warm-up round.
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
from blender_addon.rig.importing import import_take
from blender_addon.rig.memory import forget_takes
from dvp_core.data.face_model import FaceModel, read_face_model
from dvp_core.data.files import write_bytes_atomically
from dvp_core.data.take import with_compact_face, write_take
from dvp_core.face import built_in_face


def main() -> None:
    """Print the figures as JSON, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, help="a face model; the built-in one, refined, otherwise")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5, help="imports after the warm-up")
    parser.add_argument("-o", "--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    blender_addon.register()
    try:
        text = json.dumps(figures(options), indent=2) + "\n"
    finally:
        blender_addon.unregister()
    sys.stdout.write(text)
    if options.output:
        write_bytes_atomically(options.output, text.encode())


def figures(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was timed and on what."""
    model = read_face_model(options.face) if options.face else built_in_face()
    face = model.baked(np.zeros(model.identity_count))
    face = with_compact_face(face if options.face else refined(face))
    result: dict[str, Any] = {
        "blender": bpy.app.version_string,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "vertices": face.vertex_count,
        "shapes": face.expression_count,
        "frames": options.frames,
        "rounds": options.rounds,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.take"
        write_take(path, moving_take(face, options.frames))
        result["take_bytes"] = path.stat().st_size
        for name, has_controls in (("with_controls", True), ("without_controls", False)):
            seconds = [imported_in_s(path, has_controls=has_controls) for _ in range(options.rounds + 1)][1:]
            low, median, high = np.percentile(seconds, [25, 50, 75])
            result[name] = {
                "median_s": round(float(median), 3),
                "quartile_25_s": round(float(low), 3),
                "quartile_75_s": round(float(high), 3),
            }
    return result


def imported_in_s(path: Path, *, has_controls: bool) -> float:
    """Return the time of one import into an empty file."""
    bpy.ops.wm.read_homefile(use_empty=True)
    forget_takes()
    start = time.perf_counter()
    import_take(path, context=bpy.context, has_controls=has_controls)
    return time.perf_counter() - start


def refined(face: FaceModel) -> FaceModel:
    """Return a face with every quad that is no eyeball's cut into four, its new vertices in the middle of the old.

    Args:
        face: Baked; its quads are rows of four vertices, triangles end with -1 and stay.
    """
    corner = face.polygons[:, 0]
    is_eyeball = np.any([(low <= corner) & (corner < high) for low, high in face.eye_ranges], axis=0)
    is_cut = (face.polygons >= 0).all(axis=1) & ~is_eyeball
    quads, count = face.polygons[is_cut], face.vertex_count
    edges = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    pairs, number = np.unique(edges, axis=0, return_inverse=True)
    after = count + number.reshape(-1, 4)  # the vertex in the middle of each corner's edge to the next corner
    middle = count + len(pairs) + np.arange(len(quads))[:, None]
    corners = [
        np.concatenate([quads[:, k : k + 1], after[:, k : k + 1], middle, after[:, k - 1 : k or None]], axis=1)
        for k in range(4)
    ]
    polygons = np.concatenate([face.polygons[~is_cut], *corners]).astype(np.int32)

    def grown(values: np.ndarray) -> np.ndarray:
        new = [values[..., pairs, :].mean(axis=-2), values[..., quads, :].mean(axis=-2)]
        return np.concatenate([values, *new], axis=-2).astype(values.dtype)

    regions = np.concatenate([face.region_ids, face.region_ids[pairs[:, 0]], face.region_ids[quads[:, 0]]])
    uv = np.zeros((count + len(pairs) + len(quads), 2), np.float32)  # nothing is drawn
    return replace(
        face,
        vertices=grown(face.vertices),
        polygons=polygons,
        uv=uv,
        polygon_uv=polygons.copy(),
        identity_basis=np.zeros((0, len(uv), 3), np.float32),
        expression_basis=grown(face.expression_basis),
        reflectance_mean=grown(face.reflectance_mean),
        reflectance_basis=np.zeros((0, len(uv), 3), np.float32),
        correspondence=grown(face.correspondence),
        region_ids=regions,
    )


if __name__ == "__main__":
    main()
