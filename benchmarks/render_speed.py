"""How near painting comes to the rate at which the same process multiplies matrices, and how long a frame takes.

    python benchmarks/render_speed.py [--presets dvp2018,fast] [--batch-sizes 1,2,4,8] [--threads 2] [--layers]

A share is (operations of the network's convolutions / its time) / (operations of a square product / its time), both in
the same precision: that of the render settings for this machine. Product, the network as it was trained and the network
made to paint take turns, so that what else the machine does falls on all three. Two warm-up rounds, then median, best
and spread. On a machine shared with others take the best, and `--clock processor`: it counts the time that the first
thread ran, of several its even part where they wait passively (OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0). Weights are
drawn at random: they do not change the speed. Prints one JSON object last.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from generator_speed import random_window
from torch import Tensor, nn

from dvp_core.data.camera import Crop
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame
from dvp_core.data.render_settings import RenderSettings
from dvp_core.generator import Generator, GeneratorFacts, synthesise
from dvp_core.generator.devices import chosen_device, placed
from dvp_core.generator.fused import FusedConvolution
from dvp_core.generator.networks import Preset, Window, build_network, config_of_preset
from dvp_core.generator.painting import input_dtype, made_to_paint
from dvp_core.generator.settings import dtype_of, settings_for
from dvp_core.generator.synthesise import deterministic

WARM_UP_ROUNDS = 2
MATRIX_SIZE = 2048
CLOCKS = {"wall": time.perf_counter, "processor": time.thread_time}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", default="dvp2018,fast")
    parser.add_argument("--batch-sizes", default="1,2,4,8")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--layers", action="store_true", help="the rate of every convolution too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result: dict[str, Any] = machine() | {"threads": arguments.threads, "clock": arguments.clock, "presets": {}}
    for preset in arguments.presets.split(","):
        if preset not in get_args(Preset):
            parser.error(f"unknown preset '{preset}'")
        bench = Bench(preset, arguments.resolution, chosen_device(arguments.device), arguments.rounds, arguments.clock)
        sizes = [int(size) for size in arguments.batch_sizes.split(",")]
        result["presets"][preset] = bench.measured(sizes, with_layers=arguments.layers)
    print(json.dumps(result))


def machine() -> dict[str, Any]:
    """Return what a figure depends on: processor, torch, commit."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=_HERE)
    return {
        "processor": models[0] if models else platform.processor(),
        "core_count": len(models) or None,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "commit": commit.stdout.strip() or None,
    }


_HERE = Path(__file__).resolve().parent


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


