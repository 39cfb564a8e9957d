# SPDX-License-Identifier: GPL-3.0-or-later
"""The plate's camera: real focal length and principal point.

The camera stands at the world's origin and looks along +Y. The sensor's width is 36 mm, whatever the real one was: only
its ratio to the focal length can be known from a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from dvp_core.data.camera import Camera
from dvp_core.maths.frames import BLENDER_WORLD_FROM_OPENGL_CAMERA

SENSOR_WIDTH_MM = 36.0


@dataclass(frozen=True)
class Lens:
    """Blender's words for a pinhole camera: focal length in mm, and shifts in widths of the picture."""

    focal_mm: float
    shift_x: float
    shift_y: float


def lens_of(camera: Camera) -> Lens:
    """Return the lens of a camera object whose sensor fits the picture's width."""
    width, height = camera.width_px, camera.height_px
    return Lens(
        focal_mm=camera.focal_px * SENSOR_WIDTH_MM / width,
        shift_x=(width / 2 - camera.principal_px[0]) / width,
        shift_y=(camera.principal_px[1] - height / 2) / width,
    )


def make_camera_object(camera: Camera, *, name: str) -> bpy.types.Object:
    """Return an unlinked camera object that sees what the plate's camera saw."""
    lens = lens_of(camera)
    data = bpy.data.cameras.new(name)
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_WIDTH_MM
    data.lens = lens.focal_mm
    data.shift_x = lens.shift_x
    data.shift_y = lens.shift_y
    data.clip_start = 0.01
    data.display_size = 0.1
    camera_object = bpy.data.objects.new(name, data)
    matrix = np.eye(4)
    matrix[:3, :3] = BLENDER_WORLD_FROM_OPENGL_CAMERA
    camera_object.matrix_world = Matrix(matrix.tolist())  # bare lists would be taken as columns
    return camera_object


def pinhole_of(camera_object: bpy.types.Object, remembered: Camera) -> Camera:
    """Return the plate's camera as the scene has it now.

    A lens that was not touched since the import gives the take's own numbers, which Blender's float32 would round.
    """
    data = camera_object.data
    lens = lens_of(remembered)
    expected = np.array([lens.focal_mm, lens.shift_x, lens.shift_y, SENSOR_WIDTH_MM], np.float32)
    actual = np.array([data.lens, data.shift_x, data.shift_y, data.sensor_width], np.float32)
    if np.array_equal(expected, actual):
        return remembered
    width, height = remembered.width_px, remembered.height_px
    return Camera(
        focal_px=data.lens * width / data.sensor_width,
        principal_px=(width / 2 - data.shift_x * width, height / 2 + data.shift_y * width),
        width_px=width,
        height_px=height,
    )
