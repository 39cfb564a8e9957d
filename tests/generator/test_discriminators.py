"""The parts of the preset `best`: pairs, discriminators, their losses, and a switch for each."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from disc_scene import DiscPasses, make_take, plate, plate_crops
from test_training import Interruption, bytes_of_weights, options, stop_at

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.generator import (
    Footage,
    Switch,
    TrainOptions,
    default_preset,
    load_generator,
    networks,
    recipes,
    synthesise,
    train,
)
from dvp_core.generator.adversarial_losses import adversarial_error, feature_error, fooling_error, hinge_error
from dvp_core.generator.batches import chosen_pairs, on_demand, resident_images
from dvp_core.generator.dataset import prepare_training_images
from dvp_core.generator.networks import FastConfig, MultiDiscriminator, Response, Window, config_of_preset
from dvp_core.generator.networks.spectral import SpectralConvolution
from dvp_core.generator.pairs import change_error, frame_pairs
from dvp_core.generator.recipes import BEST, FAST, PAPER, RECIPES, recipe_of
from dvp_core.generator.steps import fresh_state, step_of

CPU = torch.device("cpu")
EARLY = {"adversarial_start": 0.0, "adversarial_rise": 0.0, "discriminator_width": 4}
"""Discriminators that are small and count from the first step on."""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two takes, a frame of the first untracked."""
    is_tracked = np.ones(24, dtype=bool)
    is_tracked[[3, 5]] = False
    takes = [make_take(is_tracked=is_tracked), make_take(subject="second")]
    footage = [Footage(take, DiscPasses(take), plate_crops) for take in takes]
    folder = tmp_path_factory.mktemp("images") / "images"
    return prepare_training_images(footage, folder, options=options(), window=11, history_scale=8)


@pytest.fixture(scope="module")
def pair_batch(images):
    """Two pairs of the disc, whose surface is put as far in front as a face's mouth lies."""
    pairs = frame_pairs(images.targets, images.clip_starts)
    window, wanted = images.batch(chosen_pairs(pairs, 4, seed=0, step=0), CPU)
    window.current[:, 5][window.current[:, 5] > -1] = 0.8
    return window, wanted


def discriminators_of(recipe=BEST):
    torch.manual_seed(0)
    return MultiDiscriminator(
        resolution_px=64, width=8, scales=2, temporal_share=recipe.temporal_share, crop_share=recipe.crop_share
    )


def response(logits, features=(), weight=None, share=1.0):
    logits = torch.tensor(logits).reshape(-1, 1, 1, 1)
    features = [torch.tensor(own).reshape(len(logits), -1, 1, 1) for own in features]
    return Response(logits, features, torch.ones(len(logits)) if weight is None else torch.tensor(weight), share)


def test_pairs_are_neighbours_of_one_clip_and_a_lonely_frame_is_its_own(images):
    pairs = frame_pairs(images.targets, images.clip_starts)
    expected = [(0, 1), (1, 2), *((index, index + 1) for index in range(6, 47) if index != 23), (4, 4)]
    assert [tuple(pair) for pair in pairs] == expected
    assert set(pairs.ravel()) == set(images.targets)


def test_pairs_come_in_two_halves_and_each_once_a_round(images):
    pairs = frame_pairs(images.targets, images.clip_starts)
    assert len(pairs) == 43
    batches = [chosen_pairs(pairs, 8, seed=2, step=step).reshape(2, 4) for step in range(10)]
    seen = [tuple(pair) for batch in batches for pair in batch.T]
    assert len(set(seen)) == 40
    assert set(seen) <= {tuple(pair) for pair in pairs}
    np.testing.assert_array_equal(chosen_pairs(pairs, 8, seed=2, step=3).reshape(2, 4), batches[3])


def test_pairs_from_the_device_are_those_of_the_memory_maps(images):
    pairs = frame_pairs(images.targets, images.clip_starts)
    resident = resident_images(images, CPU)
    read = on_demand(lambda step: images.batch(chosen_pairs(pairs, 6, seed=1, step=step), CPU), 0)
    for step in range(3):
        window, wanted = next(read)
        other, plates = resident.batch(chosen_pairs(pairs, 6, seed=1, step=step))
        assert torch.equal(window.current, other.current)
        assert torch.equal(wanted, plates)


def test_change_is_what_differs_between_the_halves():
    current = torch.full((4, 9, 8, 8), -1.0)
    wanted = torch.zeros(4, 3, 8, 8)
    made = wanted.clone()
    made[:2], made[2:] = 0.3, 0.3  # wrong, and steadily so
    assert float(change_error(made, wanted, current)) == 0
    made[2], wanted[3] = 0.5, 0.1
    assert float(change_error(made, wanted, current)) == pytest.approx((0.2 + 0.1) / 2, rel=1e-5)


