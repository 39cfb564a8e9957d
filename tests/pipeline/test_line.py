"""The line from passes to a labelled movie, in miniature, through the functions that users call."""

import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import OpenEXR
import pytest

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.render_settings import RenderWishes, read_render_settings
from dvp_core.data.take import write_take
from dvp_core.pipeline.composed_frames import compose_shot
from dvp_core.pipeline.movie import Composition, compose_movie, make_movie, rendered_frames
from dvp_core.pipeline.passes import export_passes
from dvp_core.pipeline.render import render_shot
from dvp_core.pipeline.train import train_generator, train_options
from dvp_core.trust import ConsentTerms, Mark, mark_id, new_consent, read_frame_key, verify, write_consent
from dvp_core.video import open_clip, read_image, write_png


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_take):
    """A trained shot: clip, take, passes, generator and frames."""
    folder = tmp_path_factory.mktemp("line")
    (folder / "plate").mkdir()
    random = np.random.default_rng(5)
    for frame in range(101, 107):
        write_png(folder / "plate" / f"plate.{frame:04d}.png", random.integers(0, 255, (64, 96, 3), dtype=np.uint8))
    clip = open_clip(folder / "plate", fps=Fraction(25)).clip
    write_take(folder / "clip.take", replace(tiny_take, clip=clip, crop=Crop(16, 0, 64, 64)))
    export_passes(folder / "clip.take", folder / "passes")
    train_generator(
        folder / "clip.take",
        folder / "plate",
        folder / "g.safetensors",
        options=train_options(preset="fast", steps=2, batch_size=1, threads=1, least_frames=2),
        passes=folder / "passes",
    )
    render_shot(folder / "passes", folder / "g.safetensors", folder / "frames")
    return folder


def composition(folder, **changes):
    return Composition(folder / "frames", folder / "passes", folder / "plate", **changes)


def test_every_frame_stands_and_the_sequence_is_signed(folder):
    assert rendered_frames(folder / "frames") == FrameRange.span(101, 106)
    assert verify(folder / "frames").state == "known"


def test_a_second_run_renders_nothing_and_a_lost_frame_comes_back_the_same(folder):
    before = {path.name: path.read_bytes() for path in (folder / "frames").glob("*.png")}
    (folder / "frames" / "frame.0103.png").unlink()
    records = render_shot(folder / "passes", folder / "g.safetensors", folder / "frames")
    assert [record.frame for record in records if not record.is_reused] == [103]
    assert {path.name: path.read_bytes() for path in (folder / "frames").glob("*.png")} == before


def test_settings_stay_as_the_folder_was_begun(folder):
    frames = folder / "frames"
    settings = read_render_settings(frames)
    assert settings is not None
    wishes = RenderWishes(batch_size=settings.batch_size % 8 + 1)
    with pytest.raises(DataError, match="differs from what is asked for"):
        render_shot(folder / "passes", folder / "g.safetensors", frames, wishes=wishes)
    other = render_shot(folder / "passes", folder / "g.safetensors", folder / "other", wishes=wishes)
    assert read_render_settings(folder / "other") == settings.changed_by(wishes)
    assert not any(record.is_reused for record in other)


def test_the_composed_movie_is_labelled_and_plate_sized(folder):
    movie = compose_movie(composition(folder), folder / "result.mp4")
    shown = open_clip(movie).clip
    assert (shown.width_px, shown.height_px, shown.frame_count, shown.fps) == (96, 64, 6, Fraction(25))
    assert verify(movie).source_type == "compositeWithTrainedAlgorithmicMedia"


def test_every_composed_movie_and_sequence_carries_the_mark(folder, tmp_path, monkeypatch):
    woven = []
    monkeypatch.setattr(Mark, "on", lambda mark, picture, **where: woven.append((mark.id, where)) or picture)
    monkeypatch.setattr(Mark, "on_levels", lambda mark, picture: woven.append((mark.id, "whole")) or picture)
    plate = open_clip(folder / "plate").clip.sha256
    expected = mark_id(None, plate)
    for output in ("m.mp4", "png/s.####.png", "exr/s.####.exr"):
        compose_shot(composition(folder), tmp_path / output)
        assert [entry[0] for entry in woven] == [expected] * 6, output
        woven.clear()
        written = tmp_path / output
        assert verify(written if written.is_file() else written.parent).named_watermark == expected
    make_movie(folder / "frames" / "frame.####.png", tmp_path / "bare.mp4", frames=FrameRange.span(101, 106))
    assert woven == [(mark_id(None, None), "whole")] * 6


