"""Movies as they come from cameras: on their side, at film and double rates, large, and long."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dvp_core.video import encode_movie, open_clip
from tests.video.media import number_in, numbered_frame, write_movie

ROOT = Path(__file__).resolve().parents[2]
# Prints the memory in MiB that a process holds after some of a movie's pictures and at the end, and their count.
ITERATE = """
import os, sys
from dvp_core.video import open_clip
def held(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
source, warm, count, early = open_clip(sys.argv[1]), int(sys.argv[2]), 0, 0.0
for picture in source.iterate():
    count += 1
    early = held() if count == warm else early
late = held()
source.read(0); source.read(count - 1); source.read(count // 2)
print(early, late, held(), count)
"""


def memory_while_iterating(path: Path, warm: int) -> tuple[float, float, float, int]:
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc")
    words = [sys.executable, "-c", ITERATE, str(path), str(warm)]
    result = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60)
    early, late, after, count = result.stdout.split()
    return float(early), float(late), float(after), int(count)


@pytest.fixture(scope="module")
def on_its_side(tmp_path_factory) -> Path:
    """A movie as a telephone writes it: coded 96 x 64, its display matrix turns it a quarter clockwise."""
    folder = tmp_path_factory.mktemp("portrait")
    plain = write_movie(folder / "plain.mp4", map(numbered_frame, range(12)))
    content = bytearray(plain.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    for place, value in enumerate((0, 1, 0, -1, 0)):
        content[start + 4 * place : start + 4 * place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    (folder / "portrait.mp4").write_bytes(content)
    return folder / "portrait.mp4"


def test_a_portrait_movie_is_upright_in_size_and_pixels(on_its_side):
    source = open_clip(on_its_side)
    plain = open_clip(on_its_side.with_name("plain.mp4"))
    assert (source.clip.width_px, source.clip.height_px) == (64, 96)
    pictures = list(source.iterate())
    assert all(picture.shape == (96, 64, 3) and picture.flags.c_contiguous for picture in pictures)
    # The top row of the coded picture, which spells its number, is the upright one's right column.
    assert [number_in(np.rot90(picture)) for picture in pictures] == list(range(12))
    assert np.array_equal(source.read(7), np.rot90(plain.read(7), -1))


def test_pixels_of_a_portrait_movie_change_their_aspect_with_its_sides(tmp_path, on_its_side):
    wide = tmp_path / "wide.mkv"
    encode_movie(wide, map(numbered_frame, range(3)), fps=Fraction(25), pixel_aspect=Fraction(4, 3))
    assert open_clip(wide).clip.pixel_aspect == Fraction(4, 3)
    assert open_clip(on_its_side).clip.pixel_aspect == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(60000, 1001)])
def test_film_and_double_rates_stay_exact_through_decoding_and_encoding(tmp_path, suffix, fps):
    filmed = write_movie(tmp_path / f"filmed{suffix}", map(numbered_frame, range(40)), fps=fps)
    source = open_clip(filmed)
    assert source.clip.fps == fps
    encode_movie(tmp_path / f"again{suffix}", source.iterate(), fps=source.clip.fps)
    again = open_clip(tmp_path / f"again{suffix}")
    assert (again.clip.fps, again.clip.frame_count) == (fps, 40)
    assert [number_in(again.read(index)) for index in (39, 0, 17)] == [39, 0, 17]


def test_pictures_of_4k_take_no_more_memory_at_the_end_than_at_the_start(tmp_path):
    path = tmp_path / "large.mp4"
    _write_repeated(path, [numbered_frame(index, width_px=3840, height_px=2160) for index in (0, 1)], 24)
    early, late, after, count = memory_while_iterating(path, 12)
    assert count == 24
    assert late - early < 3 * 25  # three pictures of 25 MiB: a clip kept whole would add 12 of them
    assert after - early < 6 * 25


def test_ten_minutes_take_no_more_memory_at_the_end_than_at_the_start(tmp_path):
    path = tmp_path / "long.mp4"
    _write_repeated(path, [np.ascontiguousarray(numbered_frame(index)[:, :80]) for index in range(5)], 18_000)
    early, late, after, count = memory_while_iterating(path, 2000)
    assert count == 18_000
    assert late - early < 10  # MiB; the pictures together are 264
    assert after - early < 20


def _write_repeated(path: Path, pictures: list[np.ndarray], count: int) -> None:
    """A few pictures over and over, converted once."""
    height_px, width_px = pictures[0].shape[:2]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast", "g": "250"})
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        frames = [
            av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p") for picture in pictures
        ]
        for index in range(count):
            frame = frames[index % len(frames)]
            frame.pts, frame.time_base = index, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
