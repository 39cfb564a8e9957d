"""How one face model's expressions are said in another's, and its file form `*.map.npz`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays, read_header, take_array, write_arrays

FORMAT_VERSION = 1
_KIND = "expression map"


@dataclass(frozen=True)
class MappedModel:
    """One end of a map.

    Attributes:
        id: The face model's name.
        sha256: Its hash.
        expression_names: Its E expressions.
    """

    id: str
    sha256: str
    expression_names: tuple[str, ...]


@dataclass(frozen=True)
class ExpressionMap:
    """Target weights = `matrix` . source weights, and how well that does.

    Attributes:
        source: The model whose weights are known; S expressions.
        target: The model whose weights are wanted; T expressions.
        matrix: (T, S) float64.
        residual_mm: (S,) float64, root mean square over the face of what the target cannot follow, expression by
            expression at weight 1.
        motion_mm: (S,) float64, root mean square over the face of the expression itself.
    """

    source: MappedModel
    target: MappedModel
    matrix: np.ndarray
    residual_mm: np.ndarray
    motion_mm: np.ndarray

    @property
    def overall_residual_mm(self) -> float:
        """Root mean square of the residuals of all expressions."""
        return float(np.sqrt(np.mean(self.residual_mm**2)))

    @property
    def explained(self) -> float:
        """Share of the expressions' squared motion that the target follows, 0..1."""
        motion = float(np.sum(self.motion_mm**2))
        return 1.0 - float(np.sum(self.residual_mm**2)) / motion if motion else 1.0


def write_expression_map(path: Path | str, found: ExpressionMap) -> None:
    """Write a `*.map.npz`."""
    header = {
        "kind": _KIND,
        "version": FORMAT_VERSION,
        "source": _model_header(found.source),
        "target": _model_header(found.target),
    }
    arrays = {name: getattr(found, name) for name in ("matrix", "residual_mm", "motion_mm")}
    write_arrays(path, arrays, header=header)


def _model_header(model: MappedModel) -> dict[str, object]:
    return {"id": model.id, "sha256": model.sha256, "expression_names": list(model.expression_names)}


def read_expression_map(path: Path | str) -> ExpressionMap:
    """Read a `*.map.npz`.

    Raises:
        DataError: No such file, or no expression map.
    """
    header = read_header(path)
    if not isinstance(header, dict) or (header.get("kind"), header.get("version")) != (_KIND, FORMAT_VERSION):
        raise DataError(
            f"is no {_KIND} of version {FORMAT_VERSION}", where=path, remedy="Make one with 'dvp model map'"
        )
    source, target = (_model_from(header.get(end), end, path) for end in ("source", "target"))
    arrays = read_arrays(path)
    source_count, target_count = len(source.expression_names), len(target.expression_names)
    return ExpressionMap(
        source=source,
        target=target,
        matrix=take_array(arrays, "matrix", (target_count, source_count), np.float64, where=path),
        residual_mm=take_array(arrays, "residual_mm", (source_count,), np.float64, where=path),
        motion_mm=take_array(arrays, "motion_mm", (source_count,), np.float64, where=path),
    )


def _model_from(header: object, end: str, path: Path | str) -> MappedModel:
    if not isinstance(header, dict):
        raise DataError(f"header field '{end}' names no model", where=path)
    names = header.get("expression_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"header field '{end}' holds no list of expression names", where=path)
    return MappedModel(str(header.get("id")), str(header.get("sha256")), tuple(names))
