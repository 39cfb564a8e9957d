"""`dvp model`."""

from __future__ import annotations

from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.data.face_model import FaceModel
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


def _summary(model: FaceModel, path: str) -> dict[str, Any]:
    return {
        "face_model": path,
        "id": model.id,
        "sha256": model.sha256,
        "vertices": model.vertex_count,
        "identity_modes": model.identity_count,
        "expressions": model.expression_count,
    }
