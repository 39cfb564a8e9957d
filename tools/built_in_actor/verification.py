"""Holds the rendered picture against the project's own rasteriser: the truth must land where it says it lands."""

from __future__ import annotations

import bpy
import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.face.evaluation import evaluate, rotate_eyes
from dvp_core.maths.projection import project
from dvp_core.maths.rigid import camera_from_head
from dvp_core.raster import rasterize
from tools.built_in_actor.scene import Scene, pose, render_rgba

SUPERSAMPLING = 8


def silhouette_offset_px(scene: Scene, camera: Camera, frame: int) -> tuple[float, float]:
    """Return by how much the rendered head's outline is shifted against the rasterised one, (x, y) in pixels.

    The head is rendered alone without background; its coverage and the rasteriser's (from 8 x 8 samples a pixel) are
    aligned to first order: the shift d that explains rendered - rasterised = -gradient . d best.
    """
    rendered = _rendered_coverage(scene, frame)
    expected = rasterised_coverage(scene, camera, frame)
    gradient_y, gradient_x = np.gradient(expected)
    slopes = np.stack([gradient_x.ravel(), gradient_y.ravel()], axis=1)
    shift = np.linalg.lstsq(-slopes, (rendered - expected).ravel(), rcond=None)[0]
    return float(shift[0]), float(shift[1])


def rasterised_coverage(scene: Scene, camera: Camera, frame: int) -> np.ndarray:
    """Return the part (H, W) of each pixel that the posed face covers, by the rasteriser."""
    truth, model = scene.truth, scene.head.model
    vertices = evaluate(model, identity=truth.identity, expression=truth.expression[frame])
    turned = rotate_eyes(model, vertices, truth.gaze_rad[frame])
    points = camera_from_head(truth.head_rotation_wxyz[frame], truth.head_translation_m[frame], turned)
    width, height = camera.width_px * SUPERSAMPLING, camera.height_px * SUPERSAMPLING
    raster = rasterize(project(points, camera) * SUPERSAMPLING, points[:, 2], scene.head.triangles, width, height)
    covered = (raster.triangle_ids >= 0).astype(np.float64)
    blocks = covered.reshape(camera.height_px, SUPERSAMPLING, camera.width_px, SUPERSAMPLING)
    return blocks.mean(axis=(1, 3))


def _rendered_coverage(scene: Scene, frame: int) -> np.ndarray:
    """Return the alpha (H, W) of the head alone, averaged over square pixels."""
    cycles = bpy.context.scene.cycles
    shown = {scene.head.face, *scene.head.eyes}
    hidden = [thing for thing in bpy.data.objects if thing.type in ("MESH", "CURVES") and not thing.hide_render]
    hidden = [thing for thing in hidden if thing not in shown]
    before = (cycles.pixel_filter_type, cycles.samples, cycles.use_denoising)
    for thing in hidden:
        thing.hide_render = True
    cycles.pixel_filter_type, cycles.samples, cycles.use_denoising = "BOX", 32, False
    pose(scene, frame)
    alpha = render_rgba()[..., 3]
    for thing in hidden:
        thing.hide_render = False
    cycles.pixel_filter_type, cycles.samples, cycles.use_denoising = before
    return alpha
