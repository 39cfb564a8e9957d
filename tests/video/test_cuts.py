"""Cuts: found where the shot changes, and nowhere else, whatever light, head and camera do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from time import perf_counter

import numpy as np
import pytest

from dvp_core.data.clip import Clip, FrameSource
from dvp_core.video import find_cuts, open_clip
from dvp_core.video.cuts import change, contrasts, cut_indices
from tests.video.media import write_movie

HEIGHT_PX, WIDTH_PX = 120, 160
FRAME_COUNT = 24


@dataclass(frozen=True)
class Pictures:
    clip: Clip
    pictures: list[np.ndarray]

    def read(self, index: int) -> np.ndarray:
        return self.pictures[index]

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        yield from self.pictures[start:stop]


def source_of(pictures: list[np.ndarray]) -> Pictures:
    height_px, width_px = pictures[0].shape[:2]
    return Pictures(Clip("a.mp4", "0" * 64, width_px, height_px, Fraction(25), 1, len(pictures)), pictures)


def smooth_noise(seed: int, *, height_px: int = HEIGHT_PX, width_px: int = WIDTH_PX) -> np.ndarray:
    """A scene: soft patches of colour, 20..220."""
    coarse = np.random.default_rng(seed).uniform(20, 220, (height_px // 10 + 2, width_px // 10 + 2, 3))
    rows, columns = np.arange(height_px) / 10, np.arange(width_px) / 10
    row, column = rows.astype(int), columns.astype(int)
    down, right = (rows - row)[:, None, None], (columns - column)[None, :, None]
    upper = coarse[row][:, column] * (1 - right) + coarse[row][:, column + 1] * right
    lower = coarse[row + 1][:, column] * (1 - right) + coarse[row + 1][:, column + 1] * right
    return upper * (1 - down) + lower * down


def shot(seed: int, count: int = FRAME_COUNT, *, head_px: float = 0.0, pan_px: float = 0.0) -> list[np.ndarray]:
    """A head before a background: the head turns through `head_px` in the middle, the camera pans by `pan_px` each."""
    random = np.random.default_rng(seed + 1000)
    wide = smooth_noise(seed, width_px=WIDTH_PX + 400)
    head = smooth_noise(seed + 500, width_px=WIDTH_PX + 400)
    row, column = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    mask = (((row - 60) / 40) ** 2 + ((column - 80) / 30) ** 2 < 1)[..., None]
    pictures = []
    for index in range(count):
        pan = round(pan_px * index)
        turn = round(head_px * float(np.clip((index - count / 2) / 3, 0, 1)))
        picture = np.where(mask, head[:, turn : turn + WIDTH_PX], wide[:, pan : pan + WIDTH_PX])
        pictures.append(as_bytes(picture + random.normal(0, 3, picture.shape)))
    return pictures


def as_bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture, 0, 255).astype(np.uint8)


def lit(pictures: list[np.ndarray], levels: np.ndarray) -> list[np.ndarray]:
    return [as_bytes(picture * level) for picture, level in zip(pictures, levels, strict=True)]


@pytest.mark.parametrize("first", [2, 3, 10, 40])
def test_a_joint_of_two_shots_is_the_one_cut(first):
    told = []
    cuts = find_cuts(source_of(shot(1, first) + shot(2)), lambda stage, done, total: told.append((stage, done, total)))
    assert cuts == (first,)
    assert told[-1] == ("cuts", first + FRAME_COUNT, first + FRAME_COUNT)


def test_cuts_near_each_other_and_near_both_ends_are_all_found():
    pictures = shot(1, 1) + shot(2, 10) + shot(3, 5) + shot(4, 20) + shot(5, 2)
    assert find_cuts(source_of(pictures)) == (1, 11, 16, 36)


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("level", [40.0, 3.0, 0.05])
def test_flashes_and_short_darkness_are_no_cuts(length, level):
    levels = np.ones(FRAME_COUNT)
    levels[10 : 10 + length] = level
    assert find_cuts(source_of(lit(shot(1), levels))) == ()


def test_a_picture_of_something_else_for_one_frame_is_no_cut():
    pictures = shot(1)
    pictures[10] = shot(2)[0]
    assert find_cuts(source_of(pictures)) == ()


@pytest.mark.parametrize("after", [0.35, 0.6, 1.3])
def test_a_switched_light_is_no_cut(after):
    levels = np.where(np.arange(FRAME_COUNT) < 12, 0.75, 0.75 * after)
    assert find_cuts(source_of(lit(shot(1), levels))) == ()


def test_a_lamp_from_one_side_is_no_cut():
    lamp = np.linspace(0.5, 1.6, WIDTH_PX)[None, :, None]
    pictures = [picture if index < 12 else as_bytes(picture * lamp) for index, picture in enumerate(shot(1))]
    assert find_cuts(source_of(pictures)) == ()


def test_a_fade_to_black_and_back_is_no_cut():
    levels = np.abs(np.linspace(-1, 1, 49))
    assert find_cuts(source_of(lit(shot(1, 49), levels))) == ()


@pytest.mark.parametrize("head_px", [30, 90, 300])
def test_a_fast_turn_of_the_head_is_no_cut(head_px):
    assert find_cuts(source_of(shot(1, head_px=head_px))) == ()


@pytest.mark.parametrize("pan_px", [3, 12])
def test_a_pan_is_no_cut(pan_px):
    assert find_cuts(source_of(shot(1, pan_px=pan_px))) == ()


def test_a_cut_out_of_a_pan_into_another_is_found():
    assert find_cuts(source_of(shot(1, pan_px=3) + shot(2, pan_px=3))) == (FRAME_COUNT,)


def test_a_cut_to_black_and_out_of_it_are_cuts():
    black = [np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)] * 12
    assert find_cuts(source_of(shot(1) + black + shot(1))) == (24, 36)


def test_pictures_without_any_contrast_hold_no_cut():
    random = np.random.default_rng(3)
    grey = [as_bytes(110 + random.normal(0, 1, (HEIGHT_PX, WIDTH_PX, 3))) for _ in range(12)]
    assert find_cuts(source_of(grey)) == ()


def test_sheets_are_asked_for_one_by_one_and_decided_soon():
    asked = []

    def sheets() -> Iterator[np.ndarray]:
        for index, picture in enumerate(shot(1) + shot(2)):
            asked.append(index)
            yield contrasts(picture)

    assert next(cut_indices(sheets())) == FRAME_COUNT
    assert asked[-1] == FRAME_COUNT + 3


def test_change_is_none_for_the_same_and_large_for_another_scene():
    one, other = contrasts(shot(1)[0]), contrasts(shot(2)[0])
    assert change(one, one) == 0
    assert change(one, other) > 0.6


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(60000, 1001)])
def test_cuts_of_a_movie_file_are_those_of_its_pictures(tmp_path, fps):
    pictures = shot(1) + shot(2, 30, pan_px=2) + shot(3)
    path = write_movie(tmp_path / "a.mp4", pictures, fps=fps, options={"crf": "20"})
    assert find_cuts(open_clip(path)) == find_cuts(source_of(pictures)) == (24, 54)


def test_thumbnails_are_small_and_of_the_same_pictures(tmp_path):
    path = write_movie(tmp_path / "a.mp4", shot(1, 5), options={"crf": "1"})
    source = open_clip(path)
    small = list(source.thumbnails(40))  # pyright: ignore[reportAttributeAccessIssue]
    assert [picture.shape for picture in small] == [(30, 40, 3)] * 5
    blocks = source.read(3).reshape(30, 4, 40, 4, 3).mean(axis=(1, 3))
    assert np.abs(small[3].mean(axis=-1) - blocks.mean(axis=-1)).mean() < 6  # colours are quick ones


def test_three_hundred_pictures_of_480_lines_take_a_second():
    picture = as_bytes(smooth_noise(1, height_px=480, width_px=854))
    contrasts(picture)
    times = []
    for _ in range(30):
        start = perf_counter()
        contrasts(picture)
        times.append(perf_counter() - start)
    assert min(times) < 1 / 300  # the least: other work on the machine only adds


class Joined:
    """The first pictures of some clips, one after another."""

    def __init__(self, sources: list[FrameSource], count: int) -> None:
        self.sources, self.count = sources, count
        self.clip = replace(sources[0].clip, frame_count=count * len(sources))

    def read(self, index: int) -> np.ndarray:
        return self.sources[index // self.count].read(index % self.count)

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        for source in self.sources:
            yield from source.iterate(0, self.count)


@pytest.mark.parametrize("name", ["man_glasses", "man_hoodie", "woman_green_tie", "woman_long_hair"])
def test_real_clips_hold_no_cut(test_data, name):
    assert find_cuts(open_clip(test_data / f"clips/{name}.mp4")) == ()


@pytest.mark.parametrize(
    "names", [("man_hoodie", "woman_green_tie"), ("woman_green_tie", "man_hoodie", "woman_green_tie")]
)
def test_joined_real_clips_hold_their_joints(test_data, names):
    joined = Joined([open_clip(test_data / f"clips/{name}.mp4") for name in names], 40)
    assert find_cuts(joined) == tuple(range(40, 40 * len(names), 40))
