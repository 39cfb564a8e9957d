"""Refuses a job that cannot succeed when it is submitted, field by field, instead of hours later.

Everything that a worker would open is looked at by its header alone: nothing is decoded, loaded or made, so that a
file that was built to take all memory takes none here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvp_core.data.errand import AnyJob, Errand
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.generator_header import SUFFIX, GeneratorInput, read_generator_input
from dvp_core.data.job import PATH_FIELDS, Job
from dvp_core.pipeline.consent import admitted_sha256, work_with_generator
from dvp_core.pipeline.pass_checks import check_passes
from dvp_core.pipeline.render_frames import missing_passes
from farm.roots import Roots

_PINNED = ("generator", "consent")


def check_job(job: AnyJob, roots: Roots) -> None:
    """Refuse a job by the first field that cannot work here.

    Inputs of a job that waits for others may be made by these, and are not looked for.

    Raises:
        DataError: A path outside its root, an input that is missing or of another kind, a generator or consent record
            that is not the one whose hash the job names, passes that the generator cannot paint from.
    """
    try:
        _check(job, roots)
    except OSError as error:
        raise DataError(f"an input cannot be looked at: {error.strerror}", where=error.filename) from error


def _check(job: AnyJob, roots: Roots) -> None:
    names = (*job.needed_paths, *job.optional_paths, "output") if isinstance(job, Errand) else PATH_FIELDS
    paths = {name: _resolved(job, name, roots) for name in names if getattr(job, name) is not None}
    if isinstance(job, Job) and paths["generator"].suffix != SUFFIX:
        raise DataError("is not a *.safetensors file; nothing else is loaded", where="job field 'generator'")
    if job.after:
        return
    if isinstance(job, Job):
        _check_shot(job, paths)
    else:
        _check_inputs(job, paths)


def _check_inputs(job: Errand, paths: dict[str, Path]) -> None:
    made = {"output", "passes"}  # a folder of passes is filled where it is not there
    for name, path in paths.items():
        if name not in made and "#" not in path.name and not path.exists():
            raise DataError(f"names nothing ({getattr(job, name)})", where=f"job field '{name}'")


def _check_shot(job: Job, paths: dict[str, Path]) -> None:
    generator = _checked_generator(job, paths["generator"])
    if "consent" in paths and not paths["consent"].is_file():
        raise DataError(f"names no file ({job.consent})", where="job field 'consent'")
    if "consent" in paths:
        admitted_sha256(paths["consent"], work_with_generator("render", paths["generator"]))
    for name in ("plate", "unedited"):
        if name in paths and "#" not in paths[name].name and not paths[name].exists():
            raise DataError(f"names nothing ({getattr(job, name)})", where=f"job field '{name}'")
    _check_hashes(job, paths)
    _check_passes(job, paths["passes"], generator)


def _checked_generator(job: Job, path: Path) -> GeneratorInput:
    if not path.is_file():
        raise DataError(f"names no file ({job.generator})", where="job field 'generator'")
    with _as_field("generator"):
        return read_generator_input(path)


def _check_hashes(job: Job, paths: dict[str, Path]) -> None:
    for name, expected in job.inputs_sha256.items():
        where = f"job field 'inputs_sha256', '{name}'"
        if name not in _PINNED or name not in paths:
            raise DataError("only a generator and a consent record that the job names can be pinned", where=where)
        if sha256_of_file(paths[name]) != expected:
            raise DataError(f"the {name} is not the one that the job names", where=where, remedy="submit it anew")


def _check_passes(job: Job, path: Path, generator: GeneratorInput) -> None:
    if not path.is_dir():
        raise DataError(f"names no folder ({job.passes})", where="job field 'passes'")
    with _as_field("passes"):
        missing = missing_passes(path, job.frame_range)
    if missing:
        raise DataError(
            f"frame {missing.first} has no passes in {job.passes}",
            where="job field 'frames'",
            remedy="export its passes first, or ask for frames that are there",
        )
    with _as_field("passes"):
        check_passes(path, job.frame_range, generator)


def _resolved(job: AnyJob, name: str, roots: Roots) -> Path:
    with _as_field(name):
        return roots.resolve(getattr(job, name))


@contextmanager
def _as_field(name: str) -> Iterator[None]:
    """Say of what is refused inside the block which field of the job named it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{error.what} ({error.where})", where=f"job field '{name}'", remedy=error.remedy) from error
