"""Where the built-in actor's files lie, and the truth that was rendered.

The truth is given in a take's conventions (see `dvp_core.data.take`), so that a tracked take can be held against it
array by array. The light is no part of it: Cycles used lamps, not spherical harmonics.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays, read_header, take_array, write_arrays

FORMAT_VERSION = 1
_FOLDER = Path(__file__).parent
_SHAPES: dict[str, tuple[tuple[str | int, ...], type[np.generic]]] = {
    "identity": (("I",), np.float32),
    "reflectance": (("V", 3), np.float32),
    "head_rotation_wxyz": (("F", 4), np.float32),
    "head_translation_m": (("F", 3), np.float32),
    "expression": (("F", "E"), np.float32),
    "gaze_rad": (("F", 2, 2), np.float32),
    "landmarks_px": (("F", 68, 2), np.float32),
}


@dataclass(frozen=True)
class ActorTruth:
    """What was rendered. F frames, E expressions, I identity modes, V vertices.

    Attributes:
        camera: Camera of the whole clip.
        fps: Frame rate.
        face_model_id: Name of the face model.
        face_model_sha256: Hash of the face model whose shape the clip shows.
        expression_names: E names.
        identity: (I,) standard deviations.
        reflectance: (V, 3) linear Rec.709.
        head_rotation_wxyz: (F, 4) of `T_camera_head`.
        head_translation_m: (F, 3) of `T_camera_head`.
        expression: (F, E) weights.
        gaze_rad: (F, 2, 2) left and right eye, yaw and pitch in head space.
        landmarks_px: (F, 68, 2) exact places of the 68 points; the landmark file has a detector's errors added.
    """

    camera: Camera
    fps: Fraction
    face_model_id: str
    face_model_sha256: str
    expression_names: tuple[str, ...]
    identity: np.ndarray
    reflectance: np.ndarray
    head_rotation_wxyz: np.ndarray
    head_translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray
    landmarks_px: np.ndarray

    @property
    def frame_count(self) -> int:
        """F."""
        return len(self.head_rotation_wxyz)


def actor_clip_path() -> Path:
    """Return the movie: 256 x 256, 25 frames a second, with sound."""
    return _existing("actor.mp4")


def actor_landmarks_path() -> Path:
    """Return the 68 landmarks of every frame, as a detector would give them."""
    return _existing("actor.landmarks.npz")


def actor_consent_path() -> Path:
    """Return the consent record that goes with the clip."""
    return _existing("actor.consent.json")


def actor_truth() -> ActorTruth:
    """Return what was rendered."""
    return read_truth(_existing("actor.truth.npz"))


def write_truth(path: Path | str, truth: ActorTruth) -> None:
    """Write a `*.truth.npz`."""
    camera = truth.camera
    header = {
        "version": FORMAT_VERSION,
        "fps": f"{truth.fps.numerator}/{truth.fps.denominator}",
        "focal_px": camera.focal_px,
        "principal_px": list(camera.principal_px),
        "size_wh": [camera.width_px, camera.height_px],
        "face_model": {"id": truth.face_model_id, "sha256": truth.face_model_sha256},
        "expression_names": list(truth.expression_names),
    }
    write_arrays(path, {name: getattr(truth, name) for name in _SHAPES}, header=header)


def read_truth(path: Path | str) -> ActorTruth:
    """Read a `*.truth.npz`.

    Raises:
        DataError: No such file, or another content.
    """
    header, arrays = read_header(path), read_arrays(path)
    try:
        width_px, height_px = header["size_wh"]
        principal_x, principal_y = header["principal_px"]
        names = tuple(str(name) for name in header["expression_names"])
        camera = Camera(
            float(header["focal_px"]), (float(principal_x), float(principal_y)), int(width_px), int(height_px)
        )
        return ActorTruth(
            camera=camera,
            fps=Fraction(header["fps"]),
            face_model_id=str(header["face_model"]["id"]),
            face_model_sha256=str(header["face_model"]["sha256"]),
            expression_names=names,
            **_checked(arrays, len(names), path),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise DataError(f"has a damaged header ({error!r})", where=path) from error


def _checked(arrays: dict[str, np.ndarray], expression_count: int, path: Path | str) -> dict[str, np.ndarray]:
    lengths: dict[str, int | None] = {"E": expression_count, "F": len(arrays.get("head_rotation_wxyz", ()))}
    checked = {}
    for name, (symbols, dtype) in _SHAPES.items():
        expected = tuple(length if isinstance(length, int) else lengths.get(length) for length in symbols)
        checked[name] = take_array(arrays, name, expected, dtype, where=path)
    return checked


def _existing(name: str) -> Path:
    path = _FOLDER / name
    if not path.is_file():
        raise DataError(
            "the built-in actor's file is missing",
            where=path,
            remedy="Install the package again, or make it: python tools/built_in_actor/render.py",
        )
    return path
