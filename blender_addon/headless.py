# SPDX-License-Identifier: GPL-3.0-or-later
"""The animator's work without an animator, in a process of its own: `python -m blender_addon.headless task.json`.

A task names files: `take`, `blend` and `passes` (the last two are written), and where wanted `edit`, `plate`,
`face_model` and `frames`. Progress is told as JSON lines on standard error; the last line on standard output is a JSON
object, with `error` and exit code 1 where something was wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvp_core.data.edit import Edit, read_edit
from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json, write_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress

_REQUIRED = {"take", "blend", "passes"}
_OPTIONAL = {"edit", "plate", "face_model", "frames"}


def edit_and_export(
    take: Path | str,
    edit: Edit | None,
    blend_path: Path | str,
    passes_folder: Path | str,
    *,
    plate: Path | str | None = None,
    face_model: Path | str | None = None,
    frames: FrameRange | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Import a take into a new file, key an edit over it, save it and export its passes.

    Args:
        take: The `*.take`.
        edit: Changes, keyed in the animator's layer; None leaves the performance alone.
        blend_path: The `.blend` to write.
        passes_folder: Folder for `passes.####.exr`.
        plate: The clip; None looks beside the take.
        face_model: For takes that must not carry their face.
        frames: Plate frames; None exports the whole take.
        progress: Told after every frame.

    Returns:
        Paths and counts of what was made.

    Raises:
        DataError: Any of the files is missing or wrong, or cannot be written.
    """
    import bpy

    from .passes.exporting import export_passes
    from .rig.importing import import_take
    from .rig.keys import apply_edit_as_keys

    with _addon():
        bpy.ops.wm.read_homefile(use_empty=True)
        imported = import_take(take, context=bpy.context, plate_path=plate, face_model_path=face_model)
        if edit is not None:
            apply_edit_as_keys(imported.rig, edit)
        scene = bpy.context.scene
        scene.dvp.passes_folder = str(Path(passes_folder).absolute())
        write_atomically(blend_path, lambda temporary: _save_blend(temporary))
        files = export_passes(scene, Path(passes_folder).absolute(), frames, progress=progress)
    return {
        "blend": str(blend_path),
        "passes": str(passes_folder),
        "frames": str(FrameRange.of(int(file.stem.split(".")[-1]) for file in files)),
        "frame_count": len(files),
        "plate": None if imported.plate is None else str(imported.plate),
    }


def _save_blend(path: Path) -> None:
    import bpy

    # Blender keeps no backup of a file that is not there, so the empty one made to reserve the name goes first.
    path.unlink()
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, check_existing=False, copy=True)


@contextmanager
def _addon() -> Iterator[None]:
    """Have the add-on registered, and take it out again where this brought it in."""
    import bpy

    from . import register, unregister

    if hasattr(bpy.types.Scene, "dvp"):
        yield
        return
    register()
    try:
        yield
    finally:
        unregister()


def main(arguments: Sequence[str]) -> int:
    """Run the task file named and return the exit code."""
    try:
        if len(arguments) != 1:
            raise DataError("one task file is expected", where="blender_addon.headless")
        result = _run_task(read_json(arguments[0]), Path(arguments[0]))
    except DataError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def _run_task(task: Any, where: Path) -> dict[str, Any]:
    checked = _checked(task, where)
    edit, frames = checked.get("edit"), checked.get("frames")
    return edit_and_export(
        checked["take"],
        None if edit is None else read_edit(edit),
        checked["blend"],
        checked["passes"],
        plate=checked.get("plate"),
        face_model=checked.get("face_model"),
        frames=None if frames is None else FrameRange.parse(frames),
        progress=_tell,
    )


def _checked(task: Any, where: Path) -> Mapping[str, str]:
    """Return the task's fields that say something.

    Raises:
        DataError: A field is missing, unknown or no text.
    """
    if not isinstance(task, dict):
        raise DataError("is no JSON object", where=where)
    said = {name: value for name, value in task.items() if value is not None}
    if missing := sorted(_REQUIRED - set(said)):
        raise DataError(f"lacks '{missing[0]}'", where=where)
    if unknown := sorted(set(said) - _REQUIRED - _OPTIONAL):
        raise DataError(f"has unknown field '{unknown[0]}'", where=where)
    if wrong := sorted(name for name, value in said.items() if not isinstance(value, str)):
        raise DataError(f"'{wrong[0]}' is no text", where=where)
    return said


def _tell(stage: str, done: int, total: int) -> None:
    sys.stderr.write(json.dumps({"stage": stage, "done": done, "total": total}) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