def test_hinge_and_fooling_by_hand():
    made, wanted = response([-2.0, 0.5]), response([0.25, 3.0])
    assert float(hinge_error([made], [wanted])) == pytest.approx((0 + 0.75 + 1.5 + 0) / 2)
    assert float(fooling_error([made])) == pytest.approx(0.75)
    seen, unseen = response([-2.0, 0.5], weight=[0.0, 1.0], share=0.5), response([9.0, 9.0], weight=[0.0, 0.0])
    assert float(fooling_error([seen, unseen])) == pytest.approx(-0.25)
    assert float(hinge_error([unseen], [unseen])) == 0


def test_features_by_hand():
    made = response([0.0, 0.0], [[[1.0, 2.0], [0.0, 0.0]], [[1.0], [1.0]]], share=0.5)
    wanted = response([0.0, 0.0], [[[0.0, 0.0], [0.0, 0.0]], [[1.0], [3.0]]])
    assert float(feature_error([made], [wanted])) == pytest.approx(0.5 * (0.75 + 1.0) / 2)


def test_the_papers_error_is_cross_entropy():
    assert float(adversarial_error(torch.zeros(2, 1, 3, 3), is_real=True)) == pytest.approx(np.log(2))


def test_followed_weights_have_the_spectral_norm_one():
    torch.manual_seed(0)
    layer = SpectralConvolution(6, 12, 4, 2)
    layer.follow(100)
    norm = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
    image = torch.randn(2, 6, 16, 16)
    expected = torch.nn.functional.conv2d(image, layer.weight / norm, layer.bias, 2, 1)
    torch.testing.assert_close(layer(image), expected, rtol=1e-3, atol=1e-4)


def test_the_response_to_a_frame_depends_on_no_neighbour(pair_batch):
    window, wanted = pair_batch
    discriminators = discriminators_of(replace(BEST, temporal_share=0.0))
    with torch.no_grad():
        whole, alone = discriminators(window.current, wanted), discriminators(window.current[1:2], wanted[1:2])
    assert len(whole) == 4
    for one, other in zip(whole, alone, strict=True):
        torch.testing.assert_close(one.logits[1:2], other.logits, rtol=1e-4, atol=1e-5)


def test_every_discriminator_sends_gradients_to_the_picture(pair_batch):
    window, wanted = pair_batch
    discriminators = discriminators_of()
    reached = []
    for number in range(5):  # two sizes, change, mouth, eyes
        image = wanted.clone().requires_grad_(True)
        found = discriminators(window.current, image)
        fooling_error([found[number]]).backward()
        reached.append((image.grad.abs().amax(dim=1) > 0).float().mean(dim=(1, 2)))
        assert torch.isfinite(image.grad).all()
    assert len(found) == 5
    assert all(float(share.min()) > 0.5 for share in reached[:3]), "of both frames of a pair"
    for share, own in zip(reached[3:], found[3:], strict=True):
        assert (own.weight.bool() == (share > 0)).all()
        assert float(share.max()) < 0.5
        assert float(share.max()) > 0


def test_a_frame_paired_with_itself_has_no_temporal_weight(images):
    window, wanted = images.batch(np.array([4, 0, 4, 1]), CPU)
    assert discriminators_of()(window.current, wanted)[2].weight.tolist() == [0, 1]


def test_discriminators_can_be_traced_for_compiling(pair_batch):
    window, wanted = pair_batch
    discriminators = discriminators_of()
    plain = discriminators(window.current, wanted)
    names = set(discriminators.state_dict())
    discriminators.compile(backend="eager")
    for one, other in zip(plain, discriminators(window.current, wanted), strict=True):
        assert torch.equal(one.logits, other.logits)
    assert set(discriminators.state_dict()) == names


def test_discriminators_come_after_their_share_of_the_budget_and_rise_smoothly():
    recipe = replace(BEST, adversarial_start=0.3, adversarial_rise=0.2)
    rises = [recipe.adversarial_rise_at(share) for share in (0.0, 0.29, 0.3, 0.4, 0.5, 1.0)]
    assert rises == pytest.approx([0, 0, 0, 0.5, 1, 1])
    assert [recipe.is_whole(share) for share in (0.4, 0.5)] == [False, True]
    assert FAST.is_whole(0.0)
    assert PAPER.is_whole(0.0)
    assert step_of(recipe, is_half=False, done_fraction=0.2).func.__name__ == "reconstruction_step"
    assert step_of(recipe, is_half=False, done_fraction=0.4).func.__name__ == "multi_discriminator_step"


