import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from disc_scene import CROP, FRAME_COUNT, START_FRAME, DiscPasses, make_take, plate, plate_crops
from safetensors import safe_open

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.generator import Footage, TrainOptions, load_generator, run, synthesise, train, work_folder
from dvp_core.generator.coverage import coverage_of
from dvp_core.generator.dataset import prepare_training_images
from dvp_core.generator.networks import FastNetwork
from dvp_core.generator.run import learning_rate_factor
from dvp_core.generator.splitting import split_of, usable_indices
from dvp_core.generator.stopping import stopped_gently
from dvp_core.generator.windows import StreamingWindow
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, quaternion_wxyz_from_rotation_vector


def options(**changes):
    return replace(TrainOptions(steps=6, threads=1, device="cpu", width=8, batch_size=2, least_frames=2), **changes)


def bytes_of_weights(path):
    with safe_open(str(path), framework="np") as stream:
        return {name: stream.get_tensor(name).tobytes() for name in stream.keys()}


class Interruption(Exception):
    pass


def stop_at(step):
    def progress(stage, done, total):
        if stage == "training" and done == step:
            raise Interruption

    return progress


def test_training_learns_the_person(trained):
    generator = load_generator(trained.path)
    seen = FrameRange.span(START_FRAME, START_FRAME + 15)
    pictures = dict(synthesise(generator, trained.passes, seen))
    error = np.mean([np.abs(pictures[frame].astype(float) - plate_crops(frame)).mean() for frame in seen])
    median = np.median([plate(index) for index in range(16)], axis=0)
    standing_still = np.mean([np.abs(median - plate(index)).mean() for index in range(16)])
    assert error < 0.5 * standing_still, (error, standing_still)


