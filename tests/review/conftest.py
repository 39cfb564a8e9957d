"""The built-in actor's truth as a take, so that what is drawn can be held against a known place."""

import numpy as np
import pytest

from dvp_core.actor import actor_clip_path, actor_truth
from dvp_core.data.camera import Crop
from dvp_core.data.take import Take
from dvp_core.face import built_in_face
from dvp_core.maths.spherical_harmonics import ambient_light
from dvp_core.video import open_clip


@pytest.fixture(scope="session")
def actor_source():
    """The actor's movie."""
    return open_clip(actor_clip_path())


@pytest.fixture(scope="session")
def actor_take(actor_source) -> Take:
    """What was rendered, as a perfect tracker would find it."""
    truth = actor_truth()
    model = built_in_face()
    count = truth.frame_count
    return Take(
        subject="actor",
        clip=actor_source.clip,
        camera=truth.camera,
        crop=Crop(0, 0, 256, 256),
        face=model.baked(truth.identity),
        face_model_id=model.id,
        face_model_sha256=model.sha256,
        expression_names=truth.expression_names,
        identity=truth.identity,
        reflectance=truth.reflectance,
        head_rotation_wxyz=truth.head_rotation_wxyz,
        head_translation_m=truth.head_translation_m,
        expression=truth.expression,
        gaze_rad=truth.gaze_rad,
        illumination_sh=np.tile(ambient_light(0.8), (count, 1, 1)).astype(np.float32),
        is_tracked=np.ones(count, np.bool_),
        landmark_error_px=np.full(count, 0.5, np.float32),
        photometric_error=np.full(count, 0.03, np.float32),
    )
