"""A person's reflectance, vertex by vertex, from the key frames, and the light of each of them.

Alternates light (given reflectance) and reflectance (given light); where nothing was seen the model's own reflectance
stands, corrected like the nearest skin that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.face import evaluate, vertex_normals
from dvp_core.maths.projection import project
from dvp_core.maths.spherical_harmonics import shade
from dvp_core.tracking.light import estimated_light
from dvp_core.tracking.picture import Picture
from dvp_core.tracking.states import FrameState
from dvp_core.tracking.visibility import depth_picture

LEAST_FACING = 0.15
ROUND_COUNT = 4
ANCHOR = 0.05  # how strongly the model's own reflectance holds, in observations under unit light


@dataclass(frozen=True)
class PersonAppearance:
    """What a person's skin looks like.

    Attributes:
        reflectance: (V, 3) linear, 0..1.
        spread: (V,) how far the key frames disagree about a vertex's colour; infinite where none saw it.
        lights: (K, 9, 3), the key frames' lights.
    """

    reflectance: np.ndarray
    spread: np.ndarray
    lights: np.ndarray


@dataclass(frozen=True)
class _Sight:
    """One key frame as seen by all vertices."""

    colours: np.ndarray
    normals_camera: np.ndarray
    weights: np.ndarray


def estimated_appearance(
    face: FaceModel, frames: Sequence[FrameState], pictures: Sequence[Picture], camera: Camera
) -> PersonAppearance:
    """Return reflectance and lights of a person.

    Args:
        face: The person's face, without identity modes.
        frames: K key frames.
        pictures: Their pictures.
        camera: The plate's camera.
    """
    sights = [_sight(face, frame, picture, camera) for frame, picture in zip(frames, pictures, strict=True)]
    skin = face.region("face")
    reflectance = face.reflectance_mean.astype(np.float64)
    lights = np.zeros((len(sights), 9, 3))
    errors = np.zeros((len(sights), face.vertex_count))
    for _ in range(ROUND_COUNT):
        for number, sight in enumerate(sights):
            used = skin & (sight.weights > 0)
            lights[number] = estimated_light(
                sight.colours[used], reflectance[used], sight.normals_camera[used], sight.weights[used]
            )
        reflectance, errors = _estimated_reflectance(face, sights, lights, errors)
    seen = sum(sight.weights for sight in sights)
    assert isinstance(seen, np.ndarray)
    weights = np.stack([sight.weights for sight in sights])
    spread = np.sqrt((weights * errors**2).sum(axis=0) / np.maximum(seen, 1e-9))
    is_skin = face.region("face", "head", "neck")
    is_seen = (seen > 0.5) & is_skin
    reflectance = _filled(face, reflectance, is_seen, is_skin)
    return PersonAppearance(
        np.clip(reflectance, 0.01, 1.0), np.where(seen > 0.5, spread, np.inf), lights.astype(np.float64)
    )


def _sight(face: FaceModel, frame: FrameState, picture: Picture, camera: Camera) -> _Sight:
    vertices = evaluate(face, expression=frame.expression)
    normals = vertex_normals(vertices, face.triangles) @ frame.rotation.T
    points = vertices @ frame.rotation.T + frame.translation_m
    places_px = project(points, camera)
    facing = -(normals * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    depth = depth_picture(
        face,
        frame,
        camera,
        size=(picture.pixels.shape[0], picture.pixels.shape[1]),
        origin_px=picture.origin_px,
        pixel_size_px=picture.pixel_size_px,
        margin_px=0,
    )
    is_seen = (facing > LEAST_FACING) & depth.is_seen(depth.places(places_px), points[:, 2])
    colours, _ = picture.sample(places_px)
    return _Sight(colours, normals, np.where(is_seen, facing, 0.0))


def _estimated_reflectance(
    face: FaceModel, sights: Sequence[_Sight], lights: np.ndarray, errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return reflectance (V, 3) under the lights, and the new errors (K, V)."""
    scale = np.median(errors[errors > 0]) if (errors > 0).any() else 1.0
    product = ANCHOR * face.reflectance_mean.astype(np.float64)
    square = np.full_like(product, ANCHOR)
    shades = [np.maximum(shade(s.normals_camera, light), 1e-3) for s, light in zip(sights, lights, strict=True)]
    for sight, arriving, error in zip(sights, shades, errors, strict=True):
        weights = (sight.weights / (1 + (error / (2 * scale)) ** 2))[:, None]
        product += weights * arriving * sight.colours
        square += weights * arriving**2
    reflectance = np.clip(product / square, 0.0, 1.5)
    errors = np.stack(
        [np.linalg.norm(s.colours - reflectance * arriving, axis=1) for s, arriving in zip(sights, shades, strict=True)]
    )
    return reflectance, errors


