"""Generators to files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.generator.onnx_export import export_onnx


def export_generator(generator: Path, output: Path) -> dict[str, Any]:
    """Write a `*.safetensors` as `*.onnx` and return what the file says about itself.

    Raises:
        DataError: The output has another ending, the generator cannot be trusted, or the file cannot be written.
    """
    if output.suffix != ".onnx":
        raise DataError("must end in .onnx", where=output, remedy="Name the output person.onnx")
    return export_onnx(generator, output)
