"""Face models: importing a user's, writing the built-in one, and finding the one a take was tracked with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import ExpressionMap, write_expression_map
from dvp_core.data.face_model import FaceModel, read_face_model, write_face_model
from dvp_core.data.take import Take, read_take
from dvp_core.face import built_in_face, import_flame, import_ict
from dvp_core.face.expression_fit import fit_expression_map
from dvp_core.face.import_bfm import bfm_face_model
from dvp_core.pipeline.bfm_files import read_bfm
from dvp_core.pipeline.pickled_arrays import plain_archive


def import_ict_model(source: Path | str, output: Path | str, *, allow_partial: bool = False) -> FaceModel:
    """Import an ICT-FaceKit checkout, its `FaceXModel` folder, or the `.npz` of its arrays, and write `*.face.npz`."""
    model = import_ict(source, allow_partial=allow_partial)
    write_face_model(output, model)
    return model


def import_flame_model(
    source: Path | str,
    output: Path | str,
    *,
    landmarks: Path | str | None = None,
    identity_modes: int | None = None,
) -> FaceModel:
    """Import FLAME and write `*.face.npz`.

    Args:
        source: The pickle its makers hand out, or an `.npz` of its arrays.
        output: The `*.face.npz` to write.
        landmarks: Where the 68 points lie: FLAME's embedding, pickled or not, or 68 vertex numbers.
        identity_modes: How many identity modes to keep, the strongest first; None keeps all.

    Raises:
        DataError: Not such files, or no landmarks.
    """
    with tempfile.TemporaryDirectory() as folder:
        arrays, places = plain_archive(source, Path(folder)), landmarks
        if landmarks is not None and Path(landmarks).suffix in (".npy", ".pkl"):
            places = plain_archive(landmarks, Path(folder))
        with _errors_of({str(arrays): source, str(places): landmarks}):
            model = import_flame(arrays, landmarks=places, identity_modes=identity_modes)
    write_face_model(output, model)
    return model


@contextmanager
def _errors_of(original: Mapping[str, Path | str | None]) -> Iterator[None]:
    """Name the user's own file in errors about what was made of it."""
    try:
        yield
    except DataError as error:
        where = original.get(error.where or "") or error.where
        raise DataError(error.what, where=where, remedy=error.remedy) from error


def import_bfm_model(
    source: Path | str,
    output: Path | str,
    *,
    landmarks: Path | str | None = None,
    expressions: Path | str | None = None,
    identity_modes: int | None = None,
) -> FaceModel:
    """Import a Basel Face Model and write `*.face.npz`.

    Args:
        source: `01_MorphableModel.mat` of 2009, or an `.h5` of 2017.
        output: The `*.face.npz` to write.
        landmarks: Text of the 68 points' vertex numbers.
        expressions: For 2009, which has none: `Exp_Pca.bin`, or a `.mat` with `expPC` and `expEV`.
        identity_modes: How many identity modes to keep, the strongest first; None keeps all.

    Raises:
        DataError: Not such files, or no landmarks.
    """
    bfm = read_bfm(source, expressions=expressions)
    model = bfm_face_model(bfm, landmarks=landmarks, identity_modes=identity_modes, where=source)
    write_face_model(output, model)
    return model


def write_built_in_model(output: Path | str) -> FaceModel:
    """Write the built-in face as `*.face.npz`."""
    model = built_in_face()
    write_face_model(output, model)
    return model


def map_models(source: Path | str, target: Path | str, output: Path | str) -> ExpressionMap:
    """Fit how the expressions of one `*.face.npz` are said in another, and write `*.map.npz`.

    Args:
        source: The model whose performances are to be carried.
        target: The model that shall perform them.
        output: The `*.map.npz` to write.
    """
    found = fit_expression_map(read_face_model(source), read_face_model(target))
    write_expression_map(output, found)
    return found


def load_face_model(path: Path | str | None) -> FaceModel:
    """Return the model of a file, or the built-in face where none is given."""
    return built_in_face() if path is None else read_face_model(path)


def load_take(path: Path | str, *, face_model: Path | str | None = None) -> Take:
    """Read a take together with its face.

    Args:
        path: The `*.take`.
        face_model: The `*.face.npz` it was tracked with; needed only where the take may not carry its face.

    Raises:
        DataError: The take lacks its face and no model, or another model, is given.
    """
    take = read_take(path)
    if take.face is not None:
        return take
    if face_model is None:
        raise DataError(
            f"does not carry its face ('{take.face_model_id}')", where=path, remedy="Give the model by --face-model"
        )
    model = read_face_model(face_model)
    if model.sha256 != take.face_model_sha256:
        raise DataError(
            f"was tracked with another face model ('{take.face_model_id}', {take.face_model_sha256[:12]})",
            where=path,
            remedy=f"Give the model it was tracked with; {face_model} is '{model.id}', {model.sha256[:12]}",
        )
    return replace(take, face=model.baked(take.identity))
