from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvp_core.data.edit import Curve, Edit, read_edit, write_edit
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job, job_from_dict, job_to_dict, read_job, write_job
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks, write_landmarks

JOB = Job(
    id="shot-010",
    name="Shot 010",
    frames="1-30,40,50-60x2",
    passes="shots:010/passes",
    generator="models:anna.safetensors",
    output="out:010/frame.####.png",
)


def test_frame_text_is_read_as_written():
    frames = FrameRange.parse("1-3, 7,10-14x2")
    assert list(frames) == [1, 2, 3, 7, 10, 12, 14]
    assert (frames.first, frames.last, len(frames)) == (1, 14, 7)
    assert 7 in frames
    assert 8 not in frames
    assert str(frames) == "1-3,7,10,12,14"


def test_negative_frames_are_frames():
    assert list(FrameRange.parse("-3--1")) == [-3, -2, -1]


@given(st.sets(st.integers(-50, 2000), min_size=1, max_size=60))
def test_frame_text_round_trip(numbers):
    frames = FrameRange.of(numbers)
    assert FrameRange.parse(str(frames)) == frames


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(1, 50))
def test_chunks_hold_every_frame_once_in_order(numbers, size):
    frames = FrameRange.of(numbers)
    assert [number for chunk in frames.chunks(size) for number in chunk] == list(frames)


@pytest.mark.parametrize("text", ["", "1-", "5-1", "1-4x0", "a", "1;2", "1-2000001", "1-9999999999"])
def test_other_frame_texts_are_refused(text):
    with pytest.raises(DataError, match="frames"):
        FrameRange.parse(text)


def track(point_count=68):
    random = np.random.default_rng(0)
    is_detected = np.array([True, False, True])
    points = random.uniform(0, 256, (3, point_count, 2))
    points[~is_detected] = 0
    confidence = np.where(is_detected[:, None], random.uniform(0.5, 1, (3, point_count)), 0).astype(np.float32)
    return LandmarkTrack(points, confidence, is_detected, (256, 256), Fraction(30000, 1001))


@pytest.mark.parametrize("point_count", [68, 478])
def test_landmarks_round_trip(tmp_path, point_count):
    write_landmarks(tmp_path / "x.landmarks.npz", track(point_count))
    back = read_landmarks(tmp_path / "x.landmarks.npz")
    np.testing.assert_allclose(back.points_px, track(point_count).points_px, atol=1e-4)
    np.testing.assert_array_equal(back.is_detected, [True, False, True])
    assert (back.size_wh, back.fps) == ((256, 256), Fraction(30000, 1001))


def test_depth_is_the_third_column_and_is_cut_with_the_points(tmp_path):
    depth = np.random.default_rng(1).normal(0, 30, (3, 478))
    depth[1] = 0
    deep = replace(track(478), depth=depth)
    write_landmarks(tmp_path / "x.landmarks.npz", deep)
    with np.load(tmp_path / "x.landmarks.npz") as arrays:
        assert arrays["landmarks478"].shape == (3, 478, 3)
    back = read_landmarks(tmp_path / "x.landmarks.npz")
    assert back.depth == pytest.approx(depth, abs=1e-5)
    assert back.points_px == pytest.approx(deep.points_px, abs=1e-4)
    part = back.part(2, 3)
    assert part.frame_count == 1
    assert part.depth == pytest.approx(depth[2:], abs=1e-5)
    assert part.points_px == pytest.approx(deep.points_px[2:], abs=1e-4)
    assert track(68).part(0, 2).depth is None


def test_counts_of_faces_are_kept_and_cut(tmp_path):
    write_landmarks(tmp_path / "x.npz", replace(track(), faces_seen=np.array([1, 0, 3], np.int32)))
    back = read_landmarks(tmp_path / "x.npz")
    assert back.faces_seen is not None
    assert back.faces_seen.tolist() == [1, 0, 3]
    assert back.part(1, 3).faces_seen.tolist() == [0, 3]  # pyright: ignore[reportOptionalMemberAccess]
    with pytest.raises(DataError, match="counts of faces"):
        replace(track(), faces_seen=np.zeros(2, np.int32))


