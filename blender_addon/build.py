# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the extension's zip with plain Python, Blender not needed.

The zip holds this package and one pure-Python wheel with what it needs of the project: the light rooms of `dvp_core`,
and the farm's client. Blender unpacks bundled wheels beside its own packages, which is the way its guidelines name for
dependencies; nothing is installed at run time and no import path is changed. Equal sources give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import write_bytes_atomically

_LIGHT_ROOMS = ("data", "maths", "face", "edit", "raster", "passes")
_NOT_FOR_BLENDER = {"cli.py", "build.py"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DISTRIBUTION = "deep_video_portraits_light"


def build_addon(output: Path) -> Path:
    """Write the extension and return its path.

    Args:
        output: The zip to write, or a folder that gets `deep_video_portraits-<version>.zip`.

    Raises:
        DataError: The package's sources are not beside `dvp_core` and `farm`, or the zip cannot be written.
    """
    own = Path(__file__).resolve().parent
    version = _version(own)
    wheel_name = f"{_DISTRIBUTION}-{version}-py3-none-any.whl"
    manifest = (own / "blender_manifest.toml").read_text()
    files = {name: content for name, content in _sources(own) if name not in _NOT_FOR_BLENDER}
    files["blender_manifest.toml"] = _with_wheels(manifest, wheel_name).encode()
    files[f"wheels/{wheel_name}"] = _wheel(version)
    path = output if output.suffix == ".zip" else output / f"deep_video_portraits-{version}.zip"
    write_bytes_atomically(path, _zipped(files))
    return path


def _with_wheels(manifest: str, wheel_name: str) -> str:
    """Return the manifest with its wheel named before the first table, where top-level keys must stand."""
    return manifest.replace("\n[permissions]", f'\nwheels = ["./wheels/{wheel_name}"]\n\n[permissions]', 1)


def _version(own: Path) -> str:
    match = re.search(r'^version = "([^"]+)"', (own / "blender_manifest.toml").read_text(), re.MULTILINE)
    if match is None:
        raise DataError("names no version", where=own / "blender_manifest.toml")
    return match[1]


def _sources(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).as_posix(), path.read_bytes()


def _wheel(version: str) -> bytes:
    """Return a wheel (PEP 427) of the light rooms and the farm's client."""
    import dvp_core
    import farm.client

    core, client = Path(str(dvp_core.__file__)).parent, Path(str(farm.client.__file__))
    files = {"dvp_core/__init__.py": (core / "__init__.py").read_bytes()}
    for room in _LIGHT_ROOMS:
        files |= {f"dvp_core/{room}/{name}": content for name, content in _sources(core / room)}
    files["farm/__init__.py"] = (client.parent / "__init__.py").read_bytes()
    files["farm/client.py"] = client.read_bytes()
    about = f"{_DISTRIBUTION}-{version}.dist-info"
    files[f"{about}/METADATA"] = _metadata(version).encode()
    files[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: dvp\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{about}/RECORD"] = _record(files, f"{about}/RECORD").encode()
    return _zipped(files)


def _metadata(version: str) -> str:
    return (
        f"Metadata-Version: 2.1\nName: {_DISTRIBUTION.replace('_', '-')}\nVersion: {version}\n"
        "Summary: What Deep Video Portraits needs inside Blender\nLicense: Apache-2.0\n"
    )


def _record(files: dict[str, bytes], own_name: str) -> str:
    lines = []
    for name, content in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own_name},,"]) + "\n"


def _zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip whose bytes depend on names and contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()
