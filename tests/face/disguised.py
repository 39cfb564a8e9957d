"""The built-in face in the clothes of licensed models, so that their importers meet a face one can look at."""

from __future__ import annotations

import pickle
import sys
import types
from dataclasses import dataclass

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.face import built_in_face

FLAME_SKIN_COUNT, FLAME_EYE_COUNT = 3931, 546


@dataclass(frozen=True)
class Cut:
    """Some vertices of the built-in face, in order, and the triangles that need no others."""

    face: FaceModel
    kept: np.ndarray
    triangles: np.ndarray

    def landmark_numbers(self) -> np.ndarray:
        """The kept vertex nearest to each of the 68 points."""
        heaviest = self.face.landmark_barycentric.argmax(axis=1)
        points = self.face.landmark_vertices[np.arange(68), heaviest]
        places = self.face.vertices[points]
        return np.linalg.norm(self.face.vertices[self.kept][None] - places[:, None], axis=-1).argmin(axis=1)


def cut_from(face: FaceModel, kept: np.ndarray) -> Cut:
    """Some vertices of a face; a vertex that is kept twice is used where it comes first."""
    new = np.full(face.vertex_count, -1)
    new[kept[::-1]] = np.arange(len(kept))[::-1]
    triangles = new[face.triangles]
    return Cut(face, kept, triangles[(triangles >= 0).all(axis=1)])


def flame_cut() -> Cut:
    """Skin padded to FLAME's 3931 vertices, then its left and its right eyeball, padded to 546 each."""
    face = built_in_face()
    skin = np.flatnonzero(face.region("face", "mouth_socket", "eye_socket"))
    padded = [np.resize(skin, FLAME_SKIN_COUNT)]
    padded += [np.resize(np.arange(start, stop), FLAME_EYE_COUNT) for start, stop in face.eye_ranges]
    return cut_from(face, np.concatenate(padded))


def flame_arrays() -> dict[str, np.ndarray]:
    """Arrays as FLAME names and shapes them; the expressions are the built-in face's 52, the jaw a joint."""
    cut = flame_cut()
    face, kept = cut.face, cut.kept
    random = np.random.default_rng(5)
    count = len(kept)
    shapedirs = np.zeros((count, 3, 400), np.float32)
    shapedirs[..., : face.identity_count] = np.moveaxis(face.identity_basis[:, kept], 0, 2)
    shapedirs[..., 300 : 300 + face.expression_count] = np.moveaxis(face.expression_basis[:, kept], 0, 2)
    opened = np.linalg.norm(face.expression_basis[face.expression_names.index("jawOpen")][kept], axis=1)
    jaw = np.clip(opened / opened.max() * 1.4, 0, 1) * (np.arange(count) < FLAME_SKIN_COUNT)
    weights = np.zeros((count, 5))
    weights[:, 2] = jaw
    weights[FLAME_SKIN_COUNT:-FLAME_EYE_COUNT, 3] = 1
    weights[-FLAME_EYE_COUNT:, 4] = 1
    weights[:, 1] = 1 - weights.sum(axis=1)
    joints = np.zeros((5, count))
    joints[0, :10] = joints[1, :10] = 0.1
    joints[2, np.argsort(np.linalg.norm(face.vertices[kept] - (0, -0.01, 0.02), axis=1))[:20]] = 0.05
    joints[3, FLAME_SKIN_COUNT:-FLAME_EYE_COUNT] = joints[4, -FLAME_EYE_COUNT:] = 1 / FLAME_EYE_COUNT
    return {
        "v_template": face.vertices[kept],
        "f": cut.triangles.astype(np.uint32),
        "shapedirs": shapedirs,
        "posedirs": random.normal(size=(count, 3, 36)) * 2e-4 * jaw[:, None, None],
        "J_regressor": joints,
        "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
    }


def as_flame_pickle(arrays: dict[str, np.ndarray]) -> bytes:
    """The arrays as FLAME's own file holds them: by an old protocol, with chumpy and scipy objects in it.

    Neither library is needed: the classes are made here under their names and forgotten again.
    """
    column, row = np.nonzero(arrays["J_regressor"].T)
    count = arrays["J_regressor"].shape[1]
    sparse = {
        "_shape": arrays["J_regressor"].shape,
        "data": arrays["J_regressor"][row, column],
        "indices": row.astype(np.int32),
        "indptr": np.searchsorted(column, np.arange(count + 1)).astype(np.int32),
        "maxprint": 50,
    }
    return pickled_under_foreign_names(arrays, {"shapedirs": {"x": arrays["shapedirs"], "_dirty_vars": set()}}, sparse)


