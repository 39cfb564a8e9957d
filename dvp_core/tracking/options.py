"""Every number the tracker may be asked to change, with its default: the one place of defaults."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LandmarkOptions:
    """Expected errors of detected points, as parts of the distance between the outer eye corners.

    Attributes:
        sigma: Of a well-defined point.
        jaw_factor: The outline's points are this much worse.
        brow_factor: The brows' points are this much worse.
        opening_factor: Differences of eyelid or lip points are this much better or worse.
        dense_factor: Of the further points of a dense detector, whose errors go together.
        stray_m: Error of each point of a calibrated detector beyond what renders show, in metres.
        offset_m: Expected distance of a detector's point from the model's, in metres.
    """

    sigma: float = 0.015
    jaw_factor: float = 4.0
    brow_factor: float = 2.0
    opening_factor: float = 0.7
    dense_factor: float = 1.5
    stray_m: float = 0.003
    offset_m: float = 0.003


@dataclass(frozen=True)
class PhotometricOptions:
    """The colour term.

    Attributes:
        vertex_count: Vertices compared a frame.
        sigma: Expected error of a colour, linear 0..1.
        weight: Divides the term's energy by the neighbours that repeat each other's evidence.
        round_count: How often the key frames are moved to agree about the reflectance, and it is estimated anew.
        across_px: Height of the face in the picture that is compared.
    """

    vertex_count: int = 900
    sigma: float = 0.03
    weight: float = 1.0
    round_count: int = 1
    across_px: int = 128


@dataclass(frozen=True)
class TextureOptions:
    """Tiles of skin that are tracked by their pattern.

    Lengths in pixels are those of the picture that is compared.

    Attributes:
        across_px: Height of the face in that picture.
        key_tile_count: Tiles by which the key frames are brought to agree.
        tile_count: Tiles followed in every frame, the sharpest of these.
        half_width_px: A tile is twice this and one more pixels wide.
        noise: Expected error of the pattern (natural logarithm of brightness): specks of light, the last of shading.
        redundancy: Neighbouring pixels repeat each other's evidence this often.
        floor_px: Least error of a tile's place.
        least_similarity: Correlation below which a tile is not the one that was looked for.
        farthest_px: How far a tile may lie from where it should.
        least_facing: Cosine of the angle of sight at which a tile is still read.
        least_key_frames: Key frames that must show a tile.
        slide_m: How far a tile may lie from its vertex along the skin: anywhere, else the tiles would hold the shape
            where it stood when they were laid out.
        bulge_m: How far across.
        rim_px: Expected error of the rim.
        identity_sigma: Spread of the identity, in the model's standard deviations, once the skin itself is seen.
        expression_growth: The expressions' spread in the key frames is this much wider then.
        round_count: How often the key frames' tiles are tracked and the key frames moved.
    """

    across_px: int = 128
    key_tile_count: int = 1000
    tile_count: int = 250
    half_width_px: int = 3
    noise: float = 0.05
    redundancy: float = 4.0
    floor_px: float = 0.15
    least_similarity: float = 0.6
    farthest_px: float = 2.5
    least_facing: float = 0.35
    least_key_frames: int = 3
    slide_m: float = 0.1
    bulge_m: float = 0.0007
    rim_px: float = 1.0
    identity_sigma: float = 0.4
    expression_growth: float = 1.4
    round_count: int = 5


@dataclass(frozen=True)
class PriorOptions:
    """What is likely before anything is seen.

    Attributes:
        identity_sigma: In the model's standard deviations; narrow, because a detector's bias repeats in every key frame
            and would else pass for shape.
        expression_sigma: Spread of expressions.
        expression_push: The expressions' prior has its middle this far below zero, so that shapes that undo each other
            (a mouth to the left and to the right) rest at zero.
        eye_look_share: Spread of the lids that follow the gaze, as a part of it.
        numbered_sigma: Spread of modes without names, in the model's standard deviations.
        numbered_reach: How far such a mode may go to either side.
        focal_sigma: Relative spread of the focal length about the usual one.
        usual_focal: Usual focal length over the plate's longer side.
    """

    identity_sigma: float = 0.12
    expression_sigma: float = 0.3
    expression_push: float = 0.15
    eye_look_share: float = 0.15
    numbered_sigma: float = 1.0
    numbered_reach: float = 4.0
    focal_sigma: float = 0.06
    usual_focal: float = 1.8


@dataclass(frozen=True)
class MotionOptions:
    """How far things usually move from one frame to the next at 25 frames/s.

    Attributes:
        rotation_rad: Turn of the head.
        translation_m: Way of the head.
        expression: Change of a named expression.
        numbered: Change of a mode without a name.
    """

    rotation_rad: float = 0.15
    translation_m: float = 0.03
    expression: float = 0.6
    numbered: float = 2.0


@dataclass(frozen=True)
class TrackOptions:
    """How to track a clip.

    Attributes:
        focal_px: Focal length in plate pixels; estimated where None.
        resolution_px: Side of the square that the network sees.
        key_frame_count: Frames from which identity, reflectance and focal length are found.
        landmarks: See there.
        photometric: See there; None leaves colours out.
        texture: See there; None leaves the skin's pattern out, as does a detector that was not calibrated on the model.
        priors: See there.
        motion: See there.
    """

    focal_px: float | None = None
    resolution_px: int = 256
    key_frame_count: int = 14
    landmarks: LandmarkOptions = field(default_factory=LandmarkOptions)
    photometric: PhotometricOptions | None = field(default_factory=PhotometricOptions)
    texture: TextureOptions | None = field(default_factory=TextureOptions)
    priors: PriorOptions = field(default_factory=PriorOptions)
    motion: MotionOptions = field(default_factory=MotionOptions)
