"""The one writer of outputs. Every picture, sequence and movie gets its final name here, and with it its label.

A file appears under its final name whole, decoded once, labelled and on the disk, or not at all: it is written under
a hidden temporary name in the same folder, checked, and renamed. Frames of a sequence carry their key alone, so that
equal input gives equal bytes; one signed list of their hashes stands beside them. Pictures are PNG of 8 bit, layers
OpenEXR of halves and floats.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file, write_atomically, write_bytes_atomically
from dvp_core.passes.exr_header import read_exr_header
from dvp_core.passes.exr_writing import encode_exr
from dvp_core.trust.c2pa_files import C2paError, is_embeddable, read_manifest, sidecar_of, sign_beside, sign_embedded
from dvp_core.trust.frame_list import FrameList, list_path, listed_frame
from dvp_core.trust.keys import SigningKeys, signing_keys
from dvp_core.trust.label import Label
from dvp_core.trust.ledger import OutputKind, enter
from dvp_core.video import EncodeOptions, PlateSound, encode_movie, read_image, read_png_text, write_png

FRAME_KEY = "dvp-frame-key"


def publish_frame(path: Path | str, image: np.ndarray, *, key: str) -> None:
    """Publish one frame of a sequence as a PNG that carries its key; equal input gives equal bytes.

    Args:
        path: Final name, ending in `.png`.
        image: sRGB-encoded RGB, shape (height, width, 3), uint8.
        key: Hash of everything the frame was made from.

    Raises:
        DataError: Not a PNG's name, not a picture, or the disk is full.
    """
    _check_png(Path(path))
    write_atomically(path, lambda temporary: _write_checked_png(temporary, image, key))


def publish_layers(path: Path | str, layers: Mapping[str, np.ndarray], *, key: str) -> None:
    """Publish one frame of a sequence as a layered OpenEXR file that carries its key; equal input gives equal bytes.

    Args:
        path: Final name, ending in `.exr`.
        layers: (height, width) or (height, width, 3) each, float16 or float32. "final" becomes the picture itself
            (`R`, `G`, `B`), every other one a layer of its name; of three channels halves are `R`, `G`, `B`, floats
            `X`, `Y`, `Z`; of one channel halves are `A`, floats `Z`.
        key: Hash of everything the frame was made from.

    Raises:
        DataError: Not an OpenEXR file's name, or the disk is full.
    """
    if Path(path).suffix.lower() != ".exr":
        raise DataError(f"layers are written as OpenEXR, not as '{Path(path).suffix}'", where=path)
    channels = {name: plane for layer, picture in layers.items() for name, plane in _planes(layer, picture)}
    write_bytes_atomically(path, encode_exr(channels, {FRAME_KEY: key}))


def _planes(layer: str, picture: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and planes of a layer's channels."""
    prefix = "" if layer == "final" else f"{layer}."
    if picture.ndim == 2:
        yield f"{prefix}{'A' if picture.dtype == np.float16 else 'Z'}", picture
        return
    for number, letter in enumerate("RGB" if picture.dtype == np.float16 else "XYZ"):
        yield f"{prefix}{letter}", np.ascontiguousarray(picture[:, :, number])


def read_frame_key(path: Path | str) -> str | None:
    """Return the key that a published frame carries; None where the file is missing, damaged or carries none."""
    try:
        if Path(path).suffix.lower() == ".exr":
            return read_exr_header(path)[0].texts.get(FRAME_KEY)
        return read_png_text(path).get(FRAME_KEY)
    except DataError:
        return None


