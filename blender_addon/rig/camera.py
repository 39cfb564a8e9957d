# SPDX-License-Identifier: GPL-3.0-or-later
"""The plate's camera: real focal length and principal point, and the plate itself behind the rig.

The camera stands at the world's origin and looks along +Y. The sensor's width is 36 mm, whatever the real one was: only
its ratio to the focal length can be known from a picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from dvp_core.data.camera import Camera
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.maths.frames import BLENDER_WORLD_FROM_OPENGL_CAMERA

SENSOR_WIDTH_MM = 36.0
_MOVIE_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mxf"}
_PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".exr", ".tif", ".tiff", ".dpx", ".bmp"}


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


def find_plate(clip: Clip, take_path: Path, plate_path: Path | None) -> Path | None:
    """Return where the plate is: the path given, else the clip's name beside the take; None where neither is.

    Raises:
        DataError: A path was given, and no movie or sequence is there.
    """
    if plate_path is None:
        beside = take_path.parent / clip.file_name
        return beside if _is_plate(beside) else None
    if not _is_plate(plate_path):
        raise DataError(
            "there is no plate, neither a movie nor a sequence of pictures",
            where=plate_path,
            remedy="Give the clip that was tracked",
        )
    return plate_path


def _is_plate(path: Path) -> bool:
    return bool(_sequence_files(path)) or (path.is_file() and path.suffix.lower() in _MOVIE_SUFFIXES)


def put_plate_behind(camera_object: bpy.types.Object, plate: Path, clip: Clip) -> bpy.types.Image:
    """Show a movie or image sequence behind everything, its first picture at the take's first frame."""
    files = _sequence_files(plate)
    image = bpy.data.images.load(str(files[0] if files else plate), check_existing=True)
    image.source = "SEQUENCE" if files else "MOVIE"
    background = camera_object.data.background_images.new()
    background.source = "IMAGE"
    background.image = image
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "FIT"
    user = background.image_user
    user.frame_start = clip.start_frame
    user.frame_duration = clip.frame_count
    # Blender shows picture number (scene frame - frame_start + 1 + frame_offset); a movie's first is 1.
    user.frame_offset = _number_of(files[0]) - 1 if files else 0
    user.use_auto_refresh = True
    camera_object.data.show_background_images = True
    return image


def _sequence_files(plate: Path) -> list[Path]:
    """Return the pictures of a folder or `####` pattern in order of their numbers; none for a movie."""
    if plate.is_dir():
        candidates = [path for path in plate.iterdir() if path.suffix.lower() in _PICTURE_SUFFIXES]
    elif "#" in plate.name and plate.parent.is_dir():
        pattern = re.compile(re.sub(r"(\\#|#)+", r"\\d+", re.escape(plate.name)))
        candidates = [path for path in plate.parent.iterdir() if pattern.fullmatch(path.name)]
    elif plate.suffix.lower() in _PICTURE_SUFFIXES and plate.exists():
        candidates = [plate]
    else:
        return []
    return sorted((path for path in candidates if re.search(r"\d", path.stem)), key=_number_of)


def _number_of(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])
