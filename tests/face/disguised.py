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
