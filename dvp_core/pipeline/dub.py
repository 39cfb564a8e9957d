"""Two takes and a voice to a dubbed take, with a report on lips and sync."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import read_expression_map
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.sound import Sound
from dvp_core.data.speech import LipShape, Speech
from dvp_core.data.take import Take, read_take, write_take
from dvp_core.edit.dubbing import ContactCount, Dubbing, dub
from dvp_core.edit.dubbing_stretches import loud_stretches, moving_stretches, spoken_stretches
from dvp_core.edit.dubbing_sync import Sync, measured_sync
from dvp_core.edit.resampling import BLEND_OUT_S
from dvp_core.exchange.speech_timing import read_speech
from dvp_core.pipeline.model import load_take
from dvp_core.video import read_sound

LEAST_CONTACT_RATE = 0.98
"""Share of sounds whose lips must be right on the mesh; below it the report says so."""
LARGEST_LAG_FRAMES = 1.5
Source = Literal["timings", "sound", "mouth"]
_SOURCE_WORDS: dict[Source, str] = {
    "timings": "by its timings",
    "sound": "by the sound's loudness",
    "mouth": "by the motion of the performer's mouth",
}
_SHAPE_WORDS: dict[LipShape, str] = {
    "closed": "lips closed on p, b, m",
    "teeth": "lower lip to the teeth on f, v",
    "round": "lips rounded on w, u",
}


def dub_take(
    actor: Path | str,
    dubber: Path | str,
    output: Path | str,
    *,
    speech: Path | str | None = None,
    sound: Path | str | None = None,
    expression_map: Path | str | None = None,
    face_model: Path | str | None = None,
    report: Path | str | None = None,
) -> dict[str, Any]:
    """Write the actor's take with the dubbing performer's mouth; return, and with `report` write, what was measured.

    Speech is where the timings say, else where the sound is loud, else where the performer's mouth moves.

    Args:
        actor: The actor's `*.take`.
        dubber: The dubbing performer's; its first frame falls on the actor's first.
        output: The `*.take` to write.
        speech: Timings of the sounds: `*.TextGrid`, or Rhubarb's `*.json`. With them lips keep their contacts.
        sound: The dubbed voice: a sound file, or a movie.
        expression_map: For takes of different face models: what `dvp model map` wrote.
        face_model: The actor's face model, where the take may not carry its face.
        report: A JSON to write.

    Raises:
        DataError: A file that cannot be read, or takes that have nothing in common.
    """
    own, performed = load_take(actor, face_model=face_model), read_take(dubber)
    timings = None if speech is None else read_speech(speech)
    voice = None if sound is None else read_sound(sound)
    source, stretches_s = _stretches(timings, voice, performed)
    dubbing = dub(
        own,
        performed,
        stretches_s,
        speech=timings,
        expression_map=None if expression_map is None else read_expression_map(expression_map),
    )
    _check_heard(dubbing, source, output)
    write_take(output, _as_stored(dubbing.take, actor))
    content = measured(dubbing, source=source, voice=voice)
    content["words"] += _end_words(own, performed, stretches_s)
    if report is not None:
        write_bytes_atomically(report, canonical_json(content))
    return {"take": str(output), **content}


def _stretches(speech: Speech | None, voice: Sound | None, dubber: Take) -> tuple[Source, np.ndarray]:
    if speech is not None:
        return "timings", spoken_stretches(speech)
    if voice is not None:
        return "sound", loud_stretches(voice)
    return "mouth", moving_stretches(dubber)


def _check_heard(dubbing: Dubbing, source: Source, output: Path | str) -> None:
    if not dubbing.weights.any():
        raise DataError(
            f"nobody speaks in the take's frames {_SOURCE_WORDS[source]}",
            where=output,
            remedy="Check that timings and sound begin with the take's first frame, and are of this scene",
        )


def _as_stored(dubbed: Take, path: Path | str) -> Take:
    """Return the dubbed take without the face that was only looked up, where the actor's file carries none."""
    return replace(dubbed, face=read_take(path).face)


