"""Batched light, pictures and skin against the reference."""

import numpy as np
import pytest
import torch

from dvp_core.face import vertex_normals
from dvp_core.maths.spherical_harmonics import sh_basis, shade
from dvp_core.tracking.appearance import PersonAppearance, skin_patch
from dvp_core.tracking.batched.harmonics import harmonics
from dvp_core.tracking.batched.light import Relighting, chained, lit_points, plain_map, robust_map
from dvp_core.tracking.batched.pattern import textures_of
from dvp_core.tracking.batched.pictures import pictures_of
from dvp_core.tracking.batched.skin import skin_of
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.frames import LEAST_FACING, FrameProblem
from dvp_core.tracking.light import estimated_light
from dvp_core.tracking.options import PhotometricOptions
from dvp_core.tracking.picture import cut_of_plate, window_of_plate
from dvp_core.tracking.surface import vertex_points
from dvp_core.tracking.texture import texture_of_plate
from tests.tracking.batched.conftest import DEVICE, DTYPE, tensor

FRAME_COUNT, POINT_COUNT = 7, 120


class LitClip:
    """Frames in changing light, some points hidden, some spoiled."""

    def __init__(self) -> None:
        random = np.random.default_rng(8)
        normals = random.normal(size=(FRAME_COUNT, POINT_COUNT, 3)) * 0.6 + np.array([0, 0, -1])
        self.normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
        self.reflectance = random.uniform(0.2, 0.6, (POINT_COUNT, 3))
        self.lights = random.normal(size=(FRAME_COUNT, 9, 3)) * 0.2 + np.eye(9)[:, :1] * 3
        lit = np.stack([shade(n, light) for n, light in zip(self.normals, self.lights, strict=True)])
        self.colours = self.reflectance * lit + random.normal(size=lit.shape) * 0.01
        self.colours[:, ::9] += 0.5
        self.is_used = random.uniform(size=(FRAME_COUNT, POINT_COUNT)) > 0.3
        self.is_used[4] = False
        self.before, self.fresh = random.normal(size=(2, 9, 3))

    def points(self):
        basis = harmonics(DEVICE, DTYPE).basis(tensor(self.normals))
        return lit_points(tensor(self.colours), tensor(self.reflectance), basis, torch.as_tensor(self.is_used))

    def relit(self, index: int, expected: np.ndarray) -> np.ndarray:
        used = self.is_used[index]
        if not used.any():
            return expected
        seen = self.colours[index, used], self.reflectance[used], self.normals[index, used], np.ones(used.sum())
        return estimated_light(*seen, expected=expected)


@pytest.fixture(scope="module")
def lit_clip() -> LitClip:
    return LitClip()


def test_harmonics_are_the_references(lit_clip):
    forms = harmonics(DEVICE, DTYPE)
    normals, lights = tensor(lit_clip.normals), tensor(lit_clip.lights)
    np.testing.assert_allclose(forms.basis(normals).numpy(), sh_basis(lit_clip.normals), atol=1e-12)
    arriving, slope = forms.shade_and_slope(normals, lights)
    np.testing.assert_allclose(arriving.numpy(), sh_basis(lit_clip.normals) @ lit_clip.lights, atol=1e-12)
    for axis in range(3):
        step = torch.zeros(3, dtype=DTYPE)
        step[axis] = 1e-6
        above, below = (forms.shade_and_slope(normals + sign * step, lights)[0] for sign in (1, -1))
        torch.testing.assert_close(slope[..., axis], (above - below) / 2e-6, rtol=1e-6, atol=1e-6)


def test_each_frames_light_is_the_references(lit_clip):
    expected_light = np.random.default_rng(2).normal(size=(FRAME_COUNT, 9, 3))
    points = lit_clip.points()
    found = robust_map(points, plain_map(points), tensor(expected_light)).of(tensor(expected_light)).numpy()
    expected = np.stack([lit_clip.relit(index, light) for index, light in enumerate(expected_light)])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_chain_is_one_map_after_the_other(lit_clip):
    maps = plain_map(lit_clip.points())
    begins = torch.tensor([False, False, True, False, False, True, False])
    light, expected = tensor(lit_clip.before), []
    for index in range(FRAME_COUNT):
        from_light = tensor(lit_clip.fresh) if begins[index] else light
        light = maps.of(from_light.expand(FRAME_COUNT, 9, 3))[index]
        expected.append(light)
    found = chained(maps, tensor(lit_clip.before), tensor(lit_clip.fresh), begins)
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-10)