@pytest.mark.parametrize("preset", ["fast", "best", "dvp2018", "pix2pix"])
def test_an_interrupted_run_goes_on_to_the_same_weights(preset, tmp_path):
    take, passes = make_take(), DiscPasses(make_take())
    whole = train(take, passes, plate_crops, tmp_path / "whole.safetensors", options=options(preset=preset))
    resumed = tmp_path / "resumed.safetensors"
    with pytest.raises(Interruption):
        train(take, passes, plate_crops, resumed, options=options(preset=preset), progress=stop_at(3))
    assert not resumed.exists()
    steps = []
    train(
        take,
        passes,
        plate_crops,
        resumed,
        options=options(preset=preset),
        progress=lambda stage, done, total: steps.append((stage, done)),
    )
    assert [done for stage, done in steps if stage == "training"] == [4, 5, 6]
    assert bytes_of_weights(resumed) == bytes_of_weights(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_step_waits_for_its_end(number, tmp_path, monkeypatch):
    take, passes, asked = make_take(), DiscPasses(make_take()), options(steps=4)
    whole = train(take, passes, plate_crops, tmp_path / "whole.safetensors", options=asked)
    follow_average, before = run.follow_average, signal.getsignal(number)

    def interrupted(state, decay):
        if state.step == 2:
            os.kill(os.getpid(), number)
        follow_average(state, decay)

    stopped = tmp_path / "stopped.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(run, "follow_average", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(take, passes, plate_crops, stopped, options=asked)
    assert signal.getsignal(number) == before
    steps = []
    train(take, passes, plate_crops, stopped, options=asked, progress=lambda stage, done, total: steps.append(done))
    assert steps == [3, 4]
    assert bytes_of_weights(stopped) == bytes_of_weights(whole)


def test_a_second_signal_stops_at_once():
    with stopped_gently() as stop_if_asked:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            stop_if_asked()


def test_a_state_of_other_options_is_not_taken_up(tmp_path):
    take, passes = make_take(), DiscPasses(make_take())
    output = tmp_path / "g.safetensors"
    with pytest.raises(Interruption):
        train(take, passes, plate_crops, output, options=options(), progress=stop_at(3))
    steps = []
    train(take, passes, plate_crops, output, options=options(seed=1), progress=lambda s, done, t: steps.append(done))
    assert steps[-6:] == [1, 2, 3, 4, 5, 6]


def test_the_file_tells_all_about_itself(trained):
    facts = load_generator(trained.path).facts
    assert facts.preset == "fast"
    assert facts.crop == CROP
    assert facts.config.window == 11
    assert facts.config.resolution_px == 64
    assert (facts.face_model_sha256, facts.clip_sha256) == ("face" * 16, "c" * 64)
    assert facts.take_sha256 == trained.take.sha256
    assert facts.consent_sha256 is None
    assert facts.record["steps"] == 120
    assert facts.record["options"]["hold_out"] == "last-third"
    assert facts.record["training_frames"] == 16
    assert facts.coverage["frame_count"] == 16


def test_consent_is_recorded(tmp_path):
    take = make_take()
    path = train(
        take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=options(steps=1), consent_sha256="ab"
    )
    assert load_generator(path).facts.consent_sha256 == "ab"


def test_a_run_leaves_record_and_previews_but_no_images_or_state(trained):
    folder = work_folder(trained.path)
    assert sorted(entry.name for entry in folder.iterdir()) == ["curves", "previews", "record.json"]
    record = json.loads((folder / "record.json").read_text())
    assert [entry["step"] for entry in record["measurements"]] == [50, 100, 120]
    preview = (folder / "previews" / "step_000120.png").read_bytes()
    assert preview.startswith(b"\x89PNG")


def test_minutes_are_a_budget(tmp_path):
    take = make_take()
    asked = options(steps=None, minutes=0.02)
    path = train(take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=asked)
    assert 1.2 <= load_generator(path).facts.record["seconds"] < 30


def test_held_out_frames_are_never_read(tmp_path):
    take = make_take()
    passes = DiscPasses(take)
    seen = []

    def crops(frame):
        seen.append(frame)
        return plate_crops(frame)

    train(take, passes, crops, tmp_path / "g.safetensors", options=options(steps=1, hold_out="last-third"))
    assert max(passes.reads) == max(seen) == START_FRAME + FRAME_COUNT * 2 // 3 - 1


def test_untracked_frames_are_no_targets():
    is_tracked = np.ones(FRAME_COUNT, dtype=bool)
    is_tracked[[3, 4]] = False
    assert 3 not in usable_indices(make_take(is_tracked=is_tracked), "none")
    with pytest.raises(DataError, match=r"only 0 of 24 frames.*24 were not tracked"):
        split_of([make_take(is_tracked=np.zeros(FRAME_COUNT, dtype=bool))], TrainOptions())


def test_training_windows_equal_rendering_windows(tmp_path):
    take = make_take()
    passes = DiscPasses(take)
    images = prepare_training_images(
        [Footage(take, passes, plate_crops)], tmp_path / "images", options=options(), window=11, history_scale=8
    )
    indices = np.array([0, 4, 17])
    batch, wanted = images.batch(indices, torch.device("cpu"))
    for row, index in enumerate(indices):
        _, window = StreamingWindow(passes, 11, 8).read(START_FRAME + int(index))
        # eight bits a colour, sixteen a place, half floats for the history
        np.testing.assert_allclose(batch.current[row].numpy(), window.current, atol=0.5 * 2 / 255 + 1e-6)
        np.testing.assert_allclose(batch.current[row, 3:6].numpy(), window.current[3:6], atol=1e-4)
        np.testing.assert_allclose(batch.history[row].numpy(), window.history, atol=1e-3)
        np.testing.assert_allclose((wanted[row].movedim(0, 2).numpy() + 1) * 127.5, plate(int(index)), atol=1e-3)


def test_images_are_made_once(tmp_path):
    take = make_take()
    passes = DiscPasses(take)
    for _ in range(2):
        prepare_training_images(
            [Footage(take, passes, plate_crops)], tmp_path / "images", options=options(), window=11, history_scale=8
        )
    assert set(passes.reads.values()) == {1}


def test_passes_of_another_take_or_crop_are_refused(tmp_path):
    take = make_take()
    edited = make_take(subject="edited")
    with pytest.raises(DataError, match="another take"):
        train(take, DiscPasses(edited), plate_crops, tmp_path / "g.safetensors", options=options())
    other_crop = make_take(crop=replace(CROP, x_px=4))
    with pytest.raises(DataError, match="were rendered for"):
        train(other_crop, DiscPasses(other_crop), plate_crops, tmp_path / "g.safetensors", options=options())
    with pytest.raises(DataError, match="frame 105 is missing"):
        train(take, DiscPasses(take, missing=(105,)), plate_crops, tmp_path / "g.safetensors", options=options())
    with pytest.raises(DataError, match="expected uint8"):
        train(take, DiscPasses(take), lambda _: np.zeros((8, 8, 3), np.uint8), tmp_path / "g", options=options())
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize("change", [{"steps": 0}, {"minutes": -1.0, "steps": None}, {"batch_size": 0}])
def test_senseless_options_are_refused(change, tmp_path):
    take = make_take()
    with pytest.raises(DataError, match="more than 0"):
        train(take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=options(**change))


def test_resolutions_that_a_network_cannot_halve_are_refused(tmp_path):
    take = make_take(crop=replace(CROP, resolution_px=80))
    for preset, remedy in (("fast", "multiple of 32"), ("dvp2018", "256 or 512")):
        with pytest.raises(DataError, match=remedy):
            train(take, DiscPasses(take), plate_crops, tmp_path / "g", options=options(preset=preset))
    take = make_take()
    with pytest.raises(DataError, match="batch normalisation"):
        train(take, DiscPasses(take), plate_crops, tmp_path / "g", options=options(preset="dvp2018", batch_size=1))


def test_a_damaged_state_is_named_and_the_output_untouched(tmp_path):
    take, output = make_take(), tmp_path / "g.safetensors"
    with pytest.raises(Interruption):
        train(take, DiscPasses(take), plate_crops, output, options=options(), progress=stop_at(2))
    state = work_folder(output) / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-64])
    with pytest.raises(DataError, match=r"state\.safetensors"):
        train(take, DiscPasses(take), plate_crops, output, options=options())
    assert not output.exists()


