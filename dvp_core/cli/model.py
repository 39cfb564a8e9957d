"""`dvp model`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.cli.progress import shown_progress
from dvp_core.data.face_model import FaceModel
from dvp_core.pipeline.calibrate import calibrate_detector
from dvp_core.pipeline.model import (
    import_bfm_model,
    import_flame_model,
    import_ict_model,
    map_models,
    write_built_in_model,
)


def import_ict(source: Input, output: Output, *, allow_partial: bool = False) -> dict[str, Any]:
    """Import ICT-FaceKit as a face model.

    Args:
        source: The checkout, its FaceXModel folder, or a `.npz` of its arrays.
        output: The `*.face.npz` to write.
        allow_partial: Take a folder that lacks some of the model's modes.
    """
    return _summary(import_ict_model(source, output, allow_partial=allow_partial), str(output))


def import_flame(
    source: Input, output: Output, *, landmarks: Path | None = None, identity_modes: int | None = None
) -> dict[str, Any]:
    """Import FLAME as a face model.

    Args:
        source: The pickle its makers hand out (`generic_model.pkl`), or an `.npz` of its arrays.
        output: The `*.face.npz` to write.
        landmarks: FLAME's `landmark_embedding.npy`, or a text of 68 vertex numbers in iBUG's order.
        identity_modes: How many of the 300 identity modes to keep; all where not given.
    """
    model = import_flame_model(source, output, landmarks=landmarks, identity_modes=identity_modes)
    return _summary(model, str(output))


def import_bfm(
    source: Input,
    output: Output,
    *,
    landmarks: Path | None = None,
    expressions: Path | None = None,
    identity_modes: int | None = None,
) -> dict[str, Any]:
    """Import a Basel Face Model of 2009 or 2017 as a face model.

    Args:
        source: `01_MorphableModel.mat`, or the `.h5` of 2017.
        output: The `*.face.npz` to write.
        landmarks: Text of 68 vertex numbers, counted from 0, in iBUG's order.
        expressions: For 2009: `Exp_Pca.bin`, or a `.mat` with expPC and expEV.
        identity_modes: How many of the identity modes to keep; all where not given.
    """
    model = import_bfm_model(
        source, output, landmarks=landmarks, expressions=expressions, identity_modes=identity_modes
    )
    return _summary(model, str(output))


def built_in(output: Output) -> dict[str, Any]:
    """Write the built-in face as a face model.

    Args:
        output: The `*.face.npz` to write.
    """
    return _summary(write_built_in_model(output), str(output))


def map_expressions(source: Input, target: Input, output: Output) -> dict[str, Any]:
    """Fit how one face model's expressions are said in another's, for `dvp transfer --map`.

    Args:
        source: `*.face.npz` of the performer's take.
        target: `*.face.npz` of the take that shall perform.
        output: The `*.map.npz` to write.
    """
    found = map_models(source, target, output)
    rows = list(zip(found.source.expression_names, found.motion_mm, found.residual_mm, strict=True))
    sys.stderr.write(f"{'expression':<24} {'moves mm':>9} {'left mm':>9}\n")
    for name, motion, residual in rows:
        sys.stderr.write(f"{name:<24} {motion:>9.3f} {residual:>9.3f}\n")
    sys.stderr.write(f"{'all':<24} {'':>9} {found.overall_residual_mm:>9.3f}  ({found.explained:.1%} of it followed)\n")
    return {
        "map": str(output),
        "residual_mm": round(found.overall_residual_mm, 4),
        "explained": round(found.explained, 4),
        "residual_mm_by_expression": {name: round(float(residual), 4) for name, _, residual in rows},
    }


def calibrate(
    output: Output,
    *,
    face_model: Path | None = None,
    weights: Path | None = None,
    subjects: int = 600,
    seed: int = 1,
) -> dict[str, Any]:
    """Measure where MediaPipe sees its points on a face model, on renders of people drawn from the model.

    Args:
        output: The table to write.
        face_model: A `*.face.npz`; the built-in face where not given.
        weights: MediaPipe's `face_landmarker.task`.
        subjects: How many people to draw; each is seen six times.
        seed: Of the draw.
    """
    with shown_progress() as progress:
        made = calibrate_detector(
            face_model, output, weights=weights, subject_count=subjects, seed=seed, progress=progress
        )
    return {
        "table": str(output),
        "model": made.table.model_id,
        "points": len(made.table.numbers),
        "error_mm": round(made.table.error_mm, 3),
        "renders": made.render_count,
        "renders_without_a_face": made.dropped_count,
    }


def _summary(model: FaceModel, path: str) -> dict[str, Any]:
    return {
        "face_model": path,
        "id": model.id,
        "sha256": model.sha256,
        "vertices": model.vertex_count,
        "identity_modes": model.identity_count,
        "expressions": model.expression_count,
    }