def test_only_a_record_that_says_so_waives_the_mark(folder, tmp_path):
    pictures = []
    for is_waived in (False, True):
        terms = ConsentTerms(uses=("Re-animate the mouth",), is_watermark_waived=is_waived)
        record = new_consent(folder / "plate", terms)
        write_consent(tmp_path / "c.json", record)
        output = tmp_path / str(is_waived)
        compose_shot(composition(folder, consent=tmp_path / "c.json"), output / "s.####.png")
        expected = None if is_waived else mark_id(record.sha256, open_clip(folder / "plate").clip.sha256)
        assert verify(output).named_watermark == expected
        pictures.append(read_image(output / "s.0103.png"))
    assert not np.array_equal(*pictures)


def test_another_studios_secret_makes_other_frames(folder, tmp_path, monkeypatch):
    compose_shot(composition(folder), tmp_path / "s.####.png")
    key = read_frame_key(tmp_path / "s.0103.png")
    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "other_keys"))
    compose_shot(composition(folder), tmp_path / "s.####.png")
    assert read_frame_key(tmp_path / "s.0103.png") != key


def test_a_movie_without_plate_shows_the_bare_squares(folder):
    frames = FrameRange.parse("101,103")
    movie = make_movie(folder / "frames" / "frame.####.png", folder / "bare.mp4", frames=frames, fps=Fraction(24))
    assert open_clip(movie.path).clip.frame_count == 2
    assert verify(movie.path).source_type == "trainedAlgorithmicMedia"


def test_without_an_edit_the_composed_frames_are_the_plates(folder, tmp_path):
    output = tmp_path / "shot" / "shot.####.png"
    listed = compose_shot(composition(folder, unedited=folder / "clip.take"), output)
    for frame in range(101, 107):
        composed = read_image(tmp_path / "shot" / f"shot.{frame:04d}.png")
        np.testing.assert_array_equal(composed, read_image(folder / "plate" / f"plate.{frame:04d}.png"))
    verdict = verify(tmp_path / "shot")
    assert (verdict.state, verdict.source_type) == ("known", "compositeWithTrainedAlgorithmicMedia")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "shot").glob("*.png")}
    compose_shot(composition(folder, unedited=folder / "passes"), output)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "shot").glob("*.png")} == stamps
    assert listed.parent == tmp_path / "shot"


def test_composed_layers_make_the_final_picture(folder, tmp_path):
    compose_shot(composition(folder), tmp_path / "shot.####.exr")
    with OpenEXR.File(str(tmp_path / "shot.0103.exr")) as file:
        layers = {name: channel.pixels.copy() for name, channel in file.channels().items()}
    assert set(layers) == {"RGB", "neural", "plate", "matte.A", "depth.Z", "corr.X", "corr.Y", "corr.Z"}
    matte = layers["matte.A"][..., None].astype(np.float64)
    assert 0 < (matte > 0.5).mean() < 1
    rebuilt = matte * layers["neural"] + (1 - matte) * layers["plate"]
    np.testing.assert_allclose(rebuilt, layers["RGB"], rtol=2**-10, atol=2**-20)
    assert verify(tmp_path).state == "known"


def test_a_sequence_of_another_kind_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="sequence"):
        compose_shot(composition(folder), tmp_path / "shot.####.jpg")
    assert not list(tmp_path.iterdir())


def test_training_again_with_nothing_changed_is_no_work(folder):
    stamp = (folder / "g.safetensors").stat().st_mtime_ns
    options = train_options(preset="fast", steps=2, batch_size=1, threads=1, least_frames=2)
    train_generator(folder / "clip.take", folder / "plate", folder / "g.safetensors", options=options)
    assert (folder / "g.safetensors").stat().st_mtime_ns == stamp


def test_a_missing_pass_is_named_before_anything_is_rendered(folder, tmp_path):
    shutil.copytree(folder / "passes", tmp_path / "passes")
    (tmp_path / "passes" / "passes.0103.exr").unlink()
    with pytest.raises(DataError, match="103"):
        render_shot(tmp_path / "passes", folder / "g.safetensors", tmp_path / "out", frames=FrameRange.parse("105"))
    assert not list(tmp_path.glob("out/*.png"))


def test_another_clip_than_the_takes_is_refused(folder, tmp_path):
    shutil.copytree(folder / "plate", tmp_path / "plate")
    write_png(tmp_path / "plate" / "plate.0102.png", np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(DataError, match="not the clip"):
        train_generator(
            folder / "clip.take",
            tmp_path / "plate",
            tmp_path / "g.safetensors",
            options=train_options(least_frames=2),
        )


def test_an_empty_folder_has_no_frames(tmp_path):
    with pytest.raises(DataError, match="Render the frames first"):
        rendered_frames(tmp_path)
