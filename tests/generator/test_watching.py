from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from disc_scene import DiscPasses, make_take, plate_crops
from test_training import Interruption, bytes_of_weights, options, stop_at

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json
from dvp_core.generator import TrainOptions, load_generator, run, train, work_folder
from dvp_core.generator.splitting import watched_frames
from dvp_core.generator.watching import Check


@pytest.fixture(autouse=True)
def frequent_checks(monkeypatch):
    monkeypatch.setattr(run, "CHECK_STEPS", 2)


@pytest.fixture
def take():
    """Twelve seconds of two frames each, of which one is watched."""
    clip = make_take().clip
    return make_take(clip=replace(clip, fps=Fraction(2)))


def errors_in(monkeypatch, values):
    """Let the checks find these errors, one after the other; the last one for ever."""
    left = list(values)
    monkeypatch.setattr(run, "check", lambda *_: Check(left.pop(0) if len(left) > 1 else left[0], 1.0))


def test_every_twentieth_second_is_watched():
    watched = watched_frames([1500], 25.0, TrainOptions())[0]
    assert watched.sum() == 75
    runs = np.flatnonzero(np.diff(np.flatnonzero(watched)) > 1)
    assert len(runs) == 2
    assert watched[250:275].all()


@pytest.mark.parametrize("change", [{"watch": "none"}, {"steps": 10}])
def test_nothing_is_watched_where_nothing_is_to_be(change):
    assert not watched_frames([1500], 25.0, replace(TrainOptions(), **change))[0].any()


def test_a_short_clip_is_watched_only_when_asked():
    assert not watched_frames([200], 25.0, TrainOptions())[0].any()
    assert watched_frames([200], 25.0, TrainOptions(watch="blocks"))[0].sum() == 25
    with pytest.raises(DataError, match="too few to watch"):
        watched_frames([60], 25.0, TrainOptions(watch="blocks"))


def test_plates_of_watched_frames_teach_nothing(take, tmp_path):
    indices = np.arange(take.frame_count)
    watched = indices[watched_frames([len(indices)], 2.0, TrainOptions(watch="blocks"))[0]] + take.clip.start_frame

    def altered(frame):
        return 255 - plate_crops(frame) if frame in watched else plate_crops(frame)

    paths = [
        train(take, DiscPasses(take), crops, tmp_path / f"{name}.safetensors", options=options(steps=5, watch="blocks"))
        for name, crops in (("true", plate_crops), ("altered", altered))
    ]
    last = [read_json(work_folder(path) / "record.json")["measurements"][-1] for path in paths]
    assert last[0]["loss"] == last[1]["loss"]
    assert last[0]["learned"] == last[1]["learned"]
    assert last[1]["watched"] > 2 * last[0]["watched"]


def test_the_record_holds_the_curve_and_the_best(take, tmp_path):
    path = train(take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=options(watch="blocks"))
    record = read_json(work_folder(path) / "record.json")
    curve = {entry["step"]: entry["watched"] for entry in record["measurements"]}
    assert list(curve) == [2, 4, 6]
    assert record["best"]["watched"] == min(curve.values())
    assert curve[record["best"]["step"]] == min(curve.values())
    assert load_generator(path).facts.record["watched_frames"] == 2


def test_the_best_weights_are_published(take, tmp_path, monkeypatch):
    errors_in(monkeypatch, [5.0, 1.0, 3.0])
    best = train(take, DiscPasses(take), plate_crops, tmp_path / "best.safetensors", options=options(watch="blocks"))
    assert load_generator(best).facts.record["best"] == {"step": 4, "watched": 1.0}
    errors_in(monkeypatch, [5.0, 4.0, 3.0])
    last = train(take, DiscPasses(take), plate_crops, tmp_path / "last.safetensors", options=options(watch="blocks"))
    assert bytes_of_weights(best) != bytes_of_weights(last)
    errors_in(monkeypatch, [9.0, 2.0])
    with pytest.raises(Interruption):  # the saved state of step 4 holds the weights that were best
        train(
            take,
            DiscPasses(take),
            plate_crops,
            tmp_path / "again.safetensors",
            options=options(watch="blocks"),
            progress=stop_at(4),
        )
    errors_in(monkeypatch, [9.0])
    again = train(take, DiscPasses(take), plate_crops, tmp_path / "again.safetensors", options=options(watch="blocks"))
    assert load_generator(again).facts.record["best"]["step"] == 4


def test_training_stops_when_it_has_settled(take, tmp_path, monkeypatch):
    errors_in(monkeypatch, [5.0, 1.0, 3.0])
    asked = options(steps=50, watch="blocks", patience=3)
    told = []
    path = train(
        take,
        DiscPasses(take),
        plate_crops,
        tmp_path / "g.safetensors",
        options=asked,
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    record = load_generator(path).facts.record
    assert (record["steps"], record["stopped_early"], record["best"]["step"]) == (10, True, 4)
    assert told[-1] == ("training", 50, 50)
    assert [done for stage, done, _ in told if stage == "training"][-2] == 9


def test_an_interrupted_run_goes_on_to_the_same_best_weights(take, tmp_path):
    asked = options(watch="blocks", steps=7)
    whole = train(take, DiscPasses(take), plate_crops, tmp_path / "whole.safetensors", options=asked)
    resumed = tmp_path / "resumed.safetensors"
    with pytest.raises(Interruption):
        train(take, DiscPasses(take), plate_crops, resumed, options=asked, progress=stop_at(5))
    train(take, DiscPasses(take), plate_crops, resumed, options=asked)
    assert bytes_of_weights(resumed) == bytes_of_weights(whole)
    records = [read_json(work_folder(path) / "record.json") for path in (whole, resumed)]
    curves = [[entry["watched"] for entry in record["measurements"]] for record in records]
    assert curves[0] == curves[1]


def test_patience_is_the_recipes_unless_steps_are_counted():
    assert TrainOptions(preset="dvp2018").patience_checks == 50
    assert TrainOptions(preset="dvp2018", patience=0).patience_checks is None
    assert TrainOptions(preset="dvp2018", steps=100).patience_checks is None
    assert TrainOptions(steps=100, patience=4).patience_checks == 4
    assert TrainOptions().patience_checks is None


def test_time_spent_on_checks_is_part_of_the_budget(take, tmp_path, monkeypatch):
    clock = [0.0]

    def slow_check(*_):
        clock[0] += 30.0
        return Check(1.0, 1.0)

    monkeypatch.setattr(run.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(run, "check", slow_check)
    asked = options(steps=None, minutes=1.0, watch="blocks")
    path = train(take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=asked)
    assert load_generator(path).facts.record["steps"] == 4
