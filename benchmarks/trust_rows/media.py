"""Small pictures, movies and sequences, published as the program publishes them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.trust import Label, publish_frame, publish_frame_list, publish_layers, publish_movie, publish_still

FPS = Fraction(25)
CONSENT = "c" * 64


def picture(index: int = 0, *, height_px: int = 64, width_px: int = 96) -> np.ndarray:
    """Return a smooth picture that differs with its index."""
    row, column = np.mgrid[0:height_px, 0:width_px]
    planes = [row * 3 + index, column * 2, row + column + 9 * index]
    return np.stack([plane % 256 for plane in planes], axis=-1).astype(np.uint8)


def pictures(count: int, *, height_px: int = 64, width_px: int = 96) -> list[np.ndarray]:
    """Return so many pictures."""
    return [picture(index, height_px=height_px, width_px=width_px) for index in range(count)]


def label_with(plate: Path | None) -> Label:
    """Return the label of an output made from a plate."""
    return Label(is_plate_kept=plate is not None, plate=plate, consent_sha256=CONSENT, inputs_sha256={"take": "d" * 64})


def still(folder: Path, *, plate: Path | None = None, name: str = "still.png", index: int = 1) -> Path:
    """Publish a still."""
    publish_still(folder / name, picture(index), label=label_with(plate), key="k")
    return folder / name


def movie(folder: Path, *, plate: Path | None = None, name: str = "movie.mp4", count: int = 6) -> Path:
    """Publish a movie."""
    publish_movie(folder / name, pictures(count), fps=FPS, label=label_with(plate))
    return folder / name


def sequence(folder: Path, *, plate: Path | None = None, suffix: str = ".png", count: int = 4, side: int = 16) -> Path:
    """Publish a sequence into a folder of its own and return that."""
    folder = folder / f"frames{suffix.replace('.', '_')}"
    paths = [folder / f"frame.{number:04d}{suffix}" for number in range(98, 98 + count)]
    for number, path in enumerate(paths):
        shown = picture(number, height_px=side, width_px=side)
        if suffix == ".png":
            publish_frame(path, shown, key=f"key{number}")
        else:
            publish_layers(path, {"final": shown.astype(np.float16)}, key=f"key{number}")
    publish_frame_list(folder, paths, label=label_with(plate))
    return folder


def every_kind(folder: Path, *, plate: Path | None = None) -> dict[str, Path]:
    """Publish an output of every kind and return them by name."""
    makers: dict[str, Callable[[], Path]] = {
        "still": lambda: still(folder, plate=plate),
        "mp4": lambda: movie(folder, plate=plate),
        "mov": lambda: movie(folder, plate=plate, name="movie.mov"),
        "mkv": lambda: movie(folder, plate=plate, name="movie.mkv"),
        "png sequence": lambda: sequence(folder, plate=plate),
        "exr sequence": lambda: sequence(folder, plate=plate, suffix=".exr"),
    }
    return {name: make() for name, make in makers.items()}
