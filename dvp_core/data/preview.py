"""A request for the generator's frame of a pose that was never exported, as it travels from Blender to a worker.

File form: a zip that holds `header.json` (generator and consent as `root:relative`) and one member for each frame of
the window, itself a zip of arrays. So a frame that has not changed since the last request is packed once, and a head
looks at names and sizes without unpacking a picture.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.files import (
    arrays_from_bytes,
    arrays_to_bytes,
    canonical_json,
    header_of,
    opened_archive,
    take_array,
)
from dvp_core.data.passes import PassFrame

SCHEMA_VERSION = 1
REQUEST_LIMIT_BYTES = 64 << 20
"""Eleven frames of 256 x 256 pixels, more than half of them face, were 6.5 MB."""
_IMAGES = ("color", "corr", "gaze")
_WHERE = "preview"
_MOST_FRAMES = 64
_LARGEST_FRAME_BYTES = 64 << 20
_CROP = ("x_px", "y_px", "size_px", "resolution_px")
_LARGEST_SIDE_PX = 2048
_LARGEST_NUMBER = 10**9
_REMEDY = "Ask with an add-on and a farm of one version"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PreviewRequest:
    """What a preview is painted from.

    Attributes:
        generator: The `*.safetensors` as `root:relative`.
        frames: Packed pass frames of the window (`pack_pass_frame`), oldest first; the last is the one to paint.
        consent: The person's consent record as `root:relative`, where there is one.
    """

    generator: str
    frames: tuple[bytes, ...]
    consent: str | None = None


def pack_pass_frame(pass_frame: PassFrame) -> bytes:
    """Return one frame of a window as bytes: the images that a generator sees, float32 as they are, and whose they are.

    Mask and depth stay behind, since no generator sees them.
    """
    crop = pass_frame.crop
    header = {
        "schema_version": SCHEMA_VERSION,
        "frame": pass_frame.frame,
        "crop": [getattr(crop, name) for name in _CROP],
        "take_sha256": pass_frame.take_sha256,
        "face_model_sha256": pass_frame.face_model_sha256,
    }
    return arrays_to_bytes({name: getattr(pass_frame, name) for name in _IMAGES}, header=header)


def unpack_pass_frame(content: bytes) -> PassFrame:
    """Return one frame of a window; its mask and depth, which did not travel, are zero.

    Raises:
        DataError: Damaged, too large, holding Python objects, or images that are not float32 of the crop's size.
    """
    arrays, header = arrays_from_bytes(content, where=_WHERE, limit_bytes=_LARGEST_FRAME_BYTES)
    wanted = {"schema_version", "frame", "crop", "take_sha256", "face_model_sha256"}
    _check_fields(header, wanted)
    crop = _crop_of(header["crop"])
    size = crop.resolution_px
    images = {name: _image(arrays, name, size) for name in _IMAGES}
    empty = np.zeros((size, size), np.float32)
    return PassFrame(
        frame=_whole_number(header["frame"], "frame"),
        **images,
        mask=empty,
        depth=empty,
        crop=crop,
        take_sha256=_text(header["take_sha256"], "take_sha256"),
        face_model_sha256=_text(header["face_model_sha256"], "face_model_sha256"),
    )


def request_to_bytes(request: PreviewRequest) -> bytes:
    """Return a request as it goes over the wire; equal requests give equal bytes."""
    buffer = io.BytesIO()
    header = {"schema_version": SCHEMA_VERSION, "generator": request.generator, "consent": request.consent}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("header.json", _EPOCH), canonical_json(header))
        for number, content in enumerate(request.frames):
            archive.writestr(zipfile.ZipInfo(_member(number), _EPOCH), content)
    return buffer.getvalue()


def request_from_bytes(content: bytes) -> PreviewRequest:
    """Return a request that came over the wire; its frames stay packed.

    Raises:
        DataError: Not such a request, damaged, too large, without a frame or with more than any generator takes.
    """
    with opened_archive(_WHERE, limit_bytes=REQUEST_LIMIT_BYTES, content=content) as archive:
        header = header_of(archive, _WHERE)
        count = len(archive.namelist()) - 1
        names = [_member(number) for number in range(count)]
        if not 1 <= count <= _MOST_FRAMES or set(names) | {"header.json"} != set(archive.namelist()):
            raise DataError(f"holds no window of 1 to {_MOST_FRAMES} frames", where=_WHERE, remedy=_REMEDY)
        frames = tuple(archive.read(name) for name in names)
    _check_fields(header, {"schema_version", "generator", "consent"})
    consent = None if header["consent"] is None else _text(header["consent"], "consent")
    return PreviewRequest(_text(header["generator"], "generator"), frames, consent)


def check_window(frames: Sequence[PassFrame]) -> None:
    """Refuse frames that are no window: not consecutive, or not of one crop and face model.

    Raises:
        DataError: Which frame does not fit.
    """
    for offset, frame in enumerate(frames):
        first = frames[0]
        if frame.frame != first.frame + offset:
            raise DataError(f"frame {frame.frame} does not follow those before it", where=_WHERE, remedy=_REMEDY)
        if frame.crop != first.crop or frame.face_model_sha256 != first.face_model_sha256:
            raise DataError(f"frame {frame.frame} is of another crop or face model than the first", where=_WHERE)


def _member(number: int) -> str:
    return f"frames/{number:02d}.zip"


def _check_fields(header: Any, wanted: set[str]) -> None:
    if not isinstance(header, dict) or set(header) != wanted or header["schema_version"] != SCHEMA_VERSION:
        raise DataError(f"is no request of version {SCHEMA_VERSION}", where=_WHERE, remedy=_REMEDY)


def _crop_of(values: Any) -> Crop:
    if not isinstance(values, list) or len(values) != len(_CROP):
        raise DataError("names no crop", where=_WHERE, remedy=_REMEDY)
    crop = Crop(*(_whole_number(value, "crop") for value in values))
    if crop.size_px < 1 or not 1 <= crop.resolution_px <= _LARGEST_SIDE_PX:
        raise DataError(f"has a crop of {crop.resolution_px} px", where=_WHERE, remedy=_REMEDY)
    return crop


def _image(arrays: dict[str, np.ndarray], name: str, size_px: int) -> np.ndarray:
    image = take_array(arrays, name, (size_px, size_px, 3), np.float32, where=_WHERE)
    if arrays[name].dtype != np.float32:
        raise DataError(f"field '{name}' has dtype {arrays[name].dtype}, expected float32", where=_WHERE)
    return image


def _whole_number(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_NUMBER:
        raise DataError(f"field '{name}' holds {str(value)[:40]!r}, expected a whole number", where=_WHERE)
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"field '{name}' is no text", where=_WHERE, remedy=_REMEDY)
    return value