def weights_after(recipe, batch, steps=2):
    config = config_of_preset("best", resolution_px=64, width=8)
    state = fresh_state(config, recipe, seed=0, device=CPU)
    values = {}
    for _ in range(steps):
        values = step_of(recipe, is_half=False, done_fraction=1.0)(state, *batch)
        assert all(torch.isfinite(value) for value in values.values())
    return torch.cat([parameter.detach().flatten() for parameter in state.network.parameters()]), values


def test_every_part_changes_the_training_and_without_all_it_is_that_of_fast(pair_batch):
    whole = replace(BEST, **EARLY)
    weights, values = weights_after(whole, pair_batch)
    assert set(values) == {"loss", "change", "fooling", "adversary", "features"}
    for name in ("change", "adversaries", "feature-matching", "temporal-adversary", "crop-adversaries"):
        other, _ = weights_after(replace(whole, **recipes.SWITCHED_OFF[name]), pair_batch)
        assert not torch.equal(other, weights), name
    bare = replace(whole, **recipes.SWITCHED_OFF["pairs"] | recipes.SWITCHED_OFF["adversaries"])
    plain = replace(FAST, learning_rate=BEST.learning_rate)
    assert torch.equal(weights_after(bare, pair_batch)[0], weights_after(plain, pair_batch)[0])


def test_half_precision_changes_the_numbers_a_little(pair_batch):
    """bfloat16 has three digits; the norm of the discriminators' weights is not computed in it."""
    recipe, config = replace(BEST, **EARLY), config_of_preset("best", resolution_px=64, width=8)
    exact, half = (
        step_of(recipe, is_half=is_half, done_fraction=1.0)(
            fresh_state(config, recipe, seed=0, device=CPU), *pair_batch
        )
        for is_half in (False, True)
    )
    for name, value in exact.items():
        assert float(half[name]) == pytest.approx(float(value), rel=0.05, abs=0.01), name


def test_a_part_that_is_off_is_not_made():
    config = config_of_preset("best", resolution_px=64, width=8)
    assert fresh_state(config, recipe_of("best", ["adversaries"]), seed=0, device=CPU).discriminator is None
    discriminators = fresh_state(config, recipe_of("best", ["temporal-adversary"]), seed=0, device=CPU).discriminator
    assert not [name for name in discriminators.state_dict() if name.startswith("temporal")]
    discriminators = fresh_state(config, recipe_of("best", ["crop-adversaries"]), seed=0, device=CPU).discriminator
    assert {name.partition(".")[0] for name in discriminators.state_dict()} == {"whole", "temporal"}
    state = fresh_state(config, recipe_of("best", ["averaging"]), seed=0, device=CPU)
    assert state.average is state.network


def test_switches_are_refused_where_a_preset_lacks_the_part():
    assert set(get_args(Switch)) == set(recipes.SWITCHED_OFF)
    for switch in get_args(Switch):
        assert recipe_of("best", [switch]) != BEST
    assert recipe_of("best", ["pairs", "adversaries"]) == recipe_of("best", ["adversaries", "pairs", "change"])
    assert TrainOptions(preset="fast", without=("averaging",)).recipe.average_decay == 0
    with pytest.raises(DataError, match=r"'change' is no part of preset 'fast'.*Its parts are: averaging"):
        TrainOptions(without=("change",))
    with pytest.raises(DataError, match="none that can be left out"):
        recipe_of("dvp2018", ["adversaries"])


def test_the_papers_recipe_is_as_it_was():
    assert RECIPES["dvp2018"] is RECIPES["pix2pix"] is PAPER
    assert not any((PAPER.is_paired, PAPER.has_multi_discriminator, PAPER.change_weight, PAPER.feature_weight))
    state = fresh_state(config_of_preset("pix2pix", resolution_px=64, width=8), PAPER, seed=0, device=CPU)
    for optimiser in (state.network_optimiser, state.discriminator_optimiser):
        assert [group["rate_factor"] for group in optimiser.param_groups] == [1.0]
        assert optimiser.param_groups[0]["betas"] == (0.5, 0.999)
        assert optimiser.param_groups[0]["lr"] == 2e-4


@pytest.fixture
def early(monkeypatch):
    monkeypatch.setitem(RECIPES, "best", replace(BEST, **EARLY))


