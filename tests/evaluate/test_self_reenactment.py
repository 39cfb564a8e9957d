"""The whole report on a tiny face: real passes of a posed sheet, a plate made from them, a generator trained on it."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json
from dvp_core.evaluate import evaluate_take, hold_out_frames, nearest_training_frames
from dvp_core.evaluate.regions import mouth_mask
from dvp_core.evaluate.scores import Tally
from dvp_core.generator.networks import build_network
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, quaternion_wxyz_from_rotation_vector


@pytest.fixture
def take(scene):
    return scene.take


@pytest.fixture
def passes(scene):
    return scene.passes


@pytest.fixture
def plate_crops(scene):
    return scene.plate_crops


@pytest.fixture
def generator(generators):
    return generators["one"]


def test_the_report_stands_on_disk(take, passes, plate_crops, generator, tmp_path):
    report = evaluate_take(take, passes, plate_crops, generator, tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "pictures.npz",
        "report.html",
        "report.json",
        "report.png",
    ]
    written = read_json(tmp_path / "report.json")
    assert written["generator"]["psnr"] == pytest.approx(report.generator.psnr)
    assert written["frames"] == str(hold_out_frames(take))
    assert report.parameters == sum(weight.numel() for weight in build_network(generator.facts.config).parameters())
    assert report.inference_ms > 0
    assert report.training["steps"] == 3
    assert "nearest" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.png").stat().st_size > 1000


def test_a_generator_that_saw_the_frames_is_refused(take, passes, plate_crops, generator, tmp_path):
    record = generator.facts.record | {"options": {"hold_out": "none"}}
    cheater = replace(generator, facts=replace(generator.facts, record=record))
    with pytest.raises(DataError, match="trained on the frames to compare"):
        evaluate_take(take, passes, plate_crops, cheater, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_to_compare_is_refused(take, passes, plate_crops, generator, tmp_path):
    lost = replace(take, is_tracked=np.zeros(take.frame_count, dtype=bool))
    with pytest.raises(DataError, match="no tracked frame"):
        evaluate_take(lost, passes, plate_crops, generator, tmp_path)


def test_the_nearest_frame_is_found_by_parameters(take):
    training = np.arange(take.frame_count - 1)
    copied = replace(
        take,
        **{
            name: np.concatenate([getattr(take, name)[:-1], getattr(take, name)[[1]]])
            for name in ("head_rotation_wxyz", "head_translation_m", "expression", "gaze_rad")
        },
    )
    assert nearest_training_frames(copied, training, np.array([take.frame_count - 1])).tolist() == [1]
    assert nearest_training_frames(take, training, training).tolist() == training.tolist()


def test_the_nearest_nod_is_found_on_both_sides_of_the_look_into_the_camera(take):
    nods = np.zeros((take.frame_count, 3))
    nods[:4, 0] = [0.02, 0.3, -0.3, -0.01]
    rotation = multiply_quaternions(facing_camera_rotation_wxyz(), quaternion_wxyz_from_rotation_vector(nods))
    still = {name: np.zeros_like(getattr(take, name)) for name in ("expression", "gaze_rad", "head_translation_m")}
    nodding = replace(take, head_rotation_wxyz=rotation.astype(np.float32), **still)
    assert nearest_training_frames(nodding, np.array([0, 1, 2]), np.array([3])).tolist() == [0]


def test_the_mouth_lies_inside_the_crop(take):
    mask = mouth_mask(take, 0)
    assert mask.shape == (32, 32)
    assert not mouth_mask(replace(take, face=None), 0).any()


def test_drift_counts_only_what_stands_still():
    still = np.zeros((4, 4), dtype=bool)
    tally = Tally()
    for frame in range(6):
        plate = np.full((16, 16, 3), 100, dtype=np.uint8)
        plate[:8] += np.uint8(20 * (frame % 2))
        made = plate.copy()
        made[8:] += np.uint8(10 * (frame % 2))
        tally.add(frame, made, plate, still.repeat(4, 0).repeat(4, 1), still.repeat(4, 0).repeat(4, 1))
    scores = tally.scores()
    assert scores.background_drift == pytest.approx(5)
    assert scores.flicker == pytest.approx(5 * 3**0.5)
    assert scores.rgb_distance == pytest.approx(2.5 * 3**0.5)
