import numpy as np
import pytest
from disc_scene import FRAME_COUNT, START_FRAME, DiscPasses, make_take

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.generator.windows import StreamingWindow, reduced, window_frames

FRAMES = FrameRange.span(START_FRAME, START_FRAME + FRAME_COUNT - 1)


def test_a_window_ends_at_its_frame_oldest_first():
    assert window_frames(START_FRAME + 15, FRAMES, 11) == list(range(START_FRAME + 5, START_FRAME + 16))


def test_before_the_first_frame_that_frame_repeats():
    assert window_frames(START_FRAME + 2, FRAMES, 5) == [START_FRAME] * 3 + [START_FRAME + 1, START_FRAME + 2]


def test_a_gap_inside_is_an_error_that_names_the_frame():
    frames = FrameRange.of(set(FRAMES) - {START_FRAME + 7})
    with pytest.raises(DataError, match=f"frame {START_FRAME + 7} are missing"):
        window_frames(START_FRAME + 9, frames, 11)
    with pytest.raises(DataError, match="are missing"):
        window_frames(START_FRAME - 1, frames, 11)


def test_streamed_windows_hold_the_stacked_channels():
    source = DiscPasses(make_take())
    windows = StreamingWindow(source, 11, 1)
    for frame in (START_FRAME, START_FRAME + 3, START_FRAME + 14):
        _, window = windows.read(frame)
        wanted = [source.read(number).network_channels() for number in window_frames(frame, FRAMES, 11)]
        volume = np.concatenate([window.history, window.current])
        assert volume.shape == (99, 64, 64)
        np.testing.assert_array_equal(volume, np.concatenate(wanted))
        assert volume.min() >= -1
        assert volume.max() <= 1


def test_a_stream_reads_every_pass_once_and_remembers_one_window():
    source = DiscPasses(make_take())
    windows = StreamingWindow(source, 11, 8)
    for frame in FRAMES:
        windows.read(frame)
        assert len(windows.older_by_frame) <= 10
    assert source.reads == dict.fromkeys(FRAMES, 1)


def test_a_window_of_one_has_no_history():
    _, window = StreamingWindow(DiscPasses(make_take()), 1, 1).read(START_FRAME + 5)
    assert window.history.shape == (0, 64, 64)


def test_reducing_averages_squares():
    channels = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    np.testing.assert_array_equal(reduced(channels, 2), [[[2.5, 4.5], [10.5, 12.5]]])
