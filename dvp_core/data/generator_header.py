"""What a generator's file says about itself, read without the library of its format.

Blender has neither torch nor safetensors. The format begins with the length of its header (8 bytes, little-endian)
and the header itself, a JSON whose `__metadata__` holds the project's own JSON under `dvp`; weights are never touched.
Format: https://github.com/huggingface/safetensors, 'Format'.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvp_core.data.camera import Crop
from dvp_core.data.coverage import Coverage, coverage_from_dict
from dvp_core.data.errors import DataError
from dvp_core.data.files import open_for_reading, parse_json

GENERATOR_KIND = "dvp-generator"
GENERATOR_VERSION = 2
SUFFIX = ".safetensors"
_LARGEST_HEADER_BYTES = 100_000_000  # the format's own limit
_REMEDY = "Choose a file that `dvp train` wrote"


@dataclass(frozen=True)
class GeneratorHeader:
    """What others than the generator itself need to know of it.

    Attributes:
        preset: Which design.
        crop: The square of the plate it paints.
        face_model_sha256: Face model of the takes it was trained on.
        takes_sha256: Every take it was trained on.
        coverage: What it has seen.
    """

    preset: str
    crop: Crop
    face_model_sha256: str
    takes_sha256: tuple[str, ...]
    coverage: Coverage


@dataclass(frozen=True)
class GeneratorInput:
    """What passes must be for a generator to paint from them.

    Attributes:
        crop: The square of the plate.
        face_model_sha256: The face model that they were drawn from.
    """

    crop: Crop
    face_model_sha256: str


def read_generator_input(path: Path | str) -> GeneratorInput:
    """Return what a generator paints from, whatever else its description lacks.

    Raises:
        DataError: Missing, cut off, no safetensors, or no generator of this version.
    """
    content = _description(path)
    check_is_generator(content, path)
    try:
        return GeneratorInput(crop_of(content), str(content["face_model_sha256"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"has a damaged description ({error!r})", where=path, remedy=_REMEDY) from error


def read_generator_header(path: Path | str) -> GeneratorHeader:
    """Return a generator's description of itself.

    Raises:
        DataError: Missing, cut off, no safetensors, or no generator of this version.
    """
    content = _description(path)
    check_is_generator(content, path)
    try:
        return GeneratorHeader(
            preset=str(content["preset"]),
            crop=crop_of(content),
            face_model_sha256=str(content["face_model_sha256"]),
            takes_sha256=(
                str(content["take_sha256"]),
                *(str(source["take_sha256"]) for source in content.get("further_sources", [])),
            ),
            coverage=coverage_from_dict(content["coverage"], where=path),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"has a damaged description ({error!r})", where=path, remedy=_REMEDY) from error


@dataclass(frozen=True)
class GeneratorSources:
    """What a generator learned from, ancestors' sources not counted.

    Attributes:
        clips_sha256: Every movie.
        takes_sha256: Every take.
        face_model_sha256: Face model of the takes.
    """

    clips_sha256: tuple[str, ...]
    takes_sha256: tuple[str, ...]
    face_model_sha256: str


def read_generator_sources(path: Path | str) -> GeneratorSources:
    """Return what a generator learned from.

    Raises:
        DataError: As `read_generator_header`.
    """
    content = _description(path)
    check_is_generator(content, path)
    try:
        sources = [content, *content.get("further_sources", [])]
        clips, takes = ([str(source[name]) for source in sources] for name in ("clip_sha256", "take_sha256"))
        return GeneratorSources(tuple(clips), tuple(takes), str(content["face_model_sha256"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"has a damaged description ({error!r})", where=path, remedy=_REMEDY) from error


def read_generator_window(path: Path | str) -> int:
    """Return how many frames of passes a generator looks at.

    Raises:
        DataError: See `read_generator_header`.
    """
    content = _description(path)
    check_is_generator(content, path)
    try:
        return int(content["config"]["window"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"has a damaged description ({error!r})", where=path, remedy=_REMEDY) from error


def check_is_generator(content: Mapping[str, Any], path: Path | str) -> None:
    """Refuse the description of anything but a generator of this version.

    Raises:
        DataError: It is something else.
    """
    if content.get("kind") != GENERATOR_KIND or content.get("version") != GENERATOR_VERSION:
        raise DataError(
            f"is no generator of version {GENERATOR_VERSION}",
            where=path,
            remedy=f"{_REMEDY}; train one of an older version again",
        )


def crop_of(content: Mapping[str, Any]) -> Crop:
    """Return the crop that a generator's description names; `KeyError` or `ValueError` where it names none."""
    return Crop(**{key: int(content["crop"][key]) for key in ("x_px", "y_px", "size_px", "resolution_px")})


def _description(path: Path | str) -> dict[str, Any]:
    header = parse_json(_header_bytes(path), where=path)
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    text = metadata.get("dvp") if isinstance(metadata, dict) else None
    content = parse_json(text, where=path) if isinstance(text, str) else None
    if not isinstance(content, dict):
        raise DataError("carries no description of itself", where=path, remedy=_REMEDY)
    return content


def _header_bytes(path: Path | str) -> bytes:
    with open_for_reading(path) as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        room = os.fstat(stream.fileno()).st_size - 8
        if len(start) < 8 or not 2 <= length <= min(room, _LARGEST_HEADER_BYTES):
            raise DataError("is no safetensors file, or is cut off", where=path, remedy=_REMEDY)
        return stream.read(length)