def test_best_learns_the_person_and_leaves_a_generator(tmp_path, early, monkeypatch):
    monkeypatch.setitem(networks._CONFIGS, "best", FastConfig(texture_size=64, skin_size=96))
    take = make_take()
    passes = DiscPasses(take)
    asked = options(preset="best", steps=40, width=16, batch_size=4, hold_out="last-third")
    path = train(take, passes, plate_crops, tmp_path / "g.safetensors", options=asked)
    generator = load_generator(path)
    assert generator.facts.preset == "best"
    assert generator.facts.record["recipe"]["adversarial_weight"] == BEST.adversarial_weight
    seen = FrameRange.span(101, 116)
    pictures = dict(synthesise(generator, passes, seen))
    error = np.mean([np.abs(pictures[frame].astype(float) - plate_crops(frame)).mean() for frame in seen])
    median = np.median([plate(index) for index in range(16)], axis=0)
    standing_still = np.mean([np.abs(median - plate(index)).mean() for index in range(16)])
    assert error < 0.7 * standing_still, (error, standing_still)


def test_what_is_left_out_stands_in_the_record_and_makes_another_run(tmp_path, early):
    take = make_take()
    asked = options(preset="best", steps=2)
    parts = [(), ("temporal-adversary",), ("pairs",)]
    made = [
        train(
            take, DiscPasses(take), plate_crops, tmp_path / f"{number}.safetensors", options=replace(asked, without=own)
        )
        for number, own in enumerate(parts)
    ]
    assert len({str(bytes_of_weights(path)) for path in made}) == 3
    assert load_generator(made[1]).facts.record["options"]["without"] == ["temporal-adversary"]


@pytest.mark.parametrize("stop", [1, 4])
def test_a_run_goes_on_to_the_same_weights_before_and_after_the_discriminators_came(stop, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "best", replace(BEST, **EARLY | {"adversarial_start": 0.5, "adversarial_rise": 0.3}))
    monkeypatch.setitem(networks._CONFIGS, "best", FastConfig(texture_size=64, skin_size=96))
    take, asked = make_take(), options(preset="best", batch_size=4)
    whole, resumed = tmp_path / "whole.safetensors", tmp_path / "resumed.safetensors"
    train(take, DiscPasses(take), plate_crops, whole, options=asked)
    with pytest.raises(Interruption):
        train(take, DiscPasses(take), plate_crops, resumed, options=asked, progress=stop_at(stop))
    steps = []
    told = lambda stage, done, total: steps.append(done)  # noqa: E731
    train(take, DiscPasses(take), plate_crops, resumed, options=asked, progress=told)
    assert steps == list(range(stop + 1, 7))
    assert bytes_of_weights(resumed) == bytes_of_weights(whole)


def test_pairs_need_two_frames_and_take_an_even_number(tmp_path):
    take = make_take()
    with pytest.raises(DataError, match="a pair of frames is 2"):
        train(take, DiscPasses(take), plate_crops, tmp_path / "g", options=options(preset="best", batch_size=1))
    asked = options(preset="best", batch_size=3, steps=1)
    path = train(take, DiscPasses(take), plate_crops, tmp_path / "g.safetensors", options=asked)
    assert load_generator(path).facts.record["batch_size"] == 2


def test_nothing_before_the_adversarial_weights_have_risen_counts_as_best(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "best", replace(BEST, **EARLY | {"adversarial_start": 0.5}))
    monkeypatch.setattr("dvp_core.generator.run.CHECK_STEPS", 2)
    take = make_take()
    asked = options(preset="best", steps=6, watch="blocks", batch_size=2)
    passes = DiscPasses(take)
    monkeypatch.setattr("dvp_core.generator.splitting._FEWEST_BLOCKS", 0)
    monkeypatch.setattr("dvp_core.generator.splitting.watched_frames", lambda *_, **__: [np.arange(24) % 6 == 5])
    record = load_generator(train(take, passes, plate_crops, tmp_path / "g.safetensors", options=asked)).facts.record
    assert record["best"]["step"] >= 4


def test_the_default_is_what_the_device_can_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [default_preset(name) for name in ("auto", "cpu")] == ["fast", "fast"]
    with pytest.raises(DataError, match="cannot be used here"):
        default_preset("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [default_preset(name) for name in ("auto", "cuda", "cpu")] == ["best", "best", "fast"]


def test_a_step_at_another_resolution():
    recipe = replace(BEST, **EARLY)
    config = config_of_preset("best", resolution_px=96, width=8)
    random = torch.Generator().manual_seed(0)
    window = Window(
        torch.rand(2, 9, 96, 96, generator=random) * 2 - 1, torch.rand(2, 90, 12, 12, generator=random) * 2 - 1
    )
    wanted = torch.rand(2, 3, 96, 96, generator=random) * 2 - 1
    state = fresh_state(config, recipe, seed=0, device=CPU)
    values = step_of(recipe, is_half=False, done_fraction=1.0)(state, window, wanted)
    assert all(torch.isfinite(value) for value in values.values())
