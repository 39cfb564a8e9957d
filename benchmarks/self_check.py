"""Does `dvp check` find what is wrong with rendered frames, and nothing where nothing is?

    python benchmarks/self_check.py [--renders 200] [--clean 100] [--bases 8] [--frames 36] [--seed 1] [--take TAKE]

Edits of the built-in actor (jaw, gaze, winks, a turned head) are chosen by seed, and their frames made by bending the
plate (`stand_ins.py`), spoiled as generators spoil. Into each of `--renders` one fault is put, in turn of every kind
and at a place chosen by seed where the keys move; `--clean` others get none. A fault counts as found where one of its
kind is named within two frames of it. Prints one JSON object last: `found` of `renders`, by kind, and `false_alarms` of
`clean`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from stand_ins import Spoiling, bent_pictures, spoiled

from dvp_core.actor import actor_clip_path, actor_landmarks_path
from dvp_core.compose import crop_plate
from dvp_core.data.edit import Curve, Edit
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take
from dvp_core.edit import apply_edit
from dvp_core.evaluate.faults import Fault
from dvp_core.evaluate.motion_faults import asked_steps
from dvp_core.evaluate.self_check import SelfCheck
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.track import track_clip
from dvp_core.video import open_clip

KINDS_FOR = {
    "frozen": {"frozen"},
    "duplicated": {"frozen", "order"},
    "dropped": {"order"},
    "exchanged": {"order"},
    "black": {"black"},
    "colour": {"colour"},
    "flicker": {"flicker"},
    "dead jaw": {"jaw"},
    "swapped eyes": {"eyes"},
}
"""What may be named for each fault that is put in."""
VARIANTS = ("dead jaw", "swapped eyes")
"""Faults that need pictures of their own; all others are put into good ones."""
NEAR = 2
SEEN_STEP_PX = 0.35
"""Timing faults are put where the points move by this much: where nothing moves nobody sees them."""


@dataclass(frozen=True)
class Base:
    """An edit of some frames, and pictures of it: as asked, with a dead jaw, with exchanged eyes."""

    edited: Take
    frames: FrameRange
    plates: np.ndarray
    pictures: dict[str, np.ndarray]
    steps_px: np.ndarray


def edit_of(take: Take, frames: FrameRange, random: np.random.Generator) -> Take:
    """Return the take with a lively edit over some frames."""
    first, last = frames.first, frames.last
    knots = tuple(np.linspace(first, last, 6))

    def wave(size: float, middle: float = 0.0) -> tuple[float, ...]:
        return tuple(middle + size * random.uniform(0.4, 1, 6) * np.where(np.arange(6) % 2, 1, -1))

    wink = random.choice(["Left", "Right"])
    at = random.uniform(first + 8, last - 8)
    curves = (
        Curve("expression.jawOpen", knots, wave(0.12, 0.16)),
        Curve("head.yaw_deg", knots, wave(3.0)),
        Curve("head.pitch_deg", knots, wave(1.5)),
        Curve("gaze.yaw_deg", knots, wave(11.0)),
        Curve(f"expression.eyeBlink{wink}", (at - 5, at - 1, at + 1, at + 5), (0.0, 0.9, 0.9, 0.0)),
    )
    return apply_edit(take, Edit(curves))


def with_dead_jaw(take: Take, first: int) -> Take:
    """Return the take with mouth and jaw as they are in one frame."""
    columns = [index for index, name in enumerate(take.expression_names) if name.startswith(("jaw", "mouth"))]
    expression = take.expression.copy()
    expression[:, columns] = expression[first, columns]
    return replace(take, expression=expression)


def with_swapped_eyes(take: Take) -> Take:
    """Return the take with its lids exchanged and its gaze mirrored."""
    names = list(take.expression_names)
    order = [
        names.index(name.replace("Left", "#").replace("Right", "Left").replace("#", "Right"))
        if name.startswith("eye")
        else index
        for index, name in enumerate(names)
    ]
    gaze = take.gaze_rad[:, ::-1].copy()
    gaze[..., 0] *= -1
    return replace(take, expression=take.expression[:, order], gaze_rad=gaze)


def base_of(
    take: Take, first: int, count: int, random: np.random.Generator, variants: Sequence[str] = VARIANTS
) -> Base:
    """Return an edit and its pictures, and those of its faulty variants, a few seconds of work."""
    frames = FrameRange.span(first, first + count - 1)
    indices = np.array([take.index_of(frame) for frame in frames])
    source = open_clip(actor_clip_path())
    edited = edit_of(take, frames, random)
    wrong = {"dead jaw": with_dead_jaw(edited, int(indices[0])), "swapped eyes": with_swapped_eyes(edited)}
    performances = {"": edited} | {name: wrong[name] for name in variants}
    pictures = {name: bent_pictures(take, each, source, indices) for name, each in performances.items()}
    plates = np.array([crop_plate(source.read(int(index)), take.crop) for index in indices])
    check = SelfCheck(take, edited, frames)
    return Base(edited, frames, plates, pictures, asked_steps(check.asked_px))


def frozen(pictures: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Show one picture for three to eight frames more."""
    stop = min(at + int(random.integers(3, 9)), len(pictures))
    made = pictures.copy()
    made[at:stop] = made[at - 1]
    return made, slice(at, stop)


