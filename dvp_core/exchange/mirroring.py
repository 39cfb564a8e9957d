"""A performance with left and right exchanged, for recordings of a mirrored picture."""

from __future__ import annotations

from dataclasses import replace

from dvp_core.edit.mirroring import mirrored_gaze, mirrored_rotation, mirrored_translation
from dvp_core.exchange.performance import Performance
from dvp_core.face.expression_names import canonical_name, mirrored_name


def mirrored(performance: Performance) -> Performance:
    """Return what a mirror shows: names, turns and places change sides; mirrored twice, all is as it was."""
    rotation, place, gaze = performance.head_rotation_wxyz, performance.head_translation_m, performance.gaze_rad
    return replace(
        performance,
        expression_names=tuple(mirrored_name(canonical_name(name)) for name in performance.expression_names),
        head_rotation_wxyz=None if rotation is None else mirrored_rotation(rotation),
        head_translation_m=None if place is None else mirrored_translation(place),
        gaze_rad=None if gaze is None else mirrored_gaze(gaze),
    )
