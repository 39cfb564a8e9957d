"""`calibrate_detector` with a detector whose points are known: it projects vertices, each moved by a known way.

The real detector's weights are no part of the project; what is tested is everything around it, on the built-in face.
"""

from pathlib import Path

import numpy as np
import pytest

from dvp_core.data.camera import Camera
from dvp_core.data.detector_table import read_detector_table
from dvp_core.data.errors import DataError
from dvp_core.face import built_in_face, evaluate
from dvp_core.maths.projection import project
from dvp_core.pipeline import calibrate

SUBJECTS, NOISE_PX = 14, 0.2
NUMBERS = np.array([1, 13, 61, 199])
AWAY_M = np.array([[0.002, 0.0, 0.0], [0.0, -0.003, 0.0], [-0.002, 0.002, 0.0], [0.0, 0.0, 0.0]])


def known_vertices() -> np.ndarray:
    """Return vertices in the middle of the face, well apart."""
    model = built_in_face()
    skin = np.flatnonzero(model.region("face") & (model.vertices[:, 2] > np.quantile(model.vertices[:, 2], 0.6)))
    order = skin[np.argsort(model.vertices[skin, 1])]
    return order[(np.linspace(0.2, 0.8, len(NUMBERS)) * len(order)).astype(int)]


class KnownDetector:
    """Sees the known vertices where they are drawn, as far as `dropped` lets it see a face."""

    poses: list
    dropped: frozenset = frozenset()

    def __init__(self, weights: Path | None) -> None:
        assert weights is None

    def detect_each(self, pictures):
        random, model, vertices = np.random.default_rng(7), built_in_face(), known_vertices()
        for number, picture in enumerate(pictures):
            assert picture.shape == (calibrate.SIZE_PX, calibrate.SIZE_PX, 3)
            assert picture.dtype == np.uint8
            assert picture.std() > 5  # something is drawn
            if number in self.dropped:
                yield None
                continue
            pose = self.poses[number]
            head = evaluate(model, identity=pose.identity, expression=pose.expression)[vertices] + AWAY_M
            camera = Camera.centered(pose.focal_px, calibrate.SIZE_PX, calibrate.SIZE_PX)
            points = np.zeros((478, 2))
            points[NUMBERS] = project(head @ pose.rotation.T + pose.translation_m, camera)
            yield points + random.normal(size=points.shape) * NOISE_PX


@pytest.fixture
def detector(monkeypatch):
    """Put the known detector in the real one's place, and let it know what is drawn."""
    draw = calibrate._pictures

    def told(model, subject_count, random, poses):
        KnownDetector.poses = poses
        return draw(model, subject_count, random, poses)

    monkeypatch.setattr(calibrate, "MediaPipeDetector", KnownDetector)
    monkeypatch.setattr(calibrate, "_pictures", told)
    monkeypatch.setattr(calibrate, "chosen_points", lambda: NUMBERS)
    monkeypatch.setattr(KnownDetector, "dropped", frozenset())
    return KnownDetector


def test_a_known_detector_is_found_again_and_dropped_renders_are_told(tmp_path, monkeypatch, detector):
    monkeypatch.setattr(detector, "dropped", frozenset({0, 3, 40}))
    seen: list[tuple[str, int, int]] = []

    def progress(stage: str, done: int, total: int) -> None:
        seen.append((stage, done, total))

    made = calibrate.calibrate_detector(None, tmp_path / "t.npz", subject_count=SUBJECTS, seed=3, progress=progress)
    count = SUBJECTS * calibrate.VIEWS_A_SUBJECT
    assert (made.render_count, made.dropped_count) == (count, 3)
    assert seen[-1] == ("renders", count, count)
    model, table = built_in_face(), made.table
    np.testing.assert_array_equal(table.numbers, NUMBERS)
    wanted_mm = 1000 * (model.vertices[known_vertices()] + AWAY_M)
    found_mm = 1000 * model.vertices[table.vertices] + table.offset_mm
    assert np.linalg.norm((found_mm - wanted_mm)[:, :2], axis=1).max() < 1.0
    assert table.error_mm < 1.5
    back = read_detector_table(tmp_path / "t.npz")
    np.testing.assert_allclose(back.offset_mm, table.offset_mm, atol=0.01)


def test_a_detector_that_sees_nothing_is_an_error_and_writes_no_table(tmp_path, monkeypatch, detector):
    everything = frozenset(range(10 * calibrate.VIEWS_A_SUBJECT))
    monkeypatch.setattr(detector, "dropped", everything)
    with pytest.raises(DataError, match="no face in any render"):
        calibrate.calibrate_detector(None, tmp_path / "t.npz", subject_count=10)
    assert not (tmp_path / "t.npz").exists()


def test_too_few_people_are_refused_before_any_is_drawn(tmp_path):
    with pytest.raises(DataError, match="9 subjects"):
        calibrate.calibrate_detector(None, tmp_path / "t.npz", subject_count=9)
