"""An error curve on frames that are not learned from, and the weights that were best on it.

A check paints a few frames with the weights that
would be published, and as many learned ones beside them: where the two curves part, the network learns by heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dvp_core.generator.dataset import TrainingImages
from dvp_core.generator.losses import absolute_error, importance
from dvp_core.generator.steps import TrainingState

CHECK_STEPS = 100
"""Steps between two checks: one costs about a fiftieth of that."""
_MEASURED_FRAMES = 16
_AT_ONCE = 4
_LEVELS = 127.5


@dataclass(frozen=True)
class Check:
    """Mean absolute error in levels of 255, the face counting as in training."""

    watched: float
    learned: float


def check(state: TrainingState, images: TrainingImages, device: torch.device) -> Check:
    """Measure the weights that would be published."""
    state.average.eval()
    with torch.inference_mode():
        watched, learned = (_mean_error(state, images, indices, device) for indices in (images.watched, images.targets))
    state.average.train()
    return Check(watched, learned)


def _mean_error(state: TrainingState, images: TrainingImages, indices: np.ndarray, device: torch.device) -> float:
    picks = np.linspace(0, len(indices) - 1, min(_MEASURED_FRAMES, len(indices))).round().astype(int)
    total = 0.0
    for start in range(0, len(picks), _AT_ONCE):
        some = indices[picks[start : start + _AT_ONCE]]
        window, wanted = images.batch(some, device)
        made = state.average(window).float()
        total += len(some) * float(absolute_error(made, wanted, importance(window.current)))
    return total / len(picks) * _LEVELS


def keep_best(state: TrainingState, found: Check) -> None:
    """Remember the present weights where no earlier ones were better on the watched frames."""
    if found.watched >= state.best_error or state.best is None:
        state.checks_since_best += 1
        return
    state.best.load_state_dict(state.average.state_dict())
    state.best_error, state.best_step, state.checks_since_best = found.watched, state.step, 0
