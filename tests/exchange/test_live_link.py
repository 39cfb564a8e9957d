import csv
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.exchange import ReadingOptions, onto_take, performance_of, read_live_link, write_live_link
from dvp_core.exchange.angles import angles_from_head_rotation
from dvp_core.exchange.live_link_columns import ANGLES, SHAPES
from dvp_core.face.expression_names import ARKIT_52
from dvp_core.maths.frames import relative_to_facing


def table_of(path):
    with open(path, newline="") as stream:
        return list(csv.reader(stream))


def write_rows(path, rows):
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def small_file(path, times=("00:00:00:00", "00:00:00:01", "00:00:01:00"), **columns):
    """A file with jawOpen 0.1, 0.2, ... and whatever else is asked for."""
    values = {"JawOpen": [0.1 * (row + 1) for row in range(len(times))]} | columns
    write_rows(
        path, [["Timecode", *values], *([time, *row] for time, *row in zip(times, *values.values(), strict=True))]
    )
    return path


def test_the_shapes_are_arkits():
    assert sorted(SHAPES) == sorted(ARKIT_52)


def test_every_channel_survives_the_round_trip(tmp_path, make_take, split_names):
    for names in (ARKIT_52, split_names):
        take = make_take(names)
        written = write_live_link(tmp_path / "a.csv", performance_of(take))
        assert written.left_out_names == ()
        reading = read_live_link(tmp_path / "a.csv")
        assert reading.missing_names == reading.ignored_columns == ()
        result, mapping = onto_take(reading.performance, make_take(names, seed=99))
        assert mapping.channels == ("head", "expression", "gaze")
        expected = np.column_stack([take.expression[:, np.isin(take.expression_names, [name])] for name in names])
        if names == split_names:
            for whole in ("browInnerUp", "cheekPuff"):
                halves = [names.index(whole + side) for side in ("Left", "Right")]
                expected[:, halves] = expected[:, halves].mean(axis=1, keepdims=True)
        np.testing.assert_allclose(result.expression, expected, atol=1e-4)
        np.testing.assert_allclose(result.gaze_rad, take.gaze_rad, atol=1e-4)
        agreement = np.abs(np.sum(result.head_rotation_wxyz * take.head_rotation_wxyz, axis=1))
        np.testing.assert_allclose(agreement, 1, atol=1e-6)


def test_rates_of_television_come_back_exactly(tmp_path, make_take):
    take = make_take(frame_count=40, fps=Fraction(30000, 1001))
    write_live_link(tmp_path / "a.csv", performance_of(take))
    told = read_live_link(tmp_path / "a.csv").performance
    assert told.fps == 30
    given = read_live_link(tmp_path / "a.csv", ReadingOptions(fps=Fraction(30000, 1001))).performance
    result, _ = onto_take(given, make_take(frame_count=40, fps=Fraction(30000, 1001), seed=7))
    np.testing.assert_allclose(result.expression, take.expression, atol=1e-6)


