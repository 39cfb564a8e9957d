"""A small shot on disk that is ready to be sent to a farm: saved file, passes, generator, plate, consent."""

import json
import struct
from pathlib import Path

import bpy
import numpy as np

from blender_addon.rig.importing import import_take
from dvp_core.data.coverage import parameter_names, parameter_values
from dvp_core.data.generator_header import GENERATOR_VERSION
from dvp_core.data.passes import PassFrame
from dvp_core.passes.exr import write_pass_frame


def ready_shot(context, take_path, take, folder: Path):
    """Import a take, save the file, put passes and a generator beside it, fill in the panel, and return the import."""
    imported = import_take(take_path, context=context)
    write_passes(folder / "passes", take, take.frames)
    write_generator(folder / "ada.safetensors", take)
    settings = context.scene.dvp
    settings.job_name = "Ada smiles"
    settings.passes_folder = str(folder / "passes")
    settings.generator = str(folder / "ada.safetensors")
    settings.output = str(folder / "frames" / "frame.####.png")
    settings.priority = 70
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"), compress=False)
    return imported


def write_passes(folder, take, frames):
    """Write black passes whose headers are those of the take."""
    size = take.crop.resolution_px
    for frame in frames:
        shapes = {"color": (3,), "corr": (3,), "gaze": (3,), "mask": (), "depth": ()}
        pictures = {name: np.zeros((size, size, *rest), np.float32) for name, rest in shapes.items()}
        write_pass_frame(
            folder / f"passes.{frame:04d}.exr",
            PassFrame(
                frame=frame,
                crop=take.crop,
                take_sha256=take.sha256,
                face_model_sha256=take.face_model_sha256,
                **pictures,
            ),
        )


def write_generator(path, take, **changes):
    """Write a generator's file that has seen the take and holds no weights."""
    values = parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)
    measures = {"min": values.min(0), "max": values.max(0), "std": values.std(0)}
    crop = take.crop
    content = {
        "kind": "dvp-generator",
        "version": GENERATOR_VERSION,
        "preset": "fast",
        "crop": {name: getattr(crop, name) for name in ("x_px", "y_px", "size_px", "resolution_px")},
        "face_model_sha256": take.face_model_sha256,
        "take_sha256": take.sha256,
        "coverage": {
            "parameters": parameter_names(take.expression_names),
            "frame_count": take.frame_count,
            "value": {name: measure.tolist() for name, measure in measures.items()},
            "poses": values.tolist(),
        },
    } | changes
    head = json.dumps({"__metadata__": {"dvp": json.dumps(content)}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)
