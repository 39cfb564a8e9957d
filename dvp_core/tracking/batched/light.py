"""Light of many frames: the counterpart of `dvp_core.tracking.light`.

On the CPU each frame's light is held near the one before, so frames follow each other. The solution is an affine
function of the expected light, and such functions can be chained in any grouping: a chain of B frames takes log2(B)
rounds instead of B (Hillis & Steele 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dvp_core.tracking.frames import LIGHT_STIFFNESS
from dvp_core.tracking.light import BAND_SIGMA, DAMPING

ROUND_COUNT = 3


@dataclass(frozen=True)
class LitPoints:
    """What is seen of the skin in B frames.

    Attributes:
        colours: (B, N, 3) seen, linear.
        reflectance: (N, 3) linear.
        basis: (B, N, 9), the harmonics at the points' normals in camera space.
        products: (B, N, 81), each of them times each.
        is_used: (B, N).
        damping: (B, 9), how the expected light counts.
    """

    colours: torch.Tensor
    reflectance: torch.Tensor
    basis: torch.Tensor
    products: torch.Tensor
    is_used: torch.Tensor
    damping: torch.Tensor

    def missing(self, light: torch.Tensor) -> torch.Tensor:
        """Return (B, N): lengths of what the lit surface lacks in colour."""
        return torch.linalg.vector_norm(self.colours - self.reflectance * (self.basis @ light), dim=-1)

    def mean_missing(self, light: torch.Tensor) -> torch.Tensor:
        """Return (B,): the mean of `missing` over the used points, zero where there are none."""
        return (self.missing(light) * self.is_used).sum(dim=1) / self.is_used.sum(dim=1).clamp(min=1)


def lit_points(
    colours: torch.Tensor, reflectance: torch.Tensor, basis: torch.Tensor, is_used: torch.Tensor
) -> LitPoints:
    """Return what is seen, made ready for several solutions; see `LitPoints`."""
    # Where nothing is seen, any damping gives the expected light back.
    count = is_used.sum(dim=1, keepdim=True).clamp(min=1).to(basis.dtype)
    damping = LIGHT_STIFFNESS * DAMPING * count / torch.as_tensor(BAND_SIGMA**2, dtype=basis.dtype, device=basis.device)
    products = (basis[..., :, None] * basis[..., None, :]).flatten(2)
    return LitPoints(colours, reflectance, basis, products, is_used, damping)


@dataclass(frozen=True)
class LightMap:
    """How light follows from the expected one, colour by colour: matrix (B, 3, 9, 9) x expected + shift (B, 3, 9)."""

    matrix: torch.Tensor
    shift: torch.Tensor

    def of(self, expected: torch.Tensor) -> torch.Tensor:
        """Return light (B, 9, 3) from the expected one (B, 9, 3)."""
        return ((self.matrix @ expected.transpose(1, 2)[..., None]).squeeze(-1) + self.shift).transpose(1, 2)

    def after(self, first: LightMap) -> LightMap:
        """Return the map that does `first`, then this."""
        shift = (self.matrix @ first.shift[..., None]).squeeze(-1) + self.shift
        return LightMap(self.matrix @ first.matrix, shift)


def plain_map(points: LitPoints) -> LightMap:
    """Return how each frame's light follows from the expected one while all points are trusted alike."""
    return _solved(points, points.is_used.to(points.basis.dtype))


def robust_map(points: LitPoints, plain: LightMap, expected: torch.Tensor) -> LightMap:
    """Return how each frame's light follows from the expected one; points that fit badly near it are doubted.

    Args:
        points: What is seen.
        plain: Their `plain_map`.
        expected: (B, 9, 3).
    """
    missing = points.missing(plain.of(expected))
    scale = 1.5 * _median(missing, points.is_used) + 1e-4
    return _solved(points, points.is_used / (1 + (missing / scale[:, None]) ** 2))


def chained(maps: LightMap, before: torch.Tensor, fresh: torch.Tensor, begins: torch.Tensor) -> torch.Tensor:
    """Return each frame's light (B, 9, 3), where the expected light of a frame is that of the frame before.

    Args:
        maps: The frames' maps.
        before: (9, 3), the light before the first frame.
        fresh: (9, 3), the expected light where a shot begins.
        begins: (B,) bool, whether a frame begins a shot.
    """
    known = maps.of(torch.where(begins[:, None, None], fresh, before))
    is_known = begins.clone()
    is_known[0] = True
    matrix = torch.where(is_known[:, None, None, None], 0.0, maps.matrix)
    shift = torch.where(is_known[:, None, None], known.transpose(1, 2), maps.shift)
    reach = 1
    while reach < len(shift):
        later = LightMap(matrix[reach:], shift[reach:]).after(LightMap(matrix[:-reach], shift[:-reach]))
        matrix, shift = torch.cat([matrix[:reach], later.matrix]), torch.cat([shift[:reach], later.shift])
        reach *= 2
    return shift.transpose(1, 2)


