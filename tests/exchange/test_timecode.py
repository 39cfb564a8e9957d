from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.exchange.timecode import likely_rate, parse_timecode, seconds_of, timecode_text

NTSC_30, NTSC_60 = Fraction(30000, 1001), Fraction(60000, 1001)


def seconds(texts, fps, **options):
    return seconds_of([parse_timecode(text) for text in texts], fps, **options)


def drop_frame_text(frame, nominal):
    """The timecode of a frame by counting one frame after the other: slow, and sure."""
    left_out = nominal // 15
    hours = minutes = secs = number = 0
    for _ in range(frame):
        number += 1
        if number == nominal:
            number, secs = 0, secs + 1
        if secs == 60:
            secs, minutes = 0, minutes + 1
            hours, minutes = hours + minutes // 60, minutes % 60
            number = left_out if minutes % 10 else 0
    return f"{hours:02d}:{minutes:02d}:{secs:02d};{number:02d}"


def test_frames_and_their_parts_count():
    np.testing.assert_allclose(
        seconds(["01:02:03:15.250", "01:02:03:15"], Fraction(60)), [3723 + 15.25 / 60, 3723.25], atol=1e-9
    )
    np.testing.assert_allclose(seconds(["00:00:10:00"], NTSC_60), [10 * 60 * 1001 / 60000])


@pytest.mark.parametrize(("fps", "nominal"), [(NTSC_30, 30), (NTSC_60, 60)])
def test_drop_frame_counts_the_frames_that_were_exposed(fps, nominal):
    frames = [0, 59 * nominal, 60 * nominal - 1, 60 * nominal, 61 * nominal, 600 * nominal - 20, 600 * nominal]
    texts = [drop_frame_text(frame, nominal) for frame in frames]
    assert texts[3].endswith(f"00:01:00;{nominal // 15:02d}")
    np.testing.assert_allclose(seconds(texts, fps), [float(frame / fps) for frame in frames], atol=1e-9)
    as_written = [text.replace(";", ":") for text in texts]
    np.testing.assert_allclose(seconds(as_written, fps, is_drop_frame=True), seconds(texts, fps))


def test_time_goes_on_at_midnight():
    np.testing.assert_allclose(np.diff(seconds(["23:59:59:29", "00:00:00:00"], Fraction(30))), [1 / 30], atol=1e-9)


@pytest.mark.parametrize(
    ("texts", "rate"),
    [
        (["00:00:00:58.5", "00:00:01:01"], Fraction(60)),
        (["00:00:00:24", "00:00:01:01"], Fraction(25)),
        (["00:00:00;29", "00:00:01;01"], NTSC_30),
        (["00:00:00:10", "00:00:00:11"], None),
    ],
)
def test_rates_are_told_by_the_frame_numbers(texts, rate):
    assert likely_rate([parse_timecode(text) for text in texts]) == rate


def test_frames_that_the_rate_does_not_have_are_refused():
    with pytest.raises(DataError, match="frame 45 in a second of 30"):
        seconds(["00:00:00:45"], Fraction(30))
    with pytest.raises(DataError, match="drop-frame"):
        seconds(["00:00:00;05"], Fraction(25))


@pytest.mark.parametrize("text", ["", "1:2:3", "00:61:00:00", "00:00:00:aa", "frame 7"])
def test_other_text_is_no_timecode(text):
    with pytest.raises(DataError, match="no timecode"):
        parse_timecode(text)


@pytest.mark.parametrize("fps", [Fraction(24), NTSC_30, Fraction(60)])
def test_written_timecodes_are_read_back(fps):
    times = np.array([0, 1 / 3, 59.999, 60.0, 3599.98, 3725.5])
    np.testing.assert_allclose(seconds([timecode_text(t, fps) for t in times], fps), times, atol=0.6e-3 / 24)
