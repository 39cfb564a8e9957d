# SPDX-License-Identifier: GPL-3.0-or-later
"""The passes of the frame a scene stands at: reads the rig, and lets `dvp_core.passes` draw.

The whole plate is drawn as a square crop around it and cut to the plate's shape, so that one function of `dvp_core`
draws everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import bpy
import numpy as np

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.files import sha256_of_arrays
from dvp_core.data.passes import PassFrame
from dvp_core.data.take import Take
from dvp_core.face.posing import pose_vertices
from dvp_core.passes.exr import PASS_CHANNELS, header_attributes
from dvp_core.passes.render import render_pass_frame

from ..rig.camera import pinhole_of
from ..rig.memory import remembered_face, remembered_take
from ..rig.reading import ScenePose, read_pose, rig_of_scene
from ..rig.timing import plate_frame

# What Blender takes the passes for: colours may be shown through a view transform, data may not.
PASS_KINDS = {"color": "COLOR", "corr": "VECTOR", "gaze": "COLOR", "mask": "VALUE", "depth": "VALUE"}


_POSE_FIELDS = ("expression", "head_rotation_wxyz", "head_translation_m", "gaze_rad", "illumination_sh")


@dataclass(frozen=True)
class PosedFrame:
    """One frame of a scene's face, read and not yet drawn.

    Attributes:
        frame: Plate frame number.
        pose: The face.
        camera: The plate's camera as the scene has it.
    """

    frame: int
    pose: ScenePose
    camera: Camera

    @cached_property
    def stamp(self) -> str:
        """Hash of pose and camera: equal stamps give equal passes of one take and frame."""
        arrays = {name: getattr(self.pose, name) for name in _POSE_FIELDS}
        if self.pose.vertices_camera is not None:
            arrays["vertices_camera"] = self.pose.vertices_camera
        camera = self.camera
        arrays["camera"] = np.array([camera.focal_px, *camera.principal_px, camera.width_px, camera.height_px])
        return sha256_of_arrays(arrays)


@dataclass(frozen=True)
class RenderedPasses:
    """One frame, ready for Blender.

    Attributes:
        pictures: By pass name, (H, W, C) float32, first row on top.
        attributes: Texts for the file's header.
        notes: Sentences for the user.
    """

    pictures: dict[str, np.ndarray]
    attributes: dict[str, str]
    notes: tuple[str, ...]


def render_scene_passes(depsgraph: bpy.types.Depsgraph) -> RenderedPasses:
    """Return the passes of an evaluated scene in the area and size the scene asks for.

    Raises:
        DataError: No rig or take, or a size that does not fit the area.
    """
    scene = depsgraph.scene
    rig = rig_of_scene(scene)
    take = remembered_take(rig)
    width_px, height_px = _size_px(scene)
    if scene.dvp.area == "CROP":
        crop = _crop_of(take, width_px, height_px)
    else:
        crop = _square_around_plate(take, width_px, height_px)
    frame = plate_frame(rig, scene.frame_current)
    pass_frame, notes = pass_frame_of_scene(rig, take, depsgraph, frame=frame, crop=crop)
    pictures = {name: _cut(getattr(pass_frame, name), scene, width_px, height_px) for name in PASS_CHANNELS}
    return RenderedPasses(pictures, header_attributes(pass_frame), notes)


def render_plate_color(
    rig: bpy.types.Object, depsgraph: bpy.types.Depsgraph, size_wh: tuple[int, int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the whole plate's colour pass (H, W, 4) float32 with the mask as alpha, first row on top, and notes.

    Args:
        rig: The rig's armature object.
        depsgraph: The scene evaluated where it stands.
        size_wh: Width and height of the picture, of the plate's shape.
    """
    take, frame = remembered_take(rig), plate_frame(rig, depsgraph.scene.frame_current)
    crop = _square_around_plate(take, *size_wh)
    pass_frame, notes = pass_frame_of_scene(rig, take, depsgraph, frame=frame, crop=crop)
    return _fitted(combined(pass_frame.color, pass_frame.mask[..., None]), *size_wh), notes


