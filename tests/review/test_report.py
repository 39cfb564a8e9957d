"""The report's page: what stands in it, that nothing comes from elsewhere, and that its curves are the take's."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from dvp_core.data.doubt import Doubt
from dvp_core.data.measurement import Measurement
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import quaternion_wxyz_from_matrix, rotation_from_yaw_pitch_roll
from dvp_core.review import FramePicture, frames_to_show, report_page
from dvp_core.review.curves import Curve, Panel, panels_of
from dvp_core.review.html import element, embedded_picture, page, table
from dvp_core.review.portrait import portraits
from dvp_core.review.svg import panel_svg

EVIL = '<script>alert("x")</script> & co'
VOID = {"meta", "img"}
HEAD = frozenset({"head"})


class Reader(HTMLParser):
    """Collects pictures, and every address that would be fetched; refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.tags, self.open = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)


@pytest.fixture(scope="module")
def measured_take(actor_take):
    """The actor's truth, measured with a shake that smoothing has taken out."""
    random = np.random.default_rng(5)
    count, expressions = actor_take.expression.shape
    measured = Measurement(
        head_rotation_wxyz=actor_take.head_rotation_wxyz,
        head_translation_m=actor_take.head_translation_m + random.normal(0, 0.001, (count, 3)).astype(np.float32),
        expression=actor_take.expression,
        gaze_rad=actor_take.gaze_rad,
        rotation_sigma_rad=np.full((count, 3), 0.01, np.float32),
        translation_sigma_m=np.full((count, 3), 0.001, np.float32),
        expression_sigma=np.full((count, expressions), 0.1, np.float32),
        gaze_sigma_rad=np.full((count, 2, 2), 0.05, np.float32),
    )
    return replace(actor_take, measured=measured, smoothing=0.5)


def doubt_at(take, first, last, severity="bad", reason="the head jumps"):
    start = take.clip.start_frame
    return Doubt(start + first, start + last, "head", reason, severity, "key it")


def test_a_report_is_whole_sound_and_fetches_nothing(measured_take):
    take = replace(measured_take, subject=EVIL, shot_starts=(measured_take.clip.start_frame + 30,))
    doubts = [doubt_at(take, 10, 12, reason=EVIL), doubt_at(take, 50, 50, "note")]
    picture = np.full((40, 60, 3), 200, np.uint8)
    shown = [FramePicture(11, picture, picture, EVIL)]
    text = report_page(take, doubts, shown, {"detector": EVIL})
    assert EVIL not in text
    assert text.count("&lt;script&gt;") >= 5
    reader = Reader(text)
    assert "script" not in reader.tags
    assert reader.tags.count("svg") == len(panels_of(take))
    assert len(reader.sources) == 3
    sizes = []
    for source in reader.sources:
        kind, content = source.split(",", 1)
        assert kind == "data:image/jpeg;base64"
        sizes.append(cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), 1).shape)
    assert sizes[0] == (40, 120, 3)
    assert "3 of 300 frames are doubtful, 3 of them not to be used" in text
    for words in ("focal length", "what to do", "built-in", "none recorded", "key it", "usual deviation of rotation"):
        assert words in text


def test_a_take_without_doubts_or_faces_still_has_a_report(actor_take):
    assert "Nothing doubtful in 300 frames" in report_page(actor_take, [], [], {})
    lost = replace(actor_take, is_tracked=np.zeros(300, np.bool_))
    assert "no frame with a face" in report_page(lost, [], [], {})
    assert frames_to_show(lost, [doubt_at(lost, 10, 20)]) == {lost.clip.start_frame + 15: "the head jumps. key it."}


def test_frames_to_show_are_the_gravest_and_then_errors_far_apart(actor_take):
    errors = np.linspace(1, 2, 300).astype(np.float32)
    errors[105] = 9
    take = replace(actor_take, landmark_error_px=errors)
    first = take.clip.start_frame
    doubts = [doubt_at(take, 3, 3, "note"), doubt_at(take, 100, 110), doubt_at(take, 20, 30, "look")]
    chosen = frames_to_show(take, doubts)
    assert len(chosen) == 6
    assert list(chosen) == sorted(chosen)
    assert {first + 105, first + 30, first + 299} <= set(chosen)
    assert first + 3 not in chosen
    assert np.diff(sorted(chosen)).min() >= 12


