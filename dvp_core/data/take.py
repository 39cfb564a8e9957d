"""A tracked performance, and its file form `*.take`: a zip of `.npy` with `header.json`.

A take is whole: under `face/` it carries the face it was tracked with (identity applied, expression basis as
float16), so that an animator or a farm worker needs no other file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel, face_arrays, face_from_arrays
from dvp_core.data.files import read_arrays, read_header, sha256_of_arrays, take_array, write_arrays
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.measurement import Measurement, measurement_arrays, measurement_from_arrays

FORMAT_VERSION = 1
TRACKED_TAKE = "tracked.take"
"""Name of the performance as tracked where it lies beside exported passes."""
_FACE_PREFIX = "face/"
_MEASURED_PREFIX = "measured/"


@dataclass(frozen=True)
class Take:
    """One person's tracked clip. F frames, E expressions, I identity modes, V vertices.

    Per-frame arrays are float32 so that animation curves hold them exactly. Rotation and translation make up
    `T_camera_head`: head coordinates to camera coordinates (OpenCV's axes, metres).

    Attributes:
        subject: Pseudonym of the person.
        clip: The movie that was tracked.
        camera: Camera of the whole plate.
        crop: The square that the network sees.
        face: The person's face without identity modes, or None where the model's licence forbids carrying it.
        face_model_id: Name of the model it came from.
        face_model_sha256: Hash of the model it came from.
        expression_names: E names.
        identity: (I,) float32, standard deviations.
        reflectance: (V, 3) float32, linear Rec.709.
        head_rotation_wxyz: (F, 4) float32 unit quaternions.
        head_translation_m: (F, 3) float32.
        expression: (F, E) float32.
        gaze_rad: (F, 2, 2) float32: left eye, right eye; yaw positive to +X, pitch positive up, in head space.
        illumination_sh: (F, 9, 3) float32, see `maths/spherical_harmonics.py`.
        is_tracked: (F,) bool; false where no face was found and the parameters are interpolated.
        landmark_error_px: (F,) float32, root mean square.
        photometric_error: (F,) float32, mean RGB distance 0..1.
        consent_sha256: Hash of the consent record, where one was given.
        tool_version: Version of the program that wrote it.
        measured: What the tracker measured before smoothing; None for a performance that was edited or made.
        smoothing: How far the dial is turned by which the performance was smoothed from `measured`, 0..1.
        shot_starts: Plate frames at which a new shot begins after a cut, ascending; empty where there is no cut.
    """

    subject: str
    clip: Clip
    camera: Camera
    crop: Crop
    face: FaceModel | None
    face_model_id: str
    face_model_sha256: str
    expression_names: tuple[str, ...]
    identity: np.ndarray
    reflectance: np.ndarray
    head_rotation_wxyz: np.ndarray
    head_translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray
    illumination_sh: np.ndarray
    is_tracked: np.ndarray
    landmark_error_px: np.ndarray
    photometric_error: np.ndarray
    consent_sha256: str | None = None
    tool_version: str = field(default="")
    measured: Measurement | None = None
    smoothing: float = 0.0
    shot_starts: tuple[int, ...] = ()

    @property
    def frame_count(self) -> int:
        """F."""
        return len(self.head_rotation_wxyz)

    @property
    def frames(self) -> FrameRange:
        """The plate's frame numbers that the take covers."""
        return FrameRange.span(self.clip.start_frame, self.clip.start_frame + self.frame_count - 1)

    def index_of(self, frame: int) -> int:
        """Return the index of a plate frame.

        Raises:
            DataError: The take does not hold that frame.
        """
        index = frame - self.clip.start_frame
        if not 0 <= index < self.frame_count:
            raise DataError(f"frame {frame} lies outside the take's frames {self.frames}")
        return index

    @cached_property
    def sha256(self) -> str:
        """Hash over header and arrays; it does not depend on how the file was packed."""
        arrays, header = _file_form(self)
        from_header = sha256_of_arrays({"header": np.frombuffer(repr(sorted(header.items())).encode(), np.uint8)})
        return sha256_of_arrays(arrays | {"header_sha256": np.frombuffer(from_header.encode(), np.uint8)})


def with_compact_face(face: FaceModel) -> FaceModel:
    """Return a face as a take's file stores it, so that a take in memory and the one read back are equal."""
    return replace(face, expression_basis=face.expression_basis.astype(np.float16).astype(np.float32))


def write_take(path: Path | str, take: Take) -> None:
    """Write a `*.take`."""
    arrays, header = _file_form(take)
    write_arrays(path, arrays, header=header)


def _file_form(take: Take) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays = {name: getattr(take, name) for name in _PER_TAKE}
    arrays["camera_focal_px"] = np.array(take.camera.focal_px, dtype=np.float64)
    arrays["camera_principal_px"] = np.array(take.camera.principal_px, dtype=np.float64)
    header: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "subject": take.subject,
        "clip": _clip_header(take.clip),
        "crop": {key: getattr(take.crop, key) for key in ("x_px", "y_px", "size_px", "resolution_px")},
        "face_model": {"id": take.face_model_id, "sha256": take.face_model_sha256},
        "expression_names": list(take.expression_names),
        "consent_sha256": take.consent_sha256,
        "tool_version": take.tool_version,
        "smoothing": take.smoothing,
        "shot_starts": list(take.shot_starts),
        "face": None,
    }
    if take.measured is not None:
        measured = measurement_arrays(take.measured)
        arrays |= {_MEASURED_PREFIX + name: array for name, array in measured.items()}
    if take.face is not None:
        face, header["face"] = face_arrays(take.face, is_compact=True)
        arrays |= {_FACE_PREFIX + name: array for name, array in face.items()}
    return arrays, header


