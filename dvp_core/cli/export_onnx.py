"""`dvp export-onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.pipeline.onnx import export_generator


def export(generator: Input, output: Output) -> dict[str, Any]:
    """Write a generator as ONNX, for programs that run networks without this one.

    Args:
        generator: The person's `*.safetensors`.
        output: The `*.onnx`.
    """
    facts = export_generator(Path(generator), Path(output))
    return {"onnx": str(output), "preset": facts["preset"], "resolution_px": facts["config"]["resolution_px"]}