def test_light_of_a_batch_is_nearly_that_of_the_frames_in_turn(lit_clip):
    begins = np.array([False, False, False, True, False, False, False])
    light, expected = lit_clip.before, []
    for index in range(FRAME_COUNT):
        light = lit_clip.fresh if begins[index] else light
        light = lit_clip.relit(index, lit_clip.relit(index, light))
        expected.append(light)
    relighting = Relighting(tensor(lit_clip.before), tensor(lit_clip.fresh), torch.as_tensor(begins))
    points = lit_clip.points()
    first, fed = relighting.first_maps(points)
    found = relighting.lights(points, first, fed).numpy()
    # What is doubted depends on the light of the frame before, which is known only nearly.
    np.testing.assert_allclose(found, np.stack(expected), atol=2e-3)


def test_pictures_are_the_references():
    random = np.random.default_rng(5)
    plate = random.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    sizes, corners = (20, 61, 90, 130), ((150, 20), (40, 50), (-30, -40), (60, 10))
    points = [random.uniform(0, 1, (9, 2)) * size + corner for size, corner in zip(sizes, corners, strict=True)]
    windows = [window_of_plate(plate, each, across_px=30) for each in points]
    pictures = pictures_of([cut_of_plate(plate, each, across_px=30) for each in points], DEVICE, DTYPE)
    assert len(set(pictures.pixel_size_px.tolist())) > 1
    spread = random.uniform(-0.5, 1.5, (4, 300, 2))
    places = spread * np.array(sizes)[:, None, None] + np.array(corners)[:, None]
    colours, gradient = pictures.sample(tensor(places))
    for index, window in enumerate(windows):
        expected_colours, expected_gradient = window.sample(places[index])
        np.testing.assert_allclose(colours[index].numpy(), expected_colours, atol=1e-6)
        np.testing.assert_allclose(gradient[index].numpy(), expected_gradient, atol=1e-6)


def test_patterns_are_the_references():
    random = np.random.default_rng(6)
    plate = random.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    points = [np.array([[x, 20.0], [x + size, 20 + size]]) for x, size in ((10.0, 40), (60.0, 55), (90.0, 90))]
    textures = textures_of([cut_of_plate(plate, each, across_px=40) for each in points], DEVICE, DTYPE)
    assert len(set(textures.pixel_size_px.tolist())) > 1
    places = random.uniform(-20, 220, (3, 30, 9, 2))
    values = textures.sample(tensor(places))
    for index, each in enumerate(points):
        expected = texture_of_plate(plate, each, across_px=40).sample(places[index])
        np.testing.assert_allclose(values[index].numpy(), expected, atol=2e-4)
        assert np.ptp(expected) > 0.1


def test_reading_nowhere_stays_inside():
    plate = np.full((40, 40, 3), 9, np.uint8)
    pictures = pictures_of([cut_of_plate(plate, np.array([[5.0, 5], [30, 30]]), across_px=20)], DEVICE, DTYPE)
    nowhere = torch.tensor([[[torch.nan, 3.0], [torch.inf, -torch.inf]]], dtype=DTYPE)
    assert torch.isfinite(pictures.sample(nowhere)[0]).all()


def test_skin_looks_as_the_reference_says(tiny_face, tiny_frames):
    random = np.random.default_rng(7)
    face = tiny_face.baked(np.zeros(3))
    spread = np.where(random.uniform(size=face.vertex_count) < 0.8, 0.02, np.inf)
    patch = skin_patch(face, spread, 30)
    person = PersonAppearance(random.uniform(0.1, 0.9, face.vertices.shape), spread, np.zeros((1, 9, 3)))
    options = PhotometricOptions()
    nothing = dict.fromkeys(("rig", "expression_sigma", "expression_push", "expression_range", "motion"))
    problem = FrameProblem(
        face=face,
        camera=tiny_frames.camera,
        person=person,
        patch=patch,
        skin=vertex_points(face, patch.vertices),
        photometric=options,
        **nothing,  # type: ignore[arg-type]
    )
    skin = skin_of(problem, DEVICE, DTYPE)
    assert skin is not None
    states: FrameStates = tiny_frames.states
    looks = skin.looks(states, torch.zeros((3, 9, 3), dtype=DTYPE), tiny_frames.camera)
    for index, frame in enumerate(tiny_frames.frames):
        normals = patch.normals_head(frame.expression)
        whole = vertex_normals(face.vertices + np.tensordot(frame.expression, face.expression_basis, 1), face.triangles)
        np.testing.assert_allclose(normals, whole[patch.vertices], atol=1e-6)
        np.testing.assert_allclose(looks.normals_head[index].numpy(), normals, atol=1e-9)
        place = skin.points.at(states.expression)[index].numpy() @ frame.rotation.T + frame.translation_m
        facing = -((normals @ frame.rotation.T) * place).sum(axis=1) / np.linalg.norm(place, axis=1)
        sigma = np.sqrt(options.sigma**2 + spread[patch.vertices] ** 2) / np.sqrt(options.weight)
        expected = np.where(facing > LEAST_FACING, np.sqrt(np.maximum(facing, LEAST_FACING)) / sigma, 0)
        np.testing.assert_allclose(looks.precision[index].numpy(), expected, rtol=1e-9)
