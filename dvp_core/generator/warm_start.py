"""Beginning with an earlier generator's weights instead of random ones, and remembering whose they were.

What a network has learned of one clip is in its weights for good, so the new file names the earlier file, all movies
behind it, and the consent given for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.generator.checkpoint import Ancestor, GeneratorFacts, read_generator
from dvp_core.generator.networks import NetworkConfig
from dvp_core.generator.options import TrainOptions


@dataclass(frozen=True)
class Beginning:
    """An earlier generator to begin with.

    Attributes:
        network: Its weights.
        facts: What its file says.
        sha256: The file's hash.
    """

    network: nn.Module
    facts: GeneratorFacts
    sha256: str

    @property
    def ancestors(self) -> tuple[Ancestor, ...]:
        """All that the new generator descends from, the nearest first."""
        return (Ancestor(self.sha256, self.facts.clips_sha256, self.facts.consent_sha256), *self.facts.ancestors)

    def has_seen(self, takes_sha256: list[str]) -> bool:
        """Say whether it was trained on one of these takes, so that its learned pictures show this very scene."""
        return not set(takes_sha256).isdisjoint(self.facts.takes_sha256)


def read_beginning(path: Path | str, options: TrainOptions, config: NetworkConfig) -> Beginning:
    """Read an earlier generator for a run of the same preset and shape.

    Raises:
        DataError: No generator, or one of another preset or shape.
    """
    network, facts = read_generator(path)
    if facts.preset != options.preset:
        raise DataError(
            f"is of preset '{facts.preset}', but '{options.preset}' is to be trained",
            where=path,
            remedy=f"Train with --preset {facts.preset}, or begin without it",
        )
    if facts.config != config:
        raise DataError(
            f"has the shape {facts.config}, but {config} is to be trained",
            where=path,
            remedy="Begin with a generator of the same resolution and width",
        )
    return Beginning(network, facts, sha256_of_file(path))
