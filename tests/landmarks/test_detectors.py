"""Detectors: choosing one, refusing without weights, and face-alignment's real networks with weights made here."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_definitions import (
    EYES_68,
    LID_PAIRS_68,
    MEDIAPIPE_OF_68,
    MEDIAPIPE_OUTLINE,
    ibug_points,
    iris_points,
)
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks, write_landmarks
from dvp_core.landmarks import FromFile, detector_named, weights_status
from dvp_core.landmarks.face_alignment_68 import FINDER_FILE, POINTS_FILE, load_network, points_of


@dataclass(frozen=True)
class GreyClip:
    clip: Clip

    def read(self, index: int) -> np.ndarray:
        return np.full((self.clip.height_px, self.clip.width_px, 3), 100 + index, np.uint8)

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        for index in range(*slice(start, stop).indices(self.clip.frame_count)):
            yield self.read(index)


@pytest.fixture
def grey() -> GreyClip:
    return GreyClip(Clip("grey.mp4", "0" * 64, 64, 48, Fraction(25), 1, 2))


@pytest.fixture(scope="module")
def made_weights(tmp_path_factory) -> Path:
    """Both networks' weights as they are drawn at random, the finder's made to find nothing."""
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    finder = s3fd()
    for name, parameter in finder.named_parameters():
        if "mbox_conf" in name:
            torch.nn.init.zeros_(parameter)
            if name.endswith("bias"):
                parameter.data[0::2] = 5.0
    torch.save(finder.state_dict(), folder / FINDER_FILE)
    torch.save(FAN(4).state_dict(), folder / POINTS_FILE)
    return folder


def track_of(count: int) -> LandmarkTrack:
    points = np.random.default_rng(count).uniform(0, 60, (2, count, 2))
    return LandmarkTrack(points, np.ones((2, count), np.float32), np.ones(2, bool), (64, 48), Fraction(25))


@pytest.mark.filterwarnings("ignore")  # the library's own, about compiling and about finding nothing
def test_face_alignment_runs_and_marks_frames_without_a_face(made_weights, grey):
    found = detector_named("face-alignment", weights=made_weights).detect(grey)
    assert found.points_px.shape == (2, 68, 2)
    assert not found.is_detected.any()
    assert not found.confidence.any()


@pytest.mark.filterwarnings("ignore")
def test_face_alignment_places_its_points_around_the_box(made_weights, grey):
    network = load_network(made_weights)
    faces, scores = points_of(network, grey.read(0), [np.array([10.0, 5.0, 50.0, 45.0, 0.9])])
    assert len(faces) == len(scores) == 1
    assert faces[0].shape == (68, 2)
    assert scores[0].shape == (68,)
    assert (np.abs(faces[0] - [30, 25]) < 60).all()


def test_missing_weights_name_the_file_and_where_it_goes(tmp_path, grey):
    with pytest.raises(DataError, match=FINDER_FILE) as caught:
        detector_named("face-alignment", weights=tmp_path).detect(grey)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_weights_of_something_else_are_refused(tmp_path, grey):
    torch.save({"a": torch.zeros(2)}, tmp_path / FINDER_FILE)
    torch.save({"a": torch.zeros(2)}, tmp_path / POINTS_FILE)
    with pytest.raises(DataError, match="no weights of face-alignment"):
        detector_named("face-alignment", weights=tmp_path).detect(grey)


def test_mediapipe_without_weights_is_one_clear_error(tmp_path, grey):
    with pytest.raises(DataError, match="MediaPipe"):
        detector_named("mediapipe", weights=tmp_path / "none.task").detect(grey)


@pytest.mark.skipif(find_spec("mediapipe") is None, reason="the extra 'mediapipe' is not installed")
def test_mediapipe_finds_the_points_of_the_file(test_data):
    from dvp_core.video import open_clip

    folder = test_data / "synthetic/seq_12"
    source = open_clip(folder, fps=Fraction(25))
    found = detector_named("mediapipe", weights=test_data / "models/face_landmarker.task").detect(source)
    expected = read_landmarks(folder / "landmarks.npz")
    assert np.median(np.abs(found.points_px - expected.points_px)) < 1.0
    assert found.depth is not None
    assert found.depth.std() > 10
    assert expected.depth is None or np.median(np.abs(found.depth - expected.depth)) < 1.0


def test_status_says_where_weights_go(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    statuses = {status.detector: status for status in weights_status()}
    assert set(statuses) == {"mediapipe", "face-alignment"}
    assert str(tmp_path) in statuses["face-alignment"].detail
    assert not statuses["face-alignment"].is_present


def test_auto_without_any_weights_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError, match="no landmark detector can run"):
        detector_named()


def test_file_detector_returns_the_file_and_checks_the_clip(tmp_path, grey):
    write_landmarks(tmp_path / "a.npz", track_of(68))
    assert FromFile(tmp_path / "a.npz").detect(grey).points_px == pytest.approx(track_of(68).points_px, abs=1e-4)
    longer = GreyClip(Clip("b.mp4", "0" * 64, 64, 48, Fraction(25), 1, 3))
    with pytest.raises(DataError, match="2 frames"):
        FromFile(tmp_path / "a.npz").detect(longer)


def test_mediapipe_points_become_ibug_points():
    track = track_of(478)
    points = ibug_points(track)
    assert points.shape == (2, 68, 2)
    assert points[:, 36] == pytest.approx(track.points_px[:, 33])
    assert points[:, 17] == pytest.approx((track.points_px[:, 70] + track.points_px[:, 46]) / 2)
    irises = iris_points(track)
    assert irises is not None
    assert irises[:, 0] == pytest.approx(track.points_px[:, 473:478].mean(axis=1))
    assert ibug_points(track_of(68)) is not None
    assert iris_points(track_of(68)) is None


def test_tables_name_each_point_once():
    assert MEDIAPIPE_OF_68.shape == (68, 2)
    single = [tuple(pair) for pair in MEDIAPIPE_OF_68]
    assert len(set(single)) == 68
    assert len(set(MEDIAPIPE_OUTLINE)) == 36
    assert set(LID_PAIRS_68.ravel()) <= set(EYES_68.ravel())


def test_subjects_left_is_on_the_right_of_a_real_picture(test_data):
    track = read_landmarks(test_data / "clips/man_glasses.landmarks.npz")
    irises = iris_points(track)
    assert irises is not None
    assert (irises[:, 0, 0] > irises[:, 1, 0]).all()
    eyes = ibug_points(track)[:, EYES_68].mean(axis=2)
    assert np.median(np.linalg.norm(irises - eyes, axis=-1)) < 5
