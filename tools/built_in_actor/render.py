"""Makes the built-in actor's files in one command: `python tools/built_in_actor/render.py`.

Writes `actor.mp4`, `actor.truth.npz`, `actor.landmarks.npz` and `actor.consent.json` into the package (or `-o FOLDER`).
Run it again whenever the built-in face changes its shape.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from dvp_core.actor import ActorTruth, write_truth  # noqa: E402
from dvp_core.data.landmark_track import write_landmarks  # noqa: E402
from dvp_core.face import built_in_face  # noqa: E402
from dvp_core.trust import ConsentRecord, ConsentTerms, new_consent, write_consent  # noqa: E402
from dvp_core.trust.keys import make_local_chain  # noqa: E402
from dvp_core.video import EncodeOptions, PlateSound, encode_movie  # noqa: E402
from tools.built_in_actor.performance import built_in_performance  # noqa: E402
from tools.built_in_actor.scene import Scene, build_scene, pose, render_frame  # noqa: E402
from tools.built_in_actor.sound import write_voice  # noqa: E402
from tools.built_in_actor.truth import (  # noqa: E402
    SIZE_PX,
    actor_camera,
    actor_truth_of,
    detector_landmarks,
)
from tools.built_in_actor.verification import silhouette_offset_px  # noqa: E402

LIMIT_BYTES = 600_000
CRF_STEPS = (17, 19, 21, 23, 25, 28, 31)
LARGEST_OFFSET_PX = 0.25


def main() -> None:
    """Render the clip, or a few stills to look at."""
    options = _options()
    model = built_in_face()
    truth = actor_truth_of(model, built_in_performance())
    camera = actor_camera(options.size)
    scene = build_scene(model, truth, camera, sample_count=options.samples)
    options.output.mkdir(parents=True, exist_ok=True)
    for frame in options.stills:
        pose(scene, frame)
        _write_picture(options.output / f"still.{frame:04d}.png", render_frame(scene))
    if options.stills:
        return
    _check_outline(scene)
    with tempfile.TemporaryDirectory() as folder:
        _render_all(scene, Path(folder))
        _encode(options.output / "actor.mp4", Path(folder), truth)
    write_truth(options.output / "actor.truth.npz", truth)
    write_landmarks(options.output / "actor.landmarks.npz", detector_landmarks(truth))
    write_consent(options.output / "actor.consent.json", actor_consent(options.output / "actor.mp4"))


def actor_consent(clip: Path) -> ConsentRecord:
    """Return the record that goes with the clip: nobody is in it, so everything may be made of it.

    It is signed with a key that is thrown away: the record shows what one looks like, it proves nothing.
    """
    terms = ConsentTerms(
        uses=("The person in this clip does not exist: it may be tracked, trained on and re-animated by anyone",),
        subject="built-in-actor",
        revocation="",
    )
    return new_consent(
        clip,
        terms,
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        validity_days=36500,
        keys=make_local_chain(),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dvp_core" / "actor", help="folder to write into")
    parser.add_argument("--samples", type=int, default=8, help="Cycles' samples a pixel (then denoised)")
    parser.add_argument("--size", type=int, default=SIZE_PX, help="side of stills; the clip's own is 256")
    parser.add_argument("--stills", type=int, nargs="*", default=[], help="render these frames (from 0) as PNG only")
    options = parser.parse_args()
    if options.size != SIZE_PX and not options.stills:
        parser.error("--size is for --stills: the clip's truth is for 256 pixels")
    return options


def _check_outline(scene: Scene) -> None:
    for frame in (0, scene.truth.frame_count // 2):
        x_px, y_px = silhouette_offset_px(scene, scene.truth.camera, frame)
        print(f"outline of frame {frame}: rendered - rasterised = ({x_px:+.3f}, {y_px:+.3f}) px")
        if np.hypot(x_px, y_px) > LARGEST_OFFSET_PX:
            raise SystemExit(f"the picture does not show the truth: its outline lies {x_px, y_px} px off")


def _render_all(scene: Scene, folder: Path) -> None:
    started = time.monotonic()
    count = scene.truth.frame_count
    for frame in range(count):
        pose(scene, frame)
        _write_picture(folder / f"{frame:04d}.png", render_frame(scene))
        left_s = (time.monotonic() - started) / (frame + 1) * (count - frame - 1)
        print(f"\rframe {frame + 1} of {count}, {left_s:.0f} s left  ", end="", flush=True)
    print()


def _encode(path: Path, folder: Path, truth: ActorTruth) -> None:
    """Write the movie with its sound, in the best quality that keeps within the size limit."""
    voice_path = folder / "voice.mp4"
    write_voice(voice_path, truth.frame_count / float(truth.fps))
    temporary = folder / "actor.mp4"
    for crf in CRF_STEPS:
        encode_movie(
            temporary,
            _pictures(folder, truth.frame_count),
            fps=truth.fps,
            options=EncodeOptions(crf=crf, preset="veryslow"),
            sound=PlateSound(voice_path, Fraction(0)),
        )
        size_bytes = temporary.stat().st_size
        print(f"crf {crf}: {size_bytes / 1000:.0f} kB")
        if size_bytes <= LIMIT_BYTES:
            break
    part = path.with_suffix(".part")
    part.write_bytes(temporary.read_bytes())
    os.replace(part, path)


def _write_picture(path: Path, picture: np.ndarray) -> None:
    cv2.imwrite(str(path), picture[..., ::-1])


def _pictures(folder: Path, frame_count: int) -> Iterator[np.ndarray]:
    for frame in range(frame_count):
        yield cv2.imread(str(folder / f"{frame:04d}.png"))[..., ::-1].copy()


if __name__ == "__main__":
    main()