def test_learned_images_start_at_what_is_known(tmp_path):
    take = make_take()
    path = train(take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=options(steps=1))
    network = load_generator(path).network
    assert isinstance(network, FastNetwork)
    background = (network.background[0].movedim(0, 2).numpy() + 1) * 127.5
    median = np.median([plate(index) for index in range(FRAME_COUNT)], axis=0)
    assert np.abs(background - median).max() < 3


def test_the_learning_rate_rises_then_falls_to_zero():
    assert learning_rate_factor(0, 0.0, is_decaying=True) < 0.1
    assert learning_rate_factor(500, 0.0, is_decaying=True) == 1
    assert learning_rate_factor(500, 0.5, is_decaying=True) == pytest.approx(0.5)
    assert learning_rate_factor(500, 1.0, is_decaying=True) == pytest.approx(0)
    assert learning_rate_factor(500, 0.9, is_decaying=False) == 1


def test_coverage_measures_values_and_speeds():
    take = make_take()
    coverage = coverage_of([take], [np.array([0, 1, 2, 10])])
    column = coverage["parameters"].index("head.x_m")
    x = take.head_translation_m[:, 0]
    assert coverage["value"]["max"][column] == pytest.approx(x[[0, 1, 2, 10]].max(), abs=1e-5)
    steps = np.diff(x[:3]) * 25
    assert coverage["speed_per_s"]["mean"][column] == pytest.approx(steps.mean(), rel=1e-4)
    assert coverage["speed_per_s"]["min"][column] == pytest.approx(steps.min(), rel=1e-4)


def test_coverage_of_a_head_that_looks_into_the_camera_has_no_jumps():
    turns = np.zeros((FRAME_COUNT, 3))
    turns[:, 0] = 0.1 * np.sin(np.arange(FRAME_COUNT))  # nods through the very look that is half a turn
    rotation = multiply_quaternions(facing_camera_rotation_wxyz(), quaternion_wxyz_from_rotation_vector(turns))
    coverage = coverage_of([make_take(head_rotation_wxyz=rotation.astype(np.float32))], [np.arange(FRAME_COUNT)])
    column = coverage["parameters"].index("head.pitch_rad")
    assert coverage["value"]["max"][column] == pytest.approx(np.abs(turns).max(), abs=1e-3)
    assert coverage["speed_per_s"]["max"][column] < 0.1 * 25
    assert np.abs(coverage["value"]["max"][:3]).max() < 0.11