def test_panels_show_degrees_and_centimetres_as_they_are(measured_take):
    angles = np.radians([[20.0, -10.0, 5.0]])
    rotation = OPENGL_CAMERA_FROM_CAMERA @ rotation_from_yaw_pitch_roll(*angles[0])
    turned = np.tile(quaternion_wxyz_from_matrix(rotation), (300, 1)).astype(np.float32)
    panels = {panel.title: panel for panel in panels_of(replace(measured_take, head_rotation_wxyz=turned))}
    yaw, pitch, roll = panels["head rotation, degrees"].curves
    assert (yaw.shown[0], pitch.shown[0], roll.shown[0]) == pytest.approx((20, -10, 5), abs=1e-3)
    assert yaw.sigma[0] == pytest.approx(np.degrees(0.01), rel=1e-4)
    away = panels["head translation from its median, cm"].curves[2]
    assert away.shown.max() - away.shown.min() == pytest.approx(
        100 * np.ptp(measured_take.head_translation_m[:, 2]), rel=1e-4
    )
    assert away.measured.std() > 0.05
    liveliest = [title for title in panels if title.startswith("expression")]
    assert len(liveliest) == 6
    spread = measured_take.expression.std(axis=0)
    assert measured_take.expression_names[int(spread.argmax())] in liveliest[0]


def test_a_panel_places_curves_shades_and_cuts(actor_take):
    take = replace(actor_take, shot_starts=(actor_take.clip.start_frame + 150,))
    elsewhere = replace(doubt_at(take, 250, 260), channel="gaze")
    curve = Curve("ramp", np.linspace(0, 1, 300), np.linspace(0, 1, 300), np.full(300, 0.1))
    text = panel_svg(
        Panel("a <b>", (curve,), HEAD), take, [doubt_at(take, 100, 199), doubt_at(take, 0, 9, "note"), elsewhere]
    ).text
    lines = re.findall(r'<polyline points="([^"]+)"', text)
    assert len(lines) == 2
    places = np.array([place.split(",") for place in lines[1].split()], float)
    assert len(places) == 300
    assert (np.diff(places[:, 0]) > 0).all()
    assert (np.diff(places[:, 1]) <= 0).all()  # upwards on the page
    ((left, width),) = re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)"', text)
    assert float(left) == pytest.approx(np.mean(places[99:101, 0]), abs=0.2)
    assert float(left) + float(width) == pytest.approx(np.mean(places[199:201, 0]), abs=0.2)
    (cut,) = re.findall(r'<line x1="([\d.]+)" x2="[\d.]+" y1="\d+" y2="\d+" stroke="#555"', text)
    assert float(cut) == pytest.approx(np.mean(places[149:151, 0]), abs=0.2)
    assert "a &lt;b&gt;" in text
    assert text.count("<polygon") == 1


def test_a_long_take_is_thinned_and_keeps_its_peaks(actor_take):
    count = 18_000
    clip = replace(actor_take.clip, frame_count=count)
    take = replace(actor_take, clip=clip, head_rotation_wxyz=np.tile([1.0, 0, 0, 0], (count, 1)))
    values = np.zeros(count)
    values[12_345] = 1.0
    text = panel_svg(Panel("a peak", (Curve("peak", values),), HEAD), take, []).text
    (line,) = re.findall(r'<polyline points="([^"]+)"', text)
    places = np.array([place.split(",") for place in line.split()], float)
    assert len(places) <= 1500
    peak = places[places[:, 1].argmin()]
    assert peak[1] < 30
    assert peak[0] == pytest.approx(52 + 12_345.5 / count * 1038, abs=0.2)


def test_flat_curves_and_single_frames_are_drawn(actor_take):
    take = replace(
        actor_take,
        clip=replace(actor_take.clip, frame_count=1),
        head_rotation_wxyz=actor_take.head_rotation_wxyz[:1],
        shot_starts=(),
    )
    text = panel_svg(Panel("one", (Curve("one", np.zeros(1)),), HEAD), take, []).text
    assert "nan" not in text
    assert "inf" not in text


def test_portraits_show_each_side_from_its_side(actor_take):
    is_left = (actor_take.face.vertices[:, 0] > 0)[:, None]
    painted = np.where(is_left, [0.8, 0.05, 0.05], [0.05, 0.05, 0.8]).astype(np.float32)
    coloured, plain = portraits(replace(actor_take, reflectance=painted), size_px=120)
    assert coloured.shape == plain.shape == (120, 360, 3)
    shares = []
    for third in np.split(coloured.astype(int), 3, axis=1):
        is_red = third[..., 0] > third[..., 2] + 60
        is_blue = third[..., 2] > third[..., 0] + 60
        shares.append(is_red.sum() / (is_red.sum() + is_blue.sum()))
    assert shares[0] < 0.35 < 0.4 < shares[1] < 0.6 < 0.65 < shares[2]
    assert np.ptp(plain.astype(int), axis=2).max() <= 2


def test_pieces_of_a_page_are_escaped():
    parts = [
        element("p", EVIL, kind='"bad'),
        table([(EVIL, EVIL)], head=(EVIL, ""), kinds=[EVIL], are_numbers=True),
        embedded_picture(np.zeros((2, 2, 3), np.uint8), EVIL),
    ]
    text = page(EVIL, parts)
    assert "<script" not in text
    Reader(text)