def test_the_files_columns_are_the_apps(tmp_path, make_take):
    write_live_link(tmp_path / "a.csv", performance_of(make_take(("jawOpen", "earWiggle"), fps=Fraction(60000, 1001))))
    header, first, second, *_ = table_of(tmp_path / "a.csv")
    assert header[:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert header[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert header[-10:] == ["TongueOut", *ANGLES]
    assert len(header) == len(first) == 63
    assert (first[0], second[0], first[1]) == ("00:00:00:00.000", "00:00:00:01.000", "61")


def test_signs_are_as_documented(tmp_path, make_take):
    take = make_take()
    performance = performance_of(take)
    rotation = relative_to_facing(take.head_rotation_wxyz.astype(np.float64))
    yaw, pitch, roll = angles_from_head_rotation(performance.head_rotation_wxyz).T
    forward, up = rotation[:, :, 2], rotation[:, :, 1]
    assert (np.sign(yaw) == np.sign(forward[:, 0])).all()  # positive: the nose goes to the subject's left
    assert (np.sign(pitch) == -np.sign(forward[:, 1])).all()  # positive: the nose goes down
    rolled = up[:, 0] * forward[:, 2] - up[:, 2] * forward[:, 0]
    assert (np.sign(roll) == -np.sign(rolled)).all()  # positive: the crown goes to the subject's right


def test_order_case_and_further_columns_do_not_matter(tmp_path, make_take):
    write_live_link(tmp_path / "a.csv", performance_of(make_take()))
    rows = table_of(tmp_path / "a.csv")
    order = np.random.default_rng(3).permutation(63)
    shuffled = [[row[column] for column in order] for row in rows]
    shuffled[0] = [name.upper() if place % 2 else name[0].lower() + name[1:] for place, name in enumerate(shuffled[0])]
    shuffled = [[*row, "note" if place == 0 else "hello"] for place, row in enumerate(shuffled)]
    write_rows(tmp_path / "b.csv", shuffled)
    plain, mixed = read_live_link(tmp_path / "a.csv"), read_live_link(tmp_path / "b.csv")
    assert mixed.ignored_columns == ("note",)
    place = [mixed.performance.expression_names.index(name) for name in plain.performance.expression_names]
    np.testing.assert_array_equal(mixed.performance.expression[:, place], plain.performance.expression)
    np.testing.assert_array_equal(mixed.performance.gaze_rad, plain.performance.gaze_rad)
    np.testing.assert_array_equal(mixed.performance.head_rotation_wxyz, plain.performance.head_rotation_wxyz)
    assert set(plain.performance.expression_names) == set(ARKIT_52)


def test_a_source_of_59_94_lands_on_the_frames_of_24(tmp_path, make_take):
    fps = Fraction(60000, 1001)
    frames = range(200)
    times = [f"10:00:{frame // 60:02d}:{frame % 60:02d}.000" for frame in frames]
    small_file(tmp_path / "a.csv", times, CheekPuff=[float(frame / fps) for frame in frames])
    reading = read_live_link(tmp_path / "a.csv", ReadingOptions(fps=fps))
    take = make_take(fps=Fraction(24))
    result, _ = onto_take(reading.performance, take)
    np.testing.assert_allclose(
        result.expression[:, take.expression_names.index("cheekPuff")], np.arange(48) / 24, atol=1e-6
    )


def test_lost_and_irregular_rows_are_gaps(tmp_path, make_take):
    write_rows(
        tmp_path / "a.csv",
        [
            ["Timecode", "BlendShapeCount", "JawOpen", "HeadYaw", "HeadPitch", "HeadRoll"],
            *[[f"00:00:00:{frame:02d}", 61, frame / 60, 0.01 * frame, 0, 0] for frame in range(30)],
            *[[f"00:00:00:{frame:02d}", 0] for frame in range(30, 60)],  # the face is lost, the cells are missing
            *[[f"00:00:01:{frame:02d}.500", 0, 0.0, 0.0, 0.0, 0.0] for frame in range(10)],  # or written as 0
            *[[f"00:00:01:{frame:02d}.500", 61, 1 + (frame + 0.5) / 60, 0.6, 0, 0] for frame in range(10, 60, 3)],
            [],
            ["", 61, 0.5, 0, 0, 0],
        ],
    )
    reading = read_live_link(tmp_path / "a.csv")
    assert any("1 rows without a timecode" in note for note in reading.notes)
    take = make_take()
    result, mapping = onto_take(reading.performance, take)
    assert mapping.tidying.empty_count == 40
    np.testing.assert_allclose(mapping.gaps_s, [(29 / 60, 1 + 10.5 / 60)], atol=1e-9)
    jaw = result.expression[:, take.expression_names.index("jawOpen")]
    np.testing.assert_allclose(jaw[:47], np.arange(47) / 24, atol=1e-6)
    assert not result.is_tracked[12:28].any()
    assert result.is_tracked[[11, 29]].all()


def test_spreadsheets_of_other_countries_and_dots_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffTimecode;JawOpen\n00:00:00:00;0,25\n00:00:00:01;0,5\n", encoding="utf-8")
    np.testing.assert_array_equal(read_live_link(tmp_path / "a.csv").performance.expression[:, 0], [0.25, 0.5])


def test_degrees_are_told_by_their_size(tmp_path):
    turns = {"HeadYaw": [0, 10, 20], "HeadPitch": [0, 0, 0], "HeadRoll": [0, 0, 0]}
    small_file(tmp_path / "a.csv", **turns)
    reading = read_live_link(tmp_path / "a.csv")
    assert any("degrees" in note for note in reading.notes)
    yaw = np.degrees(angles_from_head_rotation(reading.performance.head_rotation_wxyz)[:, 0])
    np.testing.assert_allclose(yaw, [0, 10, 20], atol=1e-9)
    flipped = read_live_link(tmp_path / "a.csv", ReadingOptions(flips=("head_yaw",))).performance
    np.testing.assert_allclose(angles_from_head_rotation(flipped.head_rotation_wxyz)[:, 0], -np.radians([0, 10, 20]))


def test_angles_of_nothing_but_zeros_were_not_recorded(tmp_path):
    small_file(tmp_path / "a.csv", **{name: [0, 0, 0] for name in ANGLES})
    reading = read_live_link(tmp_path / "a.csv")
    assert reading.performance.head_rotation_wxyz is None
    assert reading.performance.gaze_rad is None
    assert sum("not recorded" in note for note in reading.notes) == 2


def test_eyes_that_turn_against_their_shapes_are_doubted(tmp_path):
    eyes = {f"{side}Eye{turn}": [0.1, -0.2, 0.3] for side in ("Left", "Right") for turn in ("Yaw", "Pitch", "Roll")}
    looks = {"EyeLookOutLeft": [0.1, 0, 0.4], "EyeLookInRight": [0.1, 0, 0.4], "EyeLookInLeft": [0, 0.3, 0]}
    small_file(tmp_path / "a.csv", **eyes, **looks, EyeLookOutRight=[0, 0.3, 0])
    assert not any("eye_yaw" in note for note in read_live_link(tmp_path / "a.csv").notes)
    turned = read_live_link(tmp_path / "a.csv", ReadingOptions(flips=("eye_yaw",)))
    assert any("--flip eye_yaw" in note for note in turned.notes)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty"),
        ("Timecode,Foo\n00:00:00:00,1\n", "none of ARKit's"),
        ("Time,JawOpen\n0,1\n", "no column 'Timecode'"),
        ("Timecode,JawOpen,jawopen\n00:00:00:00,1,2\n", "two columns"),
        ("Timecode,JawOpen\n00:00:00:00,big\n", "'big' in line 2"),
        ("Timecode,JawOpen\n00:00:00:00,1,2\n", "3 cells in line 2"),
        ("Timecode,JawOpen\nnow,1\n", "no timecode"),
        ("Timecode,JawOpen\n", "no timecode"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, text, match):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=match) as raised:
        read_live_link(tmp_path / "a.csv")
    assert "a.csv" in str(raised.value)


def test_bytes_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="UTF-8"):
        read_live_link(tmp_path / "a.csv")


def test_values_that_were_not_recorded_stay_so(tmp_path, make_take):
    performance = performance_of(make_take())
    performance.expression[3, 4] = np.nan
    write_live_link(tmp_path / "a.csv", performance)
    back = read_live_link(tmp_path / "a.csv").performance
    column = back.expression_names.index(performance.expression_names[4])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(back.expression[:, column])), [3])
