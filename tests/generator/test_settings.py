from typing import get_args

import pytest
import torch

from dvp_core.data.errors import DataError
from dvp_core.data.render_settings import RenderSettings
from dvp_core.generator import load_generator, settings
from dvp_core.generator.networks import Preset

CPU = torch.device("cpu")


@pytest.mark.parametrize("has_half", [False, True])
@pytest.mark.parametrize("preset", get_args(Preset))
def test_every_preset_has_settings_for_what_the_device_can(preset, has_half, monkeypatch):
    monkeypatch.setattr(settings, "trains_faster_in_half", lambda device: has_half)
    chosen = settings.settings_for(preset, CPU)
    assert chosen.precision == ("bfloat16" if has_half else "float32")
    assert chosen.threads == torch.get_num_threads()
    settings.check_settings(chosen, CPU)


def test_an_imitated_precision_is_refused(trained, monkeypatch):
    monkeypatch.setattr(settings, "trains_faster_in_half", lambda device: False)
    with pytest.raises(DataError, match="not multiplied in hardware"):
        load_generator(trained.path, device="cpu", settings=RenderSettings(precision="bfloat16"))
