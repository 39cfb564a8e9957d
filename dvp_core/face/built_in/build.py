"""Puts the built-in face together: millimetres become metres, parts become one `FaceModel`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.face.built_in import anatomy
from dvp_core.face.built_in.expressions import expression_fields
from dvp_core.face.built_in.head import Head, build_head
from dvp_core.face.built_in.identity import identity_fields
from dvp_core.face.built_in.landmarks import place_landmarks
from dvp_core.face.built_in.muscles import prepare
from dvp_core.face.built_in.skin import TURN_WIDTH, lining_uv
from dvp_core.face.correspondence import correspondence_of
from dvp_core.face.evaluation import landmarks_68
from dvp_core.face.expression_names import ARKIT_52
from dvp_core.face.reflectance import PaintedFace, paint

METRES_PER_MM = 0.001
# Linear algebra differs in the last bits from machine to machine; rounded to a micrometre (colours to 1e-5) the model's
# hash is the same everywhere.
_DECIMALS_MM = 3
_COLOUR_DECIMALS = 5
REGION_NAMES = (
    "face",
    "head",
    "neck",
    "mouth_socket",
    "eye_socket",
    "gums",
    "tongue",
    "teeth",
    "eyeball_left",
    "eyeball_right",
)


@cache
def built_in_face() -> FaceModel:
    """The project's own face: about 7,500 vertices, the 52 ARKit expressions; made in seconds, kept in memory."""
    head = build_head()
    muscles = prepare(head)
    model = _bare_model(head, identity_fields(muscles), expression_fields(muscles))
    vertices, weights = place_landmarks(head, model.triangles)
    model = replace(model, landmark_vertices=vertices, landmark_barycentric=weights)
    mean, basis = paint(
        PaintedFace(
            model.vertices,
            model.region_ids,
            model.region_names,
            landmarks_68(model, model.vertices),
            model.eye_centers,
            model.iris_radii,
        )
    )
    return replace(
        model,
        reflectance_mean=_rounded(mean, _COLOUR_DECIMALS),
        reflectance_basis=_rounded(basis, _COLOUR_DECIMALS),
    )


def _bare_model(head: Head, identity_mm: np.ndarray, expression_mm: np.ndarray) -> FaceModel:
    """The model without landmarks and colours."""
    count = len(head.vertices)
    vertices = _rounded(head.vertices, _DECIMALS_MM) * METRES_PER_MM
    uv, polygon_uv = _texture_map(head)
    eye_center = anatomy.EYE_CENTER * METRES_PER_MM
    return FaceModel(
        id="built-in",
        vertices=vertices,
        polygons=head.part.polygons.astype(np.int32),
        uv=uv,
        polygon_uv=polygon_uv,
        identity_basis=(_rounded(identity_mm, _DECIMALS_MM) * METRES_PER_MM).astype(np.float32),
        expression_basis=(_rounded(expression_mm, _DECIMALS_MM) * METRES_PER_MM).astype(np.float32),
        expression_names=ARKIT_52,
        reflectance_mean=np.zeros((count, 3), np.float32),
        reflectance_basis=np.zeros((0, count, 3), np.float32),
        correspondence=correspondence_of(vertices),
        region_ids=np.array([REGION_NAMES.index(str(name)) for name in head.part.regions], dtype=np.uint8),
        region_names=REGION_NAMES,
        landmark_vertices=np.zeros((68, 3), np.int32),
        landmark_barycentric=np.tile(np.array([1, 0, 0], np.float32), (68, 1)),
        eye_centers=np.stack([eye_center, eye_center * (-1, 1, 1)]),
        eye_radii=np.full(2, anatomy.EYEBALL_RADIUS * METRES_PER_MM),
        eye_ranges=head.eye_ranges.astype(np.int32),
        iris_radii=np.full(2, anatomy.IRIS_RADIUS * METRES_PER_MM),
    )


def _rounded(values: np.ndarray, decimals: int) -> np.ndarray:
    """Rounded values without a negative zero, whose sign would depend on the machine."""
    return np.round(values, decimals) + values.dtype.type(0)


def _texture_map(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates and their polygons; along the seam at the back and inside the lips vertices have two."""
    uv, polygons = head.part.uv, head.part.polygons
    corners = np.where(polygons < 0, polygons[:, :1], polygons)
    across = uv[corners, 0]
    is_seam = (across > 0.75) & (across.min(axis=1, keepdims=True) < 0.25)
    is_lining = head.is_region("mouth_socket")[corners]
    is_lip = is_lining.any(axis=1, keepdims=True) & ~is_lining
    polygon_uv, copies = polygons.copy(), [uv]
    for chosen, moved in ((is_seam, uv - (TURN_WIDTH, 0.0)), (is_lip, lining_uv(head.vertices))):
        numbers = np.unique(corners[chosen])
        places = np.full(len(uv), -1)
        places[numbers] = sum(map(len, copies)) + np.arange(len(numbers))
        polygon_uv = np.where(chosen & (polygons >= 0), places[corners], polygon_uv)
        copies.append(moved[numbers])
    return _rounded(np.vstack(copies), _COLOUR_DECIMALS).astype(np.float32), polygon_uv.astype(np.int32)
