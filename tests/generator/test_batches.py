"""Every way a batch can take to the device gives the same numbers."""

from contextlib import closing

import numpy as np
import pytest
import torch
from disc_scene import DiscPasses, make_take, plate_crops
from test_training import bytes_of_weights, options

from dvp_core.data.ahead import ahead
from dvp_core.data.errors import DataError
from dvp_core.generator import Footage, batches, run, train
from dvp_core.generator.batches import chosen_frames, on_demand, resident_images
from dvp_core.generator.dataset import prepare_training_images
from dvp_core.generator.networks import build_network, config_of_preset
from dvp_core.generator.steps import fresh_state, step_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["fast", "dvp2018"])
def images(request, tmp_path_factory):
    """Two takes, with the history reduced and whole."""
    scale = 8 if request.param == "fast" else 1
    takes = [make_take(), make_take(subject="second")]
    footage = [Footage(take, DiscPasses(take), plate_crops) for take in takes]
    folder = tmp_path_factory.mktemp("images") / "images"
    return prepare_training_images(footage, folder, options=options(), window=11, history_scale=scale)


def assert_same(batch, wanted):
    parts = [(window.current, window.history, plates) for window, plates in (batch, wanted)]
    for made, expected in zip(*parts, strict=True):
        assert made.shape == expected.shape
        assert made.stride() == expected.stride()
        assert torch.equal(made, expected)


def test_footage_on_the_device_gives_the_batches_of_the_memory_maps(images):
    resident = resident_images(images, CPU)
    for indices in (np.array([0, 5, 23]), np.array([24, 26, 47])):
        assert_same(resident.batch(indices), images.batch(indices, CPU))


def test_places_beyond_fifteen_bits_survive_the_signed_integers(images):
    assert images.places.max() > 40_000
    assert float(resident_images(images, CPU).batch(np.array([0]))[0].current[:, 3:6].max()) > 0.5


def test_the_reader_ahead_gives_the_same_batches_in_order(images):
    def read(step):
        return images.batch(chosen_frames(images.targets, 4, seed=3, step=step), CPU)

    plain = on_demand(read, 5)
    with closing(ahead(on_demand(read, 5))) as coming:
        for _ in range(30):  # twice round and more
            assert_same(next(coming), next(plain))


def test_an_error_while_reading_ahead_comes_where_its_batch_would():
    def read(step):
        if step == 2:
            raise DataError("is gone", where="images")
        return step

    with closing(ahead(on_demand(read, 0), count=3)) as coming:
        assert [next(coming), next(coming)] == [0, 1]
        with pytest.raises(DataError, match="is gone"):
            next(coming)


def test_every_frame_comes_once_a_round():
    targets = np.arange(100, 120)
    seen = np.concatenate([chosen_frames(targets, 4, seed=1, step=step) for step in range(5)])
    assert sorted(seen) == list(targets)
    again = np.concatenate([chosen_frames(targets, 4, seed=1, step=step) for step in range(5, 10)])
    assert sorted(again) == list(targets)
    assert list(again) != list(seen)


def test_training_with_the_reader_ahead_gives_the_same_weights(tmp_path, monkeypatch):
    take = make_take()
    plain = train(take, DiscPasses(take), plate_crops, tmp_path / "plain.safetensors", options=options())

    def as_for_a_card(images, device, batch_size, *, seed, first_step, is_paired):
        assert not is_paired
        targets = images.targets
        read = lambda step: images.batch(chosen_frames(targets, batch_size, seed=seed, step=step), device)  # noqa: E731
        return closing(ahead(on_demand(read, first_step)))

    monkeypatch.setattr(run, "batches", as_for_a_card)
    read_ahead = train(take, DiscPasses(take), plate_crops, tmp_path / "ahead.safetensors", options=options())
    assert bytes_of_weights(read_ahead) == bytes_of_weights(plain)


@pytest.mark.parametrize(("free", "does_fit"), [(1 << 30, True), (1 << 20, False)])
def test_footage_stays_on_the_card_only_where_half_its_free_memory_holds_it(images, free, does_fit, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1 << 40))
    assert batches.fits(images, torch.device("cuda")) == does_fit


@pytest.mark.parametrize("preset", ["fast", "dvp2018"])
def test_the_networks_can_be_traced_for_compiling(preset):
    """The graph is captured and run as it is: what a card's compiler would be given computes the same."""
    config = config_of_preset(preset, resolution_px=64, width=8)
    torch.manual_seed(0)
    network = build_network(config).eval()
    older_px = 64 // config.history_scale
    window = run.Window(torch.rand(2, 9, 64, 64) * 2 - 1, torch.rand(2, 90, older_px, older_px))
    plain = network(window)
    names = set(network.state_dict())
    network.compile(backend="eager")
    assert torch.equal(network(window), plain)
    assert set(network.state_dict()) == names


def test_fused_moments_come_back_to_their_device(tmp_path):
    """On a card Adam counts its steps there; here its fused form runs on the processor."""
    config = config_of_preset("fast", resolution_px=64, width=8)
    recipe = options().recipe
    states = [fresh_state(config, recipe, seed=0, device=CPU) for _ in range(2)]
    for state in states:
        state.network_optimiser.param_groups[0]["fused"] = True
    window = run.Window(torch.rand(2, 9, 64, 64) * 2 - 1, torch.rand(2, 90, 8, 8))
    wanted = torch.rand(2, 3, 64, 64) * 2 - 1
    step_of(recipe, is_half=False)(states[0], window, wanted)
    run.save_state(tmp_path / "state.safetensors", states[0], {}, [])
    assert run.restore_state(tmp_path / "state.safetensors", states[1], {}) == []
    for state in states:
        torch.manual_seed(3)  # as a run does before each step: some frames are painted without their nearest picture
        step_of(recipe, is_half=False)(state, window, wanted)
    for one, other in zip(states[0].network.parameters(), states[1].network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_that_diverges_saves_nothing(tmp_path):
    take, output = make_take(), tmp_path / "g.safetensors"

    state_of = run.started_run

    def poisoned(*arguments, **named):
        begun = state_of(*arguments, **named)
        with torch.no_grad():
            begun.state.network.output.bias.fill_(float("nan"))
        return begun

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dvp_core.generator.training.started_run", poisoned)
        with pytest.raises(DataError, match="diverged by step 1"):
            train(take, DiscPasses(take), plate_crops, output, options=options(checkpoint_seconds=0.0))
    assert not output.exists()
    assert not list(tmp_path.rglob("state.safetensors"))


def test_a_full_card_is_told_with_what_to_do(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(run, "_one_step", full)
    take = make_take()
    with pytest.raises(DataError, match=r"graphics card's memory is full\. .*smaller batch_size"):
        train(take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=options())
