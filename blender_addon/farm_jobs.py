# SPDX-License-Identifier: GPL-3.0-or-later
"""From a scene's settings to a job on the farm. It sends what is declared, and never code.

Artists choose ordinary files. The farm's machines know them under a root's name (`shots:ada/passes`), because the same
folder is called differently on each of them; the preferences say which folder here is which root there.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job, job_to_dict
from dvp_core.data.take import TRACKED_TAKE
from farm.client import FarmClient, FarmError, connect

from . import compat
from .actors import ACTOR, named_for, output_of, passes_folder_of, rig_of_context
from .passes.exporting import frames_to_export
from .preferences import FarmSettings, farm_settings
from .rig.reading import rigs_of_scene

_ROOTED = re.compile(r"([a-z][a-z0-9_-]+):([^/\\].*)", re.DOTALL)
_SHOWN_LOG_LINES = 12
ENDED = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class JobState:
    """What the farm says of a job.

    Attributes:
        job_id: Its id.
        state: The farm's word, such as "active".
        message: A sentence for people.
        progress: Finished share of the frames, 0..1.
        frames_text: Frames done, of how many, and failed, in words.
        seconds_left: As the farm expects; None where it does not know, as before the first frame or without workers.
    """

    job_id: str
    state: str
    message: str
    progress: float
    frames_text: str = ""
    seconds_left: float | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the job will not change by itself any more."""
        return self.state in ENDED


@dataclass(frozen=True)
class LogEntry:
    """One line of a job's log.

    Attributes:
        number: Ascending, of the whole farm.
        frame: Which frame it is about, None where it is about the job.
        at_s: Seconds since 1970.
        text: What was noted; an error's text may have many lines.
    """

    number: int
    frame: int | None
    at_s: float
    text: str

    @property
    def sentence(self) -> str:
        """The last line, which names an error, with the frame before it."""
        lines = self.text.strip().splitlines()
        last = lines[-1] if lines else ""
        return last if self.frame is None else f"frame {self.frame}: {last}"


def farm_client(context: bpy.types.Context) -> FarmClient:
    """Return the client for the farm of the preferences, else of the environment, else of this machine.

    Raises:
        DataError: Blender may not go online, or no farm or token is known.
    """
    if not compat.is_online_allowed():
        raise DataError(
            "may not use the network",
            where="Blender",
            remedy="Switch on 'Allow Online Access' in Preferences > System",
        )
    settings = farm_settings(context)
    if settings.server and settings.token:
        return FarmClient(settings.server, settings.token)
    try:
        found = connect(url=settings.server or None)
    except FarmError as error:
        raise DataError(
            str(error), where="farm", remedy="Or fill in farm and token in the add-on's preferences"
        ) from error
    return FarmClient(found.url, settings.token or found.token)


def make_job(context: bpy.types.Context) -> Job:
    """Return the job that the scene's settings describe, with an id of its own.

    Raises:
        DataError: A field is empty, or a file lies outside the folder that the farm shares.
    """
    scene, farm, rig = context.scene, farm_settings(context), rig_of_context(context)
    settings, options = scene.dvp, scene.dvp_submit
    frames = frames_to_export(scene, FrameRange.parse(settings.frames) if settings.frames.strip() else None, rig=rig)
    paths: dict[str, Any] = {field: _rooted(text, label, farm) for field, label, text in _path_texts(scene, rig)}
    tracked = local_path(context, passes_folder_of(scene, rig))
    if tracked is not None and (tracked / TRACKED_TAKE).is_file():
        paths["unedited"] = f"{paths['passes'].rstrip('/')}/{TRACKED_TAKE}"
    name = named_for(settings.job_name.strip() or _default_name(scene), rig)
    return Job(
        id=_new_id(name),
        name=name,
        frames=str(frames),
        **paths,
        priority=settings.priority,
        chunk_size=options.chunk_size or None,
        is_paused_at_start=options.is_paused_at_start,
        notes=options.notes.strip(),
    )


