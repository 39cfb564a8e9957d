# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rig remembers its take: packed into the .blend, or found as a file by its hash.

Rendering needs more than a Blender mesh holds (double-precision vertices, correspondence, eyes). The take's bytes are
therefore packed into a Text data-block, which no dependency graph ever copies and in whose lines a person can read what
it is. Where packing was declined, the file is looked for at its old path and beside the .blend.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel, read_face_model
from dvp_core.data.take import Take, read_take
from dvp_core.edit import smooth

_BYTES = "take_bytes"
_CACHE_LIMIT = 8
DIAL_DECIMALS = 4
"""A slider holds float32; rounded, its 0.8 is the 0.8 of the command line, and so is every bit that follows."""
_cache: dict[str, Take] = {}  # by content hash, so that it can never be stale
_faces: dict[tuple[str, str], FaceModel] = {}  # of takes that carry none, by the take's hash and the model's path


def remember_take(rig: bpy.types.Object, take: Take, path: Path, *, is_packed: bool) -> None:
    """Write into the rig which take it shows, and pack the take's bytes where asked."""
    settings = rig.dvp_rig
    settings.is_rig = True
    settings.subject = take.subject
    settings.take_path = str(path)
    settings.take_sha256 = settings.imported_sha256 = take.sha256
    settings.smoothing = settings.shown_smoothing = take.smoothing
    settings.is_measured = take.measured is not None
    if is_packed:
        settings.take_text = pack_take(take, path)
    _keep(take)


def pack_take(take: Take, path: Path) -> bpy.types.Text:
    """Return a new Text data-block that carries a take file's bytes and says what it is."""
    text = bpy.data.texts.new(path.name)
    text.write(_description(take, path))
    text[_BYTES] = path.read_bytes()
    _keep(take)
    return text


def packed_take(text: bpy.types.Text, sha256: str) -> Take:
    """Return the take that a Text data-block carries.

    Args:
        text: Made by `pack_take`.
        sha256: Of the take's content.

    Raises:
        DataError: The text lost its bytes, or carries another take.
    """
    if sha256 not in _cache:
        content = text.get(_BYTES)
        if content is not None:
            _keep(_unpacked(content))
    if sha256 not in _cache:
        raise DataError("carries its take no longer", where=f"text '{text.name}'", remedy="Add the performer again")
    return _cache[sha256]


def remember_dial(rig: bpy.types.Object, take: Take) -> None:
    """Write into the rig that it shows its take with the dial of smoothing turned; what is packed stays as it is."""
    settings = rig.dvp_rig
    settings.take_sha256 = take.sha256
    settings.smoothing = settings.shown_smoothing = take.smoothing
    _keep(take)


def imported_take(rig: bpy.types.Object) -> Take:
    """Return the take as it was imported, wherever the dial of smoothing stands now.

    Raises:
        DataError: It is neither packed nor found, or what was found is another take.
    """
    settings = rig.dvp_rig
    sha256 = settings.imported_sha256 or settings.take_sha256
    if sha256 not in _cache:
        _keep(_load(rig))
    if sha256 not in _cache:
        raise DataError(
            "the take of this rig was replaced by another one",
            where=rig.name,
            remedy="Put the take that was imported back, or import the new one",
        )
    return _cache[sha256]


def remembered_take(rig: bpy.types.Object) -> Take:
    """Return the rig's take as it is shown: the imported one, smoothed where the dial was turned since.

    Raises:
        DataError: It is neither packed nor found, or what was found is another take.
    """
    settings = rig.dvp_rig
    if settings.take_sha256 in _cache:
        return _cache[settings.take_sha256]
    take = imported_take(rig)
    if settings.take_sha256 != take.sha256:
        take = smooth(take, round(settings.shown_smoothing, DIAL_DECIMALS))
        # Under the hash of the rig: on another machine the last bit of a sine may differ.
        _keep(take, settings.take_sha256)
    return take


def _keep(take: Take, sha256: str | None = None) -> None:
    while len(_cache) >= _CACHE_LIMIT:
        del _cache[next(iter(_cache))]
    _cache[sha256 or take.sha256] = take


def forget_takes() -> None:
    """Drop every take from memory, so that the next use reads it again."""
    _cache.clear()
    _faces.clear()


def _load(rig: bpy.types.Object) -> Take:
    text = rig.dvp_rig.take_text
    content = text.get(_BYTES) if text is not None else None
    return read_take(_take_file(rig)) if content is None else _unpacked(content)


def _unpacked(content: bytes) -> Take:
    with tempfile.TemporaryDirectory(prefix="dvp-") as folder:
        unpacked = Path(folder) / "packed.take"
        unpacked.write_bytes(content)
        return read_take(unpacked)


def _take_file(rig: bpy.types.Object) -> Path:
    original = Path(bpy.path.abspath(rig.dvp_rig.take_path))
    places = [original]
    if bpy.data.filepath:
        places.append(Path(bpy.data.filepath).parent / original.name)
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"the take '{original.name}' is neither packed nor at {' or '.join(str(place.parent) for place in places)}",
        where=rig.name,
        remedy="Put the take beside the .blend, or import it again with 'Pack Take' on",
    )


def remembered_face(rig: bpy.types.Object) -> FaceModel:
    """Return the face of the rig's take.

    Raises:
        DataError: The take carries none, and its model is not where it was.
    """
    path = rig.dvp_rig.face_model_path
    return face_of(remembered_take(rig), bpy.path.abspath(path) if path else "")


def face_of(take: Take, face_model_path: Path | str) -> FaceModel:
    """Return the take's own face, or the model it was tracked with and its identity.

    Raises:
        DataError: The take carries no face and the model is not given or another one.
    """
    if take.face is not None:
        return take.face
    if not face_model_path:
        raise DataError(
            f"carries no face (the licence of '{take.face_model_id}' forbids it)",
            where=f"take of {take.clip.file_name}",
            remedy="Give the face model it was tracked with",
        )
    key = (take.sha256, str(face_model_path))
    if key not in _faces:
        _faces.clear()
        _faces[key] = _baked_model(take, face_model_path)
    return _faces[key]


def _baked_model(take: Take, path: Path | str) -> FaceModel:
    model = read_face_model(path)
    if model.sha256 != take.face_model_sha256:
        raise DataError(
            f"is not the model of the take ('{take.face_model_id}', {take.face_model_sha256[:12]})",
            where=path,
            remedy="Give the face model the clip was tracked with",
        )
    return model.baked(take.identity)


def _description(take: Take, path: Path) -> str:
    lines = [
        "A take of Deep Video Portraits is packed with this text; its rig needs it to render passes or rebuild layers.",
        f"file: {path.name}",
        f"subject: {take.subject}",
        f"clip: {take.clip.file_name}, {take.clip.width_px} x {take.clip.height_px}, {take.clip.fps} frames/s",
        f"frames: {take.frames}",
        f"face model: {take.face_model_id} {take.face_model_sha256}",
        f"sha256 of the content: {take.sha256}",
    ]
    return "\n".join(lines) + "\n"
