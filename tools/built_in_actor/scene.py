"""The whole scene of the built-in actor, posed and rendered frame by frame with Cycles on the CPU."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Matrix

from dvp_core.actor import ActorTruth
from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.face.evaluation import evaluate
from dvp_core.maths.colour import srgb_decode, srgb_encode
from dvp_core.maths.frames import BLENDER_WORLD_FROM_CAMERA, OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rigid import camera_from_head
from tools.built_in_actor.hair import (
    FaceHair,
    build_brows,
    build_hair,
    build_lashes,
    pose_face_hair,
    scalp_weight,
)
from tools.built_in_actor.meshes import set_vertex_colours
from tools.built_in_actor.person import Head, build_head, pose_head
from tools.built_in_actor.room import build_camera, build_lamps, build_sweater, build_wall

WALL_DISTANCE_M = 2.0
COLLAR_ABOVE_NECK_END_M = 0.046
COVERED_ABOVE_FOOT_M = 0.012
FOLLOWING = 0.35
"""Part of the head's shift that the shoulders follow."""


@dataclass(frozen=True)
class Scene:
    """What has to be posed for each frame."""

    truth: ActorTruth
    head: Head
    face_hair: tuple[FaceHair, ...]
    sweater: bpy.types.Object
    sweater_rest_m: np.ndarray
    eyes_rest_m: np.ndarray
    backdrop: np.ndarray
    """The room without the actor (H, W, 3), linear: it stands still, so it is rendered once."""


def build_scene(model: FaceModel, truth: ActorTruth, camera: Camera, *, sample_count: int) -> Scene:
    """Return the scene at rest.

    Args:
        model: The face model that the truth's numbers are for.
        truth: The performance.
        camera: The clip's camera, or the same one at another picture size.
        sample_count: Cycles' samples a pixel.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _set_render(sample_count)
    eyes_rest_m = _eyes_camera(truth, model).mean(axis=0)
    plate_camera = build_camera(camera, focus_m=float(eyes_rest_m[2]) - 0.02)
    build_wall(WALL_DISTANCE_M)
    build_lamps(eyes_rest_m)
    backdrop = _rendered_backdrop(plate_camera, sample_count=10 * sample_count)
    rest = evaluate(model, identity=truth.identity)
    collar_head, neck_half_m = _collar(model, rest)
    head = build_head(model, truth, lowest_head_m=float(collar_head[1]) + COVERED_ABOVE_FOOT_M)
    scalp = scalp_weight(model, rest)
    _darken_scalp(head, truth, scalp)
    build_hair(model, rest, head.face)
    face_hair = (build_brows(model, rest, head.face), build_lashes(model, rest, head.face))
    from_eyes = collar_head - model.baked(truth.identity).eye_centers.mean(axis=0)
    collar_camera = eyes_rest_m + OPENGL_CAMERA_FROM_CAMERA @ from_eyes
    return Scene(truth, head, face_hair, build_sweater(neck_half_m), collar_camera, eyes_rest_m, backdrop)


def pose(scene: Scene, frame: int) -> None:
    """Put everything into the pose of a frame (from 0)."""
    vertices = pose_head(scene.head, scene.truth, frame)
    for hair in scene.face_hair:
        pose_face_hair(hair, vertices)
    eyes = _eyes_camera(scene.truth, scene.head.model)[frame]
    follow = FOLLOWING * np.array([1.0, 0.4, 0.5]) * (eyes - scene.eyes_rest_m)
    breath = np.array([0.0, -0.0018 * np.sin(2 * np.pi * frame / float(scene.truth.fps) / 3.7), 0.0])
    place = np.eye(4)
    place[:3, 3] = BLENDER_WORLD_FROM_CAMERA @ (scene.sweater_rest_m + follow + breath)
    scene.sweater.matrix_world = Matrix(place.tolist())


def render_frame(scene: Scene) -> np.ndarray:
    """Return the picture of the scene as it stands, (H, W, 3) uint8, sRGB-encoded RGB."""
    rgba = render_rgba()
    alpha = rgba[..., 3:]
    linear = srgb_decode(rgba[..., :3]) * alpha + scene.backdrop * (1.0 - alpha)
    return np.rint(255.0 * np.clip(srgb_encode(linear), 0.0, 1.0)).astype(np.uint8)


def render_rgba() -> np.ndarray:
    """Return what Cycles sees, (H, W, 4) float64 in 0..1: sRGB-encoded RGB, not multiplied by alpha, and alpha."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rendered.png"
        bpy.context.scene.render.filepath = str(path)
        with _quiet():
            bpy.ops.render.render(write_still=True)
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels[..., [2, 1, 0, 3]].astype(np.float64) / 65535.0


