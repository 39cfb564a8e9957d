"""Displacement fields from which expressions are made: local pushes, turning lids, a swinging jaw, moving lips.

A field is (V, 3) millimetres on the neutral head. Everything acts on skin and its linings; eyeballs never move, teeth
and tongue only with the jaw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.face.built_in import anatomy
from dvp_core.face.built_in.head import Head
from dvp_core.face.built_in.skin import BORDER_RING, CONTACT_RING, LID_RADIUS, MARGIN_RING

JAW_OPEN_DEG = 20.0
_MOUTH_CORNER = np.array((24.5, -34.0, 100.0))


@dataclass(frozen=True)
class Muscles:
    """Masks and places that every field needs.

    Attributes:
        head: The neutral head.
        lower: (V,) 0..1, how far a vertex lies on the lower side of the mouth opening.
        jaw: (V,) 0..1, how far a vertex follows the jaw.
        is_skin: (V,) skin that pushes may move: without lid margins, eyes, teeth.
        left: (V,) 0..1, the subject's left half; it and its mirror image sum to one.
    """

    head: Head
    lower: np.ndarray
    jaw: np.ndarray
    is_skin: np.ndarray
    left: np.ndarray


def prepare(head: Head) -> Muscles:
    """The masks of a head."""
    lower, jaw = _mouth_shares(head)
    movable = head.is_region("face", "head", "neck", "mouth_socket").astype(float)
    held = np.nan_to_num(np.abs(head.part.lid_height))
    depth = head.vertices[:, 2]
    movable *= np.where(head.is_region("mouth_socket"), smooth(depth, 60.0, 95.0), 1.0)
    left = smooth(head.vertices[:, 0], -9.0, 9.0)
    return Muscles(head, lower, jaw, movable * (1.0 - held), left)


def smooth(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a cubic step between."""
    share = np.clip((values - low) / (high - low), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _mouth_shares(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Lower share and jaw share (V,): sharp between the lips, ever softer from their corners to the jaw's joint."""
    x, y, z = head.vertices.T
    back = np.clip((_MOUTH_CORNER[2] - z) / 95.0, 0.0, 1.0)
    back = np.maximum(back, np.clip((np.abs(x) - _MOUTH_CORNER[0]) / 60.0, 0.0, 1.0))
    line = _MOUTH_CORNER[1] + 40.0 * back
    width = 3.0 + 52.0 * back**0.75
    lower = smooth((line - y) / width, -1.0, 1.0)
    known = head.part.lower_share
    rings = head.skin.mouth_rings
    trust = np.zeros(len(x))
    trust[rings] = np.interp(np.arange(len(rings)), (0, 2, 3, 9), (0.25, 0.75, 1.0, 1.0))[:, None]
    trust[~np.isnan(known) & (trust == 0.0)] = 1.0
    lower = np.where(np.isnan(known), lower, trust * np.nan_to_num(known) + (1.0 - trust) * lower)
    neck_origin = y + np.hypot(x, z - 10.0)
    skin_share = smooth(z, 0.0, 34.0) * smooth(neck_origin, -72.0, -8.0)
    lining = head.is_region("mouth_socket")
    skin_share[lining] = smooth(z[lining], 30.0, 80.0)
    skin_share[head.is_region("teeth", "gums", "tongue")] = 1.0
    is_still = head.is_region("eyeball_left", "eyeball_right", "eye_socket")
    return np.where(is_still, 0.0, lower), np.where(is_still, 0.0, lower * skin_share)


def push(
    muscles: Muscles,
    center: tuple[float, float, float],
    vector: tuple[float, float, float],
    radius: float | tuple[float, float, float],
    *,
    side: str = "any",
) -> np.ndarray:
    """A Gaussian push of the skin.

    Args:
        muscles: The masks.
        center: Where the push is strongest, mm.
        vector: The displacement there, mm.
        radius: Distance at which it has fallen to 1/e, one or per axis, mm.
        side: "any", or the "upper" or "lower" side of the mouth opening alone.
    """
    offset = (muscles.head.vertices - center) / np.asarray(radius, dtype=float)
    weight = np.exp(-np.sum(offset**2, axis=1)) * muscles.is_skin
    if side == "upper":
        weight = weight * (1.0 - muscles.lower)
    if side == "lower":
        weight = weight * muscles.lower
    return weight[:, None] * np.asarray(vector, dtype=float)


def swing_jaw(
    muscles: Muscles, *, open_deg: float = 0.0, aside_deg: float = 0.0, forward_mm: float = 0.0
) -> np.ndarray:
    """The jaw opened about its joints, swung to the subject's left, or thrust forward."""
    turn, swing = np.radians(open_deg), np.radians(aside_deg)
    about_x = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    about_y = np.array([[np.cos(swing), 0, np.sin(swing)], [0, 1, 0], [-np.sin(swing), 0, np.cos(swing)]])
    offset = muscles.head.vertices - anatomy.JAW_PIVOT
    moved = offset @ (about_y @ about_x).T - offset + (0.0, 0.0, forward_mm)
    return muscles.jaw[:, None] * moved


def turn_lids(muscles: Muscles, *, upper: float, lower: float) -> np.ndarray:
    """The left eye's lids turned about the eyeball.

    Args:
        muscles: The masks.
        upper: Share of the eye's opening by which the upper lid goes down.
        lower: Share by which the lower lid goes up; together 1 closes the eye.
    """
    head = muscles.head
    rings = head.skin.eye_rings[0]
    offset = head.vertices[rings] - anatomy.EYE_CENTER
    angle = np.arctan2(offset[..., 1], offset[..., 2])
    reach = np.hypot(offset[..., 1], offset[..., 2])
    margin = angle[MARGIN_RING]
    count = len(margin)
    partner = (count - np.arange(count)) % count
    opening = np.abs(margin[partner] - margin)
    follow = head.part.lid_height[rings]
    turn = np.where(follow > 0, -upper * follow, -lower * follow) * opening
    turned = angle + turn
    # The lid slides on the ball: where turning alone would cut into it, it is lifted to its own radius.
    lowest = np.sqrt(np.maximum(LID_RADIUS**2 - offset[..., 0] ** 2, 0.0))
    outside = np.arange(len(rings))[:, None] <= MARGIN_RING
    lifted = np.where(outside, np.maximum(reach, lowest), reach)
    weight = np.clip(np.abs(turn) / 0.15, 0.0, 1.0)
    reach_after = reach + weight * (lifted - reach)
    field = np.zeros_like(head.vertices)
    field[rings, 1] = reach_after * np.sin(turned) - offset[..., 1]
    field[rings, 2] = reach_after * np.cos(turned) - offset[..., 2]
    return field


def close_lips(muscles: Muscles) -> np.ndarray:
    """The lips brought together over an open jaw: added to `swing_jaw(open_deg=JAW_OPEN_DEG)` the mouth is shut."""
    opened = swing_jaw(muscles, open_deg=JAW_OPEN_DEG)
    head, rings = muscles.head, muscles.head.skin.mouth_rings
    count = rings.shape[1]
    partner = (count // 2 * 2 - np.arange(count)) % count
    contact = rings[CONTACT_RING]
    gap = opened[contact[partner]] - opened[contact]
    meet = 0.62
    toward = np.where(muscles.lower[contact][:, None] > 0.5, meet, 1.0 - meet) * gap
    field = np.zeros_like(head.vertices)
    follow = (0.12, 0.35, 0.62, 0.85, 0.93, 0.97, 1.0, 1.0, 1.0, 0.95, 0.6, 0.25)
    for ring, share in zip(rings, follow, strict=False):
        field[ring] = share * toward
    return field


def roll_lip(muscles: Muscles, *, is_upper: bool) -> np.ndarray:
    """One lip rolled inward over the teeth: the red turns in, the skin above or below follows."""
    head = muscles.head
    rings = head.skin.mouth_rings
    share = 1.0 - muscles.lower if is_upper else muscles.lower
    toward = -1.0 if is_upper else 1.0
    taper = 1.0 - np.clip(np.abs(head.vertices[:, 0]) / 27.0, 0.0, 1.0) ** 2
    field = np.zeros_like(head.vertices)
    steps = ((1.0, 0.4), (2.0, 0.2), (3.4, -0.6), (4.2, -2.6), (4.0, -4.6), (3.0, -6.4), (1.6, -6.6), (0.8, -6.6))
    for ring, (along, inward) in zip(rings, steps, strict=False):
        weight = (share * taper)[ring]
        field[ring, 1] = weight * toward * along * 0.9
        field[ring, 2] = weight * inward
    for ring in rings[CONTACT_RING + 1 : CONTACT_RING + 3]:
        field[ring, 2] = (share * taper)[ring] * -5.0
    return field


def gather_lips(muscles: Muscles, *, narrow: float, forward_mm: float, open_mm: float) -> np.ndarray:
    """Both lips drawn toward the middle and pushed forward (pucker), the opening spread by `open_mm` (funnel).

    Args:
        muscles: The masks.
        narrow: Share by which the mouth's half width shrinks.
        forward_mm: Thrust of the lips.
        open_mm: How far each lip leaves the line of contact.
    """
    head = muscles.head
    x, y, z = head.vertices.T
    near = np.exp(-(((x / 34.0) ** 2 + ((y + 34.0) / 19.0) ** 2) ** 1.5)) * muscles.is_skin * smooth(z, 62.0, 92.0)
    middle = np.exp(-((x / 19.0) ** 2))
    side = 1.0 - 2.0 * muscles.lower
    field = np.zeros_like(head.vertices)
    field[:, 0] = -narrow * x * near
    field[:, 1] = side * open_mm * middle * near
    corner = np.exp(-(((np.abs(x) - 25.0) / 12.0) ** 2))
    field[:, 2] = near * forward_mm * (0.55 + 0.45 * middle + 0.5 * corner)
    return field


def lip_ring_share(muscles: Muscles) -> np.ndarray:
    """(V,) 1 on the lips' red, less on the rings around it, 0 elsewhere."""
    share = np.zeros(len(muscles.head.vertices))
    rings = muscles.head.skin.mouth_rings
    for index, ring in enumerate(rings[: CONTACT_RING + 3]):
        share[ring] = np.interp(index, (0, BORDER_RING), (0.15, 1.0))
    return share
