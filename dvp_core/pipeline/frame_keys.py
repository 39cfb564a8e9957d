"""What a frame's pixels depend on, as one hash, and the frames that stand with theirs. No network is loaded.

A frame's key is the hash of its window of passes, the generator, the code, the device, the settings and its number. So
whoever has the passes and the generator's file can say which frames of a shot would be rendered, before it begins.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, sha256_of_bytes, sha256_of_file
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.generator_header import read_generator_window
from dvp_core.data.passes import PassFrame, PassSource, window_frames
from dvp_core.data.render_settings import RenderSettings, read_render_settings

RENDER_VERSION = 3
"""Raise it whenever equal inputs give other pixels: every frame gets another key then."""


@dataclass(frozen=True)
class FrameRecord:
    """One finished frame.

    Attributes:
        frame: Plate frame number.
        key: Hash of all that the pixels depend on.
        sha256: Hash of the published file.
        seconds: Its share of its batch's time, and its publishing; 0 where the file was already there.
        is_reused: Whether the file was already there with the right key.
    """

    frame: int
    key: str
    sha256: str
    seconds: float
    is_reused: bool


@dataclass(frozen=True)
class CachedPasses:
    """A pass source that keeps the frames read last, so that a frame's key and its window decode no file twice.

    Attributes:
        source: Where frames come from.
        limit: How many frames are kept.
        kept: Those frames, the latest read last.
        hashes: Content hashes of all frames read.
    """

    source: PassSource
    limit: int
    kept: OrderedDict[int, PassFrame] = field(default_factory=OrderedDict)
    hashes: dict[int, str] = field(default_factory=dict)

    @property
    def frames(self) -> FrameRange:
        """The frames that can be read."""
        return self.source.frames

    def read(self, frame: int) -> PassFrame:
        """Return one frame's passes, from memory where it was read lately."""
        if frame not in self.kept:
            self.kept[frame] = self.source.read(frame)
        self.kept.move_to_end(frame)
        while len(self.kept) > self.limit:
            self.kept.popitem(last=False)
        return self.kept[frame]

    def content_sha256(self, frame: int) -> str:
        """Return the hash of one frame's decoded channels."""
        if frame not in self.hashes:
            self.hashes[frame] = self.read(frame).content_sha256
        return self.hashes[frame]


@dataclass(frozen=True)
class FrameKeys:
    """The keys of a shot's frames.

    Attributes:
        passes: Where frames' passes come from.
        window: How many of them the generator looks at.
        generator_sha256: Hash of its file.
        device: "cpu" or "cuda".
        settings: Those of the frames' folder.
    """

    passes: CachedPasses
    window: int
    generator_sha256: str
    device: str
    settings: RenderSettings

    def key(self, frame: int) -> str:
        """Return the hash of all that the frame's pixels depend on.

        Raises:
            DataError: A frame of the window is missing or damaged.
        """
        window = window_frames(frame, self.passes.frames, self.window)
        content = {
            "window": [self.passes.content_sha256(number) for number in window],
            "generator": self.generator_sha256,
            "render_version": RENDER_VERSION,
            "device": self.device,
            "settings": asdict(self.settings),
            "frame": frame,
        }
        return sha256_of_bytes(canonical_json(content))


def open_frame_keys(
    passes: Path | str, generator: Path | str, *, output: Path | str, device: str = "cpu"
) -> FrameKeys | None:
    """Return the keys that the frames of a folder must carry to be kept; None where none was begun there.

    Args:
        passes: Folder of pass files.
        generator: The `*.safetensors`.
        output: Template of the frames; their settings stand beside them.
        device: "cpu" or "cuda", where they would be rendered.

    Raises:
        DataError: No passes there, no generator, or damaged settings.
    """
    from dvp_core.passes import PassFolder

    settings = read_render_settings(Path(output).parent)
    if settings is None:
        return None
    source = CachedPasses(PassFolder(passes), limit=1)
    return FrameKeys(source, read_generator_window(generator), sha256_of_file(generator), device, settings)


def standing_frame(keys: FrameKeys, frame: int, output: Path | str) -> FrameRecord | None:
    """Return the record of a frame whose file is whole and carries its key, else None.

    Args:
        keys: The shot's.
        frame: Plate frame number.
        output: Template of the files.
    """
    from dvp_core.trust import read_frame_key

    path = frame_path(output, frame)
    if not path.exists():
        return None
    key = keys.key(frame)
    if read_frame_key(path) != key:
        return None
    return FrameRecord(frame, key, sha256_of_file(path), 0.0, is_reused=True)


def frame_path(template: Path | str, frame: int) -> Path:
    """Return the path of one frame: the template's run of `#` replaced by the zero-padded number."""
    folder, name = Path(template).parent, Path(template).name
    runs = re.findall(r"#+", name)
    if len(runs) != 1:
        raise DataError(
            "needs one run of # in its last part for the frame number",
            where=template,
            remedy="write for example frames/frame.####.png",
        )
    return folder / name.replace(runs[0], f"{frame:0{len(runs[0])}d}")
