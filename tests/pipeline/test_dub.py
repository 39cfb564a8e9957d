"""`dvp dub` and a dubbed movie: files in, files out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dvp_core.actor import actor_clip_path
from dvp_core.cli.main import run
from dvp_core.compose import compose_frame, plate_matte
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import read_take, write_take
from dvp_core.passes import RenderedPasses
from dvp_core.pipeline.dub import dub_take
from dvp_core.pipeline.movie import make_movie
from dvp_core.trust import verify
from dvp_core.video import open_clip, read_sound, write_png

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "built_in_actor"))
import speech as actor_speech

LENGTH_S = 12.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory, actor_take):
    """The actor as filmed, a performer who says the same with a gaping mouth, and the timings of what is said."""
    folder = tmp_path_factory.mktemp("dub")
    write_take(folder / "actor.take", actor_take)
    expression = actor_take.expression.copy()
    jaw = actor_take.expression_names.index("jawOpen")
    expression[60:200, jaw] = 0.1 + 0.9 * expression[60:200, jaw]
    write_take(folder / "dubber.take", replace(actor_take, expression=expression, subject="dubber"))
    (folder / "speech.TextGrid").write_text(text_grid(actor_speech.speech_sounds()[:30]))
    return folder


def text_grid(sounds) -> str:
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(LENGTH_S), "<exists>", "1"]
    lines += ['"IntervalTier"', '"phones"', "0", str(LENGTH_S), str(len(sounds))]
    lines += [f'{sound.start_s}\n{sound.stop_s}\n"{sound.letter}"' for sound in sounds]
    return "\n".join(lines) + "\n"


def test_the_command_writes_the_take_and_says_what_it_found(folder, capsys):
    words = ["dub", *(str(folder / name) for name in ("actor.take", "dubber.take", "out.take"))]
    words += ["--speech", str(folder / "speech.TextGrid"), "--sound", str(actor_clip_path())]
    assert run([*words, "--report", str(folder / "dub.json"), "--json"]) == 0
    out, err = capsys.readouterr()
    printed, report = json.loads(out), json.loads((folder / "dub.json").read_text())
    assert {key: value for key, value in printed.items() if key != "take"} == report
    assert report["speech_from"] == "timings"
    assert all(count["rate"] >= 0.98 for count in report["contacts"].values())
    assert set(report["contacts"]) == {"closed", "teeth", "round"}
    assert abs(report["sync"]["lag_frames"]) < 0.5  # the sound was made from the same events
    assert "Lips closed on p, b, m" in err
    assert "run together" in err
    actor, dubbed = read_take(folder / "actor.take"), read_take(folder / "out.take")
    for frame in FrameRange.parse(report["silent_frames"]):
        index = actor.index_of(frame)
        np.testing.assert_array_equal(dubbed.expression[index], actor.expression[index])


def test_without_timings_the_sound_tells_and_without_sound_the_mouth(folder):
    paths = [folder / name for name in ("actor.take", "dubber.take", "out2.take")]
    by_sound = dub_take(*paths, sound=actor_clip_path())
    by_mouth = dub_take(*paths)
    assert (by_sound["speech_from"], by_mouth["speech_from"]) == ("sound", "mouth")
    assert by_sound["contacts"] == {}
    pause = FrameRange.parse(by_sound["silent_frames"])
    assert 1 in pause
    assert 30 not in pause


def test_silence_is_named_and_nothing_is_written(folder, tmp_path):
    (tmp_path / "late.TextGrid").write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n99\n<exists>\n1\n'
        '"IntervalTier"\n"phones"\n0\n99\n1\n50\n51\n"a"\n'
    )
    with pytest.raises(DataError, match="nobody speaks"):
        dub_take(
            folder / "actor.take",
            folder / "dubber.take",
            tmp_path / "out.take",
            speech=tmp_path / "late.TextGrid",
        )
    assert not (tmp_path / "out.take").exists()


def test_silent_frames_are_the_plates_pixels_and_outside_the_matte_nothing_changes(folder, actor_take, actor_source):
    """The renderer stands in for a generator: what is composed decides, not how the face was painted."""
    paths = [folder / name for name in ("actor.take", "dubber.take", "out3.take")]
    report = dub_take(*paths, speech=folder / "speech.TextGrid")
    dubbed, tracked = RenderedPasses(read_take(paths[2])), RenderedPasses(actor_take)
    silent, spoken = FrameRange.parse(report["silent_frames"]), FrameRange.parse(report["speech_frames"])
    changed = 0
    for frame in (silent.first, silent.last, spoken.first + 4, spoken.first + 11, spoken.last - 3):
        plate, before, after = actor_source.read(frame - 1), tracked.read(frame), dubbed.read(frame)
        painted = np.random.default_rng(frame).integers(0, 255, (256, 256, 3), dtype=np.uint8)
        composed = compose_frame(plate, painted, after, actor_take.crop, unedited=before)
        matte = plate_matte(plate.shape, after, unedited=before)
        difference = np.abs(composed.astype(int) - plate)
        assert difference[matte == 0].max() == 0
        if frame in silent:
            assert difference.max() == 0
        changed += int(difference.max() > 0)
    assert changed >= 2


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    """Two seconds of clicks, one every half second, as a WAV."""
    path = tmp_path_factory.mktemp("voice") / "dub.wav"
    samples = np.zeros(96000, np.int16)
    for start in range(12000, 96000, 24000):
        samples[start : start + 480] = 20000
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def clicks_s(path) -> np.ndarray:
    """Times of the clicks, counted from the first picture."""
    sound, facts = read_sound(path), open_clip(path).facts
    with av.open(str(path)) as movie:
        stream = movie.streams.audio[0]
        begins_s = float((stream.start_time or 0) * stream.time_base)
    loud = np.flatnonzero(np.abs(sound.samples) > 0.3)
    first = loud[np.insert(np.diff(loud) > 1600, 0, True)]
    return first / sound.rate_hz + begins_s - float(facts.stamps[0] * facts.time_base)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("first", [1, 11])
def test_the_dubbed_sound_lies_under_its_pictures(tmp_path, actor_source, voice, suffix, first):
    """Clicks of the WAV are heard at their time of the clip, and nothing of the plate's own sound is."""
    for frame in range(first, 46):
        write_png(tmp_path / f"frame.{frame:04d}.png", actor_source.read(frame - 1)[::4, ::4])
    frames = FrameRange.span(first, 45)
    made = make_movie(
        tmp_path / "frame.####.png", tmp_path / f"m{suffix}", frames=frames, plate=actor_clip_path(), sound=voice
    )
    heard = clicks_s(made.path)
    expected = np.array([0.25, 0.75, 1.25, 1.75]) - (first - 1) / 25
    expected = expected[(expected > 0) & (expected < len(frames) / 25)]
    np.testing.assert_allclose(heard, expected, atol=0.005)
    assert verify(made.path).code in (0, 1)


def test_a_sound_that_goes_with_nothing_is_refused(tmp_path, actor_source, voice):
    for frame in (1, 3):
        write_png(tmp_path / f"frame.{frame:04d}.png", actor_source.read(frame - 1)[::4, ::4])
    template, output = tmp_path / "frame.####.png", tmp_path / "m.mp4"
    with pytest.raises(DataError, match="gaps"):
        make_movie(template, output, frames=FrameRange.of((1, 3)), plate=actor_clip_path(), sound=voice)
    with pytest.raises(DataError, match="no plate"):
        make_movie(template, output, frames=FrameRange.of((1, 3)), sound=voice)
    with pytest.raises(DataError, match="not a sound"):
        read_sound(tmp_path / "frame.0001.png")
    assert open_clip(actor_clip_path()).has_sound
