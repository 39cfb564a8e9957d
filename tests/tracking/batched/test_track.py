"""The whole track in batches against the whole track frame by frame, on the built-in actor and on a rendered clip.

The two differ in what they start from: frame by frame each frame starts where the last one ended, with few steps and
with the outline as it lay there; in batches each starts from its points alone. That, not arithmetic, is what the
tolerances allow for. Without colours the outline weighs most, and it is chosen point by point.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from dvp_core.actor import actor_clip_path, actor_landmarks_path
from dvp_core.data.clip import Clip, FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks
from dvp_core.data.progress import no_progress
from dvp_core.data.take import Take
from dvp_core.face import import_ict
from dvp_core.face.built_in import built_in_face
from dvp_core.maths.rotations import angle_between_deg, matrix_from_quaternion_wxyz
from dvp_core.tracking import TrackOptions, track
from dvp_core.tracking.batched import Batches
from dvp_core.tracking.batched.evidence import detected_points
from dvp_core.tracking.batched.frames import Batch, BatchProblem, batch_problem, fit_batch
from dvp_core.tracking.batched.pattern import textures_of
from dvp_core.tracking.batched.pattern import track_residual as track_residuals
from dvp_core.tracking.batched.pictures import pictures_of
from dvp_core.tracking.batched.solver import accumulate as accumulate_all
from dvp_core.tracking.batched.states import frames_of
from dvp_core.tracking.batched.surface import see as see_all
from dvp_core.tracking.evidence import FramePoints
from dvp_core.tracking.picture import PlateCut, cut_of_plate
from dvp_core.tracking.setup import Person, clip_points, known_person
from dvp_core.tracking.solver import accumulate
from dvp_core.tracking.states import Layout, SharedState
from dvp_core.tracking.surface import see
from dvp_core.tracking.terms.tracks import track_residual
from dvp_core.tracking.texture import Texture, texture_of_plate
from dvp_core.tracking.tile_tracks import track_tiles
from dvp_core.tracking.tiles import see_tiles
from dvp_core.video import open_clip
from tests.tracking.stage import FOCAL_PX, made_up_table, performance, staged, with_dense_points

FRAME_COUNT, UNSEEN, CUT = 32, (8, 9), 20
IN_BATCHES = Batches(device="cpu", frame_count=11)


@dataclass(frozen=True)
class FirstFrames:
    """The first frames of another source."""

    source: FrameSource
    clip: Clip

    def read(self, index: int) -> np.ndarray:
        return self.source.read(index)

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        yield from self.source.iterate(start, self.clip.frame_count if stop is None else stop)


def first_frames(source: FrameSource, count: int) -> FirstFrames:
    return FirstFrames(source, replace(source.clip, frame_count=count))


def actor_points() -> LandmarkTrack:
    points = read_landmarks(actor_landmarks_path()).part(0, FRAME_COUNT)
    is_detected = ~np.isin(np.arange(FRAME_COUNT), UNSEEN)
    return replace(points, is_detected=is_detected)


def largest(values: np.ndarray) -> float:
    return float(np.abs(values).max())


def turns_between_deg(a: Take, b: Take) -> np.ndarray:
    return angle_between_deg(*(matrix_from_quaternion_wxyz(take.head_rotation_wxyz) for take in (a, b)))


def assert_same_take(found: Take, expected: Take, *, median_deg: float = 0.1, largest_deg: float = 0.3) -> None:
    turns = turns_between_deg(found, expected)
    assert np.median(turns) < median_deg
    assert turns.max() < largest_deg
    away_m = np.linalg.norm(found.head_translation_m - expected.head_translation_m, axis=1)
    assert np.median(away_m) < 5e-3 * median_deg
    assert away_m.max() < 5e-3 * largest_deg
    assert np.sqrt(np.mean((found.expression - expected.expression) ** 2)) < 0.006
    assert largest(found.expression - expected.expression) < 0.08
    assert largest(found.illumination_sh - expected.illumination_sh) < 0.03
    assert largest(np.degrees(found.gaze_rad - expected.gaze_rad)) < 1.0
    assert found.landmark_error_px.mean() == pytest.approx(expected.landmark_error_px.mean(), rel=0.02)
    assert found.photometric_error.mean() == pytest.approx(expected.photometric_error.mean(), rel=0.02, abs=1e-9)
    assert found.measured is not None
    assert expected.measured is not None
    for name in ("rotation_sigma_rad", "translation_sigma_m", "expression_sigma", "gaze_sigma_rad"):
        ratio = getattr(found.measured, name) / getattr(expected.measured, name)
        assert np.percentile(np.abs(ratio - 1), 95) < 0.05, name


@pytest.mark.parametrize(("has_colours", "median_deg", "largest_deg"), [(True, 0.1, 0.3), (False, 0.3, 1.0)])
def test_actor_is_tracked_as_by_the_reference(has_colours, median_deg, largest_deg):
    source = first_frames(open_clip(actor_clip_path()), FRAME_COUNT)
    options = TrackOptions(key_frame_count=5)
    options = options if has_colours else replace(options, photometric=None)
    expected, found = (
        track(source, actor_points(), built_in_face(), options=options, cuts=(UNSEEN[1], CUT), batches=batches)
        for batches in (None, IN_BATCHES)
    )
    assert_same_take(found, expected, median_deg=median_deg, largest_deg=largest_deg)
    np.testing.assert_array_equal(found.is_tracked, expected.is_tracked)
    np.testing.assert_array_equal(found.identity, expected.identity)
    if has_colours:
        assert np.ptp(expected.illumination_sh, axis=0).max() > 0.02


@pytest.mark.parametrize("confidence", [1.0, 0.3])
def test_calibrated_detector_is_followed_as_by_the_reference(test_data, confidence):
    folder, count = test_data / "synthetic" / "seq_12", 16
    points = read_landmarks(folder / "landmarks.npz")
    sure = points.confidence.copy()
    sure[5:12, ::4] = confidence
    points = replace(points, confidence=sure)
    source = first_frames(open_clip(folder, fps=points.fps or Fraction(30)), count)
    options = TrackOptions(focal_px=float(np.load(folder / "truth.npz")["focal_px"]), key_frame_count=4)
    model = import_ict(test_data / "ict_facekit" / "ict_facekit.npz")
    expected, found = (
        track(source, points.part(0, count), model, options=options, batches=batches) for batches in (None, IN_BATCHES)
    )
    assert_same_take(found, expected)


def test_nothing_is_carried_over_a_cut():
    source, points = first_frames(open_clip(actor_clip_path()), FRAME_COUNT), actor_points()
    options = TrackOptions(key_frame_count=4, photometric=None)
    whole, parted = (
        track(source, points, built_in_face(), options=options, cuts=cuts, batches=IN_BATCHES) for cuts in ((), (CUT,))
    )
    np.testing.assert_array_equal(parted.expression[:CUT], whole.expression[:CUT])
    assert not np.array_equal(parted.expression[CUT], whole.expression[CUT])


def test_decoding_runs_at_most_one_batch_ahead():
    decoded, ahead = [], []

    @dataclass(frozen=True)
    class Watched(FirstFrames):
        def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
            for index, plate in enumerate(super().iterate(start, stop)):
                decoded.append(index)
                yield plate

    def note(stage: str, done: int, total: int) -> None:
        if stage == "frames":
            ahead.append(len(decoded) - done)

    whole = first_frames(open_clip(actor_clip_path()), FRAME_COUNT)
    source = Watched(whole.source, whole.clip)
    batches = replace(IN_BATCHES, frame_count=4)
    options = TrackOptions(key_frame_count=3, photometric=None)
    track(source, actor_points(), built_in_face(), options=options, batches=batches, progress=note)
    assert decoded == list(range(FRAME_COUNT))
    assert 4 <= max(ahead) <= 2 * 4 + len(UNSEEN)


@dataclass(frozen=True)
class KnownActor:
    """The actor as the key frames tell him, and five frames."""

    person: Person
    frames: list[FramePoints]
    cuts: list[PlateCut]
    textures: list[Texture]


@pytest.fixture(scope="module")
def known_actor() -> KnownActor:
    # Tiles are followed under a detector with a table alone.
    turns = np.stack([np.linspace(-18, 18, 9), np.linspace(5, -5, 9), np.zeros(9)], axis=1)
    stage = with_dense_points(staged(performance(turns)))
    source, landmarks, points = stage.source, stage.landmarks, clip_points(stage.landmarks)
    options, table = TrackOptions(key_frame_count=5, focal_px=FOCAL_PX), made_up_table()
    person = known_person(source, points, landmarks.is_detected, built_in_face(), options, no_progress, table=table)
    frames = [points.frame(index) for index in range(5)]
    plates = [source.read(index) for index in range(5)]
    seen = list(zip(plates, frames, strict=True))
    cuts = [cut_of_plate(plate, frame.ibug_px, across_px=128) for plate, frame in seen]
    textures = [texture_of_plate(plate, frame.ibug_px, across_px=128) for plate, frame in seen]
    return KnownActor(person, frames, cuts, textures)


def batch_on(device: torch.device, dtype: torch.dtype, known: KnownActor) -> tuple[BatchProblem, Batch]:
    problem = batch_problem(known.person.problem, torch.as_tensor(known.person.light), device, dtype)
    nowhere = torch.zeros(len(known.frames), dtype=torch.bool, device=device)
    batch = Batch(
        detected_points(known.frames, problem.rig, device, dtype),
        pictures_of(known.cuts, device, dtype),
        textures_of(known.cuts, device, dtype),
        nowhere,
        nowhere,
        None,
        problem.fresh_light,
    )
    return problem, batch


def test_a_batch_neither_waits_for_its_device_nor_leaves_it(known_actor):
    # The device "meta" has no numbers: to look at one, or to mix its tensors with another device's, is an error.
    problem, batch = batch_on(torch.device("meta"), torch.float32, known_actor)
    assert problem.tiles is not None
    with torch.inference_mode():
        result = fit_batch(problem, batch)
    assert result.sigma.shape == (len(known_actor.frames), 6 + known_actor.person.face.expression_count)
    assert result.lights.device.type == result.states.rotation.device.type == "meta"
    assert result.states.expression.dtype == torch.float32


def test_tiles_are_found_where_the_reference_finds_them(known_actor):
    problem, batch = batch_on(torch.device("cpu"), torch.float64, known_actor)
    known, camera = known_actor.person.problem.known, problem.camera
    assert known is not None
    assert problem.tiles is not None
    assert batch.textures is not None
    states = fit_batch(problem, batch).states
    found = problem.tiles.find(batch.textures, states, camera)
    residual = track_residuals(see_all(problem.tiles.centers, states, camera), found)
    equations = accumulate_all([residual])
    layout, shared = Layout(states.expression.shape[1]), SharedState(np.zeros(0), camera.focal_px)
    for index, (state, texture) in enumerate(zip(frames_of(states), known_actor.textures, strict=True)):
        sights = see_tiles(known.tiles, state, camera)
        expected = track_tiles(known.templates, texture, sights, known.grid, known.options)
        is_found = found.whitening[index].abs().amax(dim=(1, 2)).numpy() > 0
        # The reference reads patterns in float32, so a tile at the limit may fall to either side.
        assert (is_found != expected.is_found).mean() < 0.01
        both = is_found & expected.is_found
        assert both.sum() > 50
        np.testing.assert_allclose(found.targets_px[index].numpy()[both], expected.targets_px[both], atol=2e-3)
        precision, wanted = (w.swapaxes(1, 2) @ w for w in (found.whitening[index].numpy(), expected.whitening))
        np.testing.assert_allclose(precision[both], wanted[both], atol=2e-3 * np.abs(wanted).max())
        seen = see(known.tiles.centers, state, shared, camera, layout)
        alone = accumulate([track_residual(seen, expected.targets_px, expected.whitening)], layout.size)
        np.testing.assert_allclose(
            equations.hessian[index].numpy(), alone.hessian, atol=0.02 * np.abs(alone.hessian).max()
        )


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a graphics card")
def test_a_missing_card_is_said_with_its_remedy():
    source = first_frames(open_clip(actor_clip_path()), FRAME_COUNT)
    with pytest.raises(DataError, match="graphics card") as caught:
        track(source, actor_points(), built_in_face(), batches=Batches(device="cuda"))
    assert "--device cpu" in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
def test_card_and_cpu_agree():
    source = first_frames(open_clip(actor_clip_path()), FRAME_COUNT)
    options = TrackOptions(key_frame_count=5)
    on_cpu, on_card = (
        track(source, actor_points(), built_in_face(), options=options, batches=Batches(device=device, frame_count=11))
        for device in ("cpu", "cuda")
    )
    assert turns_between_deg(on_cpu, on_card).max() < 0.02
    assert largest(on_cpu.expression - on_card.expression) < 0.01
