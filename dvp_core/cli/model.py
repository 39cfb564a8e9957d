"""`dvp model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.cli.progress import shown_progress
from dvp_core.data.face_model import FaceModel
from dvp_core.pipeline.calibrate import calibrate_detector
from dvp_core.pipeline.model import import_ict_model, write_built_in_model


def import_ict(source: Input, output: Output, *, allow_partial: bool = False) -> dict[str, Any]:
    """Import ICT-FaceKit as a face model.

    Args:
        source: The checkout, its FaceXModel folder, or a `.npz` of its arrays.
        output: The `*.face.npz` to write.
        allow_partial: Take a folder that lacks some of the model's modes.
    """
    return _summary(import_ict_model(source, output, allow_partial=allow_partial), str(output))


def built_in(output: Output) -> dict[str, Any]:
    """Write the built-in face as a face model.

    Args:
        output: The `*.face.npz` to write.
    """
    return _summary(write_built_in_model(output), str(output))


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
