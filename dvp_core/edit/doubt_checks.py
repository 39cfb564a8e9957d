"""The checks behind `find_doubts`, one function each: from a take's evidence to the frames that look wrong.

A limit is the clip's own usual times a factor, and never below a floor under which nobody would see the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dvp_core.data.doubt import DoubtChannel, Severity
from dvp_core.edit.channels import is_named
from dvp_core.edit.evidence import Evidence
from dvp_core.edit.limits import GAZE_LIMIT_RAD
from dvp_core.face.expression_names import canonical_name

_NORMAL_OVER_MAD = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
_FAR_DEVIATIONS = 6.0
_ERROR_TIMES_USUAL = 2.0
_SIGMA_TIMES_USUAL = 2.0
_LARGEST_POINT_ERROR = 0.1  # of the distance between the eyes, as the whole clip's median
_JUMP_SIGMAS = 6.0
_HEAD_JUMP_RAD = np.radians(1.5)
_HEAD_SHIFT_PART = 0.006  # of the distance to the camera
_STEP_RAD = np.radians(5.0)
_STEP_TIMES_NEIGHBOURS = 4.0
_EXPRESSION_JUMP = 0.3
_EXPRESSION_JUMP_SIGMAS = 2.5
_USUAL_FPS = 25.0
_GAZE_JUMP_RAD = np.radians(12.0)
_EYES_APART_RAD = np.radians(25.0)
_PINNED = 0.999
_PINNED_S = 0.12
_CLOSED_S = 0.5
_SHORTEST_SHOT_S = 0.5
_LONGEST_BRIDGE_S = 0.2
_FARTHEST_YAW_RAD = np.radians(50.0)
_MOST_NAMES = 3
_GAP_S = 0.1
_BLINK_S = 0.5


@dataclass(frozen=True)
class Finding:
    """What one check has found in a whole take.

    Attributes:
        is_doubtful: (F,) bool.
        channel: What is doubtful.
        reason: Says of a run of indices what was seen.
        severity: Says of a run of indices how grave it is.
        remedy: What to do.
        least_frames: Shorter runs do not count.
        gap_s: Doubtful frames that lie nearer to each other than this are told as one run.
    """

    is_doubtful: np.ndarray
    channel: DoubtChannel
    reason: Callable[[slice], str]
    severity: Callable[[slice], Severity]
    remedy: str
    least_frames: int = 1
    gap_s: float = _GAP_S


def always(severity: Severity) -> Callable[[slice], Severity]:
    """Return the severity that every run of a finding has."""
    return lambda _run: severity


def unseen(evidence: Evidence) -> list[Finding]:
    """Frames without a face."""
    fps = float(evidence.take.clip.fps)

    def reason(run: slice) -> str:
        return f"no face was found for {(run.stop - run.start) / fps:.2f} s; the numbers are bridged"

    def severity(run: slice) -> Severity:
        return "bad" if run.stop - run.start > _LONGEST_BRIDGE_S * fps else "look"

    remedy = (
        "Key these frames by hand, or leave them out with --frames; "
        "where the face can be seen, give points that cover them with --landmarks"
    )
    return [Finding(~evidence.is_tracked, "face", reason, severity, remedy)]


def large_errors(evidence: Evidence) -> list[Finding]:
    """Frames whose points or colours fit far worse than the clip's usual."""
    take = evidence.take
    points: tuple[DoubtChannel, np.ndarray, str, str] = (
        "points",
        take.landmark_error_px.astype(np.float64),
        "the detector's points miss the face by {0:.1f} px, {1:.1f} times the usual",
        "Look whether the detector slipped (a hand, a profile, motion blur); "
        "detect these frames with another --detector, or key the head by hand",
    )
    colours: tuple[DoubtChannel, np.ndarray, str, str] = (
        "picture",
        take.photometric_error.astype(np.float64),
        "the colours differ from the person's by {0:.3f}, {1:.1f} times the usual",
        "Look whether something covers the face or the light changes; key these frames by hand where the mesh is off",
    )
    found = []
    for channel, error, text, remedy in (points, colours):
        usual, limit = _usual_and_limit(error, evidence.is_tracked, _ERROR_TIMES_USUAL)
        found.append(
            Finding(
                evidence.is_tracked & (error > limit),
                channel,
                _peak_text(text, error, usual),
                always("bad"),
                remedy,
            )
        )
    return found


