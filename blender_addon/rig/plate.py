# SPDX-License-Identifier: GPL-3.0-or-later
"""The plate behind the rig: movie or numbered pictures, at their frames and in their own colours.

Blender draws a camera's pictures in that camera's view only. The plate is drawn as it was encoded, past the scene's
view transform, so that it shows the colours that the tracker and the generator see.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import bpy

from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError

from .memory import remembered_take
from .timing import scene_frame

TRUE_VIEW = "Standard"
"""The view transform that shows colours as they are encoded."""
_MARK = "dvp_plate"
_ENCODED = "sRGB"
_MOVIE_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mxf"}
_PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".exr", ".tif", ".tiff", ".dpx", ".bmp"}
_OWN_COLORS = {".exr", ".dpx"}  # not encoded for a display, so Blender's own choice of their colour space holds


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


def show_plate(rig: bpy.types.Object, plate: Path | str) -> bpy.types.Image:
    """Show a movie or image sequence behind the rig at the take's frames, in place of the plate it had.

    Raises:
        DataError: No movie or sequence is there, or the rig has lost its camera or take.
    """
    plate = Path(plate)
    take = remembered_take(rig)
    find_plate(take.clip, Path(), plate)
    camera = rig.dvp_rig.camera
    if camera is None or camera.type != "CAMERA":
        raise DataError("has lost its camera", where=rig.name, remedy="Import the take again")
    image, first_picture = load_plate(plate, take.clip)
    background = plate_of(rig) or _new_background(camera)
    background.image = image
    user = background.image_user
    user.frame_start = scene_frame(rig, take.clip.start_frame)
    user.frame_duration = take.clip.frame_count
    # Blender shows picture number (scene frame - frame_start + 1 + frame_offset); a movie's first is 1.
    user.frame_offset = first_picture - 1
    user.use_auto_refresh = True
    camera.data.show_background_images = True
    return image


def plate_of(rig: bpy.types.Object) -> Any:
    """Return the camera background that shows the rig's plate, or None."""
    camera = rig.dvp_rig.camera
    if camera is None or camera.type != "CAMERA":
        return None
    shown = (picture for picture in camera.data.background_images if picture.image is not None)
    return next((picture for picture in shown if picture.image.get(_MARK)), None)


def load_plate(plate: Path, clip: Clip) -> tuple[bpy.types.Image, int]:
    """Return the plate as Blender's image in its own colours, and the number of the picture at the take's first frame.

    Where the plate has pictures of all the take's numbers, those are shown; a take of a part of the plate starts within
    it. Otherwise, as for pictures that were numbered anew, its first picture is the take's first.
    """
    files = sequence_files(plate)
    image = bpy.data.images.load(str(files[0] if files else plate), check_existing=True)
    image.source = "SEQUENCE" if files else "MOVIE"
    image.use_view_as_render = False
    if Path(image.filepath).suffix.lower() not in _OWN_COLORS:
        image.colorspace_settings.name = _ENCODED
    image[_MARK] = True
    first, last = (_number_of(files[0]), _number_of(files[-1])) if files else (1, image.frame_duration)
    is_same_numbers = first <= clip.frames.first and clip.frames.last <= last
    return image, clip.frames.first if is_same_numbers else first


def plate_file(rig: bpy.types.Object) -> Path | None:
    """Return the file of the movie that the rig shows as its plate; None where it shows none, or pictures."""
    background = plate_of(rig)
    if background is None or background.image.source != "MOVIE":
        return None
    return Path(bpy.path.abspath(background.image.filepath))


def view_note(scene: bpy.types.Scene) -> str | None:
    """Return what the scene's view transform does to rendered colours, or None where it leaves them alone."""
    view = scene.view_settings.view_transform
    return None if view == TRUE_VIEW else f"View transform '{view}' changes rendered colours, not the plate"


def _new_background(camera: bpy.types.Object) -> Any:
    background = camera.data.background_images.new()
    background.source = "IMAGE"
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "FIT"
    return background


def _is_plate(path: Path) -> bool:
    return bool(sequence_files(path)) or (path.is_file() and path.suffix.lower() in _MOVIE_SUFFIXES)


def sequence_files(plate: Path) -> list[Path]:
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


def whole_sequence(path: Path) -> Path:
    """Return the `####` pattern of the sequence that a numbered picture is of; any other path as it is."""
    runs = list(re.finditer(r"\d+", path.stem))
    if not runs or not path.is_file() or path.suffix.lower() not in _PICTURE_SUFFIXES:
        return path
    number = runs[-1]
    return path.with_name(f"{path.stem[: number.start()]}####{path.stem[number.end() :]}{path.suffix}")


def _number_of(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])
