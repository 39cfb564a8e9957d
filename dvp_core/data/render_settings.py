"""How a shot's frames are computed, as far as it decides their last bits. File form `render.json`, beside the frames.

Convolutions add up in another order for another batch size, thread count or precision. So these are chosen once for
a folder of frames, and whoever renders into it later, on this machine or on a farm, obeys.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, sync_to_disk, write_bytes_atomically

FILE_NAME = "render.json"
SCHEMA_VERSION = 1
Precision = Literal[
    "float32",  # any processor
    "bfloat16",  # graphics cards, and processors that multiply it in hardware
]
_LIMITS = {"batch_size": (1, 8), "threads": (1, 256)}
"""A farm ends a worker that says nothing for ten times a frame, and a batch is said at once."""


@dataclass(frozen=True)
class RenderWishes:
    """Settings that somebody asks for; None leaves a setting to the table or to what stands in the folder."""

    batch_size: int | None = None
    threads: int | None = None
    precision: Precision | None = None


@dataclass(frozen=True)
class RenderSettings:
    """What stays fixed for a folder of frames. The defaults are the reference: a frame at a time on one thread.

    Attributes:
        batch_size: Frames a call of the network paints; the last call is filled up to it.
        threads: Threads on a processor.
        precision: What convolutions compute in.
    """

    batch_size: int = 1
    threads: int = 1
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise DataError(f"is {value!r}, expected {low} to {high}", where=f"render setting '{name}'")
        if self.precision not in get_args(Precision):
            allowed = " or ".join(get_args(Precision))
            raise DataError(f"is {self.precision!r}, expected {allowed}", where="render setting 'precision'")

    def changed_by(self, wishes: RenderWishes) -> RenderSettings:
        """Return the settings with what is wished for in the place of its own."""
        given: dict[str, Any] = {name: wish for name, wish in asdict(wishes).items() if wish is not None}
        return replace(self, **given)


def read_render_settings(folder: Path | str) -> RenderSettings | None:
    """Return what a folder of frames is rendered with, None where nothing was rendered into it yet.

    Raises:
        DataError: The file is damaged or of another version.
    """
    path = Path(folder) / FILE_NAME
    if not path.exists():
        return None
    content = read_json(path)
    known = {item.name for item in fields(RenderSettings)} | {"schema_version"}
    if not isinstance(content, dict) or set(content) != known or content.pop("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"holds no render settings of version {SCHEMA_VERSION}",
            where=path,
            remedy="Render into an empty folder",
        )
    return RenderSettings(**content)


def claim_render_settings(folder: Path | str, settings: RenderSettings) -> RenderSettings:
    """Write settings beside frames unless another process was faster; return those that stand.

    Raises:
        DataError: The folder cannot be written, or what stands there is damaged.
    """
    target = Path(folder) / FILE_NAME
    content = canonical_json(asdict(settings) | {"schema_version": SCHEMA_VERSION})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".render.", dir=target.parent) as private:
            draft = Path(private) / FILE_NAME
            write_bytes_atomically(draft, content)
            _publish_once(draft, target)
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror or error}", where=target, remedy="Check the folder and its free space"
        ) from error
    standing = read_render_settings(folder)
    if standing is None:
        raise DataError("was removed while frames are rendered", where=target, remedy="Run the command again")
    return standing


def _publish_once(draft: Path, target: Path) -> None:
    """Give a whole file its name, unless that is taken: by a hard link, in one step, on network shares too.

    A file system without hard links gets the content into a file that only one process can have created.
    """
    try:
        os.link(draft, target)
    except FileExistsError:
        return
    except OSError:
        _write_once(target, draft.read_bytes())


def _write_once(target: Path, content: bytes) -> None:
    try:
        with target.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        return
    sync_to_disk(target)
