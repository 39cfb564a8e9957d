"""A generator as ONNX, for programs that run networks without torch: its weights and what its file says about itself.

What is written is the network as it was trained, in float32, with any number of windows at a time. A window enters
as `current` and, where there is one, `history` (`networks/window.py`); `image` comes out, RGB, nominally in [-1, 1].
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_atomically
from dvp_core.data.passes import CHANNELS_PER_FRAME
from dvp_core.generator.checkpoint import read_generator
from dvp_core.generator.networks import NetworkConfig, Window

OPERATOR_SET = 17
METADATA_KEY = "dvp"


def export_onnx(generator: Path | str, output: Path | str) -> dict[str, Any]:
    """Write a generator's `*.safetensors` as `*.onnx` and return what its metadata say.

    The metadata's key `dvp` holds the JSON of the `*.safetensors`: preset, shape, crop, hashes, coverage, record.

    Raises:
        DataError: No generator that can be trusted, a file that cannot be written, or the extra `onnx` is missing.
    """
    if find_spec("onnx") is None:
        raise DataError(
            "the package 'onnx' is not installed",
            where="export to ONNX",
            remedy="Install the extra: pip install 'deep-video-portraits[onnx]'",
        )
    network, facts = read_generator(generator)
    described = asdict(facts) | {"kind": "dvp-generator-onnx", "version": 1}
    write_atomically(output, lambda temporary: _write(temporary, network, facts.config, described))
    return described


def _write(path: Path, network: nn.Module, config: NetworkConfig, described: Mapping[str, Any]) -> None:
    import onnx  # pyright: ignore[reportMissingImports]  # an extra

    inputs = example_inputs(config)
    names = ["current", "history"][: len(inputs)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces another exporter, which needs one package more
        torch.onnx.export(
            FlatNetwork(network).eval(),
            inputs,
            str(path),
            input_names=names,
            output_names=["image"],
            dynamic_axes={name: {0: "batch"} for name in (*names, "image")},
            opset_version=OPERATOR_SET,
            dynamo=False,
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: canonical_json(described).decode()})
    onnx.checker.check_model(model)
    onnx.save(model, path)


class FlatNetwork(nn.Module):
    """A network that takes a window's tensors one by one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, current: Tensor, history: Tensor | None = None) -> Tensor:
        """RGB (batch, 3, height, width) of the current frames."""
        if history is None:
            history = current[:, :0]
        return self.network(Window(current, history))


def example_inputs(config: NetworkConfig) -> tuple[Tensor, ...]:
    """Return windows of noise for a network's inputs: two, because a single one would be taken for a constant."""
    side, small = config.resolution_px, config.resolution_px // config.history_scale
    current = torch.rand(2, CHANNELS_PER_FRAME, side, side) * 2 - 1
    if config.window == 1:
        return (current,)
    return current, torch.rand(2, CHANNELS_PER_FRAME * (config.window - 1), small, small) * 2 - 1
