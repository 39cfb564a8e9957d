import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dvp_core.data.errors import DataError
from dvp_core.data.generator_header import read_generator_header
from dvp_core.generator import load_generator
from dvp_core.generator.checkpoint import opened_tensors, read_header


@pytest.fixture
def parts(trained):
    with opened_tensors(trained.path) as stream:
        header = read_header(stream, trained.path)
    return load_file(trained.path), header


def saved(path, tensors, header):
    save_file(tensors, path, metadata={"dvp": json.dumps(header)})
    return path


def test_an_untouched_copy_loads(parts, tmp_path):
    assert load_generator(saved(tmp_path / "g.safetensors", *parts)).facts.preset == "fast"


def test_the_header_tells_the_same_without_the_library(trained):
    facts, header = load_generator(trained.path).facts, read_generator_header(trained.path)
    assert (header.preset, header.crop, header.face_model_sha256) == (facts.preset, facts.crop, facts.face_model_sha256)
    assert header.takes_sha256 == facts.takes_sha256
    assert header.coverage.names == tuple(facts.coverage["parameters"])
    assert header.coverage.lowest.tolist() == facts.coverage["value"]["min"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", struct.pack("<Q", 1 << 60) + b"{}", b"\x80\x04pickle."])
def test_what_is_no_safetensors_file_is_refused(content, tmp_path):
    path = tmp_path / "g.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no safetensors file"):
        load_generator(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_generator(tmp_path / "none.safetensors")


def test_a_cut_file_is_refused(trained, tmp_path):
    path = tmp_path / "g.safetensors"
    path.write_bytes(trained.path.read_bytes()[:-100])
    with pytest.raises(DataError, match="damaged"):
        load_generator(path)


def change_config(name, value):
    return lambda tensors, header: header["config"].update({name: value})


HOSTILE = {
    "no description": lambda tensors, header: header.clear(),
    "another kind": lambda tensors, header: header.update(kind="other"),
    "another version": lambda tensors, header: header.update(version=99),
    "unknown preset": lambda tensors, header: header.update(preset="evil"),
    "no crop": lambda tensors, header: header.pop("crop"),
    "crop of another resolution": lambda tensors, header: header["crop"].update(resolution_px=128),
    "a huge network": change_config("width", 10**9),
    "a broken width": change_config("width", "sixteen"),
    "an unknown option": change_config("exec", 1),
    "another width": change_config("width", 24),
    "no window": change_config("window", 0),
    "an odd resolution": change_config("resolution_px", 63),
    "a missing tensor": lambda tensors, header: tensors.pop("flow.weight"),
    "a superfluous tensor": lambda tensors, header: tensors.update(extra=torch.zeros(1)),
    "another shape": lambda tensors, header: tensors.update({"flow.bias": torch.zeros(3)}),
    "another dtype": lambda tensors, header: tensors.update({"flow.bias": torch.zeros(2, dtype=torch.float64)}),
    "not a number": lambda tensors, header: tensors.update({"flow.bias": torch.tensor([0.0, np.nan])}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(name, parts, tmp_path):
    tensors, header = parts
    HOSTILE[name](tensors, header)
    path = saved(tmp_path / "g.safetensors", tensors, header)
    with pytest.raises(DataError, match=r"g\.safetensors"):
        load_generator(path)


def test_a_device_that_is_not_there_is_refused(trained):
    with pytest.raises(DataError, match="cannot be used here"):
        load_generator(trained.path, device="abacus")
