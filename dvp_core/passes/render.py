"""Draws the conditioning images of one frame, or of a whole take.

`render_pass_frame` is the one function that draws passes: the command line, the farm and Blender's render engine all
call it, so that the button, the script and the farm give the same pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.passes import PassFrame
from dvp_core.data.take import Take
from dvp_core.face.posing import pose_vertices
from dvp_core.passes.color import color_image
from dvp_core.passes.correspondence import correspondence_image
from dvp_core.passes.depth import depth_image
from dvp_core.passes.gaze import gaze_image
from dvp_core.passes.mask import mask_image
from dvp_core.passes.surface import see_surface
from dvp_core.raster import Backend


def render_pass_frame(
    face: FaceModel,
    vertices_camera: np.ndarray,
    camera: Camera,
    *,
    illumination_sh: np.ndarray,
    reflectance: np.ndarray,
    frame: int,
    crop: Crop,
    take_sha256: str,
    face_model_sha256: str,
    backend: Backend = "auto",
) -> PassFrame:
    """Return the conditioning images of a posed face: the same bits for the same arguments, in every program.

    The gaze needs no argument: it is in the vertices of the eyeballs.

    Args:
        face: The person's face (identity applied).
        vertices_camera: (V, 3) posed vertices in camera space, metres; worked on as float64.
        camera: Camera of the whole plate.
        illumination_sh: (9, 3) light, see `maths/spherical_harmonics.py`.
        reflectance: (V, 3) linear.
        frame: Plate frame number.
        crop: The square of the plate to draw.
        take_sha256: Hash of the take it comes from.
        face_model_sha256: Hash of the take's face model.
        backend: Which version of the rasteriser draws; "reference" and "compiled" give the same bits.
    """
    vertices = np.asarray(vertices_camera, dtype=np.float64)
    surface = see_surface(vertices, face.triangles, crop.crop_camera(camera), backend=backend)
    return PassFrame(
        frame=frame,
        color=color_image(surface, face, vertices, reflectance, illumination_sh),
        corr=correspondence_image(surface, face.correspondence),
        gaze=gaze_image(surface, face),
        mask=mask_image(surface),
        depth=depth_image(surface),
        crop=crop,
        take_sha256=take_sha256,
        face_model_sha256=face_model_sha256,
    )


def render_passes(
    take: Take,
    *,
    face: FaceModel | None = None,
    frames: Iterable[int] | None = None,
    backend: Backend = "auto",
) -> Iterator[PassFrame]:
    """Yield the passes of a take, frame by frame, so that a long take needs no more memory than a short one.

    Args:
        take: The performance.
        face: The model it was tracked with, where the take carries no face of its own.
        frames: Plate frame numbers; all of the take where None.
        backend: Which version of the rasteriser draws.

    Raises:
        DataError: The take's face is missing or another one, or a frame lies outside the take.
    """
    whole = with_face(take, face)
    assert whole.face is not None
    take_sha256 = take.sha256
    for frame in take.frames if frames is None else frames:
        index = take.index_of(frame)
        yield render_pass_frame(
            whole.face,
            pose_vertices(whole, index),
            take.camera,
            illumination_sh=take.illumination_sh[index],
            reflectance=take.reflectance,
            frame=frame,
            crop=take.crop,
            take_sha256=take_sha256,
            face_model_sha256=take.face_model_sha256,
            backend=backend,
        )


def with_face(take: Take, face: FaceModel | None) -> Take:
    """Return the take with its own face, or with `face` made into it.

    Raises:
        DataError: The take carries no face and `face` is missing or not the model it was tracked with.
    """
    if take.face is not None:
        return take
    if face is None:
        raise DataError(
            f"carries no face: its model '{take.face_model_id}' may not be passed on",
            where="take",
            remedy="Give the model with --face-model or put it into the model folder",
        )
    if face.sha256 != take.face_model_sha256:
        raise DataError(
            f"was tracked with '{take.face_model_id}' {take.face_model_sha256[:12]}, "
            f"the model given is '{face.id}' {face.sha256[:12]}",
            where="take",
            remedy="Give the model that the take was tracked with, or track the clip again",
        )
    return replace(take, face=face.baked(take.identity))
