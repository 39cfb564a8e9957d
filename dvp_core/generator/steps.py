"""One optimiser step of each kind, short enough to see whole, and the state that steps change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from dvp_core.data.passes import CHANNELS_PER_FRAME
from dvp_core.generator.adversarial_losses import adversarial_error, feature_error, fooling_error, hinge_error
from dvp_core.generator.devices import placed
from dvp_core.generator.losses import absolute_error, reconstruction_error
from dvp_core.generator.networks import (
    FastNetwork,
    MultiDiscriminator,
    NetworkConfig,
    PatchDiscriminator,
    Window,
    build_network,
)
from dvp_core.generator.pairs import change_error
from dvp_core.generator.recipes import Recipe


@dataclass
class TrainingState:
    """All that a step changes; saved and restored, training goes on as if it had not stopped.

    Attributes:
        network: The network that is trained.
        average: Running average of its weights, which is what gets published; the network itself without averaging.
        discriminator: The paper's discriminator, or `MultiDiscriminator`, where the recipe has one.
        network_optimiser: Adam of the network.
        discriminator_optimiser: Adam of the same.
        step: Steps done.
        elapsed_s: Training time spent.
        best: The average as it was when it did best on the watched frames; None where none are watched.
        best_error: What it did then.
        best_step: Steps done then.
        checks_since_best: Checks since then.
    """

    network: nn.Module
    average: nn.Module
    discriminator: nn.Module | None
    network_optimiser: torch.optim.Adam
    discriminator_optimiser: torch.optim.Adam | None
    step: int = 0
    elapsed_s: float = 0.0
    best: nn.Module | None = None
    best_error: float = math.inf
    best_step: int = 0
    checks_since_best: int = 0

    @property
    def published(self) -> nn.Module:
        """The weights worth keeping: the best where frames are watched, else the last average."""
        return self.average if self.best is None or self.best_step == 0 else self.best


def fresh_state(
    config: NetworkConfig, recipe: Recipe, *, seed: int, device: torch.device, is_watched: bool = False
) -> TrainingState:
    """Return a state with weights drawn from the seed; `is_watched` makes room for the best."""
    torch.manual_seed(seed)
    network = placed(build_network(config), device)
    average = network
    if recipe.average_decay > 0:
        average = placed(build_network(config), device).requires_grad_(False)
    discriminator = _fresh_discriminator(config, recipe, device)
    discriminator_optimiser = None
    if discriminator is not None:
        discriminator_optimiser = _adam(discriminator, recipe.learning_rate, recipe.discriminator_first_momentum)
        for group in discriminator_optimiser.param_groups:
            group["rate_factor"] = recipe.discriminator_rate_factor
    network_optimiser = _adam(network, recipe.learning_rate, recipe.first_momentum, recipe.image_rate_factor)
    state = TrainingState(network, average, discriminator, network_optimiser, discriminator_optimiser)
    if is_watched:
        state.best = placed(build_network(config), device).requires_grad_(False)
    restart_average(state)
    return state


def restart_average(state: TrainingState) -> None:
    """Set the running average to the present weights."""
    if state.average is not state.network:
        state.average.load_state_dict(state.network.state_dict())


def _fresh_discriminator(config: NetworkConfig, recipe: Recipe, device: torch.device) -> nn.Module | None:
    if recipe.is_adversarial:
        return PatchDiscriminator(CHANNELS_PER_FRAME * config.window + 3).to(device)
    if not recipe.has_multi_discriminator:
        return None
    discriminator = MultiDiscriminator(
        resolution_px=config.resolution_px,
        width=recipe.discriminator_width,
        scales=recipe.discriminator_scales,
        temporal_share=recipe.temporal_share,
        crop_share=recipe.crop_share,
    )
    return placed(discriminator, device)


def _adam(network: nn.Module, rate: float, first_momentum: float, image_rate_factor: float = 1.0) -> torch.optim.Adam:
    images = network.image_parameters() if isinstance(network, FastNetwork) else []
    is_image = {id(parameter) for parameter in images}
    weights = [parameter for parameter in network.parameters() if id(parameter) not in is_image]
    groups = [{"params": weights, "rate_factor": 1.0}, {"params": images, "rate_factor": image_rate_factor}]
    return torch.optim.Adam(
        [group for group in groups if group["params"]],
        lr=rate,
        betas=(first_momentum, 0.999),
        fused=True if weights[0].is_cuda else None,
    )


Step = Callable[[TrainingState, Window, Tensor], dict[str, Tensor]]
"""Changes a state by one step on a batch of windows and their plates, and returns what it measured, still on the
device: to look at a number is to wait for it."""


def step_of(recipe: Recipe, *, is_half: bool, done_fraction: float = 0.0) -> Step:
    """Return the step that a recipe is trained with after a share of the budget."""
    if recipe.is_adversarial:
        return partial(adversarial_step, l1_weight=recipe.l1_weight, is_half=is_half)
    rise = recipe.adversarial_rise_at(done_fraction)
    if rise > 0:
        return partial(multi_discriminator_step, recipe=recipe, rise=rise, is_half=is_half)
    return partial(reconstruction_step, change_weight=recipe.change_weight, is_half=is_half)


def reconstruction_step(
    state: TrainingState, window: Window, wanted: Tensor, *, is_half: bool, change_weight: float = 0.0
) -> dict[str, Tensor]:
    """One step on the reconstruction error, and on that of the change where the batch is made of pairs."""
    with torch.autocast(wanted.device.type, torch.bfloat16, enabled=is_half):
        made = state.network(window)
    loss, values = _likeness(made.float(), wanted, window.current, change_weight)
    _descend(state.network_optimiser, loss)
    return _detached(values)


def _likeness(made: Tensor, wanted: Tensor, current: Tensor, change_weight: float) -> tuple[Tensor, dict[str, Tensor]]:
    """What is minimised without discriminators, and its parts."""
    loss = reconstruction_error(made, wanted, current)
    if change_weight == 0:
        return loss, {"loss": loss}
    change = change_error(made, wanted, current)
    return loss + change_weight * change, {"loss": loss, "change": change}


def adversarial_step(
    state: TrainingState, window: Window, wanted: Tensor, *, l1_weight: float, is_half: bool
) -> dict[str, Tensor]:
    """One step of the discriminator, then one of the network (Isola et al. 2017, section 3.3)."""
    discriminator, discriminator_optimiser = state.discriminator, state.discriminator_optimiser
    if discriminator is None or discriminator_optimiser is None:
        raise ValueError("the state has no discriminator")
    conditions = torch.cat([window.history, window.current], dim=1)
    autocast = torch.autocast(wanted.device.type, torch.bfloat16, enabled=is_half)
    with autocast:
        made = state.network(window)
        on_made = discriminator(torch.cat([conditions, made.detach()], dim=1)).float()
        on_real = discriminator(torch.cat([conditions, wanted], dim=1)).float()
    discriminator_loss = (adversarial_error(on_made, is_real=False) + adversarial_error(on_real, is_real=True)) / 2
    _descend(discriminator_optimiser, discriminator_loss)
    discriminator.requires_grad_(False)
    with autocast:
        on_made = discriminator(torch.cat([conditions, made], dim=1)).float()
    l1 = absolute_error(made.float(), wanted, torch.ones_like(wanted[:, :1]))
    fooling = adversarial_error(on_made, is_real=True)
    _descend(state.network_optimiser, fooling + l1_weight * l1)
    discriminator.requires_grad_(True)
    return _detached({"l1": l1, "fooling": fooling, "adversary": discriminator_loss})


def multi_discriminator_step(
    state: TrainingState, window: Window, wanted: Tensor, *, recipe: Recipe, rise: float, is_half: bool
) -> dict[str, Tensor]:
    """One step of the discriminators, then one of the network on its likeness and on their responses.

    Args:
        state: What changes.
        window: Windows; in pairs where change is looked at.
        wanted: Their plates.
        recipe: The weights of all parts.
        rise: How far the adversarial weights have risen, 0..1.
        is_half: Whether convolutions are computed in bfloat16.
    """
    discriminators, optimiser = state.discriminator, state.discriminator_optimiser
    if discriminators is None or optimiser is None:
        raise ValueError("the state has no discriminators")
    cast("MultiDiscriminator", discriminators).follow_spectra()
    autocast = torch.autocast(wanted.device.type, torch.bfloat16, enabled=is_half)
    with autocast:
        made = state.network(window).float()
        on_made, on_wanted = discriminators(window.current, made.detach()), discriminators(window.current, wanted)
    discriminator_loss = hinge_error(on_made, on_wanted)
    _descend(optimiser, discriminator_loss)
    discriminators.requires_grad_(False)
    with autocast:
        on_made = discriminators(window.current, made)
        if recipe.feature_weight > 0:
            on_wanted = discriminators(window.current, wanted)
    loss, values = _likeness(made, wanted, window.current, recipe.change_weight)
    values |= {"fooling": fooling_error(on_made), "adversary": discriminator_loss}
    loss = loss + rise * recipe.adversarial_weight * values["fooling"]
    if recipe.feature_weight > 0:
        values["features"] = feature_error(on_made, on_wanted)
        loss = loss + rise * recipe.feature_weight * values["features"]
    _descend(state.network_optimiser, loss)
    discriminators.requires_grad_(True)
    return _detached(values)


def _detached(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in values.items()}


def _descend(optimiser: torch.optim.Adam, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def set_learning_rate(optimisers: Iterable[torch.optim.Adam | None], rate: float) -> None:
    """Give all optimisers one step size."""
    for optimiser in optimisers:
        for group in optimiser.param_groups if optimiser else ():
            group["lr"] = rate * group["rate_factor"]


def follow_average(state: TrainingState, decay: float) -> None:
    """Move the running average towards the present weights; it moves faster while young."""
    if state.average is state.network:
        return
    decay = min(decay, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        averages: list[Tensor] = list(state.average.parameters())
        present: list[Tensor] = list(state.network.parameters())
        torch._foreach_lerp_(averages, present, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
