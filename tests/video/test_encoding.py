"""Movies out: same bytes from same frames, every codec, the plate's sound at the right place."""

from fractions import Fraction

import av
import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.video import EncodeOptions, encode_movie, open_clip, plate_sound
from tests.video.media import number_in, numbered_frame, sound_samples, write_movie

FRAMES = [numbered_frame(index) for index in range(30)]


@pytest.mark.parametrize(
    ("codec", "suffix", "limit"), [("h264", ".mp4", 3.0), ("prores", ".mov", 1.5), ("ffv1", ".mkv", 0.0)]
)
def test_round_trip(tmp_path, codec, suffix, limit):
    path = tmp_path / f"o{suffix}"
    fps = Fraction(30000, 1001)
    assert encode_movie(path, iter(FRAMES), fps=fps, options=EncodeOptions(codec=codec)) == 30
    source = open_clip(path)
    assert (source.clip.fps, source.clip.frame_count) == (fps, 30)
    assert [number_in(image) for image in source.iterate()] == list(range(30))
    assert np.abs(source.read(11).astype(int) - FRAMES[11])[14:].mean() <= limit


def test_equal_frames_give_equal_bytes(tmp_path):
    """Six times, since x264's macroblock tree once made a third of the encodings of small pictures differ."""
    hashes = set()
    for _ in range(6):
        encode_movie(tmp_path / "a.mp4", FRAMES, fps=Fraction(25))
        hashes.add(sha256_of_file(tmp_path / "a.mp4"))
    assert len(hashes) == 1


def test_h264_is_tagged_and_its_index_comes_first(tmp_path):
    path = tmp_path / "o.mp4"
    encode_movie(path, FRAMES, fps=Fraction(25), pixel_aspect=Fraction(15, 16))
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"x264" not in content.split(b"mdat")[0]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert (context.pix_fmt, stream.sample_aspect_ratio) == ("yuv420p", Fraction(15, 16))


def test_odd_sides_are_continued(tmp_path):
    odd = [frame[:63, :95] for frame in FRAMES[:3]]
    encode_movie(tmp_path / "o.mp4", odd, fps=Fraction(25))
    picture = open_clip(tmp_path / "o.mp4").read(0)
    assert picture.shape == (64, 96, 3)
    assert np.abs(picture[:63, :95].astype(int) - odd[0])[14:].mean() < 3


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("sound_codec", ["aac", "pcm_s16le"])
def test_sound_follows_the_pictures(tmp_path, suffix, sound_codec):
    """The tone grows with time: frames 20..49 of 60 at 25 fps carry a third to five sixths of it."""
    plate = write_movie(tmp_path / "plate.mov", (numbered_frame(index) for index in range(60)), with_sound=sound_codec)
    source = open_clip(plate)
    path = tmp_path / f"o{suffix}"
    codec = "ffv1" if suffix == ".mkv" else "h264"
    encode_movie(
        path,
        source.iterate(20, 50),
        fps=source.clip.fps,
        options=EncodeOptions(codec=codec),
        sound=plate_sound(source, 20),
    )
    samples, start_s = sound_samples(path)
    assert abs(start_s) < 0.03
    assert abs(len(samples) / 48000 - 1.2) < 0.05
    for time_s in (0.2, 0.6, 1.0):
        around = samples[int((time_s - start_s) * 48000) :][:2400]
        expected = (0.8 + time_s + 0.025) / 2.4 * 30000 / 32768
        assert np.abs(around).max() == pytest.approx(expected, rel=0.06)


def test_sound_of_a_clip_without_any(tmp_path):
    silent = open_clip(write_movie(tmp_path / "s.mp4", FRAMES))
    assert plate_sound(silent) is None


def test_sound_is_left_out_where_the_rate_was_replaced(movie):
    assert plate_sound(open_clip(movie)) is not None
    assert plate_sound(open_clip(movie, fps=24)) is None


def test_bad_calls(tmp_path):
    with pytest.raises(DataError, match="no frames"):
        encode_movie(tmp_path / "o.mp4", [], fps=Fraction(25))
    with pytest.raises(DataError, match="frame 1 is"):
        encode_movie(tmp_path / "o.mp4", [FRAMES[0], FRAMES[1][:32]], fps=Fraction(25))
    with pytest.raises(DataError, match="cannot stand in"):
        encode_movie(tmp_path / "o.mp4", FRAMES, fps=Fraction(25), options=EncodeOptions(codec="prores"))