def _filled(face: FaceModel, reflectance: np.ndarray, is_seen: np.ndarray, is_skin: np.ndarray) -> np.ndarray:
    """Spread the correction of the model's reflectance from seen skin over unseen skin; leave eyes and teeth alone."""
    base = np.maximum(face.reflectance_mean.astype(np.float64), 1e-3)
    ratio = np.where(is_seen[:, None], reflectance / base, 0.0)
    weight = is_seen.astype(np.float64)
    corners = face.triangles
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    start, end = np.concatenate([edges, edges[:, ::-1]]).T
    for _ in range(60):
        missing = is_skin & (weight == 0)
        if not missing.any():
            break
        counts = np.bincount(start, weights=weight[end], minlength=len(weight))
        sums = np.stack([np.bincount(start, weights=ratio[end, c], minlength=len(weight)) for c in range(3)], axis=1)
        reached = missing & (counts > 0)
        ratio[reached] = sums[reached] / counts[reached, None]
        weight[reached] = 1.0
    usual = np.median(ratio[is_seen], axis=0) if is_seen.any() else np.ones(3)
    ratio[is_skin & (weight == 0)] = usual
    return np.where(is_skin[:, None], base * ratio, base)


@dataclass(frozen=True)
class SkinPatch:
    """The vertices whose colours are compared a frame, and the triangles around them for their normals.

    Attributes:
        vertices: (N,) numbers in the model.
        around: (M,) numbers of all vertices of the triangles around.
        triangles: (T, 3) numbers into `around`.
        places: (N,) where the compared vertices stand in `around`.
        neutral: (M, 3) and
        expression_basis: (M x 3, E), the linear model of `around`.
    """

    vertices: np.ndarray
    around: np.ndarray
    triangles: np.ndarray
    places: np.ndarray
    neutral: np.ndarray
    expression_basis: np.ndarray

    def chosen(self, which: np.ndarray) -> SkinPatch:
        """Return the patch of some of its vertices, by their numbers, with no more triangles than these need."""
        is_corner = np.zeros(len(self.around), dtype=bool)
        is_corner[self.places[which]] = True
        corners = self.triangles[is_corner[self.triangles].any(axis=1)]
        kept, triangles = np.unique(corners, return_inverse=True)
        basis = self.expression_basis.reshape(len(self.around), -1)[kept]
        return SkinPatch(
            vertices=self.vertices[which],
            around=self.around[kept],
            triangles=triangles.reshape(-1, 3),
            places=np.searchsorted(kept, self.places[which]),
            neutral=self.neutral[kept],
            expression_basis=basis.reshape(3 * len(kept), -1),
        )

    def normals_head(self, expression: np.ndarray) -> np.ndarray:
        """Return unit normals (N, 3) in head space under an expression."""
        points = self.neutral + (self.expression_basis @ expression).reshape(-1, 3)
        return vertex_normals(points, self.triangles)[self.places]


def skin_patch(face: FaceModel, spread: np.ndarray, count: int, *, seed: int = 7) -> SkinPatch:
    """Return a patch of up to `count` vertices of the face that the key frames saw and agreed about.

    Args:
        face: The person's face.
        spread: (V,) see `PersonAppearance`.
        count: How many to compare.
        seed: Of the choice.
    """
    usable = np.flatnonzero(face.region("face") & np.isfinite(spread))
    return patch_around(face, np.sort(np.random.default_rng(seed).permutation(usable)[:count]))


def patch_around(face: FaceModel, vertices: np.ndarray) -> SkinPatch:
    """Return the patch of vertices (N,), ascending, of a person's face."""
    is_chosen = np.zeros(face.vertex_count, dtype=bool)
    is_chosen[vertices] = True
    triangles = face.triangles[is_chosen[face.triangles].any(axis=1)]
    around, corners = np.unique(triangles, return_inverse=True)
    basis = face.expression_basis[:, around].reshape(face.expression_count, -1).T
    return SkinPatch(
        vertices=vertices,
        around=around,
        triangles=corners.reshape(-1, 3),
        places=np.searchsorted(around, vertices),
        neutral=face.vertices[around],
        expression_basis=np.ascontiguousarray(basis, np.float64),
    )
