"""A preview is the frame that rendering gives, labelled like every picture that leaves the program."""

import numpy as np
import pytest
import torch

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.passes import PassFrame
from dvp_core.data.preview import pack_pass_frame, unpack_pass_frame
from dvp_core.data.render_settings import RenderWishes
from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
from dvp_core.generator.networks import build_network, config_of_preset
from dvp_core.passes import pass_path, read_pass_frame, write_pass_frame
from dvp_core.pipeline.consent import record_consent
from dvp_core.pipeline.preview import make_preview, open_preview, paint_window
from dvp_core.pipeline.render import render_shot
from dvp_core.trust import ConsentRefusedError, verify
from dvp_core.video import clip_sha256, read_image, write_png

SIZE, FIRST, LAST = 32, 101, 114


def save_tiny(path, preset, *, crop, clip_sha256="2" * 64):
    torch.manual_seed(1)
    config = config_of_preset(preset, resolution_px=SIZE, width=16)
    save_generator(path, build_network(config), GeneratorFacts(preset, config, crop, "1" * 64, clip_sha256, "3" * 64,
                                                              None, {}, {}))  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview")
    crop = Crop(0, 0, SIZE, SIZE)
    for frame in range(FIRST, LAST + 1):
        random = np.random.default_rng(frame)
        images = {name: random.random((SIZE, SIZE, 3), dtype=np.float32) for name in ("color", "corr", "gaze")}
        plain = np.ones((SIZE, SIZE), np.float32)
        made = PassFrame(frame, **images, mask=plain, depth=plain, crop=crop, take_sha256="0" * 64,
                         face_model_sha256="1" * 64)  # fmt: skip
        write_pass_frame(pass_path(folder / "passes", frame), made)
    save_tiny(folder / "fast.safetensors", "fast", crop=crop)
    save_tiny(folder / "dvp2018.safetensors", "dvp2018", crop=crop)
    return folder


def window(folder, frame, length=11):
    """The passes that rendering looks at, over the wire and back."""
    numbers = range(max(FIRST, frame - length + 1), frame + 1)
    packed = [pack_pass_frame(read_pass_frame(pass_path(folder / "passes", number))) for number in numbers]
    return tuple(map(unpack_pass_frame, packed))


@pytest.mark.parametrize("preset", ["fast", "dvp2018"])
def test_pixels_are_those_of_a_rendered_shot(folder, preset):
    generator = folder / f"{preset}.safetensors"
    render_shot(folder / "passes", generator, folder / preset, wishes=RenderWishes(batch_size=1))
    painter = open_preview(generator)
    for frame in (FIRST, FIRST + 2, LAST):
        rendered = read_image(folder / preset / f"frame.{frame:04d}.png")
        np.testing.assert_array_equal(paint_window(painter, window(folder, frame)), rendered)


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "clip").mkdir()
    write_png(tmp_path / "clip" / "plate.0001.png", np.zeros((8, 8, 3), np.uint8))
    return tmp_path / "clip"


def test_picture_is_labelled_as_synthetic_and_names_the_consent(folder, clip, tmp_path):
    record = record_consent([clip], tmp_path / "consent.json", uses=("previews",))
    save_tiny(tmp_path / "own.safetensors", "fast", crop=Crop(0, 0, SIZE, SIZE), clip_sha256=clip_sha256(clip))
    painter = open_preview(tmp_path / "own.safetensors")
    made = make_preview(painter, window(folder, LAST), consent=tmp_path / "consent.json")
    (tmp_path / "preview.png").write_bytes(made.png)
    verdict = verify(tmp_path / "preview.png")
    assert verdict.state == "known"
    assert verdict.source_type == "trainedAlgorithmicMedia"
    assert verdict.consent_sha256 == record.sha256
    np.testing.assert_array_equal(read_image(tmp_path / "preview.png"), paint_window(painter, window(folder, LAST)))
    assert made.frame == LAST


def test_a_consent_for_another_clip_is_refused(folder, clip, tmp_path):
    record_consent([clip], tmp_path / "consent.json", uses=("previews",))
    painter = open_preview(folder / "fast.safetensors")
    with pytest.raises(ConsentRefusedError, match="another clip"):
        make_preview(painter, window(folder, LAST), consent=tmp_path / "consent.json")


def test_a_changed_consent_record_is_refused_before_anything_is_painted(folder, clip, tmp_path):
    record_consent([clip], tmp_path / "consent.json", uses=("previews",))
    text = (tmp_path / "consent.json").read_text()
    (tmp_path / "consent.json").write_text(text.replace("previews", "anything"))
    painter = open_preview(folder / "fast.safetensors")
    with pytest.raises(DataError, match="consent"):
        make_preview(painter, window(folder, LAST), consent=tmp_path / "consent.json")


def test_frames_before_the_window_change_nothing_and_those_in_it_do(folder):
    painter = open_preview(folder / "dvp2018.safetensors")
    pixels = paint_window(painter, window(folder, LAST))
    np.testing.assert_array_equal(paint_window(painter, window(folder, LAST, length=13)), pixels)
    assert (paint_window(painter, window(folder, LAST, length=10)) != pixels).any()
    with pytest.raises(DataError, match="holds no frame"):
        paint_window(painter, ())
