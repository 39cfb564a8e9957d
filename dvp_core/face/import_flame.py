"""Loads FLAME (Li et al. 2017) from an archive of its arrays as a `FaceModel`.

FLAME's own file is a pickle; `dvp_core.pipeline.pickled_arrays` turns it into such an archive. FLAME opens its mouth by
turning a joint, not by a shape, and a face model is linear: the jaw's turn at a stated angle becomes the shapes
`jawOpen`, `jawLeft` and `jawRight`. Neck and eye joints stay at rest, because head pose and gaze do their work. FLAME
has no reflectance, so colours are painted, and no texture coordinates of its own, so it is unrolled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.files import read_arrays, take_array
from dvp_core.face.assembly import (
    SKIN_REGION_NAMES,
    as_polygons,
    check_upright,
    checked_mode_count,
    cylindrical_uv,
    skin_regions,
)
from dvp_core.face.correspondence import correspondence_of
from dvp_core.face.eyeballs import IRIS_RADIUS_M, fit_sphere, without_cornea
from dvp_core.face.landmark_file import LandmarkPlaces, read_landmark_places
from dvp_core.face.reflectance import PaintedFace, paint
from dvp_core.maths.rotations import matrix_from_rotation_vector

VERTEX_COUNT = 5023
IDENTITY_COUNT = 300
EXPRESSION_COUNT = 100
JOINT_COUNT = 5
JAW_JOINT = 2
EYEBALL_RANGES = ((3931, 4477), (4477, 5023))
JAW_OPEN_RAD = 0.40
JAW_ASIDE_RAD = 0.10
# The turn of the jaw joint (axis times angle, radians) that each shape is at weight 1.
JAW_SHAPES = {
    "jawOpen": (JAW_OPEN_RAD, 0.0, 0.0),
    "jawLeft": (0.0, JAW_ASIDE_RAD, 0.0),
    "jawRight": (0.0, -JAW_ASIDE_RAD, 0.0),
}
_UNMOVED_M = 1e-5
_ARRAY_LIMIT_BYTES = 2 << 30
_LANDMARK_REMEDY = (
    "Give --landmarks: FLAME's landmark_embedding.npy, or 68 vertex numbers in iBUG's order as a text; "
    "the model's own file does not say where they lie"
)


@dataclass(frozen=True)
class FlameArrays:
    """FLAME as its file holds it, metres; J joints: root, neck, jaw, left eye, right eye.

    Attributes:
        v_template: (5023, 3).
        f: (T, 3) triangles.
        shapedirs: (5023, 3, 400), identity then expression, one standard deviation each.
        posedirs: (5023, 3, 36), corrections that follow the entries of the joints' rotations less the unit matrix.
        J_regressor: (5, 5023), joints from vertices.
        weights: (5023, 5), how far a vertex follows each joint.
        parents: (5,), each joint's parent; the root's own is not used.
    """

    v_template: np.ndarray
    f: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    J_regressor: np.ndarray
    weights: np.ndarray
    parents: np.ndarray


def import_flame(path: str | Path, *, landmarks: str | Path | None, identity_modes: int | None = None) -> FaceModel:
    """FLAME as a face model with 5023 vertices, numbered expressions and the jaw's shapes.

    Args:
        path: An `.npz` with `v_template`, `f`, `shapedirs`, `posedirs`, `J_regressor`, `weights`, `kintree_table`.
        landmarks: Where the 68 points lie; see `landmark_file.py`.
        identity_modes: How many of the 300 identity modes to keep, the strongest first; None keeps all.

    Raises:
        DataError: Arrays are missing or of other shapes, or no landmarks are given.
    """
    flame = read_flame_arrays(path)
    if landmarks is None:
        raise DataError("no places of the 68 landmarks are given", where=path, remedy=_LANDMARK_REMEDY)
    places = read_landmark_places(landmarks, flame.f, VERTEX_COUNT)
    check_upright(places.on(flame.v_template), landmarks)
    return _to_face_model(flame, places, checked_mode_count(identity_modes, IDENTITY_COUNT, path))


def read_flame_arrays(path: str | Path) -> FlameArrays:
    """Read and check FLAME's arrays.

    Raises:
        DataError: One is missing, of another shape, or points outside another.
    """
    arrays = read_arrays(path, limit_bytes=_ARRAY_LIMIT_BYTES)
    modes = IDENTITY_COUNT + EXPRESSION_COUNT
    floats = {
        name: take_array(arrays, name, shape, np.float64, where=path)
        for name, shape in (
            ("v_template", (VERTEX_COUNT, 3)),
            ("shapedirs", (VERTEX_COUNT, 3, modes)),
            ("posedirs", (VERTEX_COUNT, 3, 9 * (JOINT_COUNT - 1))),
            ("J_regressor", (JOINT_COUNT, VERTEX_COUNT)),
            ("weights", (VERTEX_COUNT, JOINT_COUNT)),
        )
    }
    triangles = take_array(arrays, "f", (None, 3), np.int64, where=path)
    if not len(triangles) or triangles.min() < 0 or triangles.max() >= VERTEX_COUNT:
        raise DataError(f"field 'f' points outside the {VERTEX_COUNT} vertices", where=path)
    return FlameArrays(f=triangles.astype(np.int32), parents=_parents(arrays, path), **floats)


def _parents(arrays: Mapping[str, np.ndarray], path: str | Path) -> np.ndarray:
    parents = take_array(arrays, "kintree_table", (2, JOINT_COUNT), np.int64, where=path)[0]
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:], start=1)):
        raise DataError(f"field 'kintree_table' has parents {parents.tolist()}, not those of FLAME", where=path)
    return parents


def posed(flame: FlameArrays, shaped: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Vertices (5023, 3) of a shaped head whose joints are turned: FLAME's own formula (Li et al. 2017, eq. 1-4).

    Args:
        flame: The model.
        shaped: (5023, 3), template and identity and expression.
        turns: (5, 3) rotation of every joint, axis times angle, radians.
    """
    rotations = np.stack([matrix_from_rotation_vector(turn) for turn in turns])
    joints = flame.J_regressor @ shaped
    corrected = shaped + flame.posedirs @ (rotations[1:] - np.eye(3)).ravel()
    total = np.zeros_like(corrected)
    chain = [(rotations[0], joints[0])]
    for joint in range(1, JOINT_COUNT):
        rotation, place = chain[flame.parents[joint]]
        offset = joints[joint] - joints[flame.parents[joint]]
        chain.append((rotation @ rotations[joint], place + rotation @ offset))
    for joint, (rotation, place) in enumerate(chain):
        total += flame.weights[:, joint, None] * ((corrected - joints[joint]) @ rotation.T + place)
    return total


