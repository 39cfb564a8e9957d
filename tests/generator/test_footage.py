"""Several takes of one person, and training where nothing but the training images stands."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from disc_scene import START_FRAME, DiscPasses, make_take, plate, plate_crops
from test_training import bytes_of_weights, options

from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take
from dvp_core.generator import Footage, TrainOptions, load_generator, make_training_images, train, train_on, work_folder
from dvp_core.generator.coverage import coverage_of
from dvp_core.generator.dataset import prepare_training_images
from dvp_core.generator.splitting import split_of, watched_frames
from dvp_core.generator.windows import StreamingWindow

ROOT = Path(__file__).resolve().parents[2]


def footage_of(take):
    return Footage(take, DiscPasses(take), plate_crops)


@pytest.fixture
def takes():
    """Two takes of the disc; the second has another clip and its middle was not tracked."""
    first = make_take()
    is_tracked = np.ones(24, dtype=bool)
    is_tracked[5:9] = False
    clip = replace(first.clip, file_name="second.mp4", sha256="d" * 64)
    return [first, make_take(subject="second", clip=clip, is_tracked=is_tracked)]


def images_of(takes, folder, **changes):
    footage = [footage_of(take) for take in takes]
    return prepare_training_images(footage, folder, options=options(**changes), window=11, history_scale=8)


def test_no_window_reaches_into_another_take(takes, tmp_path):
    images = images_of(takes, tmp_path / "images")
    assert len(images.targets) == 24 + 20
    for row, (take, index) in {0: (0, 0), 23: (0, 23), 24: (1, 0), 26: (1, 2), 24 + 23: (1, 23)}.items():
        batch, wanted = images.batch(np.array([row]), torch.device("cpu"))
        _, window = StreamingWindow(DiscPasses(takes[take]), 11, 8).read(START_FRAME + index)
        np.testing.assert_allclose(batch.history[0].numpy(), window.history, atol=1e-3)
        np.testing.assert_allclose((wanted[0].movedim(0, 2).numpy() + 1) * 127.5, plate(index), atol=1e-3)


def test_every_takes_last_third_is_held_out(takes):
    split = split_of(takes, options(hold_out="last-third"))
    assert split.frame_counts == [16, 16]
    assert list(split.in_one_row(split.learned)) == [*range(16), *range(16, 21), *range(25, 32)]


def test_seconds_are_watched_across_takes():
    watched = watched_frames([260, 250], 25.0, TrainOptions(watch="blocks"))
    assert [int(own.sum()) for own in watched] == [0, 25]  # the first of the second take is the eleventh of twenty
    assert watched[1][:25].all()


def test_the_file_names_every_take_and_what_all_have_shown(takes, tmp_path):
    path = train_on([footage_of(take) for take in takes], tmp_path / "g.safetensors", options=options(steps=2))
    facts = load_generator(path).facts
    assert facts.takes_sha256 == tuple(take.sha256 for take in takes)
    assert facts.clips_sha256 == ("c" * 64, "d" * 64)
    assert facts.coverage == coverage_of(takes, [np.arange(24), np.r_[0:5, 9:24]])
    assert facts.coverage["frame_count"] == facts.record["training_frames"] == 44


def test_no_speed_is_measured_across_takes():
    still, away = make_take(), make_take(subject="away", head_translation_m=np.ones((24, 3), dtype=np.float32))
    still = replace(still, head_translation_m=np.zeros((24, 3), dtype=np.float32))
    coverage = coverage_of([still, away], [np.arange(24), np.arange(24)])
    column = coverage["parameters"].index("head.x_m")
    assert coverage["value"]["max"][column] == 1
    assert coverage["speed_per_s"]["max"][column] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"face_model_sha256": "f" * 64}, "face model is fff.*Track all with one"),
        ({"crop": replace(make_take().crop, x_px=9)}, "crop is .*x_px=9.*first take's crop"),
        ({"clip": replace(make_take().clip, fps=Fraction(50))}, "frame rate is 50.*is 25.*one rate"),
        ({}, "given twice"),
    ],
)
def test_takes_that_do_not_fit_together_are_refused(change, said, tmp_path):
    pair = [make_take(), make_take(**change)]
    with pytest.raises(DataError, match=said):
        train_on([footage_of(take) for take in pair], tmp_path / "g.safetensors", options=options())
    assert not list(tmp_path.iterdir())


def test_too_little_footage_is_refused_with_all_that_made_it_little(takes, tmp_path):
    asked = replace(TrainOptions(), hold_out="last-third")
    with pytest.raises(DataError, match=r"only 28 of 48 frames .* 50 are the least \(4 were not tracked.*last-third"):
        train_on([footage_of(take) for take in takes], tmp_path / "g.safetensors", options=asked)


BARE_MACHINE = """
import sys
from pathlib import Path

blocked = "av bpy c2pa cryptography cv2 face_alignment fastapi matplotlib numba OpenEXR pydantic ray rich skimage tyro"
sys.modules.update(dict.fromkeys(f"{blocked} uvicorn tensorboard scipy h5py mediapipe PIL".split()))

from dvp_core.data.take import read_take
from dvp_core.generator import Footage, TrainOptions, train_on

folder = Path(sys.argv[1])
options = TrainOptions(steps=6, threads=1, device="cpu", width=8, batch_size=2, least_frames=2)
train_on([Footage(read_take(folder / "disc.take"))], folder / "there.safetensors", options=options)
"""


def test_training_images_are_all_that_a_bare_machine_needs(tmp_path):
    take = make_take()
    write_take(tmp_path / "disc.take", take)
    made = make_training_images([footage_of(take)], tmp_path / "there.safetensors", options=options())
    assert made == work_folder(tmp_path / "there.safetensors") / "images"
    command = [sys.executable, "-W", "error", "-c", BARE_MACHINE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    here = train(take, DiscPasses(take), plate_crops, tmp_path / "here.safetensors", options=options())
    assert bytes_of_weights(tmp_path / "there.safetensors") == bytes_of_weights(here)


def test_without_passes_and_images_the_error_says_what_to_copy(tmp_path):
    with pytest.raises(DataError, match=r"do not stand here.*copy the folder along"):
        train_on([Footage(make_take())], tmp_path / "g.safetensors", options=options())
