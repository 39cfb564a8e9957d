"""Several takes of one person, from their files to one generator."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from dvp_core.cli import train as command
from dvp_core.cli.main import run
from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import read_take, write_take
from dvp_core.generator import Preset, Switch, default_preset, load_generator, synthesise, work_folder
from dvp_core.pipeline.passes import export_passes
from dvp_core.pipeline.train import (
    TrainingInputs,
    make_images,
    paired,
    seen_alike,
    train_generator,
    train_options,
    training_summary,
)
from dvp_core.video import open_clip, write_png


def film(folder, take, name, crop, seed):
    """A plate of noise, and a take of it seen through a crop of its own."""
    (folder / name).mkdir()
    random = np.random.default_rng(seed)
    for frame in range(101, 107):
        write_png(folder / name / f"plate.{frame:04d}.png", random.integers(0, 255, (64, 96, 3), dtype=np.uint8))
    clip = open_clip(folder / name, fps=Fraction(25)).clip
    write_take(folder / f"{name}.take", replace(take, subject=name, clip=clip, crop=crop))
    return folder / f"{name}.take", folder / name


@pytest.fixture(scope="module")
def filmed(tmp_path_factory, tiny_take):
    folder = tmp_path_factory.mktemp("takes")
    return [
        film(folder, tiny_take, "first", Crop(16, 0, 64, 64), 1),
        film(folder, tiny_take, "second", Crop(20, -2, 60, 64), 2),
    ]


def test_two_takes_make_one_generator(filmed, tmp_path):
    told = []
    record = train_generator(
        *filmed[0],
        tmp_path / "person.safetensors",
        further=filmed[1:],
        options=train_options(steps=2, batch_size=2, threads=1, width=8, least_frames=12),
        passes=tmp_path / "passes",
        tell=told.append,
    )
    assert record["training_frames"] == 12
    facts = load_generator(tmp_path / "person.safetensors").facts
    assert facts.crop == Crop(16, 0, 64, 64)
    assert facts.clips_sha256 == tuple(read_take(take).clip.sha256 for take, _ in filmed)
    assert sorted(path.name for path in (tmp_path / "passes").iterdir()) == ["01_first", "02_second"]
    assert told[0] == "there are only 12 frames (0 s) to learn from; about one minute is good"
    assert record["doubts"] == told
    seen = export_passes(filmed[1][0], tmp_path / "edited", generator=tmp_path / "person.safetensors")
    (frame, image), *_ = synthesise(load_generator(tmp_path / "person.safetensors"), seen, FrameRange.span(104, 104))
    assert (frame, image.shape) == (104, (64, 64, 3))


def test_images_made_here_train_where_no_clip_is(filmed, tmp_path):
    options = train_options(steps=2, batch_size=2, threads=1, width=8, least_frames=2)
    output = tmp_path / "person.safetensors"
    images = make_images(TrainingInputs(filmed), output, options=options)
    assert images == work_folder(output) / "images"
    nowhere = [(take, tmp_path / "no such clip") for take, _ in filmed]
    stages = set()
    record = train_generator(
        *nowhere[0],
        output,
        further=nowhere[1:],
        options=options,
        progress=lambda stage, done, total: stages.add(stage),
    )
    assert stages == {"training"}
    assert training_summary(record).startswith("2 steps in 0.")
    with pytest.raises(DataError, match="no such clip"):  # other options want other images
        train_generator(*nowhere[0], tmp_path / "other.safetensors", options=options)


def test_the_summary_names_what_was_best():
    record = {"steps": 9000, "seconds": 600.0, "training_frames": 1425, "stopped_early": True}
    assert training_summary(record | {"best": {"step": 4000, "watched": 3.456}}) == (
        "9000 steps in 10.0 minutes on 1425 frames; "
        "best on watched frames after step 4000 (3.46 levels), stopped early.\n"
    )


def test_too_little_footage_is_told_before_anything_is_rendered(filmed, tmp_path):
    with pytest.raises(DataError, match="only 6 of 6 frames"):
        train_generator(*filmed[0], tmp_path / "g.safetensors", passes=tmp_path / "passes")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [({"x_px": 40}, "too far from"), ({"size_px": 20}, "too far from")],
)
def test_a_take_filmed_from_elsewhere_is_refused(tiny_take, change, said):
    with pytest.raises(DataError, match=said):
        seen_alike([tiny_take, replace(tiny_take, crop=replace(tiny_take.crop, **change))])


def test_a_plate_of_another_size_is_refused(tiny_take):
    with pytest.raises(DataError, match=r"its plate is 192x64 px.*96x64 px"):
        seen_alike([tiny_take, replace(tiny_take, clip=replace(tiny_take.clip, width_px=192))])


def test_every_take_wants_its_clip():
    assert paired([Path("a")], [Path("b")]) == [(Path("a"), Path("b"))]
    with pytest.raises(DataError, match="2 takes and 1 clips"):
        paired([Path("a"), Path("b")], [Path("c")])


def test_the_command_line_names_takes_clips_and_an_earlier_generator(monkeypatch, tmp_path):
    called = {}

    def trained(take, clip, output, **options):
        called.update(take=take, clip=clip, output=output, **options)
        return {}

    monkeypatch.setattr("dvp_core.cli.train.train_generator", trained)
    monkeypatch.setattr("dvp_core.cli.train.training_summary", lambda record: "")
    words = "train a.take b.take --clip a.mp4 --clip b.mp4 -o person.safetensors --from earlier.safetensors"
    assert run([*words.split(), "--watch", "blocks", "--patience", "7"]) == 0
    assert (called["take"], called["clip"]) == (Path("a.take"), Path("a.mp4"))
    assert called["further"] == [(Path("b.take"), Path("b.mp4"))]
    assert called["start_from"] == Path("earlier.safetensors")
    assert (called["options"].watch, called["options"].patience_checks) == ("blocks", 7)
    assert called["options"].preset == default_preset()
    assert run([*words.split(), "--preset", "best", "--without", "change", "--without", "averaging"]) == 0
    assert (called["options"].preset, called["options"].without) == ("best", ("change", "averaging"))


def test_the_command_line_knows_every_preset_and_every_part():
    hints = get_type_hints(command.train)
    assert set(get_args(hints["preset"])) == {"auto", *get_args(Preset)}
    assert set(get_args(command.Part)) == set(get_args(Switch))


def test_a_preset_without_that_part_is_refused_in_one_sentence(filmed, tmp_path, capsys):
    words = ["train", str(filmed[0][0]), "--clip", str(filmed[0][1]), "-o", str(tmp_path / "g.safetensors")]
    assert run([*words, "--preset", "fast", "--without", "change"]) != 0
    assert "'change' is no part of preset 'fast'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