def duplicated(pictures: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Show one picture twice, everything after it late."""
    return np.concatenate([pictures[:at], pictures[at - 1 : -1]]), slice(at, len(pictures))


def dropped(pictures: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Leave one or two pictures out, everything after them early; the last one stands."""
    count = int(random.integers(1, 3))
    rest = np.concatenate([pictures[at + count :], np.repeat(pictures[-1:], count, axis=0)])
    return np.concatenate([pictures[:at], rest]), slice(at, len(pictures) - count)


def exchanged(pictures: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Exchange two neighbours."""
    made = pictures.copy()
    made[[at - 1, at]] = made[[at, at - 1]]
    return made, slice(at - 1, at + 1)


def black(pictures: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Blacken one to three frames, down to a little noise."""
    stop = min(at + int(random.integers(1, 4)), len(pictures))
    made = pictures.copy()
    made[at:stop] = random.integers(0, 6, made[at:stop].shape)
    return made, slice(at, stop)


def colour(pictures: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Exchange red and blue, encode twice, or cast a colour, over one to ten frames or all."""
    stop = len(pictures) if random.random() < 0.3 else min(at + int(random.integers(1, 11)), len(pictures))
    made = pictures.astype(np.float64)
    way = random.integers(0, 3)
    if way == 0:
        made[at:stop] = made[at:stop, ..., ::-1]
    elif way == 1:
        made[at:stop] = 255 * (made[at:stop] / 255) ** (1 / 1.8)
    else:
        made[at:stop] += random.uniform(22, 40) * random.choice([-1, 1]) * np.eye(3)[random.integers(0, 3)]
    return np.clip(made, 0, 255).astype(np.uint8), slice(at, stop)


def flicker(pictures: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Let brightness jump by 2 to 6 %, of all or of the face's part, over six frames or more."""
    stop = min(at + int(random.integers(6, 16)), len(pictures))
    start = max(stop - 6, 1) if stop - at < 6 else at
    size = pictures.shape[1]
    weight = np.ones((size, size, 1))
    gain = random.uniform(0.02, 0.06)
    if random.random() < 0.5:
        weight = np.zeros((size, size), np.float32)
        cv2.circle(weight, (size // 2, size // 2), int(0.3 * size), 1.0, -1)
        weight, gain = cv2.GaussianBlur(weight, (0, 0), 0.05 * size)[..., None], 2.5 * gain
    made = pictures.astype(np.float64)
    for index in range(start, stop):
        made[index] *= 1 + weight * gain * (1 if index % 2 else -1) * random.uniform(0.7, 1)
    return np.clip(made, 0, 255).astype(np.uint8), slice(start, stop)


INJECTED: dict[str, Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, slice]]] = {
    "frozen": frozen,
    "duplicated": duplicated,
    "dropped": dropped,
    "exchanged": exchanged,
    "black": black,
    "colour": colour,
    "flicker": flicker,
}


def render(base: Base, kind: str | None, random: np.random.Generator) -> tuple[np.ndarray, slice]:
    """Return a render with a fault of a kind (None: without), and the indices it touches."""
    everywhere = slice(0, len(base.plates))
    how = Spoiling(random.uniform(0.4, 1.0), random.uniform(1, 3), random.uniform(0.5, 2), int(random.integers(80, 96)))
    if kind in VARIANTS:
        return spoiled(base.pictures[kind], random, how), everywhere
    made = spoiled(base.pictures[""], random, how)
    if kind is None:
        return made, everywhere
    inner = np.arange(3, len(made) - 4)
    lively = inner[np.minimum(base.steps_px[inner], base.steps_px[inner + 1]) >= SEEN_STEP_PX]
    return INJECTED[kind](made, int(random.choice(lively if len(lively) else inner)), random)


def checked(take: Take, base: Base, made: np.ndarray) -> list[Fault]:
    """Return what the check says of a render."""
    check = SelfCheck(take, base.edited, base.frames)
    for picture, plate in zip(made, base.plates, strict=True):
        check.add(picture, plate)
    return check.faults()


def is_found(kind: str, where: slice, faults: Sequence[Fault], first_frame: int) -> bool:
    """Say whether a fault is named near the frames it was put into."""
    first, last = first_frame + where.start - NEAR, first_frame + where.stop - 1 + NEAR
    return any(
        fault.kind in KINDS_FOR[kind] and fault.first_frame <= last and fault.last_frame >= first for fault in faults
    )


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    arguments = parsed(words)
    cv2.setNumThreads(1)
    take = tracked(arguments)
    seeds = np.random.SeedSequence(arguments.seed)
    starts = np.linspace(take.frames.first, take.frames.last - arguments.frames, arguments.bases).astype(int)
    bases = []
    for start, seed in zip(starts.tolist(), seeds.spawn(arguments.bases), strict=True):
        bases.append(base_of(take, start, arguments.frames, np.random.default_rng(seed)))
        sys.stderr.write(f"base {len(bases)} of {arguments.bases}\n")
    kinds = [*KINDS_FOR] * (arguments.renders // len(KINDS_FOR) + 1)
    plan: list[str | None] = [*kinds[: arguments.renders], *[None] * arguments.clean]
    tally: dict[str, list[bool]] = {kind: [] for kind in KINDS_FOR}
    alarms: list[list[dict[str, object]]] = []
    for number, (kind, seed) in enumerate(zip(plan, seeds.spawn(len(plan)), strict=True)):
        random, base = np.random.default_rng(seed), bases[number % len(bases)]
        made, where = render(base, kind, random)
        faults = checked(take, base, made)
        if kind is None:
            alarms.append([fault.as_json() for fault in faults])
            continue
        tally[kind].append(is_found(kind, where, faults, base.frames.first))
        if not tally[kind][-1]:
            sys.stderr.write(f"{kind} at {where} of base {number % len(bases)}: {[f.as_json() for f in faults]}\n")
    sys.stdout.write(json.dumps(content_of(tally, alarms)) + "\n")
    return 0


def content_of(tally: dict[str, list[bool]], alarms: list[list[dict[str, object]]]) -> dict[str, object]:
    """Return what is printed."""
    found, renders = (sum(count(results) for results in tally.values()) for count in (sum, len))
    false_alarms = [faults for faults in alarms if faults]
    return {
        "renders": renders,
        "found": found,
        "found_share": round(found / max(renders, 1), 4),
        "by_kind": {kind: f"{sum(results)} of {len(results)}" for kind, results in tally.items()},
        "clean": len(alarms),
        "false_alarms": len(false_alarms),
        "false_alarm_share": round(len(false_alarms) / max(len(alarms), 1), 4),
        "alarms": false_alarms[:5],
    }


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renders", type=int, default=200, help="renders with a fault")
    parser.add_argument("--clean", type=int, default=100, help="renders without")
    parser.add_argument("--bases", type=int, default=8, help="edits that they are made from")
    parser.add_argument("--frames", type=int, default=36, help="frames of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--take", type=Path, help="a take of the built-in actor, instead of tracking it here")
    parser.add_argument("--output", type=Path, default=Path("out/self_check"))
    return parser.parse_args(words)


def tracked(arguments: argparse.Namespace) -> Take:
    """Return the actor's take."""
    if arguments.take is not None:
        return load_take(arguments.take)
    path = arguments.output / "actor.take"
    return track_clip(actor_clip_path(), path, landmarks=actor_landmarks_path())


if __name__ == "__main__":
    sys.exit(main())
