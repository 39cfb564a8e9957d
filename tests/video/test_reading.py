"""Movies by exact index, and every way in which a file is no good."""

import shutil
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvp_core.data.errors import DataError
from dvp_core.video import open_clip
from dvp_core.video.frame_rate import constant_rate
from dvp_core.video.movie import MovieSource
from tests.video.media import number_in, numbered_frame, write_movie, write_sound


def test_facts_of_a_movie(movie):
    source = open_clip(movie)
    clip = source.clip
    assert (clip.width_px, clip.height_px, clip.fps, clip.frame_count) == (96, 64, Fraction(25), 60)
    assert (clip.start_frame, clip.file_name, clip.pixel_aspect) == (1, "clip.mp4", 1)
    assert source.has_sound
    assert len(clip.sha256) == 64


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, 59), min_size=3, max_size=8))
def test_any_order_of_reading_gives_the_frame_asked_for(movie, order):
    source = open_clip(movie)
    assert [number_in(source.read(index)) for index in order] == order


def test_iterating_equals_reading(movie):
    streamed = list(open_clip(movie).iterate(7, 31))
    source = open_clip(movie)
    assert [number_in(image) for image in streamed] == list(range(7, 31))
    assert all(np.array_equal(image, source.read(7 + index)) for index, image in enumerate(streamed))


@pytest.mark.parametrize("name", ["clip.mkv", "clip.avi", "clip.mov", "clip.ts"])
@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24)])
def test_containers_and_exact_rates(tmp_path, name, fps):
    path = write_movie(tmp_path / name, (numbered_frame(index) for index in range(30)), fps=fps)
    source = open_clip(path)
    assert source.clip.fps == fps
    assert source.clip.frame_count == 30
    assert [number_in(source.read(index)) for index in (29, 0, 13, 14, 2)] == [29, 0, 13, 14, 2]


def test_rate_and_first_number_can_be_given(movie):
    clip = open_clip(movie, fps=Fraction(24000, 1001), start_frame=1001).clip
    assert clip.fps == Fraction(24000, 1001)
    assert str(clip.frames) == "1001-1060"


@pytest.mark.parametrize("fps", [0, -1, 5000])
def test_impossible_rate_is_refused(movie, fps):
    with pytest.raises(DataError, match="not possible"):
        open_clip(movie, fps=fps)


@pytest.mark.parametrize("index", [-1, 60])
def test_no_such_picture(movie, index):
    with pytest.raises(DataError, match="has no picture"):
        open_clip(movie).read(index)


def test_variable_rate_is_refused_with_a_remedy(tmp_path):
    stamps = [index + (index > 10) * 3 + (index > 15) for index in range(25)]
    path = write_movie(tmp_path / "v.mp4", map(numbered_frame, range(25)), stamps=stamps)
    with pytest.raises(DataError, match=r"variable frame rate.*Convert it"):
        open_clip(path)


@pytest.mark.parametrize("gap_at", [1, 50, 98])
def test_one_missing_frame_is_a_variable_rate(gap_at):
    stamps = [index + (index >= gap_at) for index in range(99)]
    with pytest.raises(DataError, match="variable frame rate"):
        constant_rate(stamps, Fraction(1, 25), [Fraction(25)], where="x")


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(60)])
def test_milliseconds_are_enough_to_tell_standard_rates(rate):
    stamps = [round(index * 1000 / rate) for index in range(300)]
    assert constant_rate(stamps, Fraction(1, 1000), [], where="x") == rate


@pytest.mark.parametrize("count", [3, 12, 40, 2000])
@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(24), Fraction(60000, 1001), Fraction(60)])
def test_a_rate_worked_out_from_milliseconds_by_the_container_is_the_standard_one(rate, count):
    stamps = [round(index * 1000 / rate) for index in range(count)]
    guessed = rate.limit_denominator(400) if rate.denominator > 1 else rate
    assert guessed != rate or rate.denominator == 1
    assert constant_rate(stamps, Fraction(1, 1000), [guessed], where="x") == rate


