"""Writes a take as glTF 2.0 (`.glb`): the face with its expressions, the eyes, the camera, and everything that moves.

The scene stands in the axes of the camera as glTF and OpenGL have them: the camera at the origin looks along -Z with +Y
up. The head's own axes are glTF's already. Seconds count from the take's first frame.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

import dvp_core
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.files import write_bytes_atomically
from dvp_core.data.take import Take
from dvp_core.exchange.gltf.container import Buffer, glb_bytes
from dvp_core.exchange.head_parts import HeadPart, head_parts, origins_m, turns_wxyz
from dvp_core.face.evaluation import vertex_normals
from dvp_core.maths.frames import opengl_pose_from_take_pose
from dvp_core.maths.rotations import normalized, unwrapped_quaternions

_NEAREST_M = 0.01
_CAMERA, _HEAD, _FIRST_PART = 0, 1, 2  # numbers of the nodes


def write_glb(path: Path | str, take: Take) -> None:
    """Write a take with its face as `.glb`.

    Raises:
        DataError: The take does not carry its face, or the file cannot be written.
    """
    if take.face is None:
        raise DataError(
            f"the take carries no face (model '{take.face_model_id}')", where=path, remedy="Name it by --face-model"
        )
    buffer = Buffer()
    parts = head_parts(take.face)
    meshes = [_mesh(buffer, part, take.face, take) for part in parts]
    document = {
        "asset": {"version": "2.0", "generator": f"Deep Video Portraits {dvp_core.__version__}"},
        "scene": 0,
        "scenes": [{"name": take.subject, "nodes": [_CAMERA, _HEAD], "extras": _facts(take)}],
        "nodes": [
            {"name": "camera", "camera": 0},
            {"name": "head", "children": [_FIRST_PART + number for number in range(len(parts))], **_rest_pose(take)},
            *({"name": part.name, "mesh": number, **_place(part)} for number, part in enumerate(parts)),
        ],
        "cameras": [_camera(take)],
        "meshes": meshes,
        "materials": [_material()],
        "animations": [_animation(buffer, parts, take)],
    }
    write_bytes_atomically(path, glb_bytes(document, buffer))


def _facts(take: Take) -> dict[str, Any]:
    """Return what glTF has no place for: the plate's numbers, and the camera's optical axis."""
    return {
        "clip": take.clip.file_name,
        "fps": str(take.clip.fps),
        "start_frame": take.clip.start_frame,
        "frame_count": take.frame_count,
        "camera_focal_px": take.camera.focal_px,
        "camera_principal_px": list(take.camera.principal_px),
        "camera_size_px": [take.camera.width_px, take.camera.height_px],
    }


def _camera(take: Take) -> dict[str, Any]:
    camera = take.camera
    perspective = {
        "aspectRatio": camera.width_px / camera.height_px,
        "yfov": 2.0 * math.atan(camera.height_px / (2.0 * camera.focal_px)),
        "znear": _NEAREST_M,
    }
    return {"name": "camera", "type": "perspective", "perspective": perspective}


def _material() -> dict[str, Any]:
    """Return a dull skin whose colour is that of the vertices."""
    return {
        "name": "skin",
        "doubleSided": True,
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.7},
    }


def _mesh(buffer: Buffer, part: HeadPart, face: FaceModel, take: Take) -> dict[str, Any]:
    normals = vertex_normals(face.vertices, face.triangles)[part.source]
    primitive: dict[str, Any] = {
        "attributes": {
            "POSITION": buffer.vertices(face.vertices[part.source] - part.origin_m, has_bounds=True),
            "NORMAL": buffer.vertices(normals),
            "TEXCOORD_0": buffer.vertices(part.uv * np.array([1, -1]) + np.array([0, 1])),
            "COLOR_0": buffer.vertices(np.clip(take.reflectance[part.source], 0.0, 1.0)),
        },
        "indices": buffer.indices(part.triangles, len(part.source)),
        "material": 0,
    }
    mesh: dict[str, Any] = {"name": part.name, "primitives": [primitive]}
    if len(part.offsets):
        primitive["targets"] = [{"POSITION": buffer.offsets(offsets)} for offsets in part.offsets]
        mesh["weights"] = [float(weight) for weight in take.expression[0]]
        mesh["extras"] = {"targetNames": list(take.expression_names)}
    return mesh


def _head_poses(take: Take) -> tuple[np.ndarray, np.ndarray]:
    """Return the head's rotations (F, 4), w first, and translations (F, 3) in the scene."""
    rotation = unwrapped_quaternions(normalized(take.head_rotation_wxyz.astype(np.float64)))
    return opengl_pose_from_take_pose(rotation, take.head_translation_m.astype(np.float64))


def _rest_pose(take: Take) -> dict[str, Any]:
    """Return the head's pose on the first frame, for programs that play no animation."""
    rotation, translation = _head_poses(take)
    return {"rotation": _xyzw(rotation)[0].tolist(), "translation": translation[0].tolist()}


def _place(part: HeadPart) -> dict[str, Any]:
    return {"translation": part.origin_m.tolist()} if part.origin_m.any() else {}


def _xyzw(rotation_wxyz: np.ndarray) -> np.ndarray:
    return np.roll(rotation_wxyz, -1, axis=-1)


def _animation(buffer: Buffer, parts: list[HeadPart], take: Take) -> dict[str, Any]:
    times = buffer.curve(np.arange(take.frame_count) / float(take.clip.fps), has_bounds=True)
    rotation, translation = _head_poses(take)
    curves: list[tuple[int, str, np.ndarray]] = [
        (_HEAD, "rotation", _xyzw(rotation)),
        (_HEAD, "translation", translation),
    ]
    for number, part in enumerate(parts):
        node = _FIRST_PART + number
        if (turns := turns_wxyz(part, take)) is not None:
            curves.append((node, "rotation", _xyzw(turns)))
        if part.drift.any():
            curves.append((node, "translation", origins_m(part, take)))
        if len(part.offsets):
            curves.append((node, "weights", take.expression.ravel()))
    return {
        "name": Path(take.clip.file_name).stem or "take",
        "samplers": [{"input": times, "output": buffer.curve(values)} for _, _, values in curves],
        "channels": [
            {"sampler": number, "target": {"node": node, "path": path}} for number, (node, path, _) in enumerate(curves)
        ],
    }
