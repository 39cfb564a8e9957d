"""How each preset is trained, as plain data: the paper's numbers, the project's own, and switches for their parts.

A weight of zero or False is a part that does not exist: nothing of it is made or run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from dvp_core.data.errors import DataError
from dvp_core.generator.networks import Preset

Switch = Literal[
    "pairs",  # batches of two consecutive frames each, and all that looks at the change between them
    "change",  # the error of the change between them
    "adversaries",  # all discriminators
    "feature-matching",  # l1 of the discriminators' features of made and wanted pictures
    "temporal-adversary",  # the discriminator of two consecutive pictures
    "crop-adversaries",  # the discriminators of mouth and eyes
    "averaging",  # the running average of the weights
]
"""A part of a recipe that can be left out."""


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained.

    Attributes:
        batch_size: Images a step.
        learning_rate: Adam's step size, at the start where it decays.
        first_momentum: Adam's beta 1.
        l1_weight: Weight of the mean absolute error against the paper's adversarial term.
        is_adversarial: Whether the paper's discriminator is trained along.
        is_decaying: Whether the learning rate falls to zero over the budget along half a cosine.
        average_decay: Decay of the running average of the weights; 0 keeps the last weights.
        default_minutes: Budget where none is given.
        image_rate_factor: Step size of learned images and textures against that of weights.
        pass_noise_px: How far the passes are shaken, see `pass_noise.py`.
        patience: Checks without a better one after which training stops; None where the falling step size already
            settles when it ends.
        is_paired: Whether batches are made of pairs of consecutive frames, see `pairs.py`.
        change_weight: Weight of the error of the change within pairs, against the reconstruction error.
        adversarial_weight: Weight of fooling `MultiDiscriminator`, against the same.
        feature_weight: Weight of feature matching, l1 of its features of made and wanted pictures, against the same.
        temporal_share: What the temporal discriminator counts, against those of whole pictures.
        crop_share: What each of the mouth and eye discriminators counts, against the same.
        discriminator_scales: Scales of the whole picture, each half of the one before, with a discriminator each.
        discriminator_width: Channels of a discriminator's first layer.
        discriminator_rate_factor: Step size of the discriminators against that of the network.
        discriminator_first_momentum: Adam's beta 1 of the discriminators, the paper's too.
        adversarial_start: Share of the budget after which discriminators are trained and count.
        adversarial_rise: Share of the budget over which their weights then rise smoothly.
    """

    batch_size: int
    learning_rate: float
    first_momentum: float
    l1_weight: float
    is_adversarial: bool
    is_decaying: bool
    average_decay: float
    default_minutes: float
    image_rate_factor: float = 1.0
    pass_noise_px: float = 0.0
    patience: int | None = None
    is_paired: bool = False
    change_weight: float = 0.0
    adversarial_weight: float = 0.0
    feature_weight: float = 0.0
    temporal_share: float = 0.0
    crop_share: float = 0.0
    discriminator_scales: int = 2
    discriminator_width: int = 64
    discriminator_rate_factor: float = 1.0
    discriminator_first_momentum: float = 0.5
    adversarial_start: float = 0.0
    adversarial_rise: float = 0.0

    @property
    def has_multi_discriminator(self) -> bool:
        """Whether `MultiDiscriminator` is trained along."""
        return self.adversarial_weight > 0

    def adversarial_rise_at(self, done_fraction: float) -> float:
        """Return how far the adversarial weights have risen, 0..1, after a share of the budget."""
        if not self.has_multi_discriminator or done_fraction < self.adversarial_start:
            return 0.0
        if self.adversarial_rise == 0:
            return 1.0
        share = min((done_fraction - self.adversarial_start) / self.adversarial_rise, 1.0)
        return share * share * (3 - 2 * share)

    def is_whole(self, done_fraction: float) -> bool:
        """Say whether training minimises by then what it will to its end."""
        return not self.has_multi_discriminator or self.adversarial_rise_at(done_fraction) == 1


PAPER = Recipe(
    batch_size=16,
    learning_rate=2e-4,
    first_momentum=0.5,
    l1_weight=100.0,
    is_adversarial=True,
    is_decaying=False,
    average_decay=0.0,
    default_minutes=600.0,
    patience=50,
)
FAST = Recipe(
    batch_size=4,
    learning_rate=1e-3,
    first_momentum=0.9,
    l1_weight=1.0,
    is_adversarial=False,
    is_decaying=True,
    average_decay=0.995,
    default_minutes=4.0,
    image_rate_factor=5.0,
)
BEST = Recipe(
    batch_size=16,
    learning_rate=5e-4,
    first_momentum=0.9,
    l1_weight=1.0,
    is_adversarial=False,
    is_decaying=True,
    average_decay=0.999,
    default_minutes=15.0,
    image_rate_factor=5.0,
    is_paired=True,
    change_weight=0.25,
    adversarial_weight=0.002,
    feature_weight=0.05,
    temporal_share=1.0,
    crop_share=0.5,
    discriminator_rate_factor=0.4,
    adversarial_start=0.3,
    adversarial_rise=0.1,
)
RECIPES: dict[Preset, Recipe] = {"fast": FAST, "best": BEST, "dvp2018": PAPER, "pix2pix": PAPER}

SWITCHED_OFF: dict[Switch, dict[str, Any]] = {
    "pairs": {"is_paired": False, "change_weight": 0.0, "temporal_share": 0.0},
    "change": {"change_weight": 0.0},
    "adversaries": {"adversarial_weight": 0.0, "feature_weight": 0.0, "temporal_share": 0.0, "crop_share": 0.0},
    "feature-matching": {"feature_weight": 0.0},
    "temporal-adversary": {"temporal_share": 0.0},
    "crop-adversaries": {"crop_share": 0.0},
    "averaging": {"average_decay": 0.0},
}


def recipe_of(preset: Preset, without: Sequence[Switch] = ()) -> Recipe:
    """Return a preset's recipe without some of its parts.

    Raises:
        DataError: A part that the preset does not have.
    """
    whole = RECIPES[preset]
    parts = [switch for switch in get_args(Switch) if replace(whole, **SWITCHED_OFF[switch]) != whole]
    changes: dict[str, Any] = {}
    for switch in without:
        if switch not in parts:
            raise DataError(
                f"'{switch}' is no part of preset '{preset}'",
                where="without",
                remedy=f"Its parts are: {', '.join(parts) or 'none that can be left out'}",
            )
        changes |= SWITCHED_OFF[switch]
    return replace(whole, **changes)