def test_unusual_even_rate_stays_exact():
    assert constant_rate(range(0, 7000, 700), Fraction(1, 12600), [], where="x") == 18


@pytest.mark.parametrize("name", ["text.mp4", "noise.mov", "zip.mkv"])
def test_not_a_video(tmp_path, name):
    path = tmp_path / name
    path.write_bytes({"t": b"hello, " * 99, "n": bytes(range(256)) * 40, "z": b"PK\x03\x04" * 99}[name[0]])
    with pytest.raises(DataError, match=r"not a movie|cut"):
        open_clip(path)


def test_missing_and_empty_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match="is empty"):
        open_clip(tmp_path / "empty.mp4")
    with pytest.raises(DataError, match="does not exist"):
        open_clip(tmp_path / "none.mp4")


def test_sound_alone_is_no_clip(tmp_path):
    path = write_sound(tmp_path / "sound.mp4", length_s=1.0)
    with pytest.raises(DataError, match="holds no video"):
        open_clip(path)


@pytest.mark.parametrize("is_index_first", [True, False])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, 0.99])
def test_cut_movie_is_refused_at_opening(tmp_path, is_index_first, part):
    path = tmp_path / "whole.mp4"
    options = {"crf": "1", "g": "10"}
    write_movie(path, map(numbered_frame, range(50)), options=options, muxer="mp4")
    content = path.read_bytes()
    if is_index_first:
        content = _with_index_first(path, tmp_path / "first.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(DataError, match=r"cut|damaged"):
        open_clip(cut)


def _with_index_first(path, target):
    import av

    with av.open(str(path)) as source, av.open(str(target), "w", options={"movflags": "+faststart"}) as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return target.read_bytes()


def test_cut_matroska_is_refused(tmp_path):
    path = write_movie(tmp_path / "whole.mkv", map(numbered_frame, range(150)), options={"crf": "1"})
    content = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(content[: len(content) // 3])
    with pytest.raises(DataError, match="cut"):
        open_clip(cut)


def test_damage_in_the_middle_is_found_when_reading(tmp_path):
    path = write_movie(tmp_path / "whole.mp4", map(numbered_frame, range(40)), options={"crf": "1", "g": "8"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or cut at picture"):
        sum(1 for _ in open_clip(path).iterate())


def test_a_playlist_that_calls_itself_a_movie_opens_no_other_file(tmp_path, movie):
    shutil.copy(movie, tmp_path / "secret.mp4")
    trap = tmp_path / "trap.mp4"
    trap.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(DataError, match="not a movie"):
        open_clip(trap)


def test_a_name_cannot_be_a_protocol(tmp_path, movie, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "http:b.mp4", "file:c.mp4"):
        shutil.copy(movie, tmp_path / name)
        assert open_clip(name).clip.frame_count == 60


def test_large_pictures_are_refused_before_decoding(movie):
    with pytest.raises(DataError, match=r"limit of 6,143 pixels|not a movie"):
        MovieSource(movie, max_pixels=96 * 64 - 1)
    assert MovieSource(movie, max_pixels=96 * 64).clip.frame_count == 60


@pytest.mark.parametrize(("matrix", "quarter_turns"), [((0, 1, -1, 0), 1), ((0, -1, 1, 0), 3), ((-1, 0, 0, -1), 2)])
def test_a_turned_movie_is_shown_upright(tmp_path, movie, matrix, quarter_turns):
    content = bytearray(movie.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    values = [matrix[0], matrix[1], 0, matrix[2], matrix[3], 0, 0, 0]
    for place, value in enumerate(values):
        content[start + 4 * place : start + 4 * place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(content)
    source = open_clip(turned)
    plain = open_clip(movie).read(5)
    # The matrix (0 1 -1 0) turns clockwise by a quarter: x goes to y.
    assert np.array_equal(source.read(5), np.rot90(plain, -quarter_turns))
    assert (source.clip.width_px, source.clip.height_px) == source.read(5).shape[1::-1]
