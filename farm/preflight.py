"""Refuses a job that cannot succeed when it is submitted, field by field, instead of hours later."""

from __future__ import annotations

from pathlib import Path

from dvp_core.data.errand import AnyJob, Errand
from dvp_core.data.errors import DataError
from dvp_core.data.job import PATH_FIELDS, Job
from dvp_core.pipeline.render_frames import missing_passes
from farm.roots import Roots


def check_job(job: AnyJob, roots: Roots) -> None:
    """Raise `DataError` naming the first field that cannot work here: a path outside its root, a missing input.

    Inputs of a job that waits for others may be made by these, and are not looked for.
    """
    fields = (*job.needed_paths, *job.optional_paths, "output") if isinstance(job, Errand) else PATH_FIELDS
    paths = {field: _resolved(job, field, roots) for field in fields if getattr(job, field) is not None}
    if isinstance(job, Job) and paths["generator"].suffix != ".safetensors":
        raise DataError("is not a *.safetensors file; nothing else is loaded", where="job field 'generator'")
    if job.after:
        return
    if isinstance(job, Job):
        _check_shot(job, paths)
    else:
        _check_inputs(job, paths)


def _check_shot(job: Job, paths: dict[str, Path]) -> None:
    for field in ("generator", "consent"):
        if field in paths and not paths[field].is_file():
            raise DataError(f"names no file ({getattr(job, field)})", where=f"job field '{field}'")
    if "plate" in paths and "#" not in paths["plate"].name and not paths["plate"].exists():
        raise DataError(f"names nothing ({job.plate})", where="job field 'plate'")
    if "unedited" in paths and not paths["unedited"].exists():
        raise DataError(f"names nothing ({job.unedited})", where="job field 'unedited'")
    if not paths["passes"].is_dir():
        raise DataError(f"names no folder ({job.passes})", where="job field 'passes'")
    if missing := missing_passes(paths["passes"], job.frame_range):
        raise DataError(
            f"frame {missing.first} has no passes in {job.passes}",
            where="job field 'frames'",
            remedy="export its passes first, or ask for frames that are there",
        )


def _check_inputs(job: Errand, paths: dict[str, Path]) -> None:
    made = {"output", "passes"}  # a folder of passes is filled where it is not there
    for field, path in paths.items():
        if field not in made and "#" not in path.name and not path.exists():
            raise DataError(f"names nothing ({getattr(job, field)})", where=f"job field '{field}'")


def _resolved(job: AnyJob, field: str, roots: Roots) -> Path:
    try:
        return roots.resolve(getattr(job, field))
    except DataError as error:
        raise DataError(f"{error.what} ({error.where})", where=f"job field '{field}'", remedy=error.remedy) from error
