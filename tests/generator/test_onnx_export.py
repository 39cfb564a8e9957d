import json

import numpy as np
import pytest
import torch
from test_painting import PRESETS, lively_network, random_windows

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
from dvp_core.generator.onnx_export import export_onnx

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(params=PRESETS)
def exported(request, tmp_path):
    network = lively_network(request.param)
    size = network.config.resolution_px
    crop = Crop(1, 2, 3 * size, size)
    facts = GeneratorFacts(request.param, network.config, crop, "1" * 64, "2" * 64, "3" * 64, "4" * 64, {}, {"n": 1})
    save_generator(tmp_path / "g.safetensors", network, facts)
    export_onnx(tmp_path / "g.safetensors", tmp_path / "g.onnx")
    return network, runtime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])


def run(session, window):
    inputs = {"current": window.current.numpy(), "history": window.history.numpy()}
    wanted = {part.name for part in session.get_inputs()}
    return session.run(["image"], {name: inputs[name] for name in wanted})[0]


@pytest.mark.parametrize("count", [1, 3])
def test_another_program_paints_the_same_picture(exported, count):
    network, session = exported
    window = random_windows(network.config, count, seed=5)
    with torch.inference_mode():
        expected = network(window).numpy()
    made = run(session, window)
    assert made.shape == expected.shape
    assert np.abs(made - expected).max() * 127.5 < 0.05  # levels of 255


def test_a_frame_without_a_face_comes_out_too(exported):
    network, session = exported
    window = random_windows(network.config, 1)
    window.current.fill_(-1)
    with torch.inference_mode():
        expected = network(window).numpy()
    assert np.abs(run(session, window) - expected).max() * 127.5 < 0.05


def test_the_file_says_what_the_generators_own_says(exported):
    network, session = exported
    said = json.loads(session.get_modelmeta().custom_metadata_map["dvp"])
    assert said["kind"] == "dvp-generator-onnx"
    assert said["crop"] == {"x_px": 1, "y_px": 2, "size_px": 192, "resolution_px": 64}
    assert (said["face_model_sha256"], said["consent_sha256"]) == ("1" * 64, "4" * 64)
    assert said["config"]["window"] == network.config.window


def test_what_is_no_generator_is_refused(tmp_path):
    (tmp_path / "g.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match="safetensors"):
        export_onnx(tmp_path / "g.safetensors", tmp_path / "g.onnx")
    assert not (tmp_path / "g.onnx").exists()
