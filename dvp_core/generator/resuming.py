"""A training run's state on disk, so that an interrupted run goes on to the very same weights.

The order of frames and dropout follow from seed and step number, so weights, their average, the optimisers' moments
and the counters are all there is. Plain safetensors, never pickle.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dvp_core.data.errors import DataError
from dvp_core.generator.checkpoint import opened_tensors, read_header, read_tensors, write_tensors
from dvp_core.generator.steps import TrainingState

_KIND = "dvp-training-state"
_NUMBERS = {"step": int, "elapsed_s": float, "best_error": float, "best_step": int, "checks_since_best": int}
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save_state(path: Path, state: TrainingState, run: dict[str, Any], record: list[dict[str, float]]) -> None:
    """Write the state of a run.

    Args:
        path: The file.
        state: What to save.
        run: What identifies the run; another run's state is never taken up.
        record: The measurements so far.
    """
    numbers = {name: getattr(state, name) for name in _NUMBERS}
    if math.isinf(state.best_error):
        numbers["best_error"] = None  # JSON has no infinity
    header = {"kind": _KIND, "run": run, "numbers": numbers, "record": record}
    write_tensors(path, _tensors(state), header)


def restore_state(path: Path, state: TrainingState, run: dict[str, Any]) -> list[dict[str, float]] | None:
    """Set `state` to the saved one and return its measurements; None where none of this run is there.

    Raises:
        DataError: The file is damaged.
    """
    if not path.is_file():
        return None
    with opened_tensors(path) as stream:
        header = read_header(stream, path)
        if header.get("kind") != _KIND or header.get("run") != run:
            return None
        tensors = read_tensors(stream, _tensors(state), path)
    for prefix, module in _modules(state).items():
        module.load_state_dict({name: tensors[f"{prefix}.{name}"] for name in module.state_dict()})
    for prefix, optimiser in _optimisers(state).items():
        _restore_moments(optimiser, prefix, tensors)
    try:
        for name, kind in _NUMBERS.items():
            value = header["numbers"][name]
            setattr(state, name, math.inf if value is None else kind(value))
        return list(header["record"])
    except (KeyError, TypeError, ValueError) as error:
        remedy = "Delete it to start this training anew"
        raise DataError(f"has a damaged description ({error!r})", where=path, remedy=remedy) from error


def _modules(state: TrainingState) -> dict[str, torch.nn.Module]:
    named = {"network": state.network, "discriminator": state.discriminator, "best": state.best}
    if state.average is not state.network:
        named["average"] = state.average
    return {name: module for name, module in named.items() if module is not None}


def _optimisers(state: TrainingState) -> dict[str, torch.optim.Adam]:
    named = {"network_adam": state.network_optimiser, "discriminator_adam": state.discriminator_optimiser}
    return {name: optimiser for name, optimiser in named.items() if optimiser is not None}


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for prefix, module in _modules(state).items():
        tensors |= {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}
    for prefix, optimiser in _optimisers(state).items():
        for index, parameter in enumerate(_parameters(optimiser)):
            moments = optimiser.state.get(parameter) or _fresh_moments(parameter)
            tensors |= {f"{prefix}.{index}.{name}": moments[name] for name in _MOMENTS}
    return tensors


def _fresh_moments(parameter: Tensor) -> dict[str, Tensor]:
    """What Adam begins with, as where discriminators have not been trained yet."""
    return {"step": torch.zeros(()), **{name: torch.zeros_like(parameter) for name in _MOMENTS[1:]}}


def _parameters(optimiser: torch.optim.Adam) -> list[torch.nn.Parameter]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _restore_moments(optimiser: torch.optim.Adam, prefix: str, tensors: dict[str, Tensor]) -> None:
    for index, parameter in enumerate(_parameters(optimiser)):
        moments = {name: tensors[f"{prefix}.{index}.{name}"] for name in _MOMENTS}
        for name in _MOMENTS[1:]:
            moments[name] = torch.empty_like(parameter).copy_(moments[name])
        if optimiser.param_groups[0]["fused"]:
            moments["step"] = moments["step"].to(parameter.device)
        optimiser.state[parameter] = moments
