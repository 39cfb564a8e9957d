"""Tables of where detectors see their points on a face model, measured once on renders (`dvp model calibrate`)."""

from __future__ import annotations

from pathlib import Path

from dvp_core.data.detector_table import DetectorTable, read_detector_table
from dvp_core.data.face_model import FaceModel

_FOLDER = Path(__file__).parent


def detector_table(model: FaceModel) -> DetectorTable | None:
    """Return MediaPipe's table for a model, or None where the model was never calibrated or was cut since."""
    path = _FOLDER / f"{model.id}.mediapipe.npz"
    if not path.is_file():
        return None
    table = read_detector_table(path)
    return table if fits(table, model) else None


def fits(table: DetectorTable, model: FaceModel) -> bool:
    """Return whether a table was made for a model of these expressions and identity modes."""
    is_same = table.expression_names == model.expression_names and table.identity_mm.shape[2] == model.identity_count
    return is_same and int(table.vertices.max(initial=0)) < model.vertex_count