def test_a_third_column_that_is_not_finite_is_no_depth(tmp_path):
    points = np.ones((2, 68, 3))
    points[1, 5, 2] = np.nan
    np.savez(tmp_path / "x.npz", landmarks68=points)
    back = read_landmarks(tmp_path / "x.npz")
    assert back.is_detected.all()
    assert back.depth is None


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (1, 1), (0, 4)])
def test_frames_that_a_track_has_not_cannot_be_cut_out(start, stop):
    with pytest.raises(DataError, match="there are 3"):
        track().part(start, stop)


def test_depth_of_another_shape_is_refused():
    with pytest.raises(DataError, match="depth has shape"):
        replace(track(68), depth=np.zeros((3, 67)))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (30.0, Fraction(30)),
        (29.97002997, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (12.5, Fraction(25, 2)),
    ],
)
def test_frame_rates_stored_as_floats_become_exact(tmp_path, stored, expected):
    np.savez(tmp_path / "x.npz", landmarks68=np.ones((2, 68, 2)), fps=stored)
    assert read_landmarks(tmp_path / "x.npz").fps == expected


def test_a_file_without_landmarks_says_what_it_has(tmp_path):
    np.savez(tmp_path / "x.npz", points=np.ones((2, 68, 2)))
    with pytest.raises(DataError, match="it has: points"):
        read_landmarks(tmp_path / "x.npz")


def test_job_round_trip(tmp_path):
    write_job(tmp_path / "job.json", JOB)
    assert read_job(tmp_path / "job.json") == JOB
    assert len(JOB.frame_range) == 37


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"},
        {"id": ""},
        {"name": ""},
        {"frames": "x"},
        {"frames": 5},
        {"passes": "/etc/passwd"},
        {"passes": "shots:../../etc"},
        {"passes": "shots:/etc"},
        {"passes": "C:\\x"},
        {"passes": "shots:a\0b"},
        {"passes": "shots:C:/x"},
        {"generator": None},
        {"output": "out:frame.png"},
        {"output": "out:#/frame.####.png"},
        {"output": "out:frame.####.sh"},
        {"priority": 101},
        {"priority": True},
        {"chunk_size": 0},
        {"max_retries_per_frame": -1},
        {"schema_version": 2},
        {"notes": 5},
        {"notes": "x" * 10_001},
        {"is_paused_at_start": 1},
        {"is_movie_wanted": "no"},
        {"inputs_sha256": {"passes": "abc"}},
        {"inputs_sha256": []},
        {"command": "rm -rf /"},
    ],
)
def test_other_jobs_are_refused(change):
    with pytest.raises(DataError, match=r"job|frames"):
        job_from_dict(job_to_dict(JOB) | change)


def test_a_missing_job_field_is_named():
    content = job_to_dict(JOB)
    del content["generator"]
    with pytest.raises(DataError, match="generator"):
        job_from_dict(content)


def test_edit_round_trip(tmp_path):
    edit = Edit((Curve("expression.jawOpen", (1, 5), (0, 0.5)), Curve("head.yaw_deg", (2.5,), (10,), "replace")))
    write_edit(tmp_path / "x.edit.json", edit)
    assert read_edit(tmp_path / "x.edit.json") == edit


@pytest.mark.parametrize(
    "arguments",
    [
        ("mouth", (1,), (1,)),
        ("head.yaw", (1,), (1,)),
        ("head.yaw_deg", (), ()),
        ("head.yaw_deg", (1, 2), (1,)),
        ("head.yaw_deg", (2, 1), (1, 1)),
        ("head.yaw_deg", (1,), (float("nan"),)),
        ("head.yaw_deg", (1,), (1,), "times"),
    ],
)
def test_other_curves_are_refused(arguments):
    with pytest.raises(DataError, match="edit"):
        Curve(*arguments)
