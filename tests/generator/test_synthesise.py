from dataclasses import replace

import numpy as np
import pytest
import torch
from disc_scene import FRAME_COUNT, START_FRAME, DiscPasses

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.render_settings import RenderSettings
from dvp_core.generator import load_generator, synthesise

FRAMES = FrameRange.span(START_FRAME, START_FRAME + FRAME_COUNT - 1)


@pytest.fixture(scope="module")
def whole(trained):
    return dict(synthesise(load_generator(trained.path), trained.passes, FRAMES))


@pytest.mark.parametrize("size", [1, 5])
def test_chunks_change_no_byte(size, trained, whole):
    generator = load_generator(trained.path)
    for chunk in FRAMES.chunks(size):
        for frame, image in synthesise(generator, DiscPasses(trained.take), chunk):
            assert image.tobytes() == whole[frame].tobytes()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_with_batches_chunks_change_no_byte_either(precision, trained, monkeypatch):
    monkeypatch.setattr("dvp_core.generator.settings.trains_faster_in_half", lambda device: True)
    settings = RenderSettings(batch_size=3, precision=precision)
    generator = load_generator(trained.path, device="cpu", settings=settings)
    whole = dict(synthesise(generator, trained.passes, FRAMES))
    for chunk in FRAMES.chunks(7):
        for frame, image in synthesise(generator, DiscPasses(trained.take), chunk):
            assert image.tobytes() == whole[frame].tobytes()


def test_frames_before_a_bad_one_come_out_of_its_batch(trained):
    generator = load_generator(trained.path, settings=RenderSettings(batch_size=4))
    passes = DiscPasses(trained.take, missing=(START_FRAME + 2,))
    stream = synthesise(generator, passes, FRAMES)
    assert [next(stream)[0], next(stream)[0]] == [START_FRAME, START_FRAME + 1]
    with pytest.raises(DataError, match=f"frame {START_FRAME + 2}"):
        next(stream)


def test_neither_the_thread_count_nor_the_random_state_changes_a_byte(trained, whole):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(77)
    try:
        sparse = FrameRange.of([START_FRAME + 20, START_FRAME + 3])
        pictures = dict(synthesise(load_generator(trained.path), trained.passes, sparse))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert list(pictures) == list(sparse)
    assert all(pictures[frame].tobytes() == whole[frame].tobytes() for frame in sparse)


def test_frames_are_pictures(whole):
    assert list(whole) == list(FRAMES)
    assert all(image.shape == (64, 64, 3) and image.dtype == np.uint8 for image in whole.values())
    assert not np.array_equal(whole[START_FRAME], whole[START_FRAME + 7])


def test_a_stream_reads_every_pass_once(trained):
    passes = DiscPasses(trained.take)
    for _ in synthesise(load_generator(trained.path), passes, FRAMES):
        assert max(passes.reads.values()) == 1


def test_a_missing_pass_is_named(trained):
    passes = DiscPasses(trained.take, missing=(START_FRAME + 8,))
    with pytest.raises(DataError, match=f"frame {START_FRAME + 8} are missing"):
        list(synthesise(load_generator(trained.path), passes, FrameRange.of([START_FRAME + 12])))


class Changed(DiscPasses):
    def read(self, frame):
        return self.change(super().read(frame))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: replace(frame, crop=replace(frame.crop, x_px=0)), "but the generator knows"),
        (lambda frame: replace(frame, face_model_sha256="0" * 64), "another face model"),
        (lambda frame: replace(frame, **{k: getattr(frame, k)[:32, :32] for k in ("color", "corr", "gaze")}), "64 px"),
    ],
)
def test_passes_that_do_not_fit_are_refused(change, message, trained):
    passes = Changed(trained.take)
    passes.change = change
    with pytest.raises(DataError, match=message):
        list(synthesise(load_generator(trained.path), passes, FRAMES))
