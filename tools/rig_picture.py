"""Renders the rig of a demo's `edited.blend` over its plate with Cycles: `python tools/rig_picture.py out/demo`.

The picture for the README; it shows what an animator sees, with Blender's own shading.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402

from dvp_core.actor import actor_clip_path  # noqa: E402
from dvp_core.trust import Label, publish_still  # noqa: E402
from dvp_core.video import open_clip  # noqa: E402


def main() -> None:
    """Render one frame and publish it, labelled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder that `dvp demo` left")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs/pictures/blender_rig.png")
    parser.add_argument("--frame", type=int, nargs="+", default=[80, 140, 204])
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--samples", type=int, default=24)
    options = parser.parse_args()
    bpy.ops.wm.open_mainfile(filepath=str(options.demo / "edited.blend"))
    source = open_clip(actor_clip_path())
    pictures = [over(plate_of(source, frame, options.size), rig_of(frame, options)) for frame in options.frame]
    label = Label(is_plate_kept=True, description="A face rig rendered over frames of a synthetic actor.")
    publish_still(options.output, np.concatenate(pictures, axis=1), label=label)


def rig_of(frame: int, options: argparse.Namespace) -> np.ndarray:
    """Return the rig alone, (size, size, 4) uint8, straight alpha."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = options.samples
    scene.render.film_transparent = True
    scene.render.resolution_x = scene.render.resolution_y = options.size
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.view_settings.view_transform = "Standard"
    if not any(item.type == "LIGHT" for item in scene.objects):
        lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "SUN"))
        lamp.data.energy = 3.0
        lamp.rotation_euler = (1.1, 0.35, 0.0)
        scene.collection.objects.link(lamp)
    scene.frame_set(frame)
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "rig.png")
        bpy.ops.render.render(write_still=True)
        return cv2.cvtColor(cv2.imread(scene.render.filepath, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)


def plate_of(source: object, frame: int, size_px: int) -> np.ndarray:
    """Return the plate's picture of a frame at the wanted size."""
    plate = source.read(frame - source.clip.start_frame)  # type: ignore[attr-defined]
    return cv2.resize(plate, (size_px, size_px), interpolation=cv2.INTER_CUBIC)


def over(plate: np.ndarray, rig: np.ndarray) -> np.ndarray:
    """Return the rig laid over the plate."""
    alpha = rig[..., 3:].astype(np.float32) / 255.0
    return np.rint(rig[..., :3] * alpha + plate * (1.0 - alpha)).astype(np.uint8)


if __name__ == "__main__":
    main()
