"""Gives an actor the mouth of a dubbing performer where somebody speaks, and leaves all else the actor's own.

The performer's mouth is transferred like any performance (`transfer`), relative to both people's neutrals, for the
regions mouth, jaw and cheeks. What is added here: it acts in speech alone, and lips keep the contacts of the sounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import ExpressionMap
from dvp_core.data.speech import LIP_SHAPES, LipShape, Speech
from dvp_core.data.take import Take
from dvp_core.edit.channels import REGIONS
from dvp_core.edit.dubbing_contacts import Contact, contacts_of, held_contacts, rules_for
from dvp_core.edit.dubbing_lips import LipRule
from dvp_core.edit.dubbing_stretches import dub_weights
from dvp_core.edit.limits import expression_range
from dvp_core.edit.neutral import Neutral, find_neutral
from dvp_core.edit.transfer import transfer

DUBBED_REGIONS = ("mouth", "jaw", "cheeks")


@dataclass(frozen=True)
class ContactCount:
    """How many sounds of one kind have the lips they need.

    Attributes:
        sounds: How many there are.
        met_before: In how many the transferred mouth has them already in every frame.
        met: In how many the dubbed mouth has.
        missed: The others.
    """

    sounds: int
    met_before: int
    met: int
    missed: tuple[Contact, ...]

    @property
    def rate(self) -> float:
        """Share of sounds with their lips, 1 where there are none."""
        return self.met / self.sounds if self.sounds else 1.0


@dataclass(frozen=True)
class Dubbing:
    """A dubbed take and what is known of it.

    Attributes:
        take: The actor's take with the performer's mouth.
        weights: (F,) how much of the performer's mouth each frame has; 0 is the actor's own, value for value.
        contacts: By shape, what lips do in the sounds that need it; empty where no timings were given.
    """

    take: Take
    weights: np.ndarray
    contacts: dict[LipShape, ContactCount]


def dub(
    actor: Take,
    dubber: Take,
    stretches_s: np.ndarray,
    *,
    speech: Speech | None = None,
    expression_map: ExpressionMap | None = None,
    actor_neutral: Neutral | None = None,
    dubber_neutral: Neutral | None = None,
) -> Dubbing:
    """Return the actor's take with the dubbing performer's mouth, jaw and cheeks in the stretches of speech.

    Frames whose weight is 0 keep the actor's values bit for bit, in every channel.

    Args:
        actor: Whose face, head, eyes and brows they stay.
        dubber: Whose mouth it becomes; its first frame falls on the actor's first.
        stretches_s: (N, 2) begin and end of speech, in seconds from the first frame.
        speech: Sounds whose lip contacts are held, on the same clock; None leaves the mouth as the performer has it.
        expression_map: From the performer's face model to the actor's, for takes of different models.
        actor_neutral: The actor at rest, where the one found in the take is to be corrected.
        dubber_neutral: The performer at rest, likewise.

    Raises:
        DataError: Nothing of the mouth can be carried, or contacts are asked for and the actor's take has no face.
    """
    rest = actor_neutral or find_neutral(actor)
    spoken = transfer(
        dubber,
        actor,
        channels=("expression",),
        strength={region: float(region in DUBBED_REGIONS) for region in REGIONS},
        expression_map=expression_map,
        source_neutral=dubber_neutral,
        target_neutral=rest,
    )
    fps = float(actor.clip.fps)
    weights = dub_weights(stretches_s, fps=fps, frame_count=actor.frame_count)
    own = actor.expression.astype(np.float64)
    mixed = own + weights[:, None] * (spoken.expression - own)
    contacts = () if speech is None else contacts_of(speech, fps=fps, frame_count=actor.frame_count)
    rules = _rules(actor, contacts, rest)
    low, high = expression_range(actor.expression_names, own)
    held = held_contacts(mixed, contacts, rules, fps=fps, low=low, high=high)
    is_silent = weights == 0
    expression = np.where(is_silent[:, None], actor.expression, held.astype(np.float32))
    take = replace(actor, expression=expression, measured=None, smoothing=0.0)
    return Dubbing(take, weights, _counted(contacts, rules, mixed, expression))


def _rules(actor: Take, contacts: tuple[Contact, ...], rest: Neutral) -> dict[LipShape, LipRule]:
    if not contacts:
        return {}
    if actor.face is None:
        raise DataError(
            f"the take carries no face (model '{actor.face_model_id}'), so no lips can be brought together",
            where=actor.subject,
            remedy="Name the model with --face-model",
        )
    return rules_for(actor.face, contacts, rest.expression)


def _counted(
    contacts: tuple[Contact, ...], rules: dict[LipShape, LipRule], before: np.ndarray, after: np.ndarray
) -> dict[LipShape, ContactCount]:
    """Count contacts; one is made where every frame that holds it meets its rule."""
    counts: dict[LipShape, ContactCount] = {}
    for shape in LIP_SHAPES:
        own = [contact for contact in contacts if contact.shape == shape]
        if not own:
            continue
        was, is_met = (rules[shape].is_met(expression) for expression in (before, after))
        missed = tuple(contact for contact in own if not is_met[contact.first : contact.last + 1].all())
        met_before = sum(bool(was[contact.first : contact.last + 1].all()) for contact in own)
        counts[shape] = ContactCount(len(own), met_before, len(own) - len(missed), missed)
    return counts
