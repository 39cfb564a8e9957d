"""Points, rays, words and borders on a picture, each drawn in place."""

from __future__ import annotations

import cv2
import numpy as np

Colour = tuple[int, int, int]
INK: Colour = (240, 240, 240)
DETECTED: Colour = (80, 255, 90)
MODEL: Colour = (255, 70, 200)
MISS: Colour = (255, 235, 60)
RAYS: tuple[Colour, Colour] = ((255, 170, 40), (90, 170, 255))  # the subject's left eye, right eye
ALARM: Colour = (255, 40, 40)
WARNING: Colour = (255, 190, 40)
_BITS = 4  # places are drawn to sixteenths of a pixel
_FONT = cv2.FONT_HERSHEY_SIMPLEX
LINE_HEIGHT_PX = 17
_TEXT_SCALE = 0.42


def draw_points(picture: np.ndarray, points_px: np.ndarray, colour: Colour, *, radius_px: float) -> None:
    """Draw filled dots at (N, 2) pixels."""
    for x, y in points_px[_is_in_reach(points_px, picture)]:
        cv2.circle(picture, _fixed(x, y), round(radius_px * (1 << _BITS)), colour, -1, cv2.LINE_AA, _BITS)


def draw_segments(picture: np.ndarray, starts_px: np.ndarray, ends_px: np.ndarray, colour: Colour) -> None:
    """Draw lines from (N, 2) to (N, 2) pixels."""
    is_near = _is_in_reach(starts_px, picture) & _is_in_reach(ends_px, picture)
    lines = np.rint((np.stack([starts_px, ends_px], axis=1)[is_near] - 0.5) * (1 << _BITS)).astype(np.int32)
    cv2.polylines(picture, list(lines), False, colour, 1, cv2.LINE_AA, _BITS)


def draw_ray(picture: np.ndarray, start_px: np.ndarray, end_px: np.ndarray, colour: Colour) -> None:
    """Draw a line with a dark rim and a dot at its beginning."""
    if not _is_in_reach(np.stack([start_px, end_px]), picture).all():
        return
    for ink, width in (((0, 0, 0), 4), (colour, 2)):
        cv2.line(picture, _fixed(*start_px), _fixed(*end_px), ink, width, cv2.LINE_AA, _BITS)
    draw_points(picture, start_px[None], colour, radius_px=2.5)


def draw_border(picture: np.ndarray, colour: Colour, *, width_px: int) -> None:
    """Paint the picture's rim."""
    for part in (picture[:width_px], picture[-width_px:], picture[:, :width_px], picture[:, -width_px:]):
        part[:] = colour


def draw_lines_of_text(
    picture: np.ndarray, lines: list[str], *, left_px: int, top_px: int, colour: Colour = INK
) -> None:
    """Write lines of text on a darkened band across the picture."""
    bottom_px = min(top_px + LINE_HEIGHT_PX * len(lines) + 6, len(picture))
    band = picture[top_px:bottom_px]
    band[:] = band // 3
    for number, line in enumerate(lines):
        write(picture, line, (left_px, top_px + LINE_HEIGHT_PX * (number + 1) - 2), colour)


def write(picture: np.ndarray, text: str, corner_px: tuple[int, int], colour: Colour = INK) -> None:
    """Write one line of text with a dark rim; `corner_px` is its lower left."""
    plain = text.encode("ascii", "replace").decode()  # the font knows no other letters
    for ink, thickness in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(picture, plain, corner_px, _FONT, _TEXT_SCALE, ink, thickness, cv2.LINE_AA)


def wrapped(text: str, width_px: int) -> list[str]:
    """Return a text as lines that fit a width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and cv2.getTextSize(longer, _FONT, _TEXT_SCALE, 1)[0][0] > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _fixed(x: float, y: float) -> tuple[int, int]:
    """Return a place for OpenCV, whose pixel centres have whole numbers."""
    return round((x - 0.5) * (1 << _BITS)), round((y - 0.5) * (1 << _BITS))


def _is_in_reach(points_px: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Return (N,) bool, false for points so far outside that OpenCV's whole numbers could not hold them."""
    return (np.abs(points_px) < 4 * max(picture.shape[:2])).all(axis=1)
