"""The settings a folder of frames is rendered with: chosen by whoever comes first, obeyed by all that follow."""

from __future__ import annotations

from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.render_settings import (
    FILE_NAME,
    RenderSettings,
    RenderWishes,
    claim_render_settings,
    read_render_settings,
)


def settled_settings(
    folder: Path | str, generator: Path | str, *, device: str = "cpu", wishes: RenderWishes | None = None
) -> RenderSettings:
    """Return the settings for a folder of frames; where none stand there, choose them and write them down.

    Args:
        folder: Where the frames go.
        generator: The `*.safetensors`; its preset decides where nobody asks for anything.
        device: "cpu" or "cuda".
        wishes: What is asked for.

    Raises:
        DataError: Other settings are asked for than the folder was begun with, or such as the device cannot follow.
    """
    wishes = RenderWishes() if wishes is None else wishes
    standing = read_render_settings(folder)
    if standing is None:
        standing = claim_render_settings(folder, _chosen(generator, device, wishes))
    if standing.changed_by(wishes) != standing:
        raise DataError(
            f"was begun with {standing}, which differs from what is asked for",
            where=Path(folder) / FILE_NAME,
            remedy="Leave the options away to go on, or render into another folder",
        )
    return standing


def _chosen(generator: Path | str, device: str, wishes: RenderWishes) -> RenderSettings:
    from dvp_core.generator.checkpoint import read_facts
    from dvp_core.generator.devices import chosen_device
    from dvp_core.generator.settings import check_settings, settings_for

    where = chosen_device(device)
    settings = settings_for(read_facts(generator).preset, where).changed_by(wishes)
    check_settings(settings, where)
    return settings
