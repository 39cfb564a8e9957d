"""The plate that the tracker sees: as filmed, or as a pinhole camera with square pixels would have filmed it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dvp_core.data.clip import Clip, FrameSource
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.lens import lens_to_dict, read_lens
from dvp_core.maths.lens import PlateCorrection
from dvp_core.video import undistorted


def correction_of(clip: Clip, lens: Path | str | None, pixel_aspect: Fraction | None) -> PlateCorrection | None:
    """Return what makes a clip a pinhole camera's with square pixels, or None where nothing is to be done.

    Args:
        clip: As filmed.
        lens: A lens file, calibrated for pictures of the clip's size.
        pixel_aspect: Width of a plate's pixel divided by its height; square where not given.

    Raises:
        DataError: Lens, aspect and clip do not fit each other.
    """
    if lens is None and pixel_aspect in (None, 1):
        return None
    known = None if lens is None else read_lens(lens)
    return PlateCorrection(known, pixel_aspect or Fraction(1), (clip.width_px, clip.height_px))


def corrected_source(source: FrameSource, correction: PlateCorrection | None) -> FrameSource:
    """Return a clip's pictures corrected; the clip itself where there is nothing to correct."""
    return source if correction is None else undistorted(source, correction)


def corrected_points(points: LandmarkTrack, correction: PlateCorrection | None) -> LandmarkTrack:
    """Return points that were found on the plate as filmed as they stand on the corrected one.

    Depth grows with x, as it is told at the scale of x.
    """
    if correction is None:
        return points
    places = points.points_px.copy()
    places[points.is_detected] = correction.corrected_px(places[points.is_detected])
    depth = None if points.depth is None else points.depth * correction.scale_xy[0]
    return replace(points, points_px=places, depth=depth, size_wh=correction.corrected_size_wh)


def correction_settings(correction: PlateCorrection | None) -> dict[str, Any] | None:
    """Return what was done to the plate, for the recipe."""
    if correction is None:
        return None
    lens = None if correction.lens is None else lens_to_dict(correction.lens)
    return {"lens": lens, "pixel_aspect": str(correction.pixel_aspect), "size_wh": correction.corrected_size_wh}
