"""A condensed detector against the whole one: the same steps and deviations for heads however they are seen."""

import numpy as np
import pytest

from dvp_core.data.camera import Camera
from dvp_core.face import built_in_face
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import rotation_from_yaw_pitch_roll
from dvp_core.tracking.condensing import condensed
from dvp_core.tracking.detector import CalibratedDetector, calibrated_detector
from dvp_core.tracking.solver import accumulate
from dvp_core.tracking.states import FrameState, Layout, SharedState
from dvp_core.tracking.surface import see
from dvp_core.tracking.terms.detector import detector_residual, metres_upright
from dvp_core.tracking.terms.prior import expression_prior
from dvp_core.tracking.terms.temporal import Motion, temporal_residual
from tests.tracking.stage import FOCAL_PX, made_up_table

CAMERA = Camera.centered(FOCAL_PX, 320, 240)


@pytest.fixture(scope="module")
def whole() -> CalibratedDetector:
    face = built_in_face()
    return calibrated_detector(face, made_up_table(), stray_m=0.003).baked(np.zeros(face.identity_count))


@pytest.mark.parametrize("confidence", [1.0, 0.3])
def test_steps_and_deviations_are_those_of_the_whole_detector(whole, confidence):
    count = whole.points.expression_basis.shape[2]
    motion, sigma, layout = Motion(0.15, 0.03, np.full(count, 0.6)), np.full(count, 0.3), Layout(count)
    brief = condensed(whole, CAMERA, motion, sigma)
    assert brief.whitening.shape[0] < whole.whitening.shape[0] / 2
    random = np.random.default_rng(2)
    sure = np.where(random.uniform(size=len(whole.numbers)) < 0.2, confidence, 1.0)
    for turn_deg in ([0, 0, 0], [-50, 20, 30], [33, -25, -20], [64, 5, 10]):
        rotation = OPENGL_CAMERA_FROM_CAMERA @ rotation_from_yaw_pitch_roll(*np.radians(turn_deg))
        state = FrameState(rotation, np.array([0.1, -0.05, 0.6]), random.uniform(0, 0.6, count))
        seen = see(whole.points, state, SharedState(np.zeros(0), FOCAL_PX), CAMERA, layout)
        targets = seen.points_px + random.normal(size=seen.points_px.shape) * 3
        upright = metres_upright(rotation, 0.6, FOCAL_PX)
        others = [
            expression_prior(state, layout, mean=np.zeros(count), sigma=sigma),
            temporal_residual(state, state, layout, motion),
        ]
        steps, deviations = [], []
        for detector in (whole, brief):
            residual = detector_residual(seen, targets, detector.whitening_of(sure), upright)
            equations = accumulate([residual, *others], layout.size)
            deviations.append(np.sqrt(np.diagonal(np.linalg.inv(equations.hessian))))
            steps.append(np.linalg.solve(equations.hessian, equations.gradient) / deviations[0])
        np.testing.assert_allclose(deviations[1], deviations[0], rtol=0.02)
        assert np.abs(steps[1] - steps[0]).max() < 0.1  # of the deviation
        assert np.abs(steps[0]).max() > 2