def _jaw_shapes(flame: FlameArrays) -> dict[str, np.ndarray]:
    """Offsets (5023, 3) of the turned jaw, of the mean head; a model whose jaw does not turn has none."""
    shapes = {}
    for name, turn in JAW_SHAPES.items():
        turns = np.zeros((JOINT_COUNT, 3))
        turns[JAW_JOINT] = turn
        offsets = posed(flame, flame.v_template, turns) - flame.v_template
        if np.abs(offsets).max() > _UNMOVED_M:
            shapes[name] = offsets
    return shapes


def _to_face_model(flame: FlameArrays, places: LandmarkPlaces, identity_modes: int) -> FaceModel:
    vertices = flame.v_template
    region_names = (*SKIN_REGION_NAMES, "eyeball_left", "eyeball_right")
    regions = skin_regions(vertices, places.on(vertices), flame.f)
    eye_ranges = _eye_ranges(vertices)
    for side, (start, stop) in enumerate(eye_ranges):
        regions[start:stop] = len(SKIN_REGION_NAMES) + side
    fits = [fit_sphere(without_cornea(vertices[start:stop])) for start, stop in eye_ranges]
    eye_centers = np.stack([center for center, _ in fits])
    iris_radii = np.full(2, IRIS_RADIUS_M)
    painted = PaintedFace(vertices, regions, region_names, places.on(vertices), eye_centers, iris_radii)
    reflectance_mean, reflectance_basis = paint(painted)
    uv, triangle_uv = cylindrical_uv(vertices, flame.f)
    bases = np.moveaxis(flame.shapedirs, 2, 0).astype(np.float32)
    jaw = _jaw_shapes(flame)
    return FaceModel(
        id="flame",
        vertices=vertices,
        polygons=as_polygons(flame.f),
        uv=uv,
        polygon_uv=as_polygons(triangle_uv),
        identity_basis=np.ascontiguousarray(bases[:IDENTITY_COUNT][:identity_modes]),
        expression_basis=np.stack([*bases[IDENTITY_COUNT:], *(shape.astype(np.float32) for shape in jaw.values())]),
        expression_names=(*(f"expression_{number:03d}" for number in range(EXPRESSION_COUNT)), *jaw),
        reflectance_mean=reflectance_mean,
        reflectance_basis=reflectance_basis,
        correspondence=correspondence_of(vertices),
        region_ids=regions,
        region_names=region_names,
        landmark_vertices=places.vertices,
        landmark_barycentric=places.barycentric,
        eye_centers=eye_centers,
        eye_radii=np.array([radius for _, radius in fits]),
        eye_ranges=np.array(eye_ranges, dtype=np.int32),
        iris_radii=iris_radii,
    )


def _eye_ranges(vertices: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last vertex of the subject's left eyeball, then of the right."""
    return sorted(EYEBALL_RANGES, key=lambda ends: -float(vertices[slice(*ends), 0].mean()))