def _clip_header(clip: Clip) -> dict[str, Any]:
    return {
        "file_name": clip.file_name,
        "sha256": clip.sha256,
        "width_px": clip.width_px,
        "height_px": clip.height_px,
        "fps": f"{clip.fps.numerator}/{clip.fps.denominator}",
        "start_frame": clip.start_frame,
        "frame_count": clip.frame_count,
        "pixel_aspect": f"{clip.pixel_aspect.numerator}/{clip.pixel_aspect.denominator}",
    }


_PER_TAKE: dict[str, tuple[tuple[str | int, ...], type[np.generic]]] = {
    "identity": (("I",), np.float32),
    "reflectance": (("V", 3), np.float32),
    "head_rotation_wxyz": (("F", 4), np.float32),
    "head_translation_m": (("F", 3), np.float32),
    "expression": (("F", "E"), np.float32),
    "gaze_rad": (("F", 2, 2), np.float32),
    "illumination_sh": (("F", 9, 3), np.float32),
    "is_tracked": (("F",), np.bool_),
    "landmark_error_px": (("F",), np.float32),
    "photometric_error": (("F",), np.float32),
}


def read_take(path: Path | str) -> Take:
    """Read a `*.take`.

    Raises:
        DataError: No such file, not a take, or one whose arrays do not fit each other.
    """
    header = read_header(path)
    if not isinstance(header, dict) or header.get("version") != FORMAT_VERSION:
        raise DataError(f"is no take of version {FORMAT_VERSION}", where=path, remedy="Track the clip again")
    arrays = read_arrays(path)
    try:
        return _take_from(header, arrays, path)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise DataError(f"has a damaged header ({error!r})", where=path, remedy="Track the clip again") from error


def _take_from(header: dict[str, Any], arrays: dict[str, np.ndarray], path: Path | str) -> Take:
    clip = _clip_from(header["clip"])
    expression_names = tuple(str(name) for name in header["expression_names"])
    lengths: dict[str, int] = {"F": clip.frame_count, "E": len(expression_names)}
    checked = {}
    for name, (symbols, dtype) in _PER_TAKE.items():
        expected = tuple(length if isinstance(length, int) else lengths.get(length) for length in symbols)
        checked[name] = take_array(arrays, name, expected, dtype, where=path)
    focal_px = float(take_array(arrays, "camera_focal_px", (), np.float64, where=path))
    principal = take_array(arrays, "camera_principal_px", (2,), np.float64, where=path)
    crop = Crop(**{key: int(header["crop"][key]) for key in ("x_px", "y_px", "size_px", "resolution_px")})
    _check_values(focal_px, crop, checked["head_rotation_wxyz"], path)
    face = _face_from(header["face"], arrays, path)
    measured = _measured_from(arrays, clip.frame_count, len(expression_names), path)
    if face is not None and (
        face.expression_names != expression_names or face.vertex_count != len(checked["reflectance"])
    ):
        raise DataError("its face does not fit its expressions or reflectance", where=path)
    return Take(
        subject=str(header["subject"]),
        clip=clip,
        camera=Camera(focal_px, (float(principal[0]), float(principal[1])), clip.width_px, clip.height_px),
        crop=crop,
        face=face,
        face_model_id=str(header["face_model"]["id"]),
        face_model_sha256=str(header["face_model"]["sha256"]),
        expression_names=expression_names,
        consent_sha256=None if header["consent_sha256"] is None else str(header["consent_sha256"]),
        tool_version=str(header["tool_version"]),
        measured=measured,
        smoothing=float(header.get("smoothing", 0.0)),
        shot_starts=tuple(int(frame) for frame in header.get("shot_starts", [])),
        **checked,
    )


def _measured_from(
    arrays: dict[str, np.ndarray], frame_count: int, expression_count: int, path: Path | str
) -> Measurement | None:
    own = _members(arrays, _MEASURED_PREFIX)
    if not own:
        return None
    where = f"{path}/measured"
    return measurement_from_arrays(own, frame_count=frame_count, expression_count=expression_count, where=where)


def _members(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _check_values(focal_px: float, crop: Crop, rotation_wxyz: np.ndarray, path: Path | str) -> None:
    if focal_px <= 0:
        raise DataError(f"camera_focal_px is {focal_px}, expected a positive length", where=path)
    if not (0 < crop.size_px <= 1 << 16 and 0 < crop.resolution_px <= 1 << 13):
        raise DataError(f"crop is {crop}, expected a square of positive size", where=path)
    if np.abs(np.linalg.norm(rotation_wxyz, axis=1) - 1).max(initial=0.0) > 1e-3:
        raise DataError("head_rotation_wxyz holds a quaternion that is not of unit length", where=path)


def _clip_from(header: dict[str, Any]) -> Clip:
    return Clip(
        file_name=str(header["file_name"]),
        sha256=str(header["sha256"]),
        width_px=int(header["width_px"]),
        height_px=int(header["height_px"]),
        fps=Fraction(header["fps"]),
        start_frame=int(header["start_frame"]),
        frame_count=int(header["frame_count"]),
        pixel_aspect=Fraction(header["pixel_aspect"]),
    )


def _face_from(header: object, arrays: dict[str, np.ndarray], path: Path | str) -> FaceModel | None:
    if header is None:
        return None
    return face_from_arrays(_members(arrays, _FACE_PREFIX), header, where=f"{path}/face")
