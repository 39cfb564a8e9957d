"""Dub one take with another's mouth and count the lips: contacts on the mesh, what shows of the mouth's inside.

    python benchmarks/dubbing.py ACTOR.take DUBBER.take [--speech FILE] [--sound FILE] [--output out/dubbing]

Without `--speech` a hand-made line is spoken, over and over with pauses between. Its timings have nothing to do with
what the performer says: her mouth stands anywhere when a p is due, which is harder than a real dub.

Prints one JSON object last. `contacts` counts on the mesh, by kind, sounds met before and after correction; the
solver's own lines decide. `inside_px` looks again without them: how many pixels of teeth, gums, tongue and lining
the rasteriser sees in the frames that hold closed lips, before and after. `silent_differences` counts values unlike
the actor's in frames of silence, `largest_step` is the largest change of a mouth coefficient from frame to frame,
before and after. The output folder receives `dubbing.png`: contacts side by side, the performer's mouth above, the
corrected below.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import write_bytes_atomically
from dvp_core.data.speech import LIP_SHAPES, LipShape, Speech, SpeechSound
from dvp_core.data.take import Take, read_take
from dvp_core.edit.dubbing import Dubbing, dub
from dvp_core.edit.dubbing_contacts import contacts_of
from dvp_core.edit.dubbing_stretches import spoken_stretches
from dvp_core.exchange.speech_timing import read_speech
from dvp_core.face import pose_vertices
from dvp_core.maths.colour import srgb_encode
from dvp_core.passes import RenderedPasses
from dvp_core.passes.surface import see_surface
from dvp_core.pipeline.dub import measured
from dvp_core.video import encode_png, read_sound

LINE = "m a b u f o m i p e v a w u b a t o p i f u m e l a w i s o b e"
"""The hand-made line: sounds as they are written, a consonant before every vowel."""
LENGTH_S = {"vowel": 0.13, "consonant": 0.08}
PAUSE_S = 0.8
LIPS: dict[str, LipShape] = {
    **dict.fromkeys("pbm", "closed"),
    **dict.fromkeys("fv", "teeth"),
    **dict.fromkeys("wu", "round"),
}
INSIDE = ("mouth_socket", "gums", "teeth", "tongue")
SHOWN = 8


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    arguments = parsed(words)
    try:
        actor, dubber = read_take(arguments.actor), read_take(arguments.dubber)
        speech = hand_made(actor, dubber) if arguments.speech is None else read_speech(arguments.speech)
        stretches_s = spoken_stretches(speech)
        free, held = dub(actor, dubber, stretches_s), dub(actor, dubber, stretches_s, speech=speech)
        voice = None if arguments.sound is None else read_sound(arguments.sound)
        report = measured(held, source="timings", voice=voice)
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    write_bytes_atomically(arguments.output / "dubbing.png", encode_png(sheet(free, held, speech)))
    content = {
        "actor": arguments.actor.name,
        "dubber": arguments.dubber.name,
        "frame_count": actor.frame_count,
        "contacts": {
            shape: {k: v for k, v in count.items() if k != "missed"} for shape, count in report["contacts"].items()
        },
        "inside_px": inside_counts(free, held, speech),
        "silent_frames": int((held.weights == 0).sum()),
        "silent_differences": silent_differences(actor, held),
        "largest_step": {"before": largest_step(free.take), "after": largest_step(held.take)},
        "sync": report["sync"],
    }
    sys.stdout.write(json.dumps(content) + "\n")
    return 0


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actor", type=Path)
    parser.add_argument("dubber", type=Path)
    parser.add_argument("--speech", type=Path, help="timings of what the performer says")
    parser.add_argument("--sound", type=Path, help="the performer's voice, to measure sync")
    parser.add_argument("--output", type=Path, default=Path("out/dubbing"))
    return parser.parse_args(words)


def hand_made(actor: Take, dubber: Take) -> Speech:
    """Return the line spoken over and over while both takes last."""
    end_s = min(float(take.frame_count / take.clip.fps) for take in (actor, dubber))
    sounds, time_s = [], PAUSE_S
    while True:
        for letter in LINE.split():
            length_s = LENGTH_S["vowel" if letter in "aeiou" else "consonant"]
            if time_s + length_s > end_s - PAUSE_S:
                return Speech(tuple(sounds))
            sounds.append(SpeechSound(time_s, time_s + length_s, letter, LIPS.get(letter)))
            time_s += length_s
        time_s += PAUSE_S


def inside_px(take: Take, index: int) -> int:
    """Return how many pixels of the crop show the inside of the mouth."""
    assert take.face is not None
    surface = see_surface(pose_vertices(take, index), take.face.triangles, take.crop.crop_camera(take.camera))
    return int(take.face.region(*INSIDE)[surface.corners].all(axis=1).sum())


def inside_counts(free: Dubbing, held: Dubbing, speech: Speech) -> dict[str, object]:
    """Return means over all frames that hold closed lips, before and after, and how many frames show nothing."""
    frames = [
        index
        for contact in contacts(held.take, speech)
        if contact.shape == "closed"
        for index in range(contact.first, contact.last + 1)
    ]
    before, after = (np.array([inside_px(take, index) for index in frames]) for take in (free.take, held.take))
    return {
        "frames": len(frames),
        "mean_before": round(float(before.mean()), 2),
        "mean_after": round(float(after.mean()), 2),
        "nothing_before": int((before == 0).sum()),
        "nothing_after": int((after == 0).sum()),
        "most_after": int(after.max()),
    }


def contacts(take: Take, speech: Speech) -> list:
    """Return the contacts of timings in a take's frames."""
    return list(contacts_of(speech, fps=float(take.clip.fps), frame_count=take.frame_count))


def silent_differences(actor: Take, held: Dubbing) -> int:
    """Return how many values differ from the actor's in frames of silence, over all channels."""
    silent = held.weights == 0
    names = ("head_rotation_wxyz", "head_translation_m", "expression", "gaze_rad", "illumination_sh")
    return sum(int((getattr(held.take, name)[silent] != getattr(actor, name)[silent]).sum()) for name in names)


def largest_step(take: Take) -> float:
    """Return the largest change of any coefficient from frame to frame."""
    return round(float(np.abs(np.diff(take.expression, axis=0)).max()), 3)


def sheet(free: Dubbing, held: Dubbing, speech: Speech) -> np.ndarray:
    """Return pictures of some contacts of every kind, before above after."""
    rows = []
    for shape in LIP_SHAPES:
        own = [contact for contact in contacts(held.take, speech) if contact.shape == shape]
        chosen = [own[round(place)] for place in np.linspace(0, len(own) - 1, SHOWN)] if own else []
        for take in (free.take, held.take):
            passes = RenderedPasses(take)
            if chosen:
                rows.append(np.concatenate([mouth(passes, take, contact.first) for contact in chosen], axis=1))
    return np.concatenate(rows)


def mouth(passes: RenderedPasses, take: Take, index: int) -> np.ndarray:
    """Return the middle of the lower face as drawn, brightened to be seen."""
    color = passes.read(take.frames.numbers[index]).color
    size = color.shape[0]
    part = color[int(0.42 * size) : int(0.88 * size), int(0.27 * size) : int(0.73 * size)]
    return (255 * srgb_encode(np.clip(2 * part, 0, 1))).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