def everywhere_off(evidence: Evidence) -> list[Finding]:
    """A clip in which points and face disagree throughout, so that no frame stands out."""
    take = evidence.take
    if take.face is None or not evidence.is_tracked.any():
        return []
    eye_distance_m = float(np.linalg.norm(take.face.eye_centers[0] - take.face.eye_centers[1]))
    eye_distance_px = eye_distance_m * take.camera.focal_px / np.maximum(evidence.translation_m[:, 2], 1e-6)
    share = float(np.median((take.landmark_error_px / eye_distance_px)[evidence.is_tracked]))
    return [
        Finding(
            np.full(take.frame_count, share > _LARGEST_POINT_ERROR),
            "points",
            lambda _run: f"the points miss the face by {share:.0%} of the distance between the eyes, in the median",
            always("bad"),
            "Check that the points are of this clip, and --lens, --pixel-aspect and --focal-px; try another face model",
        )
    ]


def unsure(evidence: Evidence) -> list[Finding]:
    """Frames whose pose or expression is known far less surely than usual."""
    measured = evidence.measured
    if measured is None:
        return []
    pose = np.concatenate([measured.rotation_sigma_rad, measured.translation_sigma_m], axis=1).astype(np.float64)
    place = _over_usual(pose, evidence.is_tracked).max(axis=1)
    expression = _over_usual(measured.expression_sigma, evidence.is_tracked).mean(axis=1)
    remedy = (
        "Look whether the face is turned away, small or covered; where the mesh trembles, smooth more with `dvp smooth`"
    )

    def finding(channel: DoubtChannel, name: str, sigma: np.ndarray) -> Finding:
        usual, limit = _usual_and_limit(sigma, evidence.is_tracked, _SIGMA_TIMES_USUAL)
        text = _peak_text(f"{name} is known {{1:.1f}} times less surely than usual", sigma, usual)
        return Finding(evidence.is_tracked & (sigma > limit), channel, text, always("look"), remedy)

    return [finding("head", "the head's place", place), finding("expression", "the expression", expression)]


def head_jumps(evidence: Evidence) -> list[Finding]:
    """Single frames, or two, in which the head stands where its neighbours do not."""
    measured = evidence.measured
    turn = np.linalg.norm(evidence.spikes(evidence.turn_rad, width=5), axis=1)
    shift = np.linalg.norm(evidence.spikes(evidence.translation_m, width=5), axis=1)
    turn_limit = np.maximum(_HEAD_JUMP_RAD, evidence.usual_spike(turn))
    depth_m = np.maximum(evidence.translation_m[:, 2], 1e-6)
    shift_limit = np.maximum(_HEAD_SHIFT_PART * depth_m, evidence.usual_spike(shift))
    if measured is not None:
        turn_limit = np.maximum(turn_limit, _JUMP_SIGMAS * np.linalg.norm(measured.rotation_sigma_rad, axis=1))
        shift_limit = np.maximum(shift_limit, _JUMP_SIGMAS * np.linalg.norm(measured.translation_sigma_m, axis=1))

    def reason(run: slice) -> str:
        turned = f"by {np.degrees(turn[run].max()):.1f} degrees" if (turn > turn_limit)[run].any() else ""
        shifted = f"by {100 * shift[run].max():.1f} cm" if (shift > shift_limit)[run].any() else ""
        return f"the head jumps {' and '.join(filter(None, (turned, shifted)))} against the frames beside"

    remedy = (
        "Step through the frames in the overlay; where the plate's head does not jump, delete the key and interpolate"
    )
    return [Finding((turn > turn_limit) | (shift > shift_limit), "head", reason, always("bad"), remedy)]


