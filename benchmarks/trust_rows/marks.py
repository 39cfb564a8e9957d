"""L6 and L7: the invisible mark survives what careless people do to a movie, and is never seen where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from dvp_core.actor import actor_clip_path
from dvp_core.trust import Mark
from dvp_core.trust.watermark_reader import (
    THRESHOLD,
    THRESHOLD_OF_SEARCH,
    MarkReading,
    read_mark,
    residue_of,
    scaled_tiles,
    strongest,
)
from dvp_core.video import EncodeOptions, encode_movie, open_clip
from trust_rows.row import Finding, Row, Scene, judged

SIDE_PX, FRAME_COUNT = 512, 100
KEY, ID = b"studio of the benchmark, 32 byte", "deadbe0f"
_CLIPS, _KEYS = 20, 1000
_FPS = Fraction(25)
_DEMANDED = {"crf 18": 1.0, "crf 23": 1.0, "crf 28": 0.95, "0.75 resize, crf 23": 0.95, "10 % crop, crf 23": 0.95}
_LEAST_PSNR_DB = 40.0
_ZOOMS = (1.0, 0.8, 0.65)


def clips(scene: Scene, count: int) -> Iterator[list[np.ndarray]]:
    """Yield clips of four seconds at 512 px: of every film another part, mirrored, nearer or darker each time."""
    films = [actor_clip_path(), *(sorted(scene.clips.glob("*.mp4")) if scene.clips else [])]
    for number in range(count):
        source = open_clip(films[number % len(films)])
        variant = number // len(films)
        last = source.clip.frame_count - FRAME_COUNT
        start = last * (variant * 5 % 7) // 7
        yield [_varied(frame, variant) for frame in source.iterate(start, start + FRAME_COUNT)]


def _varied(frame: np.ndarray, variant: int) -> np.ndarray:
    """Return a frame at 512 px, seen otherwise by each variant."""
    side = int(min(frame.shape[:2]) * _ZOOMS[variant % len(_ZOOMS)])
    top, left = ((length - side) // 2 for length in frame.shape[:2])
    seen = frame[top : top + side, left : left + side]
    shown = cv2.resize(seen, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    shown = cv2.flip(shown, 1) if variant % 2 else shown
    return cv2.convertScaleAbs(shown, alpha=(1.0, 0.75, 0.55)[variant // 2 % 3])


def in_matte(mark: Mark, frame: np.ndarray) -> np.ndarray:
    """Return a frame with the mark in a soft ellipse over a quarter of it, as in a composed plate."""
    row, column = np.mgrid[0 : frame.shape[0], 0 : frame.shape[1]] / SIDE_PX - 0.5
    weight = np.clip(3 * (1.1 - np.hypot(column / 0.23, row / 0.31)), 0.0, 1.0).astype(np.float32)
    face = mark.on(frame.astype(np.float32) / 255.0, weight=weight) * 255.0
    return np.rint(weight[..., None] * face + (1 - weight[..., None]) * frame).astype(np.uint8)


@dataclass
class Tally:
    """What became of the clips.

    Attributes:
        psnr_db: The least of each clip's frames.
        exact: Whether all bits were right, by what was done to the clip.
        in_matte: The same of clips with the mark in a matte alone.
    """

    psnr_db: list[float] = field(default_factory=list)
    exact: dict[str, list[bool]] = field(default_factory=lambda: {name: [] for name in _DEMANDED})
    in_matte: dict[str, list[bool]] = field(default_factory=lambda: {"crf 18": [], "crf 23": [], "crf 28": []})


def survival(scene: Scene) -> Finding:
    """L6."""
    path, tally, mark = scene.new_folder("L6") / "clip.mp4", Tally(), Mark(KEY, ID)
    for frames in clips(scene, scene.clip_count):
        marked = [mark.on_levels(frame) for frame in frames]
        tally.psnr_db.append(min(_psnr_db(one, other) for one, other in zip(frames, marked, strict=True)))
        for name in _DEMANDED:
            reading = _read_after(marked, name, path)
            tally.exact[name].append(reading.id == ID)
        composed = [in_matte(mark, frame) for frame in frames]
        for name in tally.in_matte:
            tally.in_matte[name].append(_read_after(composed, name, path).id == ID)
    measured = {
        "clips": len(tally.psnr_db),
        "least PSNR, dB": round(min(tally.psnr_db), 2),
        "exact": {name: float(np.mean(found)) for name, found in tally.exact.items()},
        "exact in a matte over a quarter": {name: float(np.mean(found)) for name, found in tally.in_matte.items()},
    }
    is_enough = len(tally.psnr_db) >= _CLIPS and min(tally.psnr_db) >= _LEAST_PSNR_DB
    holds = is_enough and all(np.mean(tally.exact[name]) >= share for name, share in _DEMANDED.items())
    return judged(measured, bool(holds), "a share, the PSNR or the number of clips is below what is demanded")


def _psnr_db(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((first.astype(np.float32) - second) ** 2)))


def _read_after(frames: list[np.ndarray], name: str, path: Path) -> MarkReading:
    """Encode frames as the name says and read the mark, with a search where their size or place has changed."""
    if name.startswith("0.75"):
        side = SIDE_PX * 3 // 4
        frames = [cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames]
    if name.startswith("10 %"):
        edge = SIDE_PX // 20
        cut = [frame[edge:-edge, edge:-edge] for frame in frames]
        frames = [cv2.resize(frame, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR) for frame in cut]
    return read_mark(residue_of(encoded(frames, path, int(name[-2:]))), KEY, is_searching="crf" != name[:3])


def encoded(frames: list[np.ndarray], path: Path, crf: int) -> Iterator[np.ndarray]:
    """Yield what is left of frames after H.264."""
    encode_movie(path, frames, fps=_FPS, options=EncodeOptions(crf=crf))
    return open_clip(path).iterate()


def false_alarms(scene: Scene) -> Finding:
    """L7."""
    path = scene.new_folder("L7") / "clip.mp4"
    counts = {"plain": 0, "search": 0}
    largest = {"plain": 0.0, "search": 0.0}
    keys = [number.to_bytes(32, "big") for number in range(scene.key_count)]
    for number, frames in enumerate(clips(scene, 2)):
        shown = frames if number == 0 else [Mark(KEY, ID).on_levels(frame) for frame in frames]
        residue = residue_of(encoded(shown, path, 23))
        tiles = list(scaled_tiles(residue))
        for key in keys:
            plain, searched = read_mark(residue, key).z, strongest(tiles, key).z
            largest = {"plain": max(largest["plain"], plain), "search": max(largest["search"], searched)}
            counts["plain"] += plain >= THRESHOLD
            counts["search"] += searched >= THRESHOLD_OF_SEARCH
    measured = {"keys": len(keys), "clips": "one unmarked, one marked with another key", "alarms": counts}
    measured["largest z"] = {name: round(z, 2) for name, z in largest.items()}
    holds = len(keys) >= _KEYS and not any(counts.values())
    return judged(measured, holds, "a false alarm, or fewer than 1,000 keys")


ROWS = (
    Row(
        "L6",
        "watermark at 512 px, 4 s, 20 clips: PSNR 40 dB; 32 bits exact at crf 18 and 23 in 100 %, at crf 28 in 95 %, "
        "after 0.75 resize or 10 % crop and crf 23 in 95 %",
        survival,
    ),
    Row("L7", "1,000 unmarked clips or keys: 0 false alarms at z 6, 7.5 with search", false_alarms),
)
