"""Change only what was asked: an untouched take composes to the plate's own pixels, a small edit changes little else.

    python benchmarks/zero_edit.py CLIP [--landmarks F] [--face-model M] [--take T] [--minutes 1 | --steps 60]
                                        [--frames 200] [--jaw-open 0.15] [--output out/zero_edit]

Tracks the clip, trains the `fast` preset for a short while, lets it paint frames spread over the clip and sets them
into the whole plate: once untouched, and once with every frame's mouth opened a little. What the generator paints
decides nothing that is measured but the colours within the matte, so a short training does.

The output folder keeps take, crops and generator for the next run, and receives `zero_edit.png`: plate, composed frame,
what changed (times four), matte. Runs on a bare machine, see `footage.py`. Prints one JSON object last: `frames`,
`identical_frames` (untouched), and of the edited ones `max_difference_outside_matte` and `mean_difference_inside_matte`
in levels of 255, and `matte_share` of the plate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from footage import found_landmarks, source_of, stored_crops, tracked_take
from self_reenactment import Clock, is_trained

from dvp_core.compose import compose_frame, plate_matte
from dvp_core.data.clip import FrameSource
from dvp_core.data.edit import Curve, Edit
from dvp_core.data.errors import DataError
from dvp_core.data.files import write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take
from dvp_core.edit import apply_edit
from dvp_core.generator import Footage, TrainOptions, load_generator, synthesise, train_on
from dvp_core.passes import RenderedPasses
from dvp_core.pipeline.model import load_take
from dvp_core.tracking import TrackOptions

SHOWN_FRAMES = 4
DIFFERENCE_GAIN = 4


@dataclass
class Tally:
    """What the composed frames differ by from the plate."""

    frames: int = 0
    identical_frames: int = 0
    max_outside: int = 0
    inside_sum: float = 0.0
    inside_weight: float = 0.0
    pixels: int = 0

    def add_untouched(self, composed: np.ndarray, plate: np.ndarray) -> None:
        """Count a frame without an edit."""
        self.frames += 1
        self.identical_frames += int(np.array_equal(composed, plate))

    def add_edited(self, composed: np.ndarray, plate: np.ndarray, matte: np.ndarray) -> None:
        """Count a frame with an edit."""
        difference = np.abs(composed.astype(np.int16) - plate).max(axis=2)
        self.max_outside = max(self.max_outside, int(difference[matte == 0].max(initial=0)))
        self.inside_sum += float(difference[matte > 0].sum())
        self.inside_weight += float(np.count_nonzero(matte))
        self.pixels += matte.size


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    arguments = parsed(words)
    clock = Clock(None)
    try:
        footage = opened(arguments, clock)
        take, generator_path = footage.take, trained(footage, arguments, clock)
        tally = Tally()
        clock.what = "compose"
        sheet = list(composed_rows(take, generator_path, source_of(take, arguments.clip), arguments, tally, clock))
        write_sheet(arguments.output / "zero_edit.png", sheet)
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(content_of(tally, take, arguments)) + "\n")
    return 0


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--landmarks", type=Path)
    parser.add_argument("--take", type=Path, help="a take of the clip, instead of tracking it here")
    parser.add_argument("--face-model", type=Path)
    parser.add_argument("--minutes", type=float, help="training time (default: 1)")
    parser.add_argument("--steps", type=int, help="steps of training instead of minutes")
    parser.add_argument("--frames", type=int, default=200, help="frames to compose, spread over the clip")
    parser.add_argument("--jaw-open", type=float, default=0.15, help="how far the edit opens the mouth")
    parser.add_argument("--output", type=Path, default=Path("out/zero_edit"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args(words)
    if arguments.minutes is None and arguments.steps is None:
        arguments.minutes = 1.0
    return arguments


def opened(arguments: argparse.Namespace, clock: Clock) -> Footage:
    """Return the tracked clip as what a generator learns from."""
    clock.what = arguments.clip.name
    if arguments.take is not None:
        take = load_take(arguments.take, face_model=arguments.face_model)
    else:
        points = arguments.output / "clip.landmarks.npz"
        take = tracked_take(
            arguments.clip,
            arguments.output / "clip.take",
            landmarks=arguments.landmarks or found_landmarks(arguments.clip, points, clock),
            face_model=arguments.face_model,
            consent=None,
            options=TrackOptions(),
            device="cpu",
            progress=clock,
        )
    return Footage(take, RenderedPasses(take), stored_crops(take, arguments.clip, arguments.output))


def trained(footage: Footage, arguments: argparse.Namespace, clock: Clock) -> Path:
    """Return the file of a generator that has learned a little from the clip."""
    path = arguments.output / "fast.safetensors"
    options = TrainOptions(
        preset="fast",
        minutes=arguments.minutes,
        steps=arguments.steps,
        device=arguments.device,
        threads=arguments.threads,
    )
    if not is_trained(path, footage.take.sha256, options):
        train_on([footage], path, options=options, progress=clock)
    return path


def composed_rows(
    take: Take,
    generator_path: Path,
    source: FrameSource,
    arguments: argparse.Namespace,
    tally: Tally,
    clock: Clock,
) -> Iterator[np.ndarray]:
    """Compose frames untouched and edited, count both, and yield a row of pictures for some of them."""
    generator = load_generator(generator_path, device=arguments.device)
    tracked, edited = RenderedPasses(take), RenderedPasses(with_opened_mouth(take, arguments.jaw_open))
    count = min(arguments.frames, take.frame_count)
    chosen = np.unique(np.linspace(0, take.frame_count - 1, count).round().astype(int)) + take.clip.start_frame
    shown = set(chosen[np.linspace(0, len(chosen) - 1, SHOWN_FRAMES + 2).round().astype(int)[1:-1]].tolist())
    frames = FrameRange.of(chosen.tolist())
    both = zip(synthesise(generator, tracked, frames), synthesise(generator, edited, frames), strict=True)
    for done, ((frame, as_tracked), (_, as_edited)) in enumerate(both, start=1):
        plate, unedited = source.read(take.index_of(frame)), tracked.read(frame)
        tally.add_untouched(compose_frame(plate, as_tracked, unedited, take.crop, unedited=unedited), plate)
        composed = compose_frame(plate, as_edited, edited.read(frame), take.crop, unedited=unedited)
        matte = plate_matte(plate.shape, edited.read(frame), unedited=unedited)
        tally.add_edited(composed, plate, matte)
        if frame in shown:
            yield row_of(plate, composed, matte)
        clock("frames", done, len(chosen))


def with_opened_mouth(take: Take, jaw_open: float) -> Take:
    """Return the take with its jaw a little more open from the first frame to the last."""
    ends = (float(take.frames.first), float(take.frames.last))
    return apply_edit(take, Edit((Curve("expression.jawOpen", ends, (jaw_open, jaw_open)),)))


def row_of(plate: np.ndarray, composed: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Return plate, composed frame, what changed and the matte beside each other."""
    changed = np.abs(composed.astype(np.int16) - plate) * DIFFERENCE_GAIN
    grey = np.repeat((255 * matte)[..., None], 3, axis=2)
    return np.concatenate([plate, composed, changed.clip(0, 255), grey], axis=1).astype(np.uint8)


def write_sheet(path: Path, rows: list[np.ndarray]) -> None:
    """Write the rows under each other as one PNG, shrunk to a width that a screen shows."""
    picture = np.concatenate(rows)
    scale = min(1.0, 1920 / picture.shape[1])
    shrunk = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    is_encoded, png = cv2.imencode(".png", cv2.cvtColor(shrunk, cv2.COLOR_RGB2BGR))
    assert is_encoded
    write_bytes_atomically(path, png.tobytes())


def content_of(tally: Tally, take: Take, arguments: argparse.Namespace) -> dict[str, object]:
    """Return what is printed."""
    return {
        "clip": arguments.clip.name,
        "size_px": [take.clip.width_px, take.clip.height_px],
        "edit": {"expression.jawOpen": arguments.jaw_open},
        "frames": tally.frames,
        "identical_frames": tally.identical_frames,
        "max_difference_outside_matte": tally.max_outside,
        "mean_difference_inside_matte": round(tally.inside_sum / max(tally.inside_weight, 1.0), 3),
        "matte_share": round(tally.inside_weight / max(tally.pixels, 1), 5),
    }


if __name__ == "__main__":
    sys.exit(main())
