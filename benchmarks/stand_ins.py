"""Pictures as a generator might paint them, made by bending the plate: cheap, photoreal, and right by construction.

Every pixel of the edited head is fetched from where the tracked head has it in the plate; what the plate hides (the
open mouth's inside) is drawn by the renderer. Then the picture is spoiled a little, as generators do: softer, with
noise of its own, colours that drift, and a compression.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dvp_core.compose import crop_plate
from dvp_core.data.clip import FrameSource
from dvp_core.data.take import Take
from dvp_core.face import pose_vertices
from dvp_core.maths.colour import srgb_encode
from dvp_core.maths.projection import project
from dvp_core.passes import RenderedPasses
from dvp_core.passes.surface import see_surface

INSIDE = ("mouth_socket", "gums", "teeth", "tongue")
_SPREAD = 0.06  # of the crop: how softly motion fades around the head


@dataclass(frozen=True)
class Spoiling:
    """How far a stand-in is from perfect.

    Attributes:
        blur_px: Standard deviation of the blur.
        noise: Standard deviation of the noise, levels of 255.
        drift: Standard deviation of the colours' slow drift, levels.
        quality: JPEG's.
    """

    blur_px: float = 0.7
    noise: float = 2.0
    drift: float = 1.0
    quality: int = 88


def bent_pictures(take: Take, edited: Take, source: FrameSource, indices: np.ndarray) -> np.ndarray:
    """Return the plate's crops bent from the tracked to the edited performance, (T, R, R, 3) uint8."""
    passes = RenderedPasses(edited)
    pictures = []
    for index in indices.tolist():
        plate = crop_plate(source.read(index), take.crop)
        pictures.append(_bent(take, edited, index, plate, passes.read(take.frames.numbers[index]).color))
    return np.array(pictures)


def _bent(take: Take, edited: Take, index: int, plate: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    face = edited.face
    assert face is not None
    size = plate.shape[0]
    camera = take.crop.crop_camera(take.camera)
    before, after = (pose_vertices(performance, index) for performance in (take, edited))
    surface = see_surface(after, face.triangles, camera)
    motion = project(before, camera) - project(after, camera)
    shift = surface.picture(surface.blend(motion))
    is_head = surface.is_covered.astype(np.float32)
    inside = surface.picture(surface.blend(face.region(*INSIDE).astype(np.float64)[:, None]))[..., 0]
    blur = _SPREAD * size
    weight = cv2.GaussianBlur(is_head, (0, 0), blur)
    around = cv2.GaussianBlur(shift, (0, 0), blur) / np.maximum(weight, 1e-6)[..., None]
    fade = np.clip(2 * weight, 0, 1)[..., None]
    shift = np.where(is_head[..., None] > 0, shift, around * fade).astype(np.float32)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    bent = cv2.remap(
        plate, columns + shift[..., 0], rows + shift[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    mouth = cv2.GaussianBlur((inside > 0.5).astype(np.float32), (0, 0), 0.6)[..., None]
    painted = 255 * srgb_encode(np.clip(drawn, 0, 1))
    return np.clip(bent * (1 - mouth) + painted * mouth, 0, 255).astype(np.uint8)


def spoiled(pictures: np.ndarray, random: np.random.Generator, how: Spoiling) -> np.ndarray:
    """Return pictures as an imperfect painter would have them."""
    steps = np.cumsum(random.normal(0, 0.15 * how.drift, (len(pictures), 3)), axis=0)
    offset = random.normal(0, how.drift, 3) + steps - steps.mean(axis=0)
    made = []
    for picture, shift in zip(pictures, offset, strict=True):
        soft = cv2.GaussianBlur(picture, (0, 0), how.blur_px).astype(np.float32)
        noisy = np.clip(soft + shift + random.normal(0, how.noise, picture.shape), 0, 255).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, how.quality])
        made.append(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return np.array(made)
