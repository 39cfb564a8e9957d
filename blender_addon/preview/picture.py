# SPDX-License-Identifier: GPL-3.0-or-later
"""The one preview that is shown: a packed image of the file with the farm's own bytes, and a copy that is drawn from.

The image is called 'Portrait Preview'. It carries the labelled PNG as it came, so that it stays labelled wherever it is
unpacked; it has no users of its own, so Blender leaves it out when the file is saved, unless somebody uses it. Undo may
take it away: what the overlay draws does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from dvp_core.data.camera import Crop

from .window import PosedWindow

IMAGE_NAME = "Portrait Preview"
_MARK = "dvp_preview"


@dataclass(frozen=True)
class PreviewAnswer:
    """A picture that came from the farm.

    Attributes:
        window: What it was painted from.
        edit_count: How often keys had been edited when the window was read.
        generator: What it was painted by, as `root:relative`.
        png: The labelled picture.
        seconds: Where the time went: "draw" here, "wait", "unpack", "paint" and "label" on the farm, "whole" in all.
    """

    window: PosedWindow
    edit_count: int
    generator: str
    png: bytes
    seconds: dict[str, float]


@dataclass
class ShownPreview:
    """The preview on the screen; stale as soon as the scene shows something else than it was painted from.

    Attributes:
        scene_name: The scene it belongs to.
        rig_name: The armature object whose face it shows.
        frame: Plate frame number.
        generator: What it was painted by, as `root:relative`.
        stamp: Hash of its window.
        pose_stamp: Hash of the window's last frame, which is cheap to compare.
        edit_count: How often keys had been edited when the window was read; any of them may lie in it.
        crop: Its square of the plate.
        plate_px: Width and height of the plate.
        pixel_aspect: Width of a pixel of the plate over its height.
        pixels: (R, R, 4) float32, sRGB-encoded, first row lowest.
        seconds: As in `PreviewAnswer`.
        is_stale: Whether the scene shows something else by now.
    """

    scene_name: str
    rig_name: str
    frame: int
    generator: str
    stamp: str
    pose_stamp: str
    edit_count: int
    crop: Crop
    plate_px: tuple[int, int]
    pixel_aspect: float
    pixels: np.ndarray
    seconds: dict[str, float]
    is_stale: bool = False


_shown: list[ShownPreview] = []


def show_answer(answer: PreviewAnswer) -> ShownPreview:
    """Put an answer into the image and make it the one that is shown; the one before is forgotten."""
    window = answer.window
    image = _filled_image(answer.png)
    image[_MARK] = window.stamp
    clip = window.take.clip
    _shown[:] = [
        ShownPreview(
            scene_name=window.scene_name,
            rig_name=window.rig_name,
            frame=window.frames[-1].frame,
            generator=answer.generator,
            stamp=window.stamp,
            pose_stamp=window.frames[-1].stamp,
            edit_count=answer.edit_count,
            crop=window.take.crop,
            plate_px=(clip.width_px, clip.height_px),
            pixel_aspect=float(clip.pixel_aspect),
            pixels=_pixels_of(image),
            seconds=answer.seconds,
        )
    ]
    return _shown[0]


def shown_preview() -> ShownPreview | None:
    """Return the preview that is shown, None where there is none."""
    return _shown[0] if _shown else None


def forget_preview() -> None:
    """Show no preview any more; its image stays where somebody uses it."""
    _shown.clear()
    image = bpy.data.images.get(IMAGE_NAME)
    if image is not None and _MARK in image and image.users == 0:
        bpy.data.images.remove(image)


def _filled_image(png: bytes) -> bpy.types.Image:
    """Return the image with a PNG packed into it; the one there is gets another content, so its users follow."""
    image = bpy.data.images.get(IMAGE_NAME)
    if image is None or _MARK not in image:
        image = bpy.data.images.new(IMAGE_NAME, 1, 1)
        image.colorspace_settings.name = "sRGB"
    image.pack(data=png, data_len=len(png))
    image.source = "FILE"
    image.buffers_free()  # so that the next look decodes what is packed now
    return image


def _pixels_of(image: bpy.types.Image) -> np.ndarray:
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)