def combined(color: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the picture that people are shown (H, W, 4): the colour pass over nothing."""
    return np.concatenate([color, mask], axis=2)


def pass_frame_of_scene(
    rig: bpy.types.Object, take: Take, depsgraph: bpy.types.Depsgraph, *, frame: int, crop: Crop
) -> tuple[PassFrame, tuple[str, ...]]:
    """Return the passes of the rig as posed, and notes for the user.

    Args:
        rig: The rig's armature object.
        take: The rig's take.
        depsgraph: The scene evaluated where it shows `frame`.
        frame: Plate frame number.
        crop: The square of the plate to draw.
    """
    posed = posed_frame(rig, take, depsgraph, frame=frame)
    return draw_pass_frame(take, remembered_face(rig), posed, crop=crop), posed.pose.notes


def posed_frame(rig: bpy.types.Object, take: Take, depsgraph: bpy.types.Depsgraph, *, frame: int) -> PosedFrame:
    """Return a rig's face in an evaluated scene.

    Args:
        rig: The rig's armature object.
        take: The rig's take.
        depsgraph: The scene evaluated where it shows `frame`.
        frame: Plate frame number.

    Raises:
        DataError: As `read_pose`.
    """
    pose = read_pose(rig, take, depsgraph)
    return PosedFrame(frame, pose, pinhole_of(rig.dvp_rig.camera.evaluated_get(depsgraph), take.camera))


def draw_pass_frame(take: Take, face: FaceModel, posed: PosedFrame, *, crop: Crop) -> PassFrame:
    """Return the passes of a pose that was read from a scene; Blender is not asked any more, so any thread may draw.

    Args:
        take: The rig's take.
        face: The face that it poses.
        posed: The pose and the camera that sees it.
        crop: The square of the plate to draw.
    """
    return render_pass_frame(
        face,
        vertices_of_pose(take, face, posed.pose),
        posed.camera,
        illumination_sh=posed.pose.illumination_sh,
        reflectance=take.reflectance,
        frame=posed.frame,
        crop=crop,
        take_sha256=take.sha256,
        face_model_sha256=take.face_model_sha256,
    )


def vertices_of_pose(take: Take, face: FaceModel, pose: ScenePose) -> np.ndarray:
    """Return (V, 3) vertices in camera space, by the arithmetic that poses takes, or as Blender evaluated them."""
    if pose.vertices_camera is not None:
        return pose.vertices_camera
    posed = replace(
        take,
        face=face,
        head_rotation_wxyz=pose.head_rotation_wxyz[None],
        head_translation_m=pose.head_translation_m[None],
        expression=pose.expression[None],
        gaze_rad=pose.gaze_rad[None],
        illumination_sh=pose.illumination_sh[None],
    )
    return pose_vertices(posed, 0)


def _size_px(scene: bpy.types.Scene) -> tuple[int, int]:
    render = scene.render
    scale = render.resolution_percentage / 100
    return int(render.resolution_x * scale), int(render.resolution_y * scale)


def _crop_of(take: Take, width_px: int, height_px: int) -> Crop:
    if width_px != height_px:
        raise DataError(
            f"is {width_px} x {height_px}, and the take's crop is a square",
            where="the scene's resolution",
            remedy=f"Set {take.crop.resolution_px} x {take.crop.resolution_px}, or choose the area 'Plate'",
        )
    return replace(take.crop, resolution_px=width_px)


def _square_around_plate(take: Take, width_px: int, height_px: int) -> Crop:
    """Return a square that holds the plate in its top left corner, at the scene's scale."""
    plate_width, plate_height = take.clip.width_px, take.clip.height_px
    if abs(height_px - plate_height * width_px / plate_width) > 1:
        raise DataError(
            f"is {width_px} x {height_px}, which has not the plate's shape ({plate_width} x {plate_height})",
            where="the scene's resolution",
            remedy=f"Set {plate_width} x {plate_height}; the percentage may be any",
        )
    if plate_width >= plate_height:
        return Crop(0, 0, plate_width, width_px)
    return Crop(0, 0, plate_height, height_px)


def _cut(picture: np.ndarray, scene: bpy.types.Scene, width_px: int, height_px: int) -> np.ndarray:
    """Return (H, W, C): the square cut to the scene's size, or to its render border."""
    channels = picture if picture.ndim == 3 else picture[..., None]
    whole = _fitted(channels, width_px, height_px)
    render = scene.render
    if not (render.use_border and render.use_crop_to_border):
        return whole
    left, right = int(render.border_min_x * width_px), int(render.border_max_x * width_px)
    bottom, top = int(render.border_min_y * height_px), int(render.border_max_y * height_px)
    return whole[height_px - top : height_px - bottom, left:right]


def _fitted(channels: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Cut to the size; a plate whose scaled side is no whole pixel may lack one row or column, which stays empty."""
    cut = channels[:height_px, :width_px]
    missing = (height_px - cut.shape[0], width_px - cut.shape[1])
    return np.pad(cut, ((0, missing[0]), (0, missing[1]), (0, 0)))
