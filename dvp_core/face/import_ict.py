"""Loads the ICT-FaceKit light face model (Li et al. 2020, MIT licence) as a `FaceModel`.

Two sources hold the same numbers: a checkout's `FaceXModel` folder of OBJ files, and one `.npz` with its arrays. The
vertex order of what is kept (0..24590) is the source's; the fluid, blend and occlusion shells and the lashes behind it
are dropped. ICT-FaceKit has no reflectance, so colours are painted (`dvp_core.face.reflectance`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.files import read_arrays
from dvp_core.face.correspondence import correspondence_of
from dvp_core.face.expression_names import canonical_name
from dvp_core.face.eyeballs import IRIS_RADIUS_M, fit_sphere, without_cornea
from dvp_core.face.reflectance import PaintedFace, paint
from dvp_core.face.wavefront import ObjMesh, read_obj, read_obj_vertices

KEPT_VERTEX_COUNT = 24591
METRES_PER_CM = 0.01
# Middles of the cavities in the neutral mesh, which are modelled open.
NOSTRIL_CENTERS_M = ((0.008, 0.0, 0.108), (-0.008, 0.0, 0.108))
REGION_STARTS = (
    ("face", 0),
    ("head", 9409),
    ("mouth_socket", 11248),
    ("eye_socket", 13294),
    ("gums", 14062),
    ("teeth", 17039),
    ("eyeball_left", 21451),
    ("eyeball_right", 23021),
)
EYE_RANGES = ((21451, 23021), (23021, 24591))
# The first component of each eyeball is its outer shell, the second the iris behind the cornea.
SHELL_RANGES = ((21451, 22221), (23021, 23791))
_ARRAY_LIMIT_BYTES = 600_000_000
_REMEDY = "point at the FaceXModel folder of an ICT-FaceKit checkout, or at its .npz"


@dataclass(frozen=True)
class IctArrays:
    """ICT-FaceKit as its files hold it: centimetres, all 26,719 vertices, its own expression names."""

    neutral: np.ndarray
    faces: np.ndarray
    faces_uv: np.ndarray
    uv: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    expression_names: tuple[str, ...]
    landmarks68: np.ndarray


def import_ict(path: str | Path, *, allow_partial: bool = False) -> FaceModel:
    """ICT-FaceKit as a face model: metres, 24,591 vertices, camelCase expression names.

    Args:
        path: The checkout, its FaceXModel folder, or an `.npz` of the same arrays.
        allow_partial: Take a folder in which identity or expression files are missing, with what it has.
    """
    source = Path(path)
    if source.is_dir():
        return _to_face_model(_read_folder(source, allow_partial=allow_partial))
    return _to_face_model(_read_npz(source))


def _read_npz(path: Path) -> IctArrays:
    arrays = read_arrays(path, limit_bytes=_ARRAY_LIMIT_BYTES)
    needed = tuple(IctArrays.__dataclass_fields__)
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise DataError(f"no ICT-FaceKit model: missing {', '.join(missing)}", where=str(path), remedy=_REMEDY)
    numbers = {name: arrays[name] for name in needed if name != "expression_names"}
    ict = IctArrays(expression_names=tuple(str(name) for name in arrays["expression_names"]), **numbers)
    _check_shapes(ict, path)
    return ict


def _check_shapes(ict: IctArrays, path: Path) -> None:
    count = len(ict.neutral)
    expected = {
        "neutral": (count, 3),
        "faces": (len(ict.faces), 4),
        "faces_uv": (len(ict.faces), 4),
        "identity": (len(ict.identity), count, 3),
        "expression": (len(ict.expression_names), count, 3),
        "landmarks68": (68,),
    }
    for name, shape in expected.items():
        actual = getattr(ict, name).shape
        if actual != shape:
            raise DataError(f"{name} has shape {actual}, expected {shape}", where=str(path), remedy=_REMEDY)
    if count < KEPT_VERTEX_COUNT:
        raise DataError(
            f"{count} vertices, an ICT-FaceKit face has at least {KEPT_VERTEX_COUNT}", where=str(path), remedy=_REMEDY
        )
    if ict.faces.max(initial=-1) >= count or ict.landmarks68.max(initial=0) >= KEPT_VERTEX_COUNT:
        raise DataError("a polygon or landmark names a vertex that does not exist", where=str(path), remedy=_REMEDY)


def _read_folder(folder: Path, *, allow_partial: bool) -> IctArrays:
    root = folder / "FaceXModel" if (folder / "FaceXModel").is_dir() else folder
    indices = _read_indices(root / "vertex_indices.json")
    mesh = read_obj(root / "generic_neutral_mesh.obj")
    identity_paths = [root / f"identity{index:03d}.obj" for index in range(100)]
    expression_paths = [root / f"{name}.obj" for name in indices["expressions"]]
    wanted = [*identity_paths, *expression_paths]
    missing = [path.name for path in wanted if not path.is_file()]
    if missing and not allow_partial:
        raise DataError(
            f"{len(missing)} of {len(wanted)} model files are missing, first {missing[0]}",
            where=str(root),
            remedy="fetch the whole FaceXModel folder again (git checkout, or git lfs pull)",
        )
    expression_paths = [path for path in expression_paths if path.is_file()]
    ict = IctArrays(
        neutral=mesh.vertices,
        faces=mesh.polygons,
        faces_uv=mesh.polygon_uv,
        uv=mesh.uv,
        identity=_offsets([path for path in identity_paths if path.is_file()], mesh),
        expression=_offsets(expression_paths, mesh),
        expression_names=tuple(path.stem for path in expression_paths),
        landmarks68=np.asarray(indices["idx_to_landmark_verts"], dtype=np.int32),
    )
    _check_shapes(ict, root)
    return ict


def _read_indices(path: Path) -> dict[str, list]:
    try:
        indices = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"vertex_indices.json cannot be read: {error}", where=str(path), remedy=_REMEDY) from error
    for name in ("expressions", "idx_to_landmark_verts"):
        if not isinstance(indices, dict) or not isinstance(indices.get(name), list):
            raise DataError(f"vertex_indices.json has no list '{name}'", where=str(path), remedy=_REMEDY)
    return indices


def _offsets(paths: list[Path], mesh: ObjMesh) -> np.ndarray:
    """Offsets (N, V, 3) of each file's vertices from the neutral mesh, float32, centimetres."""
    offsets = np.zeros((len(paths), *mesh.vertices.shape), dtype=np.float32)
    for index, path in enumerate(paths):
        vertices = read_obj_vertices(path)
        if vertices.shape != mesh.vertices.shape:
            raise DataError(
                f"{len(vertices)} vertices where the neutral mesh has {len(mesh.vertices)}",
                where=str(path),
                remedy=_REMEDY,
            )
        offsets[index] = vertices - mesh.vertices
    return offsets