def submit_job(client: FarmClient, job: Job) -> JobState:
    """Submit a job and return its state.

    Raises:
        DataError: The farm refused it or does not answer.
    """
    return _asked(lambda: client.submit(job_to_dict(job)))


def job_state(client: FarmClient, job_id: str) -> JobState:
    """Return how far a job is.

    Raises:
        DataError: The farm does not know it or does not answer.
    """
    return _asked(lambda: client.job(job_id))


def cancel_job(client: FarmClient, job_id: str) -> JobState:
    """Cancel a job; frames that are done stay.

    Raises:
        DataError: It has ended already, or the farm does not answer.
    """
    return _asked(lambda: client.act(job_id, "cancel"))


def pause_job(client: FarmClient, job_id: str) -> JobState:
    """Pause a job: chunks that run go to their end, no other begins.

    Raises:
        DataError: It is neither queued nor active, or the farm does not answer.
    """
    return _asked(lambda: client.act(job_id, "pause"))


def resume_job(client: FarmClient, job_id: str) -> JobState:
    """Let a paused job go on, or begin where it was submitted paused.

    Raises:
        DataError: It is not paused, or the farm does not answer.
    """
    return _asked(lambda: client.act(job_id, "resume"))


def job_log(client: FarmClient, job_id: str, *, after: int = 0) -> list[LogEntry]:
    """Return what the farm noted of a job since the line numbered `after`: failures, and what users asked for.

    Raises:
        DataError: The farm does not know the job or does not answer.
    """
    entries: list[LogEntry] = []
    try:
        while lines := client.logs(job_id, after=after):
            entries += [LogEntry(int(line["id"]), line["frame"], line["at_s"], str(line["text"])) for line in lines]
            after = entries[-1].number
    except FarmError as error:
        raise DataError(str(error), where="farm") from error
    return entries


def wait_for_job(client: FarmClient, job_id: str, *, interval_s: float = 1.0) -> JobState:
    """Return a job's state when it has ended; for scripts, since it blocks."""
    while not (state := job_state(client, job_id)).is_ended:
        time.sleep(interval_s)
    return state


def remember_job(scene: bpy.types.Scene, job: Job, rig: bpy.types.Object) -> None:
    """Write into the scene which job was submitted last, of which rig, and where its frames will be."""
    scene.dvp.job_id, scene.dvp.job_state, scene.dvp.job_progress = job.id, "submitting", 0.0
    scene.dvp_submit.log.clear()
    scene.dvp_submit.submitted_rig = rig
    scene.dvp_submit.submitted_output, scene.dvp_submit.submitted_frames = job.output, job.frames


def show_job_state(scene: bpy.types.Scene, state: JobState) -> None:
    """Write a job's state where the panels read it."""
    scene.dvp.job_id = state.job_id
    scene.dvp.job_state = f"{state.state}: {state.message}" if state.message else state.state
    scene.dvp.job_progress = state.progress
    scene.dvp_submit.frames_text = state.frames_text
    scene.dvp_submit.seconds_left = -1.0 if state.seconds_left is None else state.seconds_left


def show_log(scene: bpy.types.Scene, entries: Sequence[LogEntry]) -> None:
    """Add lines to those that the panels show, of which the last few stay."""
    log = scene.dvp_submit.log
    for entry in entries:
        log.add().text = entry.sentence
    while len(log) > _SHOWN_LOG_LINES:
        log.remove(0)


def write_log(scene: bpy.types.Scene, client: FarmClient) -> bpy.types.Text:
    """Return a Text data-block with the whole log of the scene's job, written anew.

    Raises:
        DataError: The farm does not know the job or does not answer.
    """
    job_id = scene.dvp.job_id
    entries = job_log(client, job_id)
    name = f"Farm log {job_id}"
    text = bpy.data.texts.get(name) or bpy.data.texts.new(name)
    text.clear()
    for entry in entries:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at_s))
        about = "" if entry.frame is None else f"frame {entry.frame}: "
        text.write(f"{moment}  {about}{entry.text.rstrip()}\n")
    return text