@dataclass(frozen=True)
class Relighting:
    """The light of a batch of frames as the reference estimates it.

    There a frame is relit from the light of the frame before, then its colours count, then it is relit from that light,
    which the next frame takes over. Here the same two maps a frame are chained. Which points are doubted depends on the
    expected light, so the chain is run `ROUND_COUNT` times.

    Attributes:
        before: (9, 3), the light before the first frame.
        fresh: (9, 3), the expected light where a shot begins.
        begins: (B,) bool, whether a frame begins a shot.
    """

    before: torch.Tensor
    fresh: torch.Tensor
    begins: torch.Tensor

    def first_maps(self, points: LitPoints) -> tuple[LightMap, torch.Tensor]:
        """Return each frame's first map and the light (B, 9, 3) it is to be fed, while the second is not yet known.

        Args:
            points: What is seen, before colours count.
        """
        plain = plain_map(points)
        expected = self.of_the_frame_before(self._chained(plain.after(plain)))
        first = robust_map(points, plain, expected)
        for _ in range(ROUND_COUNT):
            second = robust_map(points, plain, first.of(expected))
            expected = self.of_the_frame_before(self._chained(second.after(first)))
            first = robust_map(points, plain, expected)
        return first, expected

    def lights(self, points: LitPoints, first: LightMap, expected: torch.Tensor) -> torch.Tensor:
        """Return the frames' lights (B, 9, 3).

        Args:
            points: What is seen at last.
            first: Each frame's first map.
            expected: (B, 9, 3), an idea of the light of each frame before.
        """
        plain, lights = plain_map(points), expected
        for _ in range(ROUND_COUNT):
            second = robust_map(points, plain, first.of(expected))
            lights = self._chained(second.after(first))
            expected = self.of_the_frame_before(lights)
        return lights

    def lights_at_once(self, points: LitPoints) -> torch.Tensor:
        """Return the frames' lights (B, 9, 3) where each is estimated once, as without colours among the evidence."""
        plain = plain_map(points)
        lights = self._chained(plain)
        for _ in range(ROUND_COUNT):
            lights = self._chained(robust_map(points, plain, self.of_the_frame_before(lights)))
        return lights

    def of_the_frame_before(self, lights: torch.Tensor) -> torch.Tensor:
        """Return for each frame the light (B, 9, 3) of the one before it."""
        return torch.where(self.begins[:, None, None], self.fresh, torch.cat([self.before[None], lights[:-1]]))

    def unseen(self) -> torch.Tensor:
        """Return the lights (B, 9, 3) of frames of which nothing is seen: those of before."""
        has_begun = self.begins.cumsum(0) > 0
        return torch.where(has_begun[:, None, None], self.fresh, self.before)

    def _chained(self, maps: LightMap) -> torch.Tensor:
        return chained(maps, self.before, self.fresh, self.begins)


def _solved(points: LitPoints, weights: torch.Tensor) -> LightMap:
    """Return the map of weighted least squares with the expected light as prior."""
    by_colour = (weights[..., None] * points.reflectance).transpose(1, 2)
    gram = ((by_colour * points.reflectance.T) @ points.products).unflatten(-1, (9, 9))
    right = (by_colour * points.colours.transpose(1, 2)) @ points.basis
    prior = torch.diag_embed(points.damping)[:, None].expand_as(gram)
    solved, _ = torch.linalg.solve_ex(gram + prior, torch.cat([prior, right[..., None]], dim=-1))
    return LightMap(solved[..., :9], solved[..., 9])


def _median(values: torch.Tensor, is_used: torch.Tensor) -> torch.Tensor:
    """Return (B,) medians of the used values (B, N), the mean of the middle two where their number is even."""
    ordered = torch.where(is_used, values, torch.inf).sort(dim=1).values
    count = is_used.sum(dim=1, keepdim=True).clamp(min=1)
    middle = (ordered.gather(1, (count - 1) // 2) + ordered.gather(1, count // 2)) / 2
    return middle.squeeze(1).nan_to_num(posinf=0.0)
