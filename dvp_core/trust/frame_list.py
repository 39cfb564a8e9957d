"""The list of a sequence's frames with their hashes, which is signed in place of the frames themselves.

The C2PA library knows no image sequences. A signed list proves each frame, the order and the number of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, sha256_of_file

LIST_NAME = "frames.label.json"
_KIND = "deep-video-portraits frame list"
_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"(\d+)\.[A-Za-z]+$")


@dataclass(frozen=True)
class ListedFrame:
    """One frame of a sequence.

    Attributes:
        frame: The plate's frame number.
        file_name: Name without folders.
        sha256: Hash of the file.
        key: Hash of everything the frame was made from, or None.
    """

    frame: int
    file_name: str
    sha256: str
    key: str | None


@dataclass(frozen=True)
class FrameList:
    """What is said of a sequence.

    Attributes:
        frames: All frames in ascending order.
        source_type: The IPTC's term for how the pictures came about.
        consent_sha256: Hash of the consent record, or None.
    """

    frames: tuple[ListedFrame, ...]
    source_type: str
    consent_sha256: str | None

    def to_bytes(self) -> bytes:
        """Return the file's content; equal lists give equal bytes."""
        ordered = sorted(self.frames, key=lambda entry: entry.frame)
        return canonical_json(
            {
                "kind": _KIND,
                "version": _VERSION,
                "source_type": self.source_type,
                "consent_sha256": self.consent_sha256,
                "frame_count": len(ordered),
                "frames": [
                    {"frame": entry.frame, "file": entry.file_name, "sha256": entry.sha256, "key": entry.key}
                    for entry in ordered
                ],
            }
        )


def list_path(folder: Path) -> Path:
    """Return where a folder's list of frames lies."""
    return folder / LIST_NAME


def listed_frame(folder: Path, path: Path, *, key: str | None) -> ListedFrame:
    """Return the entry of a published frame.

    Raises:
        DataError: It lies in another folder, is missing, or has no number.
    """
    if path.parent.resolve() != folder.resolve():
        raise DataError(f"is not in the folder {folder}", where=path)
    number = _NUMBER.search(path.name)
    if not number:
        raise DataError("has no frame number in its name", where=path, remedy="Name frames like frame.0001.png")
    if not path.is_file():
        raise DataError("is missing", where=path, remedy="Render the frame again")
    return ListedFrame(int(number[1]), path.name, sha256_of_file(path), key)


def read_frame_list(path: Path) -> FrameList:
    """Read a list of frames, checking every field.

    Raises:
        DataError: Not such a list, or one that contradicts itself.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("kind") != _KIND or content.get("version") != _VERSION:
        raise DataError("is no list of frames of this version", where=path)
    entries = content.get("frames")
    if not isinstance(entries, list):
        raise DataError("field 'frames' is no list", where=path)
    frames = tuple(_entry(entry, path) for entry in entries)
    source_type, consent = content.get("source_type"), content.get("consent_sha256")
    if not isinstance(source_type, str) or not (consent is None or isinstance(consent, str)):
        raise DataError("field 'source_type' or 'consent_sha256' is no text", where=path)
    _check_unique(frames, content.get("frame_count"), path)
    return FrameList(frames, source_type, consent)


def _entry(entry: Any, path: Path) -> ListedFrame:
    values = entry if isinstance(entry, dict) else {}
    frame, name, sha256, key = (values.get(field) for field in ("frame", "file", "sha256", "key"))
    if not isinstance(frame, int) or isinstance(frame, bool) or not isinstance(name, str) or not _is_plain(name):
        raise DataError(f"entry {str(entry)[:100]} names no frame or no file in its folder", where=path)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise DataError(f"entry {str(entry)[:100]} has no SHA-256", where=path)
    if not (key is None or isinstance(key, str)):
        raise DataError(f"the key of frame {frame} is no text", where=path)
    return ListedFrame(frame, name, sha256, key)


def _is_plain(name: str) -> bool:
    """Tell whether a name stays in its folder."""
    return name not in ("", ".", "..") and not re.search(r"[/\\\x00:]", name)


def _check_unique(frames: tuple[ListedFrame, ...], frame_count: Any, path: Path) -> None:
    if frame_count != len(frames):
        raise DataError(f"says {frame_count} frames and lists {len(frames)}", where=path)
    names, numbers = {entry.file_name for entry in frames}, {entry.frame for entry in frames}
    if len(names) != len(frames) or len(numbers) != len(frames):
        raise DataError("lists a frame twice", where=path)


def unlisted_frames(folder: Path, frames: FrameList) -> list[Path]:
    """Return the numbered files that are named like the listed frames but are not among them."""
    listed = {entry.file_name for entry in frames.frames}
    patterns = {_NUMBER.sub("", name) + "|" + Path(name).suffix for name in listed}
    numbered = (path for path in sorted(folder.iterdir()) if _NUMBER.search(path.name))
    return [
        path
        for path in numbered
        if path.name not in listed and _NUMBER.sub("", path.name) + "|" + path.suffix in patterns
    ]
