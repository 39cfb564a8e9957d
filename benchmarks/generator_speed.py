"""How fast the presets train and paint, on random windows: what the pictures show does not change the speed.

    python benchmarks/generator_speed.py [--presets fast,best] [--without change] [--resolution 256] [--device cpu]

Two warm-up rounds, then the median and the spread of `--rounds`. Rates at which the same process multiplies 2048 x 2048
matrices stand beside them, so that machines can be compared; `render_speed.py` looks at painting closely. Prints one
JSON object last.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any, get_args

import torch

from dvp_core.data.passes import CHANNELS_PER_FRAME
from dvp_core.generator.devices import chosen_device, trains_faster_in_half
from dvp_core.generator.networks import NetworkConfig, Preset, Window, config_of_preset
from dvp_core.generator.painting import made_to_paint
from dvp_core.generator.recipes import Recipe, recipe_of
from dvp_core.generator.settings import dtype_of, settings_for
from dvp_core.generator.steps import fresh_state, step_of

WARM_UP_ROUNDS = 2
MATRIX_SIZE = 2048


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", default="fast")
    parser.add_argument("--without", default="", help="parts of every recipe to leave out, commas between")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = chosen_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    result: dict[str, Any] = {
        "device": str(device),
        "threads": arguments.threads,
        "matrix_gflops": {str(kind): matrix_gflops(kind, device) for kind in _precisions(device)},
        "presets": {},
    }
    for preset in arguments.presets.split(","):
        if preset not in get_args(Preset):
            parser.error(f"unknown preset '{preset}'")
        recipe = recipe_of(preset, [part for part in arguments.without.split(",") if part])
        result["presets"][preset] = measured(preset, recipe, arguments.resolution, arguments.rounds, device)
        print(preset, result["presets"][preset])
    print(json.dumps(result))


def _precisions(device: torch.device) -> list[torch.dtype]:
    """Return those that the device multiplies in hardware: an imitated product takes minutes."""
    return [torch.float32, *([torch.bfloat16] if trains_faster_in_half(device) else [])]


def measured(preset: Preset, recipe: Recipe, resolution_px: int, rounds: int, device: torch.device) -> dict[str, Any]:
    """Return speeds and sizes of one preset."""
    config = config_of_preset(preset, resolution_px=resolution_px)
    state = fresh_state(config, recipe, seed=0, device=device)
    batch = random_window(config, recipe.batch_size, device)
    wanted = torch.rand(recipe.batch_size, 3, resolution_px, resolution_px, device=device) * 2 - 1
    is_half = trains_faster_in_half(device)
    step = step_of(recipe, is_half=is_half, done_fraction=1.0)

    def train() -> None:
        step(state, batch, wanted)

    training = seconds_of(train, rounds, device)
    peak_bytes = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    parameter_count = sum(parameter.numel() for parameter in state.network.parameters())
    settings = settings_for(preset, device)
    painter = made_to_paint(state.network.eval().requires_grad_(False), dtype_of(settings.precision))
    alone = random_window(config, 1, device)

    def paint() -> None:
        with torch.inference_mode():
            painter(alone)

    painting = seconds_of(paint, rounds, device)
    return {
        "images_per_s": round(recipe.batch_size / statistics.median(training), 2),
        "step_s_spread": [round(min(training), 4), round(max(training), 4)],
        "inference_ms": round(1000 * statistics.median(painting), 2),
        "inference_ms_spread": [round(1000 * min(painting), 2), round(1000 * max(painting), 2)],
        "inference_precision": settings.precision,
        "training_peak_bytes": peak_bytes,
        "parameters": parameter_count,
        "batch_size": recipe.batch_size,
        "is_half_precision_training": is_half,
    }


def random_window(config: NetworkConfig, count: int, device: torch.device) -> Window:
    """Return windows of random channels, the lower half of each picture without a face."""
    size = config.resolution_px
    current = torch.rand(count, size, size, CHANNELS_PER_FRAME, device=device) * 2 - 1
    current[:, size // 2 :] = -1
    reduced, older = size // config.history_scale, CHANNELS_PER_FRAME * (config.window - 1)
    history = torch.rand(count, reduced, reduced, older, device=device) * 2 - 1
    return Window(current.permute(0, 3, 1, 2), history.permute(0, 3, 1, 2))


def seconds_of(work: Callable[[], None], rounds: int, device: torch.device) -> list[float]:
    """Return wall seconds of each round after the warm-up."""
    seconds = []
    for _ in range(WARM_UP_ROUNDS + rounds):
        started_s = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started_s)
    return seconds[WARM_UP_ROUNDS:]


def matrix_gflops(dtype: torch.dtype, device: torch.device) -> float:
    """Return the rate of a square matrix product in billions of operations a second."""
    matrix = torch.rand(MATRIX_SIZE, MATRIX_SIZE, device=device).to(dtype)
    seconds = seconds_of(lambda: _product(matrix), 5, device)
    return round(2 * MATRIX_SIZE**3 / statistics.median(seconds) / 1e9, 1)


def _product(matrix: torch.Tensor) -> None:
    torch.mm(matrix, matrix)


if __name__ == "__main__":
    main()
