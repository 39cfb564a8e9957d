"""From a take and a generator to numbers and a picture of what is seen."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.generator_header import GENERATOR_VERSION
from dvp_core.data.take import read_take, write_take
from dvp_core.generator.coverage import coverage_of
from dvp_core.pipeline.coverage import coverage_of_take
from dvp_core.review.heat import heat_colours, heat_picture
from dvp_core.video import read_image


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_take):
    """A take and the file of a generator that says it has seen it."""
    folder = tmp_path_factory.mktemp("coverage")
    write_take(folder / "clip.take", tiny_take)
    crop = tiny_take.crop
    content = {
        "kind": "dvp-generator",
        "version": GENERATOR_VERSION,
        "preset": "fast",
        "crop": {name: getattr(crop, name) for name in ("x_px", "y_px", "size_px", "resolution_px")},
        "face_model_sha256": tiny_take.face_model_sha256,
        "take_sha256": tiny_take.sha256,
        "coverage": coverage_of([tiny_take], [np.arange(tiny_take.frame_count)]),
    }
    save_file({"weight": torch.zeros(1)}, folder / "g.safetensors", metadata={"dvp": json.dumps(content)})
    return folder


def with_jaw(take, frame, value):
    expression = take.expression.copy()
    expression[take.index_of(frame), take.expression_names.index("jawOpen")] = value
    return replace(take, expression=expression)


def test_what_was_trained_on_is_seen(trained, tiny_take):
    told = coverage_of_take(trained / "clip.take", trained / "g.safetensors")
    assert told["seen"] == told["frame_count"] == tiny_take.frame_count
    assert told["beyond_range"] == []
    assert told["guessed"] == ""


def test_a_mouth_opened_wider_is_found_and_clamped(trained, tiny_take, tmp_path, capsys):
    frame = tiny_take.frames.first + 2
    write_take(tmp_path / "wide.take", with_jaw(tiny_take, frame, 3.0))
    words = ["coverage", str(tmp_path / "wide.take"), "--generator", str(trained / "g.safetensors"), "--json"]
    words += ["--picture", str(tmp_path / "heat.png"), "--numbers", str(tmp_path / "heat.json")]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["worst_frames"][0]["frame"] == frame
    assert told["worst_frames"][0]["region"] == "jaw"
    assert told["guessed"] == str(frame)
    assert told["beyond_range"][0]["parameter"] == "expression.jawOpen"
    rows = json.loads((tmp_path / "heat.json").read_text())["distance"]
    assert len(rows["jaw"]) == tiny_take.frame_count
    assert read_image(tmp_path / "heat.png").shape[1] == 1200
    clamp = ["edit", str(tmp_path / "wide.take"), "-o", str(tmp_path / "held.take")]
    assert run([*clamp, "--clamp-to", str(trained / "g.safetensors")]) == 0
    held = coverage_of_take(tmp_path / "held.take", trained / "g.safetensors")
    assert held["beyond_range"] == []
    assert read_take(tmp_path / "held.take").expression.max() < 3.0


def test_another_models_generator_is_refused(trained, tiny_take, tmp_path):
    write_take(tmp_path / "other.take", replace(tiny_take, face_model_sha256="0" * 64))
    with pytest.raises(DataError, match="another face model"):
        coverage_of_take(tmp_path / "other.take", trained / "g.safetensors")


def test_the_picture_shows_the_worst_frame_of_each_column():
    rows = {"mouth": np.zeros(5000), "head": np.zeros(5000)}
    rows["head"][2500] = 4.0
    picture = heat_picture(rows, 1001, width_px=400)
    hot = (picture == heat_colours(np.array(4.0))).all(axis=2)
    assert 0 < hot[26:50].any(axis=0).sum() <= 2
    assert not hot[:24].any()
