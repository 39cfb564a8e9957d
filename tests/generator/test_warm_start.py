from dataclasses import replace

import pytest
from disc_scene import DiscPasses, make_take, plate_crops
from test_training import Interruption, bytes_of_weights, options, stop_at

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json, sha256_of_file
from dvp_core.generator import Footage, load_generator, train, train_on, work_folder


def begin(take, path, output, **changes):
    progress = changes.pop("progress", lambda *_: None)
    footage = [Footage(take, DiscPasses(take), plate_crops)]
    return train_on(footage, output, start_from=path, options=options(**changes), progress=progress)


def first_loss(path):
    return read_json(work_folder(path) / "record.json")["measurements"][0]["loss"]


@pytest.fixture(scope="module")
def another_take():
    return make_take(clip=replace(make_take().clip, sha256="e" * 64))


def test_a_warm_start_begins_where_the_earlier_one_ended(trained, tmp_path):
    cold = begin(trained.take, None, tmp_path / "cold.safetensors", steps=1, width=16)
    warm = begin(trained.take, trained.path, tmp_path / "warm.safetensors", steps=1, width=16)
    assert first_loss(warm) < 0.6 * first_loss(cold)


def test_the_file_remembers_all_it_descends_from(trained, another_take, tmp_path):
    first = begin(another_take, trained.path, tmp_path / "first.safetensors", steps=1, width=16)
    second = begin(trained.take, first, tmp_path / "second.safetensors", steps=1, width=16)
    mother, grandmother = load_generator(second).facts.ancestors
    assert (mother.generator_sha256, mother.clip_sha256) == (sha256_of_file(first), ("e" * 64,))
    assert (grandmother.generator_sha256, grandmother.clip_sha256) == (sha256_of_file(trained.path), ("c" * 64,))
    assert load_generator(trained.path).facts.ancestors == ()


def test_consent_given_for_an_ancestor_stays_the_ancestors(another_take, tmp_path):
    own = make_take()
    asked = options(steps=1)
    first = train(own, DiscPasses(own), plate_crops, tmp_path / "1.safetensors", options=asked, consent_sha256="ab")
    facts = load_generator(begin(another_take, first, tmp_path / "2.safetensors", steps=1)).facts
    assert facts.consent_sha256 is None
    assert facts.ancestors[0].consent_sha256 == "ab"


def test_learned_pictures_of_another_scene_are_made_anew(trained, another_take, tmp_path):
    backgrounds = {
        name: load_generator(begin(take, trained.path, tmp_path / f"{name}.safetensors", steps=1, width=16))
        for name, take in (("same", trained.take), ("other", another_take))
    }
    earlier = load_generator(trained.path).network.background
    moved = {name: float((own.network.background - earlier).abs().mean()) for name, own in backgrounds.items()}
    assert moved["same"] < 0.01 < moved["other"]


def test_an_interrupted_warm_start_goes_on_to_the_same_weights(trained, tmp_path):
    whole = begin(trained.take, trained.path, tmp_path / "whole.safetensors", width=16)
    resumed = tmp_path / "resumed.safetensors"
    with pytest.raises(Interruption):
        begin(trained.take, trained.path, resumed, width=16, progress=stop_at(3))
    begin(trained.take, trained.path, resumed, width=16)
    assert bytes_of_weights(resumed) == bytes_of_weights(whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"preset": "pix2pix", "width": 16}, "is of preset 'fast', but 'pix2pix'.*--preset fast"),
        ({"width": 24}, "has the shape .*width=16.*width=24"),
    ],
)
def test_an_earlier_generator_of_another_kind_is_refused(change, said, trained, tmp_path):
    with pytest.raises(DataError, match=said):
        begin(trained.take, trained.path, tmp_path / "g.safetensors", **change)
    assert not list(tmp_path.iterdir())