def measured(dubbing: Dubbing, *, source: Source, voice: Sound | None = None) -> dict[str, Any]:
    """Return what is known of a dubbed take: stretches, contacts and sync, in numbers and in words."""
    frames = np.array(dubbing.take.frames.numbers)
    is_silent = dubbing.weights == 0
    sync = None if voice is None else measured_sync(dubbing.take, voice, dubbing.weights)
    return {
        "frame_count": dubbing.take.frame_count,
        "speech_from": source,
        "speech_frames": _range(frames[dubbing.weights == 1]),
        "blend_frames": _range(frames[~is_silent & (dubbing.weights < 1)]),
        "silent_frames": _range(frames[is_silent]),
        "contacts": {shape: _contact_json(count, dubbing.take) for shape, count in dubbing.contacts.items()},
        "sync": None if sync is None else _sync_json(sync, float(dubbing.take.clip.fps)),
        "words": [*_speech_words(dubbing, source), *_contact_words(dubbing), *_sync_words(sync, dubbing.take)],
    }


def _range(frames: np.ndarray) -> str:
    return str(FrameRange.of(frames.tolist())) if frames.size else ""


def _contact_json(count: ContactCount, take: Take) -> dict[str, Any]:
    start = take.clip.start_frame
    missed = [{"sound": c.symbol, "frames": f"{c.first + start}-{c.last + start}"} for c in count.missed]
    return {
        "sounds": count.sounds,
        "met_before": count.met_before,
        "met": count.met,
        "rate": round(count.rate, 4),
        "missed": missed,
    }


def _sync_json(sync: Sync, fps: float) -> dict[str, Any]:
    return {
        "correlation": round(sync.correlation, 3),
        "best_correlation": round(sync.best_correlation, 3),
        "lag_ms": None if sync.lag_s is None else round(1000 * sync.lag_s, 1),
        "lag_frames": None if sync.lag_s is None else round(fps * sync.lag_s, 2),
        "frames": sync.frames,
    }


def _speech_words(dubbing: Dubbing, source: Source) -> list[str]:
    spoken, silent = int((dubbing.weights == 1).sum()), int((dubbing.weights == 0).sum())
    return [
        f"The performer's mouth speaks in {spoken} of {dubbing.take.frame_count} frames {_SOURCE_WORDS[source]}; "
        f"{silent} frames keep the actor's own mouth, value for value."
    ]


def _contact_words(dubbing: Dubbing) -> list[str]:
    words = [
        f"{_SHAPE_WORDS[shape][:1].upper()}{_SHAPE_WORDS[shape][1:]}: {count.met} of {count.sounds} sounds "
        f"({count.met_before} before correction)."
        for shape, count in dubbing.contacts.items()
    ]
    for shape, count in dubbing.contacts.items():
        if count.rate < LEAST_CONTACT_RATE:
            start = dubbing.take.clip.start_frame
            missed = ", ".join(f"{c.symbol} in {c.first + start}-{c.last + start}" for c in count.missed[:5])
            words.append(f"Look at {missed}: {_SHAPE_WORDS[shape]} is out of this face's reach there.")
    return words


def _sync_words(sync: Sync | None, take: Take) -> list[str]:
    if sync is None:
        return []
    if sync.lag_s is None:
        return [
            f"Lips and sound have little in common (correlation {sync.correlation:.2f}): is it the voice of this take?"
        ]
    frames = sync.lag_s * float(take.clip.fps)
    if abs(frames) < LARGEST_LAG_FRAMES:
        return [f"Lips and sound run together (correlation {sync.correlation:.2f}, {1000 * sync.lag_s:+.0f} ms)."]
    order = "after" if sync.lag_s > 0 else "before"
    return [
        f"Lips come {abs(1000 * sync.lag_s):.0f} ms ({abs(frames):.1f} frames) {order} their sound (correlation "
        f"{sync.best_correlation:.2f} when shifted, {sync.correlation:.2f} as it is): shift the sound."
    ]


def _end_words(actor: Take, dubber: Take, stretches_s: np.ndarray) -> list[str]:
    """Return a warning where speech goes on after the performer's take has ended."""
    end_s = float(dubber.frame_count / dubber.clip.fps)
    last_s = min(float(stretches_s[:, 1].max()), float(actor.frame_count / actor.clip.fps))
    if last_s <= end_s + 0.5 * BLEND_OUT_S:
        return []
    return [
        f"The performer's take ends at {end_s:.2f} s, speech goes on until {last_s:.2f} s: from there the mouth is the "
        "actor's own, with the contacts of the sounds."
    ]
