"""Pictures whose pose, expression or gaze is wrong by a known amount are found wrong by that amount."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from dvp_core.compose import crop_plate
from dvp_core.data.camera import Crop
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.evaluate.point_flow import moved_points
from dvp_core.evaluate.retracking import (
    MOST_FRAMES,
    CropClip,
    follow_made,
    follow_plate,
    retracked_frames,
    retracker,
    tracking_errors,
)
from dvp_core.face import built_in_face
from dvp_core.tracking import TrackOptions, track
from tests.tracking.stage import FOCAL_PX, SIDE, performance, staged

COUNT = 12
TIME = np.linspace(0, 1, COUNT)
TURNS_DEG = np.stack([10 * np.sin(6 * TIME), 5 * np.cos(5 * TIME), 3 * np.sin(4 * TIME)], axis=1)
JAW = 0.25 + 0.2 * np.sin(20 * TIME)


def acted(turn_deg=(0, 0, 0), jaw=0.0, gaze_deg=0.0):
    """Return the stage of the performance with something about it changed."""
    what = performance(TURNS_DEG + np.array(turn_deg), expression={"jawOpen": JAW + jaw})
    return staged(replace(what, gaze_rad=what.gaze_rad + np.radians([gaze_deg, 0.0])))


@pytest.fixture(scope="module")
def plate():
    return acted()


@pytest.fixture(scope="module")
def take(plate):
    options = TrackOptions(FOCAL_PX, key_frame_count=8)
    found = track(plate.source, plate.landmarks, built_in_face(), options=options)
    return replace(found, crop=Crop(0, 0, SIDE, 256))


def crops_of(stage, take):
    return np.array([crop_plate(picture, take.crop) for picture in stage.source.pictures])


@pytest.fixture(scope="module")
def followed(plate, take):
    return follow_plate(take, plate.landmarks, take.frames, crops_of(plate, take))


def test_equal_pictures_have_no_error(followed):
    errors = tracking_errors(followed, followed.crops)
    assert (errors.pose_error_deg, errors.position_error_mm) == (0.0, 0.0)
    assert (errors.expression_error, errors.gaze_error_deg) == (0.0, 0.0)
    assert errors.retracked_frames == COUNT


def test_noise_is_no_motion(followed):
    noise = np.random.default_rng(0).normal(size=followed.crops.shape) * 4
    errors = tracking_errors(followed, np.clip(followed.crops + noise, 0, 255).astype(np.uint8))
    assert errors.pose_error_deg < 0.4
    assert errors.position_error_mm < 1.0
    assert errors.expression_error < 0.008


@pytest.mark.parametrize("turn_deg", [(2, 0, 0), (0, 2, 0), (0, 0, -2), (5, 0, 0)])
def test_a_turned_head_is_found_turned(followed, take, turn_deg):
    errors = tracking_errors(followed, crops_of(acted(turn_deg=turn_deg), take))
    assert errors.pose_error_deg == pytest.approx(max(np.abs(turn_deg)), rel=0.2)
    assert errors.expression_error < 0.02


def test_an_open_jaw_is_found_open(followed, take):
    made = follow_made(followed, crops_of(acted(jaw=0.3), take))
    assert made is not None
    jaw = take.expression_names.index("jawOpen")
    found = made.curves.expression[:, jaw] - followed.curves.expression[:, jaw]
    assert found.mean() == pytest.approx(0.3, abs=0.12)
    errors = tracking_errors(followed, crops_of(acted(jaw=0.3), take))
    assert errors.expression_error > 0.3 / len(take.expression_names)
    assert errors.pose_error_deg < 1.0


def test_pictures_that_show_nothing_are_lost_and_not_perfect(followed):
    """Where there is no pattern, flow leaves all points at the plate's places."""
    gray = np.full_like(followed.crops, 128)
    errors = tracking_errors(followed, gray)
    assert errors.pose_error_deg is None
    assert errors.lost_frames == errors.retracked_frames == COUNT
    partly = np.concatenate([followed.crops[:9], gray[9:]])
    errors = tracking_errors(followed, partly)
    assert errors.lost_frames == 3
    assert errors.pose_error_deg < 0.2


def test_a_look_aside_is_found(followed, take):
    errors = tracking_errors(followed, crops_of(acted(gaze_deg=10.0), take))
    assert errors.gaze_error_deg == pytest.approx(10.0, abs=3.0)
    assert errors.pose_error_deg < 0.5


def test_what_passes_by_is_measured_on_the_frames_that_were_kept(plate, take):
    maker = retracker(take, plate.landmarks, take.frames)
    turned = crops_of(acted(turn_deg=(2, 0, 0)), take)
    for frame, own, other in zip(take.frames, crops_of(plate, take), turned, strict=True):
        maker.add(frame, {"plate": own, "made": other})
    errors = maker.errors("plate")
    assert list(errors) == ["made"]
    assert errors["made"].pose_error_deg == pytest.approx(2, rel=0.2)
    assert retracker(take, None, take.frames).errors("plate") == {}


def test_the_middle_of_the_longest_run_is_tracked_again(take):
    count = 200
    clip = replace(take.clip, start_frame=1, frame_count=count)
    seen = np.ones(count, bool)
    seen[[60, 190]] = False
    shape = {"head_rotation_wxyz": np.zeros((count, 4)), "is_tracked": seen}
    long = replace(take, clip=clip, **shape)
    points = LandmarkTrack(np.zeros((count, 68, 2)), np.ones((count, 68), np.float32), np.ones(count, bool))
    frames = retracked_frames(long, points, FrameRange.span(21, 200))
    assert frames == FrameRange.span(89, 89 + MOST_FRAMES - 1)  # of 62 to 190
    assert retracked_frames(long, points, FrameRange.span(1, 5)) is None
    with pytest.raises(DataError, match="hold 7 frames"):
        retracked_frames(long, points.part(0, 7), FrameRange.span(1, 9))


def test_points_follow_a_picture_that_moves():
    random = np.random.default_rng(1)
    wall = cv2.GaussianBlur(random.integers(0, 255, (80, 80, 3), dtype=np.uint8), (0, 0), 1.5)
    moved = cv2.warpAffine(wall, np.array([[1, 0, 1.5], [0, 1, -0.75]]), (80, 80), borderMode=cv2.BORDER_REPLICATE)
    points = np.array([[20.0, 30.0], [50.5, 61.25], [33.0, 40.0]])
    np.testing.assert_allclose(moved_points(wall, moved, points), points + np.array([1.5, -0.75]), atol=0.1)
    np.testing.assert_allclose(moved_points(wall, wall, points), points, atol=1e-3)


def test_a_crop_beyond_the_plate_stands_where_it_is():
    clip = Clip("c.mp4", "0" * 64, 12, 10, Fraction(25), 1, 1)
    crop = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1).repeat(3, axis=3)
    canvas = CropClip(clip, crop, -2, 5).read(0)
    np.testing.assert_array_equal(canvas[5:10, :6], crop[0, :5, 2:])
    assert not canvas[:5].any()
    assert not canvas[:, 6:].any()