def pickled_under_foreign_names(arrays: dict, chumpy: dict[str, dict], sparse: dict) -> bytes:
    """A pickle of the arrays in which the named ones are `chumpy.ch.Ch` and J_regressor is a csc_matrix."""
    modules = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "scipy.sparse.csc")}
    kinds = {}
    for module, name in (("chumpy.ch", "Ch"), ("scipy.sparse.csc", "csc_matrix")):
        kinds[name] = type(name, (), {"__module__": module})
        setattr(modules[module], name, kinds[name])

    def filled(kind: str, state: dict) -> object:
        made = kinds[kind]()
        vars(made).update(state)
        return made

    content = dict(arrays) | {name: filled("Ch", state) for name, state in chumpy.items()}
    content |= {"J_regressor": filled("csc_matrix", sparse), "bs_style": "lbs", "bs_type": "lrotmin"}
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        return pickle.dumps(content, protocol=2)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@dataclass(frozen=True)
class BfmSource:
    """The built-in face as one skin that runs over its eyes, metres; modes are orthogonal, longest first."""

    vertices: np.ndarray
    triangles: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    landmarks: np.ndarray
    colour: np.ndarray
    colour_modes: np.ndarray


def bfm_source() -> BfmSource:
    face = built_in_face()
    cut = cut_from(face, np.flatnonzero(face.region("face", "head", "neck")))
    vertices = face.vertices[cut.kept]
    stacked = [vertices[None], face.identity_basis[:, cut.kept], face.expression_basis[:, cut.kept]]
    fields, triangles = np.concatenate(stacked), cut.triangles
    for center in face.eye_centers:
        fields, triangles = with_closed_eye(fields, triangles, center)
    identity_end = 1 + face.identity_count
    colour = np.resize(face.reflectance_mean[cut.kept], (fields.shape[1], 3))
    colour[len(vertices) :] = 0.6
    random = np.random.default_rng(2)
    return BfmSource(
        vertices=fields[0],
        triangles=triangles,
        identity=orthogonal(fields[1:identity_end]),
        expression=orthogonal(fields[identity_end:]),
        landmarks=cut.landmark_numbers(),
        colour=np.clip(colour, 0, 1) ** (1 / 2.2),
        colour_modes=orthogonal(random.normal(size=(4, *colour.shape)) * 0.01),
    )


def with_closed_eye(fields: np.ndarray, triangles: np.ndarray, center: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fields (N, V, 3) and triangles with the hole before an eyeball filled by rings toward its middle."""
    edges = {(int(a), int(b)) for triangle in triangles for a, b in zip(triangle, np.roll(triangle, -1), strict=True)}
    following = {a: b for b, a in edges if (a, b) not in edges and np.linalg.norm(fields[0, a] - center) < 0.022}
    loop = [next(iter(following))]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    rim = fields[:, loop]
    middle = rim.mean(axis=1, keepdims=True)
    middle[0, 0, 2] += 0.002
    numbers, count = [np.array(loop)], fields.shape[1]
    for share in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9):
        fields = np.concatenate([fields, rim + share * (middle - rim)], axis=1)
        numbers.append(count + np.arange(len(loop)))
        count += len(loop)
    fields = np.concatenate([fields, middle], axis=1)
    added = []
    for outer, inner in zip(numbers, [*numbers[1:], np.full(len(loop), count)], strict=True):
        added += [np.column_stack([outer, np.roll(outer, -1), inner])]
        added += [np.column_stack([inner, np.roll(outer, -1), np.roll(inner, -1)])]
    grown = np.concatenate([triangles, *added])
    is_flat = (grown[:, 0] == grown[:, 2]) | (grown[:, 1] == grown[:, 2]) | (grown[:, 0] == grown[:, 1])
    return fields, grown[~is_flat]


def orthogonal(modes: np.ndarray) -> np.ndarray:
    """Modes (N, V, 3) that span the same, at right angles to each other, the largest first."""
    flat = modes.reshape(len(modes), -1).astype(np.float64)
    size, turn = np.linalg.eigh(flat @ flat.T)
    return (turn.T @ flat)[::-1][: np.sum(size > 1e-12 * size.max())].reshape(-1, *modes.shape[1:])
