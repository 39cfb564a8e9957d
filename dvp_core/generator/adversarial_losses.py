"""The losses of discriminators and generator: short functions of logits and of discriminators' features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dvp_core.generator.networks import Response


def adversarial_error(logits: Tensor, *, is_real: bool) -> Tensor:
    """Binary cross-entropy of a discriminator's logits against one answer for all patches (Goodfellow 2014)."""
    answer = torch.ones_like(logits) if is_real else torch.zeros_like(logits)
    return functional.binary_cross_entropy_with_logits(logits, answer)


def hinge_error(on_made: Sequence[Response], on_wanted: Sequence[Response]) -> Tensor:
    """What the discriminators minimise: logits below -1 on made, above 1 on wanted pictures (Lim and Ye 2017)."""
    errors = [
        _mean(functional.relu(1 + made.logits.float()) + functional.relu(1 - wanted.logits.float()), made.weight)
        for made, wanted in zip(on_made, on_wanted, strict=True)
    ]
    return torch.stack(errors).sum()


def fooling_error(on_made: Sequence[Response]) -> Tensor:
    """What the network minimises: how little the discriminators take its pictures for filmed ones, by their shares."""
    return torch.stack([-made.share * _mean(made.logits.float(), made.weight) for made in on_made]).sum()


def feature_error(on_made: Sequence[Response], on_wanted: Sequence[Response]) -> Tensor:
    """Feature matching: l1 of discriminators' features, made against wanted (Wang et al. 2018, eq. 4), by shares."""
    errors = [
        made.share * _mean((one.float() - other.float()).abs(), made.weight) / len(made.features)
        for made, wanted in zip(on_made, on_wanted, strict=True)
        for one, other in zip(made.features, wanted.features, strict=True)
    ]
    return torch.stack(errors).sum()


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over the pictures that count, 0 where none does."""
    return (values.flatten(1).mean(dim=1) * weight).sum() / weight.sum().clamp(min=1)