def head_steps(evidence: Evidence) -> list[Finding]:
    """Frames at which the head turns at once and stays: a cut that was not found, or a face that was confused."""
    step = np.zeros(evidence.take.frame_count)
    for run in evidence.tracked_runs():
        step[run.start + 1 : run.stop] = np.linalg.norm(np.diff(evidence.turn_rad[run], axis=0), axis=1)
    padded = np.pad(step, 2)
    beside = np.max([padded[:-4], padded[1:-3], padded[3:-1], padded[4:]], axis=0)
    is_step = step > np.maximum(_STEP_RAD, _STEP_TIMES_NEIGHBOURS * beside)

    def reason(run: slice) -> str:
        return f"the head turns by {np.degrees(step[run].max()):.1f} degrees from one frame to the next and stays there"

    remedy = (
        "Where the plate is cut here, track the shots apart with --frames; else check which face is followed (--face)"
    )
    return [Finding(is_step, "head", reason, always("bad"), remedy)]


def expression_jumps(evidence: Evidence) -> list[Finding]:
    """Single frames in which expressions stand where neither neighbour does; a blink may be that short."""
    distance = evidence.spikes(evidence.expression, width=3)
    slowness = max(1.0, _USUAL_FPS / float(evidence.take.clip.fps))  # lips that meet last a frame at low rates
    limit = np.maximum(_EXPRESSION_JUMP * slowness, evidence.usual_spike(distance))
    if evidence.measured is not None:
        limit = np.maximum(limit, _EXPRESSION_JUMP_SIGMAS * evidence.measured.expression_sigma)
    is_jumping = (distance > limit) & ~_is_blink(evidence)

    def reason(run: slice) -> str:
        names = _names(evidence, is_jumping[run].any(axis=0))
        return f"for a single frame, by up to {distance[run][is_jumping[run]].max():.2f}, jump: {names}"

    remedy = "Compare with the plate; delete the key and interpolate, or smooth more with `dvp smooth`"
    return [Finding(is_jumping.any(axis=1), "expression", reason, always("look"), remedy)]


def pinned(evidence: Evidence) -> list[Finding]:
    """Expressions that stand at their limit: the person does more than the model can. A closed eye may."""
    may = np.array([is_named(name) for name in evidence.take.expression_names], np.bool_) & ~_is_blink(evidence)
    is_pinned = (evidence.expression >= _PINNED) & may & evidence.is_tracked[:, None]

    def reason(run: slice) -> str:
        return f"at the limit of 1: {_names(evidence, is_pinned[run].any(axis=0))}"

    remedy = (
        "Compare the mesh with the plate there; what is missing can be keyed by other shapes, or try a finer face model"
    )
    least = max(3, evidence.frames_in(_PINNED_S))
    return [Finding(is_pinned.any(axis=1), "expression", reason, always("look"), remedy, least)]


def gaze_jumps(evidence: Evidence) -> list[Finding]:
    """Single frames in which an open eye looks where it looks neither before nor after, which no eye does."""
    flat = evidence.gaze_rad.reshape(len(evidence.gaze_rad), 4)
    distance = evidence.spikes(flat, width=3)
    limit = np.maximum(_GAZE_JUMP_RAD, evidence.usual_spike(distance))
    is_jumping = ((distance > limit) & np.repeat(evidence.is_open, 2, axis=1)).any(axis=1)

    def reason(run: slice) -> str:
        return f"an eye jumps by {np.degrees(distance[run].max()):.0f} degrees for a single frame"

    remedy = "Compare the rays with the plate; delete the gaze's key there and interpolate"
    return [Finding(is_jumping, "gaze", reason, always("look"), remedy)]


def eyes_astray(evidence: Evidence) -> list[Finding]:
    """Frames in which open eyes do not look at one place, or one is turned as far as eyes can be."""
    apart = np.abs(evidence.gaze_rad[:, 0, 0] - evidence.gaze_rad[:, 1, 0])
    is_apart = (apart > _EYES_APART_RAD) & evidence.is_tracked & evidence.is_open.all(axis=1)
    is_far = (np.abs(evidence.gaze_rad) >= 0.999 * GAZE_LIMIT_RAD).any(axis=2) & evidence.is_open
    is_far = is_far.any(axis=1) & evidence.is_tracked & ~is_apart
    least = evidence.frames_in(_PINNED_S)

    def reason(run: slice) -> str:
        return f"the eyes' directions differ by {np.degrees(np.median(apart[run])):.0f} degrees in the median"

    irises = (
        "Key the better eye and copy it to the other; 68 points have no irises and tell little: give MediaPipe's 478"
    )
    shadows = "Compare the rays with the plate: glasses, lashes and shadows pass for an iris"
    text = "an eye is turned as far as the model lets it"
    return [
        Finding(is_apart, "gaze", reason, always("look"), irises, least, _BLINK_S),
        Finding(is_far, "gaze", lambda _run: text, always("look"), shadows, least),
    ]


