"""One law for every term: 2 J^T r is the gradient of the energy by central differences, and precision scales it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from dvp_core.data.camera import Camera
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import matrix_from_rotation_vector
from dvp_core.tracking.picture import Picture
from dvp_core.tracking.solver import Residual, accumulate, energy_of
from dvp_core.tracking.states import FrameState, Layout, SharedState, moved_frame, moved_shared
from dvp_core.tracking.surface import see, vertex_points
from dvp_core.tracking.terms.contour import contour_residual
from dvp_core.tracking.terms.detector import detector_residual, metres_upright
from dvp_core.tracking.terms.landmarks import landmark_residual
from dvp_core.tracking.terms.openings import opening_residual
from dvp_core.tracking.terms.photometric import Appearance, photometric_residual
from dvp_core.tracking.terms.prior import expression_prior, focal_prior, identity_prior
from dvp_core.tracking.terms.temporal import Motion, temporal_residual
from dvp_core.tracking.terms.tracks import track_residual

TERMS = (
    "landmarks",
    "tracks",
    "detector",
    "contour",
    "openings",
    "photometric",
    "expression",
    "identity",
    "focal",
    "temporal",
)
STEP = 1e-6
RELATIVE_TOLERANCE = 2e-5  # of central differences in float64 over numbers of very different sizes

Term = Callable[[FrameState, SharedState, float], Residual]


@dataclass(frozen=True)
class Scene:
    frame: FrameState
    shared: SharedState
    layout: Layout
    terms: dict[str, Term]


@pytest.fixture(scope="module")
def scene(tiny_face) -> Scene:
    random = np.random.default_rng(3)
    camera = Camera.centered(150.0, 96, 64)
    layout = Layout(tiny_face.expression_count, tiny_face.identity_count, has_focal=True)
    turned = OPENGL_CAMERA_FROM_CAMERA @ matrix_from_rotation_vector(np.array([0.2, -0.3, 0.1]))
    frame = FrameState(turned, np.array([0.01, -0.02, 0.6]), np.array([0.4, 0.3]))
    shared = SharedState(random.normal(size=3), 140.0)
    points = vertex_points(tiny_face, np.arange(3, 70, 6))
    count = len(points.neutral)
    targets = see(points, frame, shared, camera, layout).points_px + random.normal(size=(count, 2)) * 3
    sigma = random.uniform(0.5, 2.0, count)
    whitening = np.linalg.inv(np.linalg.cholesky(np.cov(random.normal(size=(2 * count, 5 * count)))))
    upright = metres_upright(turned, 0.6, 1.0)
    spun = random.normal(size=(count, 2, 2))
    across = random.normal(size=(count, 2))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    pairs = np.array([[0, 3], [5, 2], [4, 7]])
    picture = Picture(random.uniform(0, 1, (20, 30, 3)).astype(np.float32), np.array([-10.0, -10.0]), 4)
    normals = random.normal(size=(count, 3)) + np.array([0, 0, 2])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    reflectance, light = random.uniform(0.2, 0.9, (count, 3)), random.normal(size=(9, 3))
    before = FrameState(
        matrix_from_rotation_vector(np.array([0.4, 0.5, -0.3])) @ turned,
        frame.translation_m + 0.03,
        np.array([0.2, 0.7]),
    )
    motion = Motion(0.03, 0.005, np.array([0.2, 0.3]))

    def seen(state: FrameState, common: SharedState):
        return see(points, state, common, camera, layout)

    terms: dict[str, Term] = {
        "landmarks": lambda f, s, w: landmark_residual(seen(f, s), targets, sigma / w),
        "tracks": lambda f, s, w: track_residual(seen(f, s), targets, w * spun),
        "detector": lambda f, s, w: detector_residual(seen(f, s), targets, w * whitening, upright),
        "contour": lambda f, s, w: contour_residual(seen(f, s), targets, across, sigma / w),
        "openings": lambda f, s, w: opening_residual(seen(f, s), pairs, targets, sigma[:3] / w),
        "photometric": lambda f, s, w: photometric_residual(
            seen(f, s), Appearance(reflectance, normals, light, sigma / w), picture
        ),
        "expression": lambda f, s, w: expression_prior(f, layout, mean=np.array([0.1, 0.2]), sigma=np.full(2, 0.3) / w),
        "identity": lambda f, s, w: identity_prior(s, layout, sigma=0.7 / w),
        "focal": lambda f, s, w: focal_prior(s, layout, usual_px=120.0, sigma=0.1 / w),
        "temporal": lambda f, s, w: temporal_residual(
            f, before, layout, Motion(motion.rotation_rad / w, motion.translation_m / w, motion.expression / w)
        ),
    }
    return Scene(frame, shared, layout, terms)


def moved(scene: Scene, step: np.ndarray) -> tuple[FrameState, SharedState]:
    size = scene.layout.frame_size
    return moved_frame(scene.frame, step[:size]), moved_shared(scene.shared, step[size:])


@pytest.mark.parametrize("name", TERMS)
def test_gradient_is_that_of_the_energy(scene, name):
    residual = scene.terms[name](scene.frame, scene.shared, 1.0)
    gradient = 2 * accumulate([residual], scene.layout.size).gradient
    free = np.flatnonzero(np.arange(scene.layout.size) != (scene.layout.focal.start if name == "photometric" else -1))
    for place in free:
        step = np.zeros(scene.layout.size)
        step[place] = STEP
        above, below = (energy_of(scene.terms[name](*moved(scene, sign * step), 1.0)) for sign in (1, -1))
        expected = (above - below) / (2 * STEP)
        scale = np.abs(gradient).max()
        assert gradient[place] == pytest.approx(expected, abs=RELATIVE_TOLERANCE * scale), (
            f"parameter {place} of {name}"
        )


@pytest.mark.parametrize("name", TERMS)
def test_doubled_precision_quadruples_the_squared_energy(scene, name):
    once, twice = (scene.terms[name](scene.frame, scene.shared, weight) for weight in (1.0, 2.0))
    assert np.sum(twice.values**2) == pytest.approx(4 * np.sum(once.values**2), rel=1e-9)
    assert np.allclose(twice.jacobian, 2 * once.jacobian)
    assert np.sum(once.values**2) > 0.01


def test_an_infinite_error_switches_a_point_off(scene, tiny_face):
    points = vertex_points(tiny_face, np.arange(2))
    seen = see(points, scene.frame, scene.shared, Camera.centered(150.0, 96, 64), scene.layout)
    residual = landmark_residual(seen, np.full((2, 2), 40.0), np.array([np.inf, 1.0]))
    assert not residual.values[:2].any()
    assert not residual.jacobian[:2].any()
    assert residual.values[2:].all()