def _check_png(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise DataError(f"pictures are written as PNG, not as '{path.suffix}'", where=path, remedy="Name it .png")


def _write_checked_png(temporary: Path, image: np.ndarray, key: str | None) -> None:
    write_png(temporary, image, {FRAME_KEY: key} if key else None)
    if not np.array_equal(read_image(temporary), image):
        raise DataError("reads back with other pixels than were written", where=temporary, remedy="Check the disk")


def publish_still(
    path: Path | str, image: np.ndarray, *, label: Label, key: str | None = None, is_kept: bool = True
) -> None:
    """Publish a single picture as a PNG with its label inside.

    Args:
        path: Final name, ending in `.png`.
        image: sRGB-encoded RGB, shape (height, width, 3), uint8.
        label: What is said of it.
        key: Hash of everything it was made from, where it has one.
        is_kept: Whether it stays; a preview that is only looked at has no line in the ledger.

    Raises:
        DataError: Not a PNG's name, not a picture, keys that cannot be used, or the disk is full.
    """
    _check_png(Path(path))
    keys = signing_keys()
    with _working_folder(Path(path)) as folder:
        plain = folder / f"plain{Path(path).suffix.lower()}"
        _write_checked_png(plain, image, key)
        kind: OutputKind | None = "still" if is_kept else None
        write_atomically(path, lambda temporary: _sign_checked(plain, temporary, label, keys, kind))


@dataclass(frozen=True)
class PublishedMovie:
    """What was published.

    Attributes:
        path: Its final name.
        frame_count: How many frames it shows.
        sha256: Hash of the file.
    """

    path: Path
    frame_count: int
    sha256: str


def publish_movie(
    path: Path | str,
    frames: Iterable[np.ndarray],
    *,
    fps: Fraction,
    label: Label,
    options: EncodeOptions | None = None,
    sound: PlateSound | None = None,
    pixel_aspect: Fraction = Fraction(1),
) -> PublishedMovie:
    """Encode, check, label and publish a movie.

    MP4 and MOV hold their label; that of a Matroska file stands beside it as `NAME.mkv.c2pa`.

    Args:
        path: Final name: .mp4, .mov or .mkv.
        frames: sRGB-encoded RGB, each (height, width, 3) uint8, consumed one at a time.
        fps: Exact frame rate.
        label: What is said of it.
        options: Codec and quality.
        sound: The plate's sound.
        pixel_aspect: Width of a shown pixel divided by its height.

    Raises:
        DataError: Nothing to encode, keys that cannot be used, or the disk is full.
    """
    path = Path(path)
    keys = signing_keys()
    with _working_folder(path) as folder:
        plain = folder / f"plain{path.suffix.lower()}"
        frame_count = encode_movie(plain, frames, fps=fps, options=options, sound=sound, pixel_aspect=pixel_aspect)
        if is_embeddable(path):
            write_atomically(path, lambda temporary: _sign_checked(plain, temporary, label, keys, "movie"))
        else:
            _publish_with_sidecar(plain, path, label, keys, "movie")
    return PublishedMovie(path, frame_count, sha256_of_file(path))


@contextmanager
def _working_folder(path: Path) -> Iterator[Path]:
    """Give a hidden folder beside the final name, on the same disk; it goes away with everything in it.

    Raises:
        DataError: The disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.stem}.", suffix=".part", dir=path.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror or error}",
            where=path,
            remedy="Check that the folder may be written and has room, then run the command again",
        ) from error


def _sign_checked(plain: Path, temporary: Path, label: Label, keys: SigningKeys, kind: OutputKind | None) -> None:
    sign_embedded(plain, temporary, label, keys)
    _check_label(temporary, keys, sidecar=None)
    if kind is not None:
        _enter(kind, temporary, label)


def _enter(kind: OutputKind, path: Path, label: Label) -> None:
    enter(
        kind,
        sha256_of_file(path),
        consent_sha256=label.consent_sha256,
        source_type=label.source_type,
        inputs_sha256=label.inputs_sha256,
    )


def _check_label(path: Path, keys: SigningKeys, *, sidecar: Path | None) -> None:
    try:
        report = read_manifest(path, root_pems=[keys.root_pem], sidecar=sidecar)
    except C2paError as error:
        raise DataError(f"its new label cannot be read ({error})", where=path) from error
    if report is None or report.state != "Trusted":
        reasons = ", ".join(code for code, _ in report.failures) if report else "there is none"
        raise DataError(
            f"its new label does not hold ({reasons})",
            where=path,
            remedy="Check the certificates in the folder of the signing keys, and the clock",
        )


def _publish_with_sidecar(plain: Path, path: Path, label: Label, keys: SigningKeys, kind: OutputKind) -> None:
    """Publish a file and its label beside it, in an order that never shows the file without its own label."""
    sidecar = sidecar_of(path)
    named = plain.with_name(path.name)
    plain.rename(named)
    trial = sidecar_of(named)
    trial.write_bytes(sign_beside(named, label, keys))
    _check_label(named, keys, sidecar=trial)
    _enter(kind, named, label)
    path.unlink(missing_ok=True)
    write_bytes_atomically(sidecar, trial.read_bytes())
    write_atomically(path, lambda temporary: _move(named, temporary))


def _move(source: Path, target: Path) -> None:
    source.replace(target)


def publish_frame_list(folder: Path | str, frames: Iterable[Path | str], *, label: Label) -> Path:
    """Publish the signed list of a sequence's frames beside them, and return its path.

    Args:
        folder: The folder of the frames.
        frames: The frames' files, all in that folder, each published before.
        label: What is said of all of them.

    Raises:
        DataError: A frame is missing, damaged or lies elsewhere; or keys that cannot be used.
    """
    folder = Path(folder)
    entries = tuple(listed_frame(folder, Path(frame), key=read_frame_key(frame)) for frame in frames)
    path = list_path(folder)
    content = FrameList(entries, label.source_type, label.consent_sha256).to_bytes()
    keys = signing_keys()
    with _working_folder(path) as working:
        plain = working / "list.json"
        plain.write_bytes(content)
        _publish_with_sidecar(plain, path, label, keys, "frames")
    return path