def _asked(call: Any) -> JobState:
    try:
        report = call()
    except FarmError as error:
        raise DataError(str(error), where="farm") from error
    total, counts = int(report["frame_count"]), report["frames"]
    done, failed = int(counts.get("completed", 0)), int(counts.get("failed", 0))
    return JobState(
        job_id=str(report["id"]),
        state=str(report["state"]),
        message=str(report.get("message") or ""),
        progress=done / max(1, total),
        frames_text=f"{done} of {total} frames" + (f", {failed} failed" if failed else ""),
        seconds_left=report.get("seconds_left"),
    )


def preview_paths(context: bpy.types.Context, rig: bpy.types.Object) -> tuple[str, str | None]:
    """Return a rig's generator and consent record as the farm names them; None where the scene names no record.

    Raises:
        DataError: No generator is named, or a file lies outside the folder that the farm shares.
    """
    settings, farm = context.scene.dvp, farm_settings(context)
    consent = _rooted(named_for(settings.consent, rig), "Consent", farm) if settings.consent.strip() else None
    return _rooted(named_for(settings.generator, rig), "Generator", farm), consent


def path_errors(context: bpy.types.Context, rig: bpy.types.Object | None) -> list[DataError]:
    """Return what is wrong with a rig's job's fields: empty ones, and files outside the folder that the farm shares."""
    farm = farm_settings(context)
    errors: list[DataError] = []
    paths: dict[str, Any] = {}
    for field, label, text in _path_texts(context.scene, rig):
        try:
            paths[field] = _rooted(text, label, farm)
        except DataError as error:
            errors.append(error)
    try:
        if not errors:
            Job(id="check", name="check", frames="1", **paths)
    except DataError as error:
        errors.append(error)
    return errors


def _path_texts(scene: bpy.types.Scene, rig: bpy.types.Object | None) -> list[tuple[str, str, str]]:
    """Return field, label and text of the paths that a rig's job has."""
    settings = scene.dvp
    needed = [("passes", "Passes", passes_folder_of(scene, rig))]
    needed.append(("generator", "Generator", named_for(settings.generator, rig)))
    needed.append(("output", "Output", output_of(scene, rig)))
    optional = [("plate", "Plate", settings.plate), ("consent", "Consent", settings.consent)]
    return needed + [(field, label, named_for(text, rig)) for field, label, text in optional if text]


def local_path(context: bpy.types.Context, text: str) -> Path | None:
    """Return where a job's path lies on this machine; None for an empty field and for roots of the farm's own."""
    if not text.strip():
        return None
    rooted, farm = _ROOTED.fullmatch(text), farm_settings(context)
    if rooted is None:
        return Path(bpy.path.abspath(text)).absolute()
    is_shared = bool(farm.root_folder) and rooted[1] == farm.root_name
    return Path(farm.root_folder).absolute() / rooted[2] if is_shared else None


def _rooted(text: str, label: str, farm: FarmSettings) -> str:
    """Return `root:relative` of a path under the shared folder; what is written so already stays."""
    if not text.strip():
        raise DataError("is empty", where=label, remedy="Choose a file in the farm panel")
    if _ROOTED.fullmatch(text):
        return text
    path = Path(bpy.path.abspath(text)).absolute()
    if not farm.root_folder:
        raise DataError(
            "no folder is shared with the farm",
            where=label,
            remedy="Name one in the add-on's preferences, or write the path as root:path",
        )
    shared = Path(farm.root_folder).absolute()
    if not path.is_relative_to(shared):
        raise DataError(
            f"'{path}' lies outside the folder shared with the farm ({shared})",
            where=label,
            remedy="Move it there, or write the path as root:path",
        )
    return f"{farm.root_name}:{path.relative_to(shared).as_posix()}"


def _default_name(scene: bpy.types.Scene) -> str:
    """Return the file's name, with the actor's where there are several."""
    name = PurePath(bpy.data.filepath).stem or "Untitled shot"
    return name if len(rigs_of_scene(scene)) < 2 else f"{name} {ACTOR}"


def _new_id(name: str) -> str:
    """Return a job id that people recognise and nobody else has."""
    letters = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "shot"
    return f"{letters}-{secrets.token_hex(4)}"
