"""Every batched term against its slow counterpart: the same residuals and the same normal equations, frame by frame."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from dvp_core.maths.rotations import matrix_from_rotation_vector, rotation_vector_from_matrix
from dvp_core.tracking.batched import detector, photometric, points, priors
from dvp_core.tracking.batched.harmonics import harmonics
from dvp_core.tracking.batched.pictures import Pictures
from dvp_core.tracking.batched.rotations import (
    inverse_left_jacobian,
)
from dvp_core.tracking.batched.rotations import (
    matrix_from_rotation_vector as matrices_from_rotation_vectors,
)
from dvp_core.tracking.batched.rotations import (
    rotation_vector_from_matrix as rotation_vectors_from_matrices,
)
from dvp_core.tracking.batched.solver import Residuals
from dvp_core.tracking.batched.solver import accumulate as accumulate_all
from dvp_core.tracking.batched.surface import riding_points
from dvp_core.tracking.batched.surface import see as see_all
from dvp_core.tracking.outline import outline_finder
from dvp_core.tracking.picture import Picture
from dvp_core.tracking.solver import Residual, accumulate
from dvp_core.tracking.states import FrameState, Layout, SharedState
from dvp_core.tracking.surface import see, vertex_points
from dvp_core.tracking.terms.contour import contour_residual
from dvp_core.tracking.terms.detector import detector_residual, metres_upright
from dvp_core.tracking.terms.landmarks import landmark_residual
from dvp_core.tracking.terms.openings import opening_residual
from dvp_core.tracking.terms.photometric import Appearance, photometric_residual
from dvp_core.tracking.terms.prior import expression_prior
from dvp_core.tracking.terms.temporal import Motion, temporal_residual
from tests.tracking.batched.conftest import DEVICE, DTYPE, states_of, tensor

TERMS = ("landmarks", "openings", "contour", "detector", "unsure detector", "photometric", "expression", "temporal")
RELATIVE_TOLERANCE = 1e-9  # float64, the same formulas in another order
DETECTOR_TOLERANCE = 1e-5  # its large product may be taken in float32 by either side
SINGLE_TOLERANCE = 1e-4  # float32, of the largest number of its kind


@dataclass(frozen=True)
class Twins:
    reference: dict[str, Callable[[int], Residual]]
    batched: dict[str, Callable[[], Residuals]]


@pytest.fixture(scope="module")
def twins(tiny_face, tiny_frames) -> Twins:
    random = np.random.default_rng(4)
    camera, frames, before = tiny_frames.camera, tiny_frames.frames, tiny_frames.before
    states = tiny_frames.states
    layout, shared = Layout(tiny_face.expression_count), SharedState(np.zeros(0), camera.focal_px)
    surface = vertex_points(tiny_face, np.arange(3, 70, 6)).baked(np.zeros(3))
    count = len(surface.neutral)
    riding = riding_points(surface, DEVICE, DTYPE)

    def seen(index: int):
        return see(surface, frames[index], shared, camera, layout)

    def seen_all():
        return see_all(riding, states, camera)

    targets = np.stack([seen(k).points_px for k in range(3)]) + random.normal(size=(3, count, 2)) * 3
    sigma = random.uniform(0.5, 2.0, (3, count))
    sigma[1, 2] = np.inf
    across = random.normal(size=(3, count, 2))
    pairs = np.array([[0, 3], [5, 2], [4, 7]])
    whitening = np.linalg.inv(np.linalg.cholesky(np.cov(random.normal(size=(2 * count, 5 * count)))))
    unsure = np.stack([whitening[:9] * k for k in (1.0, 0.5, 0.2)])
    distances = random.uniform(0.4, 0.7, 3)
    pixels, origins = random.uniform(0, 1, (3, 20, 30, 3)), random.uniform(-15, 0, (3, 2))
    normals = random.normal(size=(3, count, 3)) + np.array([0, 0, 2])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    reflectance, light = random.uniform(0.2, 0.9, (count, 3)), random.normal(size=(3, 9, 3))
    mean, spread = np.array([0.1, 0.2]), np.array([0.3, 0.4])
    motion = Motion(0.03, 0.005, np.array([0.2, 0.3]))
    follows = np.array([True, False, True])
    windows = [Picture(each, origin, 4) for each, origin in zip(pixels, origins, strict=True)]
    sizes_wh = torch.tensor([[30, 20]] * 3)
    pictures = Pictures(tensor(pixels), sizes_wh, tensor(origins), torch.full((3,), 4.0, dtype=DTYPE))

    def upright(index: int) -> np.ndarray:
        return metres_upright(frames[index].rotation, distances[index], camera.focal_px)

    def temporal(index: int) -> Residual:
        found = temporal_residual(frames[index], before[index], layout, motion)
        return Residual(found.values * follows[index], found.jacobian * follows[index])

    reference: dict[str, Callable[[int], Residual]] = {
        "landmarks": lambda k: landmark_residual(seen(k), targets[k], sigma[k]),
        "openings": lambda k: opening_residual(seen(k), pairs, targets[k], sigma[k, 3:6]),
        "contour": lambda k: contour_residual(seen(k), targets[k], across[k], sigma[k]),
        "detector": lambda k: detector_residual(seen(k), targets[k], whitening, upright(k)),
        "unsure detector": lambda k: detector_residual(seen(k), targets[k], unsure[k], upright(k)),
        "photometric": lambda k: photometric_residual(
            seen(k), Appearance(reflectance, normals[k], light[k], sigma[k]), windows[k]
        ),
        "expression": lambda k: expression_prior(frames[k], layout, mean=mean, sigma=spread),
        "temporal": temporal,
    }
    all_upright = detector.metres_upright(states, tensor(distances), camera.focal_px)
    looks = photometric.Looks(tensor(reflectance), tensor(normals), tensor(light), tensor(1 / sigma))
    usual = priors.UsualMotion(motion.rotation_rad, motion.translation_m, tensor(motion.expression))
    forms = harmonics(DEVICE, DTYPE)
    wanted, errors = tensor(targets), tensor(sigma)
    batched: dict[str, Callable[[], Residuals]] = {
        "landmarks": lambda: points.landmark_residual(seen_all(), wanted, errors),
        "openings": lambda: points.opening_residual(seen_all(), torch.as_tensor(pairs), wanted, errors[:, 3:6]),
        "contour": lambda: points.contour_residual(seen_all(), wanted, tensor(across), errors),
        "detector": lambda: detector.detector_residual(seen_all(), wanted, tensor(whitening), all_upright),
        "unsure detector": lambda: detector.detector_residual(seen_all(), wanted, tensor(unsure), all_upright),
        "photometric": lambda: photometric.photometric_residual(seen_all(), looks, pictures, forms),
        "expression": lambda: priors.expression_prior(states, mean=tensor(mean), sigma=tensor(spread)),
        "temporal": lambda: priors.temporal_residual(states, states_of(before), torch.as_tensor(follows), usual),
    }
    return Twins(reference, batched)


def assert_close(found: torch.Tensor, expected: np.ndarray, tolerance: float = RELATIVE_TOLERANCE) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", TERMS)
def test_residuals_are_those_of_the_reference(twins, name):
    found = twins.batched[name]()
    expected = [twins.reference[name](index) for index in range(3)]
    tolerance = DETECTOR_TOLERANCE if "detector" in name else RELATIVE_TOLERANCE
    assert_close(found.values, np.stack([each.values for each in expected]), tolerance)
    assert_close(found.jacobian, np.stack([each.jacobian for each in expected]), tolerance)
    assert found.robust_scale == expected[0].robust_scale
    assert found.group_size == expected[0].group_size
    assert found.values.abs().max() > 0.01


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_normal_equations_are_those_of_the_reference(twins, name, dtype):
    residual = twins.batched[name]()
    cast = Residuals(residual.values.to(dtype), residual.jacobian.to(dtype), residual.group_size, residual.robust_scale)
    found = accumulate_all([cast, cast])
    size = residual.jacobian.shape[2]
    expected = [accumulate([twins.reference[name](index)] * 2, size) for index in range(3)]
    double = DETECTOR_TOLERANCE if "detector" in name else RELATIVE_TOLERANCE
    tolerance = double if dtype == torch.float64 else SINGLE_TOLERANCE
    assert_close(found.hessian, np.stack([each.hessian for each in expected]), tolerance)
    assert_close(found.gradient, np.stack([each.gradient for each in expected]), tolerance)
    assert_close(found.energy, np.array([each.energy for each in expected]), tolerance)


def test_an_infinite_error_switches_a_point_off(twins):
    values = twins.batched["landmarks"]().values[1]
    assert not values[4:6].any()
    assert values[6:].all()


def test_outline_is_the_references(tiny_face, tiny_frames):
    random = np.random.default_rng(6)
    finder = outline_finder(tiny_face)
    baked = type(finder)(finder.candidates.baked(np.zeros(3)), finder.normals_head, finder.is_near)
    jaw_px = random.uniform(20, 70, (3, 17, 2))
    shared = SharedState(np.zeros(0), tiny_frames.camera.focal_px)
    expected = [
        baked.find(jaw, frame, shared, tiny_frames.camera)
        for jaw, frame in zip(jaw_px, tiny_frames.frames, strict=True)
    ]
    candidates = points.outline_candidates(baked, DEVICE, DTYPE)
    found = candidates.find(tensor(jaw_px), tiny_frames.states, tiny_frames.camera)
    assert_close(found.points.neutral, np.stack([each.points.neutral for each in expected]))
    assert_close(found.points.expression_basis, np.stack([each.points.expression_basis for each in expected]))
    assert_close(found.across, np.stack([each.across for each in expected]))
    states: list[FrameState] = tiny_frames.frames
    seen = see_all(found.points, tiny_frames.states, tiny_frames.camera)
    layout = Layout(tiny_face.expression_count)
    alone = [
        see(each.points, state, shared, tiny_frames.camera, layout)
        for each, state in zip(expected, states, strict=True)
    ]
    assert_close(seen.pixel_jacobian(), np.stack([each.pixel_jacobian() for each in alone]))


@pytest.mark.parametrize("size", [1e-9, 1e-5, 1e-2, 0.5, 3.0])
def test_rotations_are_the_references(size):
    vectors = np.random.default_rng(1).normal(size=(20, 3))
    vectors *= size / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = matrix_from_rotation_vector(vectors)
    found = matrices_from_rotation_vectors(tensor(vectors))
    assert_close(found, expected, 1e-12)
    assert_close(rotation_vectors_from_matrices(found), rotation_vector_from_matrix(expected), 1e-7)


@pytest.mark.parametrize("size", [0.0, 5e-3, 2e-2, 1.0, 2.5])
def test_inverse_jacobian_is_the_derivative_of_the_logarithm(size):
    turn = torch.tensor([0.6, -0.48, 0.64], dtype=DTYPE) * size
    matrix = matrices_from_rotation_vectors(turn)
    found = inverse_left_jacobian(turn[None])[0]
    steps = torch.eye(3, dtype=DTYPE) * 1e-6
    above, below = (
        rotation_vectors_from_matrices(matrices_from_rotation_vectors(sign * steps) @ matrix) for sign in (1, -1)
    )
    torch.testing.assert_close(found, ((above - below) / 2e-6).T, rtol=1e-5, atol=1e-5)
