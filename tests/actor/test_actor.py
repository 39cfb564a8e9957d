"""The built-in actor's performance, voice, files, and that they fit each other."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.actor import (
    ActorTruth,
    actor_clip_path,
    actor_consent_path,
    actor_landmarks_path,
    actor_truth,
    read_truth,
    write_truth,
)
from dvp_core.data.camera import Camera
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.face import built_in_face
from dvp_core.face.expression_names import ARKIT_52
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import angle_between_deg
from dvp_core.trust import Work, admit
from dvp_core.video import open_clip, plate_sound
from tools.built_in_actor.performance import BLINK_TIMES_S, FPS, FRAME_COUNT, built_in_performance
from tools.built_in_actor.sound import RATE_HZ, voice
from tools.built_in_actor.speech import speech_sounds
from tools.built_in_actor.truth import actor_truth_of


@pytest.fixture(scope="module")
def performance():
    return built_in_performance()


def test_the_performance_is_made_of_known_shapes_in_their_range(performance):
    assert set(performance.expression) <= set(ARKIT_52)
    for name, curve in performance.expression.items():
        assert curve.shape == (FRAME_COUNT,)
        assert curve.min() >= 0, name
        assert curve.max() <= 1, name


def test_the_held_out_third_shows_what_the_rest_has_shown(performance):
    """A generator can only be judged on poses that training came near to."""
    split = FRAME_COUNT * 2 // 3
    for name, curve in performance.expression.items():
        assert curve[split:].max() <= 1.15 * curve[:split].max() + 0.05, name
    for axis in range(3):
        trained, held_out = performance.head_deg[:split, axis], performance.head_deg[split:, axis]
        assert trained.min() - 2 <= held_out.min()
        assert held_out.max() <= trained.max() + 2


def test_lips_meet_on_m_b_and_p(performance):
    jaw = performance.expression["jawOpen"]
    smiling = performance.expression["mouthSmileLeft"] > 0.5
    for sound in speech_sounds():
        frame = int(0.5 * (sound.start_s + sound.stop_s) * float(FPS))
        if sound.letter in "mbp" and not smiling[frame]:
            assert jaw[max(frame - 1, 0) : frame + 2].min() < 0.06, sound


def test_eyes_close_at_every_blink(performance):
    for start_s in BLINK_TIMES_S:
        frame = int(start_s * float(FPS))
        assert performance.expression["eyeBlinkLeft"][frame : frame + 6].max() > 0.75


def test_the_voice_is_loud_where_the_jaw_is_open(performance):
    samples = voice(FRAME_COUNT / float(FPS))
    per_frame = samples[: FRAME_COUNT * RATE_HZ // int(FPS)].reshape(FRAME_COUNT, -1)
    loudness = np.sqrt((per_frame**2).mean(axis=1))
    jaw = performance.expression["jawOpen"]
    assert np.corrcoef(loudness, jaw)[0, 1] > 0.6
    silent = np.convolve(jaw, np.ones(15) / 15, mode="same") < 0.01
    assert loudness[silent].mean() < 0.05 * loudness.max()


def small_truth() -> ActorTruth:
    random = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    return ActorTruth(
        camera=Camera.centered(600, 256, 256),
        fps=Fraction(30000, 1001),
        face_model_id="small",
        face_model_sha256="0" * 64,
        expression_names=("jawOpen", "mouthSmileLeft"),
        identity=numbers(3),
        reflectance=numbers(5, 3),
        head_rotation_wxyz=numbers(4, 4),
        head_translation_m=numbers(4, 3),
        expression=numbers(4, 2),
        gaze_rad=numbers(4, 2, 2),
        landmarks_px=numbers(4, 68, 2),
    )


def test_truth_survives_its_file(tmp_path):
    truth = small_truth()
    write_truth(tmp_path / "a.truth.npz", truth)
    back = read_truth(tmp_path / "a.truth.npz")
    for item in fields(ActorTruth):
        np.testing.assert_array_equal(getattr(back, item.name), getattr(truth, item.name), err_msg=item.name)


def test_a_truth_that_does_not_fit_itself_is_an_error(tmp_path):
    write_truth(tmp_path / "a.truth.npz", replace(small_truth(), gaze_rad=np.zeros((3, 2, 2), np.float32)))
    with pytest.raises(DataError, match="gaze_rad"):
        read_truth(tmp_path / "a.truth.npz")


def test_the_clip_is_whole_and_small():
    source = open_clip(actor_clip_path())
    clip = source.clip
    truth = actor_truth()
    assert (clip.width_px, clip.height_px) == (truth.camera.width_px, truth.camera.height_px) == (256, 256)
    assert clip.fps == truth.fps == 25
    assert clip.frame_count == truth.frame_count == FRAME_COUNT
    assert actor_clip_path().stat().st_size <= 600_000
    picture = source.read(150)
    assert picture.shape == (256, 256, 3)
    assert picture.std() > 20


def test_landmarks_are_the_truths_within_a_detectors_error():
    track, truth = read_landmarks(actor_landmarks_path()), actor_truth()
    assert track.is_detected.all()
    assert track.size_wh == (256, 256)
    gap_px = np.linalg.norm(track.points_px - truth.landmarks_px, axis=2)
    assert 0.3 < gap_px.mean() < 1.5
    assert gap_px.max() < 6


def test_the_clip_still_shows_the_built_in_face():
    """Fails when the face's shape was changed and the clip was not rendered again."""
    truth = actor_truth()
    today = actor_truth_of(built_in_face(), built_in_performance())
    assert today.expression_names == truth.expression_names
    gap_px = np.linalg.norm(today.landmarks_px - truth.landmarks_px, axis=2)
    assert gap_px.mean() < 1.0


def test_the_truth_moves_as_the_performance_says():
    truth = actor_truth()
    rotation = relative_to_facing(truth.head_rotation_wxyz)
    widest_deg = angle_between_deg(rotation, np.eye(3)[None]).max()
    assert 15 < widest_deg < 35
    assert np.ptp(truth.landmarks_px[:, 66, 1] - truth.landmarks_px[:, 62, 1]) > 4
    assert truth.expression.max(axis=0)[truth.expression_names.index("eyeBlinkLeft")] > 0.9


def test_the_consent_record_allows_work_on_the_clip():
    clip = open_clip(actor_clip_path()).clip.sha256
    for action in ("track", "train", "render", "compose", "preview"):
        admit(actor_consent_path(), Work(action, clips_sha256=(clip,), use="dub:de", project="any"))


def test_the_clip_has_sound():
    assert plate_sound(open_clip(actor_clip_path())) is not None
