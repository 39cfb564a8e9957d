"""Passes to frames in this process: `dvp render`. The farm renders the same bytes by the same function."""

from __future__ import annotations

from pathlib import Path

from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.render_settings import RenderWishes
from dvp_core.pipeline.consent import admitted_sha256, work_with_generator
from dvp_core.pipeline.render_frames import FrameRecord, frame_path, open_shot, render_frames
from dvp_core.pipeline.render_settings import settled_settings
from dvp_core.trust import Label, publish_frame_list

STAGE = "render"
FRAME_NAME = "frame.####.png"


def render_shot(
    passes: Path | str,
    generator: Path | str,
    output: Path | str,
    *,
    frames: FrameRange | None = None,
    consent: Path | str | None = None,
    device: str = "cpu",
    wishes: RenderWishes | None = None,
    progress: Progress = no_progress,
) -> list[FrameRecord]:
    """Render frames into a folder as `frame.####.png` with a signed list beside them; finished frames are kept.

    Args:
        passes: Folder of pass files.
        generator: The `*.safetensors`.
        output: Folder of the frames.
        frames: Plate frames to render; all of the passes where not given.
        consent: Consent record, which must allow it; named in the list.
        device: "cpu" or "cuda".
        wishes: Batch size, threads and precision where they are asked for; what stands in the folder goes on else.
        progress: Told after every frame.

    Raises:
        ConsentRefusedError: The record does not allow to render with this generator now.
    """
    hash_of_consent = admitted_sha256(consent, work_with_generator("render", generator))
    settings = settled_settings(output, generator, device=device, wishes=wishes)
    shot = open_shot(passes, generator, device=device, settings=settings)
    wanted = shot.passes.frames if frames is None else frames
    template = Path(output) / FRAME_NAME
    records = []
    progress(STAGE, 0, len(wanted))
    for record in render_frames(shot, wanted.numbers, output=template):
        records.append(record)
        progress(STAGE, len(records), len(wanted))
    label = Label(
        is_plate_kept=False,
        consent_sha256=hash_of_consent,
        inputs_sha256={"generator": shot.generator_sha256},
    )
    publish_frame_list(output, [frame_path(template, record.frame) for record in records], label=label)
    return sorted(records, key=lambda record: record.frame)