def _to_face_model(ict: IctArrays) -> FaceModel:
    count = KEPT_VERTEX_COUNT
    vertices = ict.neutral[:count].astype(np.float64) * METRES_PER_CM
    is_kept = (ict.faces < count).all(axis=1)
    eye_centers, eye_radii = _fit_eyes(vertices)
    region_names, region_ids = _regions()
    iris_radii = np.full(2, IRIS_RADIUS_M)
    landmark_vertices = np.tile(ict.landmarks68.astype(np.int32)[:, None], (1, 3))
    reflectance_mean, reflectance_basis = paint(
        PaintedFace(
            vertices,
            region_ids,
            region_names,
            vertices[ict.landmarks68],
            eye_centers,
            iris_radii,
            nostril_centers=np.array(NOSTRIL_CENTERS_M),
        )
    )
    return FaceModel(
        id="ict-facekit",
        vertices=vertices,
        polygons=ict.faces[is_kept].astype(np.int32),
        uv=ict.uv.astype(np.float32),
        polygon_uv=ict.faces_uv[is_kept].astype(np.int32),
        identity_basis=_in_metres(ict.identity),
        expression_basis=_in_metres(ict.expression),
        expression_names=tuple(canonical_name(name) for name in ict.expression_names),
        reflectance_mean=reflectance_mean,
        reflectance_basis=reflectance_basis,
        correspondence=correspondence_of(vertices),
        region_ids=region_ids,
        region_names=region_names,
        landmark_vertices=landmark_vertices,
        landmark_barycentric=np.tile(np.array([1, 0, 0], dtype=np.float32), (68, 1)),
        eye_centers=eye_centers,
        eye_radii=eye_radii,
        eye_ranges=np.array(EYE_RANGES, dtype=np.int32),
        iris_radii=iris_radii,
    )


def _in_metres(basis_cm: np.ndarray) -> np.ndarray:
    """The kept part of a basis (N, V, 3) in metres, float32."""
    return basis_cm[:, :KEPT_VERTEX_COUNT].astype(np.float32) * np.float32(METRES_PER_CM)


def _regions() -> tuple[tuple[str, ...], np.ndarray]:
    names = tuple(name for name, _ in REGION_STARTS)
    stops = [start for _, start in REGION_STARTS[1:]] + [KEPT_VERTEX_COUNT]
    ids = np.zeros(KEPT_VERTEX_COUNT, dtype=np.uint8)
    for index, ((_, start), stop) in enumerate(zip(REGION_STARTS, stops, strict=True)):
        ids[start:stop] = index
    return names, ids


def _fit_eyes(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (2, 3) and radii (2,) of the spheres that fit the white of each outer shell best."""
    fits = [fit_sphere(without_cornea(vertices[start:stop])) for start, stop in SHELL_RANGES]
    return np.stack([center for center, _ in fits]), np.array([radius for _, radius in fits])
