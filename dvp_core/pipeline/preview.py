"""One window of passes in, the generator's frame out, labelled: the look of a pose before its shot is rendered.

It goes through the function that renders shots, so the pixels are those that `dvp render` gives for the same passes
with a batch of one. Nothing is kept: no folder, no ledger, no key.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame

if TYPE_CHECKING:  # torch and the label's library are loaded by whoever paints, not by a farm head that passes on
    from dvp_core.generator import Generator
    from dvp_core.trust import Label, Work


@dataclass(frozen=True)
class PreviewPainter:
    """A generator that paints one frame at a time, the hash of its file, and what a record of consent must allow."""

    generator: Generator
    generator_sha256: str
    work: Work


@dataclass(frozen=True)
class PreviewPicture:
    """A painted and labelled preview.

    Attributes:
        png: The content of a PNG with its label inside.
        frame: Plate frame number.
        paint_s: Seconds that the network took, its input made ready included.
        label_s: Seconds that signing and checking took.
    """

    png: bytes
    frame: int
    paint_s: float
    label_s: float


@dataclass(frozen=True)
class HeldPasses:
    """Pass frames in memory, consecutive and oldest first; implements `PassSource`."""

    held: tuple[PassFrame, ...]

    @property
    def frames(self) -> FrameRange:
        """The frames that can be read."""
        return FrameRange.span(self.held[0].frame, self.held[-1].frame)

    def read(self, frame: int) -> PassFrame:
        """Return one frame's passes."""
        if frame not in self.frames:
            raise DataError(f"frame {frame} is not among the window's {self.frames}", where="preview")
        return self.held[frame - self.held[0].frame]


def open_preview(generator: Path | str, *, device: str = "cpu") -> PreviewPainter:
    """Return a generator made ready to paint previews: with the settings of its preset on this device, a frame a call.

    Raises:
        DataError: No generator that can be trusted, or no such device.
    """
    from dvp_core.generator import load_generator
    from dvp_core.generator.checkpoint import read_facts
    from dvp_core.generator.devices import chosen_device
    from dvp_core.generator.settings import settings_for
    from dvp_core.pipeline.consent import work_with_generator

    settings = replace(settings_for(read_facts(generator).preset, chosen_device(device)), batch_size=1)
    digest = sha256_of_file(generator)
    loaded = load_generator(generator, device=device, settings=settings)
    return PreviewPainter(loaded, digest, work_with_generator("preview", generator, digest))


def paint_window(painter: PreviewPainter, window: Sequence[PassFrame]) -> np.ndarray:
    """Return the generator's frame (R, R, 3), uint8 sRGB, of a window's last frame.

    Args:
        painter: See `open_preview`.
        window: Consecutive passes, oldest first. The generator looks at the last ones, as many as it takes; where there
            are fewer, the first repeats, as before the first frame of a shot.

    Raises:
        DataError: Empty, or passes of another crop, resolution or face model than the generator's.
    """
    from dvp_core.generator import synthesise

    if not window:
        raise DataError("holds no frame", where="the preview's window")
    frames = FrameRange.of([window[-1].frame])
    ((_, image),) = synthesise(painter.generator, HeldPasses(tuple(window)), frames)
    return image


def make_preview(
    painter: PreviewPainter, window: Sequence[PassFrame], *, consent: Path | str | None = None
) -> PreviewPicture:
    """Return the labelled picture of a window's last frame; see `paint_window`.

    Raises:
        ConsentRefusedError: The record does not allow it.
        DataError: As `paint_window`; or keys that cannot be used.
    """
    from dvp_core.pipeline.consent import admitted_sha256
    from dvp_core.trust import Label

    label = Label(
        is_plate_kept=False,
        consent_sha256=admitted_sha256(consent, painter.work),
        inputs_sha256={"generator": painter.generator_sha256},
    )
    started_s = time.monotonic()
    image = paint_window(painter, window)
    painted_s = time.monotonic()
    png = _labelled(image, label)
    return PreviewPicture(png, window[-1].frame, painted_s - started_s, time.monotonic() - painted_s)


def _labelled(image: np.ndarray, label: Label) -> bytes:
    """Return the bytes of the still that the one writer of outputs makes."""
    from dvp_core.trust import publish_still

    with tempfile.TemporaryDirectory(prefix="dvp-preview-") as folder:
        path = Path(folder) / "preview.png"
        publish_still(path, image, label=label, is_kept=False)
        return path.read_bytes()
