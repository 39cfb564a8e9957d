"""What is told, drawn and written after tracking, on a small take made in code and on the built-in actor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvp_core.pipeline.review import doubts_summary
from dvp_core.pipeline.track import tracking_figures


def lost_in(take, *indices):
    """The take without a face in some frames."""
    is_tracked = take.is_tracked.copy()
    is_tracked[list(indices)] = False
    return replace(take, is_tracked=is_tracked)


def test_a_clean_take_is_one_line_and_no_doubt(tiny_take):
    calm = replace(tiny_take, expression=np.zeros_like(tiny_take.expression), gaze_rad=0 * tiny_take.gaze_rad)
    assert doubts_summary(calm) == "Nothing doubtful in 6 frames.\n"
    assert tracking_figures(calm)["doubtful_frames"] == []


def test_what_is_doubtful_is_told_with_what_to_do(tiny_take):
    take = lost_in(replace(tiny_take, gaze_rad=0 * tiny_take.gaze_rad, expression=0 * tiny_take.expression), 2, 3)
    said = doubts_summary(take)
    assert said.startswith("2 of 6 frames are doubtful:")
    assert "103-104" in said
    assert "Key these frames by hand" in said
    (figure,) = tracking_figures(take)["doubtful_frames"]
    assert figure["frames"] == "103-104"
    assert figure["channel"] == "face"