def closed_eyes(evidence: Evidence) -> list[Finding]:
    """Eyes closed for longer than a blink, whose gaze is taken from their neighbours in time."""
    is_closed = evidence.is_tracked & ~evidence.is_open.all(axis=1)
    text = "an eye is closed or unseen for longer than a blink; it looks where it looks before and after"
    least = evidence.frames_in(_CLOSED_S)
    return [Finding(is_closed, "gaze", lambda _run: text, always("note"), "Nothing, where the eye is closed", least)]


def turned_away(evidence: Evidence) -> list[Finding]:
    """Frames in which the head is turned farther than points and colours can be trusted."""
    yaw = np.abs(evidence.yaw_rad)

    def reason(run: slice) -> str:
        return f"the head is turned away by {np.degrees(yaw[run].max()):.0f} degrees"

    remedy = "Points on the far side are guessed: check the outline against the plate, and key what is off"
    return [Finding(evidence.is_tracked & (yaw > _FARTHEST_YAW_RAD), "head", reason, always("look"), remedy)]


def cuts_and_short_shots(evidence: Evidence) -> list[Finding]:
    """Where shots begin, and shots too short to be tracked and smoothed well."""
    count = evidence.take.frame_count
    is_start, is_short = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for shot in evidence.shots:
        is_start[shot.start] = shot.start > 0
        is_short[shot] = len(evidence.shots) > 1 and shot.stop - shot.start < evidence.frames_in(_SHORTEST_SHOT_S)

    def short_reason(run: slice) -> str:
        return f"a shot of {run.stop - run.start} frames alone"

    return [
        Finding(is_start, "shot", lambda _run: "a new shot begins after a cut", always("note"), "Nothing"),
        Finding(
            is_short,
            "shot",
            short_reason,
            always("look"),
            "Too few frames to tell noise from motion: check each. Without a cut in the plate it was a flash or a blur",
        ),
    ]


CHECKS: tuple[Callable[[Evidence], list[Finding]], ...] = (
    unseen,
    large_errors,
    everywhere_off,
    unsure,
    head_jumps,
    head_steps,
    expression_jumps,
    pinned,
    gaze_jumps,
    eyes_astray,
    closed_eyes,
    turned_away,
    cuts_and_short_shots,
)


def _usual_and_limit(values: np.ndarray, is_tracked: np.ndarray, times: float) -> tuple[float, float]:
    """Return the median (F,) of tracked frames, and the value above which one stands out."""
    seen = values[is_tracked]
    if not len(seen):
        return 0.0, np.inf
    usual = float(np.median(seen))
    spread = _NORMAL_OVER_MAD * float(np.median(np.abs(seen - usual)))
    return usual, max(times * usual, usual + _FAR_DEVIATIONS * spread, 1e-9)


def _over_usual(sigma: np.ndarray, is_tracked: np.ndarray) -> np.ndarray:
    """Return deviations (F, C) as multiples of each channel's median over tracked frames."""
    if not is_tracked.any():
        return np.ones(sigma.shape)
    return sigma / np.median(sigma[is_tracked], axis=0)


def _peak_text(text: str, values: np.ndarray, usual: float) -> Callable[[slice], str]:
    """Return what says a run's largest value, as {0}, and how many times the usual it is, as {1}."""

    def say(run: slice) -> str:
        peak = float(values[run].max())
        return text.format(peak, peak / max(usual, 1e-9))

    return say


def _is_blink(evidence: Evidence) -> np.ndarray:
    """Return (E,) bool, true for the shapes that close an eye."""
    return np.array([canonical_name(name).startswith("eyeBlink") for name in evidence.take.expression_names], np.bool_)


def _names(evidence: Evidence, is_meant: np.ndarray) -> str:
    names = [evidence.take.expression_names[index] for index in np.flatnonzero(is_meant)]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
