"""Follows every face through frames that may show several, so that the wanted one is kept.

Each person is expected where constant velocity takes them. A face is given to the person whom its place, its size and
its look fit best, all faces at once. When two people cross, place tells nothing and the look decides; a person who is
hidden is expected on their way for two seconds, and afterwards known again by their look alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from dvp_core.landmarks.face_look import Look, face_size, look_of

LONGEST_GAP_S = 2.0  # in which a hidden person is expected at a place
STRAIGHT_ON_S = 0.5  # for which a hidden person is expected to move on
# Expected errors of the prediction: of the place in sizes of the face, of the size in its logarithm; and their growth
# with every twenty-fifth of a second in which the person is not seen.
PLACE_SPREAD, SIZE_SPREAD, SPREAD_GROWTH = 0.13, 0.08, 0.02
# Limits, in expected errors. A face where the person is expected may look rather different (a hand, a turn of the
# head), one elsewhere must look the same, unless nobody else is known.
LARGEST_MISS, LOOSE_LOOK, STRICT_LOOK, ONLY_LOOK = 3.0, 4.0, 2.0, 3.5
UNBROKEN_FRAMES = 2  # a switched light changes every look at once
COST_OF_NOBODY = LARGEST_MISS**2 + LOOSE_LOOK**2 + 1.0
SAME_FACE = 0.15  # of the size: two findings nearer than that are one face found twice
OVERLAP = 0.9  # of the size: faces nearer than that spoil each other's look
NEWER_PART, FASTER_PART = 0.1, 0.5


@dataclass(frozen=True)
class SeenFace:
    """A face on one frame.

    Attributes:
        points: (point, 2 or 3) x and y in plate pixels, and relative depth at their scale where the detector tells it.
        look: What tells it from others.
    """

    points: np.ndarray
    look: Look

    @property
    def middle_px(self) -> np.ndarray:
        """(2,) mean of the points."""
        return self.points[:, :2].mean(axis=0)

    @property
    def size_px(self) -> float:
        """Longer side of the box around the points."""
        return max(face_size(self.points), 1.0)


@dataclass(frozen=True)
class Person:
    """What is known of one person.

    Attributes:
        middle_px: (2,) where they were last seen.
        velocity_px: (2,) per frame.
        size_px: Size of the face.
        look: Their look, averaged.
        last_index: The frame that showed them last.
    """

    middle_px: np.ndarray
    velocity_px: np.ndarray
    size_px: float
    look: Look
    last_index: int


@dataclass(frozen=True)
class Crowd:
    """Everybody seen so far; people are numbered as they appear, the largest first where several do at once.

    Attributes:
        fps: Frame rate of the clip.
        people: By number.
    """

    fps: Fraction
    people: tuple[Person, ...] = field(default=())

    def followed(self, faces: list[SeenFace], index: int) -> tuple[Crowd, tuple[int | None, ...]]:
        """Return the crowd after a frame, and whose face each one is: a number, or None for one found twice.

        Args:
            faces: All faces on the frame.
            index: The frame; it must grow from call to call.
        """
        places = _without_doubles(faces)
        is_clear = {place: _is_alone(faces, places, place) for place in places}
        costs = np.array(
            [[self._cost(one, faces[place], index, is_clear[place]) for place in places] for one in self.people]
        )
        owners: list[int | None] = [None] * len(faces)
        people = list(self.people)
        for number, column in best_pairs(costs.reshape(len(self.people), len(places)), COST_OF_NOBODY):
            owners[places[column]] = number
            place = places[column]
            people[number] = _moved(people[number], faces[place], index, is_look_clear=is_clear[place])
        for place in sorted(places, key=lambda place: -faces[place].size_px):
            if owners[place] is None:
                owners[place] = len(people)
                people.append(_newcomer(faces[place], index))
        return replace(self, people=tuple(people)), tuple(owners)

    def _cost(self, person: Person, face: SeenFace, index: int, is_clear: bool) -> float:
        """Return how badly a face fits a person, infinite where it cannot be theirs.

        A face where the person is expected may look as it will, if it was there a moment ago or another covers it.
        """
        look = person.look.distance(face.look)
        miss = self._miss(person, face, index)
        strict = ONLY_LOOK if len(self.people) == 1 else STRICT_LOOK
        is_unbroken = index - person.last_index <= UNBROKEN_FRAMES
        if miss <= LARGEST_MISS and (is_unbroken or not is_clear):
            look = min(look, LOOSE_LOOK)
        if (miss > LARGEST_MISS and look > strict) or look > LOOSE_LOOK:
            return np.inf
        return look**2 + min(miss, LARGEST_MISS) ** 2

    def _miss(self, person: Person, face: SeenFace, index: int) -> float:
        """Return how far a face is from where a person is expected, in expected errors; infinite after a long gap."""
        gap = index - person.last_index
        if gap > LONGEST_GAP_S * self.fps:
            return np.inf
        expected_px = person.middle_px + person.velocity_px * min(gap, STRAIGHT_ON_S * float(self.fps))
        growth = SPREAD_GROWTH * 25 * (gap - 1) / float(self.fps)
        place = float(np.linalg.norm(face.middle_px - expected_px)) / person.size_px / (PLACE_SPREAD + growth)
        size = abs(np.log(face.size_px / person.size_px)) / (SIZE_SPREAD + growth)
        return float(np.hypot(place, size))


def seen_face(points: np.ndarray, plate: np.ndarray) -> SeenFace:
    """Return a face as a detector found it.

    Args:
        points: (point, 2 or 3) x and y in plate pixels, and relative depth at their scale where it is known.
        plate: (H, W, 3) uint8.
    """
    return SeenFace(points, look_of(points, plate))


def best_pairs(costs: np.ndarray, cost_of_none: float) -> list[tuple[int, int]]:
    """Return the pairs (row, column) that cost least together; a column without a row costs `cost_of_none`.

    Exact, by dynamic programming over the sets of columns that are taken: meant for a handful of columns.

    Args:
        costs: (row, column), infinite where a pair is impossible.
        cost_of_none: More than this no pair is worth.
    """
    row_count, column_count = costs.shape
    best: dict[int, tuple[float, tuple[tuple[int, int], ...]]] = {0: (0.0, ())}
    for row in range(row_count):
        columns = [column for column in range(column_count) if costs[row, column] <= cost_of_none]
        for taken, (total, pairs) in list(best.items()):
            for column in columns:
                key = taken | 1 << column
                offer = total + float(costs[row, column]) - cost_of_none
                if key != taken and offer <= best.get(key, (np.inf, ()))[0]:
                    best[key] = (offer, (*pairs, (row, column)))
    return list(min(best.values())[1])


def _without_doubles(faces: list[SeenFace]) -> list[int]:
    """Return the places of the faces without those that are another's points found twice."""
    kept: list[int] = []
    for place, face in enumerate(faces):
        distances = [np.linalg.norm(faces[other].points[:, :2] - face.points[:, :2], axis=1).mean() for other in kept]
        if all(distance > SAME_FACE * face.size_px for distance in distances):
            kept.append(place)
    return kept


def _is_alone(faces: list[SeenFace], places: list[int], place: int) -> bool:
    face = faces[place]
    others = [faces[other] for other in places if other != place]
    return all(np.linalg.norm(other.middle_px - face.middle_px) > OVERLAP * face.size_px for other in others)


def _newcomer(face: SeenFace, index: int) -> Person:
    return Person(face.middle_px, np.zeros(2), face.size_px, face.look, index)


def _moved(person: Person, face: SeenFace, index: int, *, is_look_clear: bool) -> Person:
    """Return a person after they were seen again; their look is learned only where nobody stands before it."""
    gap = index - person.last_index
    speed_px = (face.middle_px - person.middle_px) / gap
    largest_px = person.size_px / 2  # a faster one has jumped, as over a cut
    speed_px = speed_px if np.linalg.norm(speed_px) < largest_px else np.zeros(2)
    return Person(
        middle_px=face.middle_px,
        velocity_px=person.velocity_px + FASTER_PART * (speed_px - person.velocity_px),
        size_px=face.size_px,
        look=person.look.blended(face.look, NEWER_PART) if is_look_clear else person.look,
        last_index=index,
    )