class Bench:
    """One preset's networks, as trained and made to paint."""

    def __init__(self, preset: Preset, resolution_px: int, device: torch.device, rounds: int, clock: str) -> None:
        self.preset: Preset = preset
        self.device, self.rounds, self.clock = device, rounds, CLOCKS[clock]
        self.config = config_of_preset(preset, resolution_px=resolution_px)
        self.settings = settings_for(preset, device)
        self.dtype = dtype_of(self.settings.precision)
        torch.manual_seed(0)
        self.trained = placed(build_network(self.config).eval().requires_grad_(False), device)
        self.painting = made_to_paint(copy.deepcopy(self.trained), self.dtype)

    def measured(self, sizes: Sequence[int], *, with_layers: bool) -> dict[str, Any]:
        """Return rates and times at each batch size, and of a stream at the table's."""
        result: dict[str, Any] = {
            "settings": {"batch_size": self.settings.batch_size, "precision": self.settings.precision},
            "gflop_per_frame": round(self.flop(self.window(1)) / 1e9, 3),
            "batches": {},
        }
        for size in sizes:
            result["batches"][size] = self.batch(size)
            print(self.preset, size, result["batches"][size])
        if with_layers:
            result["layers"] = self.layers(self.window(self.settings.batch_size))
        result["stream"] = self.stream()
        print(self.preset, result["stream"])
        return result

    def window(self, size: int) -> Window:
        """Return random windows as rendering hands them over."""
        plain = random_window(self.config, size, self.device)
        if self.config.history_scale > 1:
            return plain
        volume = torch.cat([plain.history, plain.current], dim=1).to(input_dtype(self.painting, self.dtype))
        volume = volume.contiguous(memory_format=torch.channels_last)
        older = plain.history.shape[1]
        return Window(volume[:, older:], volume[:, :older], volume)

    def flop(self, window: Window) -> int:
        """Return the operations of the network's convolutions, two a multiplication."""
        counts: list[int] = []

        def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            is_transposed = isinstance(layer, nn.ConvTranspose2d)
            weight = layer.weight
            assert isinstance(weight, Tensor)
            counts.append(2 * (inputs[0] if is_transposed else output).numel() * weight[0].numel())

        layers = [layer for layer in self.trained.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
        hooks = [layer.register_forward_hook(count) for layer in layers]
        with torch.inference_mode():
            self.trained(Window(window.current.float(), window.history.float()))
        for hook in hooks:
            hook.remove()
        return sum(counts)

    def batch(self, size: int) -> dict[str, Any]:
        """Return the shares at one batch size."""
        window = self.window(size)
        plain = Window(window.current.float(), window.history.float())
        matrix = torch.rand(MATRIX_SIZE, MATRIX_SIZE, device=self.device).to(self.dtype)
        works = [
            lambda: torch.mm(matrix, matrix),
            lambda: self.trained(plain),
            lambda: self.painting(window),
        ]
        with torch.inference_mode(), deterministic(torch.get_num_threads()):
            products, before, after = self.turns(works)
        operations, product = self.flop(window), 2 * MATRIX_SIZE**3
        return {
            "matrix_gflops": rates(product, products),
            "share_as_trained_float32": _share(operations, before, product, products),
            "share": _share(operations, after, product, products),
            "ms_per_frame_as_trained": times([value / size for value in before]),
            "ms_per_frame": times([value / size for value in after]),
        }

    def turns(self, works: Sequence[Callable[[], object]]) -> list[list[float]]:
        """Return the seconds of several works that take turns."""
        seconds: list[list[float]] = [[] for _ in works]
        for number in range(WARM_UP_ROUNDS + self.rounds):
            for work, spent in zip(works, seconds, strict=True):
                started_s = self.clock()
                work()
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                if number >= WARM_UP_ROUNDS:
                    spent.append(self.clock() - started_s)
        return seconds

    def layers(self, window: Window) -> list[dict[str, Any]]:
        """Return every convolution's rate against the product's, in the order in which they run."""
        seen: list[tuple[str, FusedConvolution, Tensor, Tensor]] = []
        hooks = [
            layer.register_forward_hook(
                lambda part, inputs, output, name=name: seen.append((name, part, *inputs, output))
            )
            for name, layer in self.painting.named_modules()
            if isinstance(layer, FusedConvolution)
        ]
        matrix = torch.rand(MATRIX_SIZE, MATRIX_SIZE, device=self.device).to(self.dtype)
        rows = []
        with torch.inference_mode(), deterministic(torch.get_num_threads()):
            self.painting(window)
            for hook in hooks:
                hook.remove()
            for name, layer, features, output in seen:
                products, spent = self.turns([lambda: torch.mm(matrix, matrix), lambda x=features, f=layer: f(x)])
                pixels = features if layer.kernel.is_transposed else output
                operations = 2 * pixels.numel() * layer.kernel.weight[0].numel()
                share = _share(operations, spent, 2 * MATRIX_SIZE**3, products)
                rows.append({"layer": name, "input": list(features.shape), "ms": times(spent), "share": share})
                print(rows[-1])
        return rows

    def stream(self) -> dict[str, Any]:
        """Return what a frame of a stream takes, from its passes in memory to its picture."""
        size = self.config.resolution_px
        crop = Crop(0, 0, size, size)
        facts = GeneratorFacts(self.preset, self.config, crop, "1" * 64, "2" * 64, "3" * 64, None, {}, {})
        settings = RenderSettings(self.settings.batch_size, torch.get_num_threads(), self.settings.precision)
        generator = Generator(self.painting, facts, self.device, settings, parameter_count=0)
        count = 8 * (WARM_UP_ROUNDS + self.rounds)
        spent: list[float] = []
        started_s = self.clock()
        for frame, _ in synthesise(generator, RandomPasses(crop, count), FrameRange.span(1, count)):
            if frame % 8 == 0:
                spent.append((self.clock() - started_s) / 8)
                started_s = self.clock()
        return {"ms_per_frame": times(spent[WARM_UP_ROUNDS:]), "batch_size": settings.batch_size}


class RandomPasses:
    """A source in memory: one frame's noise under every number."""

    def __init__(self, crop: Crop, count: int) -> None:
        random = np.random.default_rng(0)
        size = crop.resolution_px
        self.frames = FrameRange.span(1, count)
        self.images = [random.random((size, size, 3), dtype=np.float32) for _ in range(3)]
        self.mask, self.crop = np.ones((size, size), np.float32), crop

    def read(self, frame: int) -> PassFrame:
        """Return a frame's passes."""
        return PassFrame(frame, *self.images, self.mask, self.mask, self.crop, "0" * 64, "1" * 64)


def _share(operations: int, spent: Sequence[float], product: int, products: Sequence[float]) -> dict[str, float]:
    shares = [operations / own / (product / other) for own, other in zip(spent, products, strict=True)]
    best = operations / min(spent) / (product / min(products))
    return {"best": round(best, 3), "median": round(statistics.median(shares), 3)}


def rates(operations: int, spent: Sequence[float]) -> dict[str, float]:
    """Return billions of operations a second."""
    best, median = operations / min(spent) / 1e9, operations / statistics.median(spent) / 1e9
    return {"best": round(best, 1), "median": round(median, 1)}


def times(spent: Sequence[float]) -> dict[str, float]:
    """Return milliseconds: best, median, worst."""
    values = {"best": min(spent), "median": statistics.median(spent), "worst": max(spent)}
    return {name: round(1000 * value, 2) for name, value in values.items()}


if __name__ == "__main__":
    main()
