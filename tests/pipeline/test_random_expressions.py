"""What a calibration draws of a model's expressions."""

import numpy as np

from dvp_core.pipeline.calibrate import random_expression


def test_numbered_modes_are_drawn_to_both_sides_and_named_shapes_within_their_range():
    random = np.random.default_rng(1)
    names = ("expression_000", "jawOpen", "expression_001")
    drawn = np.stack([random_expression(names, random, largest=0.7) for _ in range(400)])
    assert 0.6 < drawn[:, [0, 2]].std() < 0.8
    assert abs(drawn[:, [0, 2]].mean()) < 0.1
    assert 0.0 == drawn[:, 1].min() < drawn[:, 1].max() <= 1.0
