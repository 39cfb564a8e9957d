"""Recordings that are no Live Link CSV: MediaPipe's scores, tables and arrays of coefficients."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.files import write_arrays
from dvp_core.exchange import (
    Performance,
    ReadingOptions,
    onto_take,
    performance_of,
    read_names,
    read_performance,
    with_gaze_from_shapes,
    write_table,
)

NAMES = np.array(["_neutral", "jawOpen", "browInnerUp"])


def scores_file(path, **changes):
    arrays = {
        "landmarks478": np.ones((30, 478, 3), np.float32),
        "blendshapes": np.stack([np.full(30, 0.9), np.arange(30) / 30, np.full(30, 0.25)], axis=1).astype(np.float16),
        "blendshape_names": NAMES,
        "fps": np.array(30.0),
    }
    arrays["landmarks478"][7] = np.nan
    write_arrays(path, {name: array for name, array in (arrays | changes).items() if array is not None})
    return path


def test_mediapipes_scores_become_a_performance(tmp_path, make_take):
    reading = read_performance(scores_file(tmp_path / "a.landmarks.npz"))
    assert reading.ignored_columns == ("_neutral",)
    assert reading.performance.expression_names == ("jawOpen", "browInnerUp")
    assert "tongueOut" in reading.missing_names
    assert np.isnan(reading.performance.expression[7]).all()
    take = make_take(fps=Fraction(24), frame_count=24)
    result, mapping = onto_take(reading.performance, take)
    assert mapping.tidying.empty_count == 1
    np.testing.assert_allclose(
        result.expression[:, take.expression_names.index("jawOpen")][:23], np.arange(23) / 24, atol=1e-3
    )
    np.testing.assert_array_equal(result.gaze_rad, take.gaze_rad)


def test_scores_without_what_is_needed_are_refused(tmp_path):
    with pytest.raises(DataError, match="blendshape_names"):
        read_performance(scores_file(tmp_path / "a.npz", blendshape_names=None))
    with pytest.raises(DataError, match="rate"):
        read_performance(scores_file(tmp_path / "b.npz", fps=None))
    assert (
        read_performance(scores_file(tmp_path / "b.npz", fps=None), ReadingOptions(fps=Fraction(25))).performance.fps
        == 25
    )
    with pytest.raises(DataError, match="shape"):
        read_performance(scores_file(tmp_path / "c.npz", blendshapes=np.zeros((29, 3), np.float16)))


def test_scores_of_a_real_clip_drive_a_split_face(test_data, make_take, split_names):
    reading = read_performance(test_data / "clips" / "man_hoodie.landmarks.npz")
    take = make_take(split_names, fps=Fraction(30), frame_count=216)
    result, mapping = onto_take(reading.performance, take)
    assert mapping.unused_names == ()
    assert mapping.undriven_names == ("cheekPuffLeft", "cheekPuffRight") or not mapping.undriven_names
    assert mapping.covered_count == 216
    scores = reading.performance.expression[:, reading.performance.expression_names.index("jawOpen")]
    np.testing.assert_allclose(result.expression[:, split_names.index("jawOpen")], scores, atol=1e-6)


def test_a_table_goes_by_the_names_of_its_columns(tmp_path, make_take):
    take = make_take()
    own = performance_of(take)
    quaternion = own.head_rotation_wxyz
    gaze = np.degrees(own.gaze_rad.reshape(-1, 4))
    names = ["jawOpen", "Cheek_Puff", "mouthSmile_L", "person", "head_qw", "head_qx", "head_qy", "head_qz", "time_ms"]
    names += [f"gaze_{side}_{turn}_deg" for side in ("left", "right") for turn in ("yaw", "pitch")]
    names += ["head_z_m", "head_y_m", "head_x_m"]
    lines = [" , ".join(names)]
    for index, time_s in enumerate(own.times_s):
        cells = [0.5, 0.1, time_s, "Ada", *quaternion[index], 1000 * time_s, *gaze[index]]
        cells += list(own.head_translation_m[index, ::-1])
        lines.append(",".join(str(cell) for cell in cells))
    (tmp_path / "a.csv").write_text("\n".join(lines))
    reading = read_performance(tmp_path / "a.csv")
    assert reading.ignored_columns == ("person",)
    result, mapping = onto_take(reading.performance, make_take(seed=8))
    assert mapping.channels == ("head", "expression", "gaze")
    assert mapping.driven_names == ("jawOpen", "mouthSmileLeft")
    assert mapping.unused_names == ("cheek_Puff",)
    np.testing.assert_allclose(result.gaze_rad, take.gaze_rad, atol=1e-6)
    np.testing.assert_allclose(np.abs((result.head_rotation_wxyz * take.head_rotation_wxyz).sum(axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(
        np.diff(result.head_translation_m, axis=0), np.diff(take.head_translation_m, axis=0), atol=1e-6
    )


def test_a_table_without_names_takes_them_from_a_file(tmp_path):
    np.savetxt(tmp_path / "a.txt", np.column_stack([np.arange(4) + 10, np.full(4, 3.0), np.arange(4) / 4]))
    (tmp_path / "names.txt").write_text("frame\n-\njawOpen\n")
    names = read_names(tmp_path / "names.txt")
    performance = read_performance(tmp_path / "a.txt", ReadingOptions(fps=Fraction(25), names=names)).performance
    np.testing.assert_allclose(performance.times_s, (10 + np.arange(4)) / 25)
    assert performance.expression_names == ("jawOpen",)
    np.testing.assert_allclose(performance.expression[:, 0], np.arange(4) / 4)
    with pytest.raises(DataError, match="rate"):
        read_performance(tmp_path / "a.txt", ReadingOptions(names=("a", "b", "c")))
    with pytest.raises(DataError, match="3 cells in line 1, but 2 columns"):
        read_performance(tmp_path / "a.txt", ReadingOptions(fps=Fraction(25), names=("a", "b")))


def test_angles_of_a_table_are_the_projects(tmp_path):
    (tmp_path / "a.csv").write_text("time,jawOpen,head_yaw_deg,head_pitch_deg,head_roll_deg\n0,0,10,20,0\n1,0,0,0,0\n")
    performance = read_performance(tmp_path / "a.csv").performance
    from dvp_core.maths.rotations import matrix_from_quaternion_wxyz

    forward = matrix_from_quaternion_wxyz(performance.head_rotation_wxyz[0])[:, 2]
    assert forward[0] > 0.1  # to the subject's left
    assert forward[1] > 0.3  # up


def test_arrays_of_coefficients_with_a_cameras_pose(tmp_path, make_take):
    from dvp_core.maths.rotations import matrix_from_quaternion_wxyz

    take = make_take()
    write_arrays(
        tmp_path / "a.npz",
        {
            "coefficients": take.expression[:, [24, 0]],
            "names": np.array([take.expression_names[24], "-"]),
            "fps": np.array([24, 1]),
            "rotation_camera_head": matrix_from_quaternion_wxyz(take.head_rotation_wxyz),
            "translation_camera_head_m": take.head_translation_m,
            "gaze_rad": take.gaze_rad,
            "shape": np.zeros(50),
        },
    )
    reading = read_performance(tmp_path / "a.npz")
    assert reading.ignored_columns == ("shape",)
    result, mapping = onto_take(reading.performance, make_take(seed=8))
    assert mapping.driven_names == ("jawOpen",)
    np.testing.assert_allclose(result.expression[:, 24], take.expression[:, 24], atol=1e-6)
    np.testing.assert_allclose(result.gaze_rad, take.gaze_rad, atol=1e-6)
    np.testing.assert_allclose(np.abs((result.head_rotation_wxyz * take.head_rotation_wxyz).sum(axis=1)), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"names": np.array(["a"])}, "2 coefficients and 1 names"),
        ({"fps": np.array(-1.0)}, "fps"),
        ({"fps": None}, "neither 'times_s' nor 'fps'"),
        ({"rotation_camera_head": np.ones((5, 3, 3))}, "no rotation"),
        ({"coefficients": None}, "neither 'blendshapes' nor 'coefficients'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes, match):
    arrays = {"coefficients": np.zeros((5, 2)), "names": np.array(["a", "b"]), "fps": np.array(25.0)} | changes
    write_arrays(tmp_path / "a.npz", {name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DataError, match=match):
        read_performance(tmp_path / "a.npz")


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"'\.fbx'"):
        read_performance(tmp_path / "a.fbx")
    with pytest.raises(DataError, match=r"missing\.csv"):
        read_performance(tmp_path / "missing.csv")


def test_the_table_that_is_written_holds_everything(tmp_path, make_take):
    take = make_take(("jawOpen", "earWiggle"))
    performance = performance_of(take)
    performance.expression[5, 1] = np.nan
    write_table(tmp_path / "a.tsv", performance)
    back = read_performance(tmp_path / "a.tsv").performance
    assert back.expression_names == performance.expression_names
    for name, values in performance.channels().items():
        np.testing.assert_allclose(back.channels()[name], values, atol=1e-9)
    np.testing.assert_allclose(back.times_s, performance.times_s)
    result, _ = onto_take(back, take)
    np.testing.assert_allclose(result.head_translation_m, take.head_translation_m, atol=1e-6)
    np.testing.assert_allclose(result.expression[:5], take.expression[:5], atol=1e-6)


def looks(**scores):
    names = tuple(f"eyeLook{where}{side}" for where in ("In", "Out", "Up", "Down") for side in ("Left", "Right"))
    values = np.array([[scores.get(name, 0.0) for name in names]] * 3)
    return Performance(np.arange(3.0), names, values)


def test_shapes_of_the_eyes_tell_where_they_look():
    left = with_gaze_from_shapes(looks(eyeLookOutLeft=0.8, eyeLookInRight=0.8)).gaze_rad
    np.testing.assert_allclose(left, np.tile([np.radians(20), 0], (3, 2, 1)))
    down = with_gaze_from_shapes(looks(eyeLookDownLeft=1, eyeLookDownRight=1)).gaze_rad
    np.testing.assert_allclose(down, np.tile([0, -np.radians(15)], (3, 2, 1)))
    known = replace(looks(), gaze_rad=np.ones((3, 2, 2)))
    assert with_gaze_from_shapes(known) is known
    with pytest.raises(DataError, match="eyeLookInLeft"):
        with_gaze_from_shapes(Performance(np.arange(3.0), ("jawOpen",), np.zeros((3, 1))))
