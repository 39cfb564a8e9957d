"""What a training run may be told; what its preset does stands in `recipes.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dvp_core.generator.networks import Preset
from dvp_core.generator.recipes import Recipe, Switch, recipe_of

HoldOut = Literal[
    "none",  # train on every tracked frame
    "last-third",  # keep the frames from index frame_count * 2 // 3 on unseen
]

Watch = Literal[
    "auto",  # "blocks" where the budget is time and at least twenty seconds are trained on, else "none"
    "none",  # train on every frame that is not held out; publish the last weights
    "blocks",  # learn nothing from every twentieth second; measure there, and publish the weights that were best
]

Device = Literal[
    "auto",  # a graphics card where there is one
    "cpu",
    "cuda",
]


@dataclass(frozen=True)
class TrainOptions:
    """A training run.

    Attributes:
        preset: Network and recipe.
        without: Parts of the recipe to leave out, to see what each is worth.
        steps: Stop after so many optimiser steps; with it a run is reproducible bit for bit.
        minutes: Stop after so much training time; the preset's default where neither is given.
        hold_out: Frames that training must not see.
        watch: Frames of the training stretch that are only measured, see `splitting.py`.
        patience: Stop after so many checks, one every hundred steps, without a better one; 0 never stops. The recipe's
            where not given, and never with a budget in steps.
        pass_noise_px: How far the passes are shaken against tracking error, in pixels; the recipe's where not given.
        least_frames: Refuse to train on fewer.
        seed: Of the initial weights and of the order of frames.
        batch_size: Images a step; the recipe's where not given.
        width: Channels of the network's first level; the preset's where not given.
        device: Where to compute.
        is_compiled: Let torch compile the networks: minutes at the start, faster steps on a graphics card.
        threads: Processor threads; torch's own choice where not given.
        checkpoint_seconds: Time between saved states, from which an interrupted run goes on.
    """

    preset: Preset = "fast"
    without: tuple[Switch, ...] = ()
    steps: int | None = None
    minutes: float | None = None
    hold_out: HoldOut = "none"
    watch: Watch = "auto"
    patience: int | None = None
    pass_noise_px: float | None = None
    least_frames: int = 50
    seed: int = 0
    batch_size: int | None = None
    width: int | None = None
    device: Device = "auto"
    is_compiled: bool = False
    threads: int | None = None
    checkpoint_seconds: float = field(default=60.0)

    def __post_init__(self) -> None:
        """Refuse what the preset does not have before any work begins.

        Raises:
            DataError: Something is to be left out that is no part of the preset.
        """
        recipe_of(self.preset, self.without)

    @property
    def patience_checks(self) -> int | None:
        """Checks without a better one after which training stops; None for never."""
        if self.patience is not None:
            return self.patience or None
        return None if self.steps is not None else self.recipe.patience

    @property
    def noise_px(self) -> float:
        """How far the passes are shaken."""
        return self.recipe.pass_noise_px if self.pass_noise_px is None else self.pass_noise_px

    @property
    def recipe(self) -> Recipe:
        """The preset's recipe, without what is left out."""
        return recipe_of(self.preset, self.without)
