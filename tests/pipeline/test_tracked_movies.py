"""Movies as they come, through `track_clip`: rates of film and television, on their side, at uneven times."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import write_landmarks
from dvp_core.data.take import read_take
from dvp_core.pipeline.track import track_clip
from dvp_core.tracking import TrackOptions
from tests.tracking.stage import FOCAL_PX, Stage, performance, rotation_errors_deg, staged

COUNT = 10
OPTIONS = TrackOptions(focal_px=FOCAL_PX, key_frame_count=4)


def in_turns(size_wh: tuple[int, int]) -> Stage:
    phase = np.linspace(0, np.pi, COUNT)
    return staged(performance(np.column_stack([9 * np.cos(phase), 3 * np.sin(phase), 0 * phase])), size_wh=size_wh)


@pytest.fixture(scope="module")
def square() -> Stage:
    return in_turns((192, 192))


def written(path: Path, pictures, *, fps: Fraction = Fraction(25), stamps=None) -> Path:
    """Encode without any of the project's own code; `stamps` are in units of a tenth of a frame."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=fps, options={"crf": "8", "bf": "0"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / (10 * fps)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = stamps[index] if stamps else 10 * index
            frame.time_base = 1 / (10 * fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def on_its_side(path: Path, pictures) -> Path:
    """Write upright pictures as a telephone does: coded a quarter counterclockwise, with a matrix that turns them."""
    written(path, [np.rot90(picture) for picture in pictures])
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    for place, value in enumerate((0, 1, 0, -1, 0)):
        content[start + 4 * place : start + 4 * place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    return path


def points_of(stage: Stage, path: Path) -> Path:
    write_landmarks(path, stage.landmarks)
    return path


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(60000, 1001)])
def test_rates_of_film_and_television_stay_exact_into_the_take(tmp_path, square, fps):
    clip = written(tmp_path / "clip.mov", square.source.pictures, fps=fps)
    take = track_clip(
        clip, tmp_path / "a.take", landmarks=points_of(square, tmp_path / "l.npz"), options=OPTIONS, smoothing=0.0
    )
    assert take.clip.fps == fps
    back = read_take(tmp_path / "a.take")
    assert back.clip.fps == fps
    assert back.frame_count == COUNT
    assert rotation_errors_deg(back, square.performance.rotation).max() < 2.0


def test_a_portrait_movie_is_tracked_upright(tmp_path):
    stage = in_turns((160, 256))
    clip = on_its_side(tmp_path / "portrait.mp4", stage.source.pictures)
    take = track_clip(
        clip, tmp_path / "a.take", landmarks=points_of(stage, tmp_path / "l.npz"), options=OPTIONS, smoothing=0.0
    )
    assert (take.clip.width_px, take.clip.height_px) == (160, 256)
    assert take.camera.principal_px == (80.0, 128.0)
    assert rotation_errors_deg(take, stage.performance.rotation).max() < 2.0
    assert np.median(take.photometric_error) < 0.05  # the pictures lie under the points


def test_a_movie_with_uneven_times_is_refused_in_words_before_any_work(tmp_path, square):
    stamps = [0, 10, 20, 35, 60, 70, 95, 100, 110, 135]
    clip = written(tmp_path / "uneven.mkv", square.source.pictures, stamps=stamps)
    with pytest.raises(DataError, match=r"variable frame rate.*ffmpeg"):
        track_clip(clip, tmp_path / "a.take", landmarks=points_of(square, tmp_path / "l.npz"), options=OPTIONS)
    assert not (tmp_path / "a.take").exists()


def test_points_for_another_count_of_frames_are_refused_before_any_work(tmp_path, square):
    clip = written(tmp_path / "short.mp4", square.source.pictures[:-1])
    with pytest.raises(DataError, match="10 frames, the clip 9"):
        track_clip(clip, tmp_path / "a.take", landmarks=points_of(square, tmp_path / "l.npz"), options=OPTIONS)
    assert not (tmp_path / "a.take").exists()