def _rendered_backdrop(plate_camera: bpy.types.Object, *, sample_count: int) -> np.ndarray:
    """Return the room (H, W, 3), linear, out of focus and without the actor, then take it out of the scene."""
    cycles = bpy.context.scene.cycles
    before = (cycles.samples, cycles.denoising_prefilter)
    cycles.samples, cycles.denoising_prefilter = sample_count, "ACCURATE"
    linear = srgb_decode(render_rgba()[..., :3])
    cycles.samples, cycles.denoising_prefilter = before
    for thing in bpy.data.objects:
        thing.hide_render = thing.type == "MESH"
    lens = plate_camera.data
    assert isinstance(lens, bpy.types.Camera)
    lens.dof.use_dof = False
    return linear


def _set_render(sample_count: int) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.image_settings.color_depth = "16"
    scene.render.film_transparent = True
    scene.render.use_persistent_data = True
    # Plain sRGB: a film-like curve would make the light unknowable.
    scene.view_settings.view_transform = "Standard"
    scene.cycles.device = "CPU"
    scene.cycles.samples = sample_count
    scene.cycles.use_denoising = True
    scene.cycles.denoising_quality = "FAST"
    scene.cycles.denoising_prefilter = "NONE"
    scene.cycles.use_light_tree = False
    scene.cycles.seed = 1
    scene.cycles.max_bounces = 4


def _darken_scalp(head: Head, truth: ActorTruth, scalp: np.ndarray) -> None:
    """Tint the skin under the hair, so that it does not shine through."""
    mesh = head.face.data
    assert isinstance(mesh, bpy.types.Mesh)
    mesh.color_attributes.remove(mesh.color_attributes["reflectance"])
    tint = truth.reflectance * (1.0 - 0.75 * scalp[:, None]) + 0.75 * scalp[:, None] * np.array([0.05, 0.03, 0.02])
    set_vertex_colours(head.face, "reflectance", tint)


def _eyes_camera(truth: ActorTruth, model: FaceModel) -> np.ndarray:
    """Return the middle between the eyes (F, 3) in camera space."""
    middle = model.baked(truth.identity).eye_centers.mean(axis=0)[None]
    poses = zip(truth.head_rotation_wxyz, truth.head_translation_m, strict=True)
    return np.concatenate([camera_from_head(rotation, translation, middle) for rotation, translation in poses])


def _collar(model: FaceModel, rest: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return where the collar's foot stands around the lower neck (3,), and the neck's half width and depth there."""
    skin = rest[model.region("face", "head", "neck")]
    height = skin[:, 1].min() + COLLAR_ABOVE_NECK_END_M
    ring = skin[np.abs(skin[:, 1] - height) < 0.012]
    low, high = ring.min(axis=0), ring.max(axis=0)
    middle = np.array([0.0, height, 0.5 * (low[2] + high[2])])
    # A model that ends in shoulders is wider than its neck; there the collar cuts through them.
    return middle, (min(0.5 * (high[0] - low[0]), 0.066), min(0.5 * (high[2] - low[2]), 0.066))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Cycles' report of every step off the terminal."""
    own = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(own, 1)
        os.close(own)
        os.close(nothing)
