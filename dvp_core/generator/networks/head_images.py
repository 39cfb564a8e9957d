"""Pictures that move with the head: training frames of different poses, the nearest few blended.

Each is painted on the head's plane of its own frame (`head_frame.py`) and shown through the plane of the frame wanted.
That is exact for what lies on the plane. Hair behind it, a bun above it and shoulders that stay move otherwise, but in
first order by a linear function of the head's eight numbers, which is learned for every place on the plane: few
numbers, smooth ones, that hold for poses not seen. Before the face it does nothing: the skin is the better guess there,
and would be believed less, the better these pictures fitted the frames that they come from.

Which pictures are blended is not learned but told by how near their heads were. A frame that training learns from may
be one of them, and then shows itself; so half the time the nearest picture is hidden while training, or convolutions
would learn to trust them everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dvp_core.generator.networks.head_frame import NUMBERS, HeadFrame
from dvp_core.generator.networks.neural_texture import lookup

RESERVE = 0.85
"""Share of a picture that a training frame fills; the rim takes what its crop cut off."""
NEAREST = 2
"""Pictures blended in a frame."""
HIDDEN = 0.5
"""Share of the frames that training paints without their nearest picture."""
_FARTHEST = 1e4
_SMALLEST = 1e-9
_PRECEDENCE = 1e-5
"""Of two pictures whose heads are equally near the earlier one comes first, in every program that runs the network: so
much farther, relatively, each counts than the one before it."""
_MOTION_SIZE = 32
_MOTION_REACH = 2.0
"""Half-width of the motion's plane, in units of the correspondence: heads fill it to 1, hair and shoulders reach on."""
_STRIDE = 4


class HeadImages(nn.Module):
    """Learned pictures with the logits of their shares, and how what they show moves beside the head's plane."""

    def __init__(self, *, count: int, size: int) -> None:
        super().__init__()
        self.images = nn.Parameter(torch.zeros(count, 4, size, size))
        self.motion = nn.Parameter(torch.zeros(1, 2 * NUMBERS, _MOTION_SIZE, _MOTION_SIZE))
        self.register_buffer("linear", torch.eye(2).repeat(count, 1, 1))
        self.register_buffer("depth", torch.zeros(count, 2))
        self.register_buffer("offset", torch.zeros(count, 2))
        self.register_buffer("reach", torch.ones(1))

    def frames(self, chosen: Tensor | None = None) -> HeadFrame:
        """The head's frames in the pictures, all or the chosen ones (N,)."""
        parts = [self.get_buffer(name) for name in ("linear", "depth", "offset")]
        return HeadFrame(*(parts if chosen is None else [part.index_select(0, chosen) for part in parts]))

    def typical(self) -> HeadFrame:
        """The head's frame in the first picture, the most typical one, as a batch of one."""
        return HeadFrame(*(self.get_buffer(name)[:1] for name in ("linear", "depth", "offset")))

    def forward(self, frame: HeadFrame, grid: Tensor, flow: Tensor, outside: Tensor) -> Tensor:
        """Colours and logits (batch, 4, size, size) of the head's pictures as a frame shows them.

        Args:
            frame: Where the head is.
            grid: (1, size, size, 2) pixel centres in [-1, 1].
            flow: (batch, 2, size / 4, size / 4) how much farther to look, in half-widths.
            outside: (batch, 1, size / 4, size / 4) 1 where there is no surface of the face, 0 where there is.
        """
        plane = frame.to_plane(grid[:, 1::_STRIDE, 1::_STRIDE])
        motion = lookup(self.motion, plane / _MOTION_REACH).unflatten(1, (2, NUMBERS))
        shares, chosen = self._nearest(frame)
        blended = flow.new_zeros(())
        for share, picture in zip(shares.unbind(1), chosen.unbind(1), strict=True):
            own = self.frames(picture)
            moved = outside * torch.einsum("bcnhw,bn->bchw", motion, frame.numbers() - own.numbers())
            farther = functional.interpolate(flow + moved, size=grid.shape[1:3], mode="bilinear")
            places = RESERVE * own.after_leaving(frame).to_picture(grid) + farther.movedim(1, -1)
            blended = blended + share[:, None, None, None] * lookup(self.images.index_select(0, picture), places)
        return blended

    def _nearest(self, frame: HeadFrame) -> tuple[Tensor, Tensor]:
        """Shares and numbers (batch, NEAREST) of the pictures whose heads were nearest, the nearest first."""
        apart = (frame.numbers()[:, None] - self.frames().numbers()).square().sum(dim=2) + _SMALLEST
        apart = apart * (1 + _PRECEDENCE * torch.arange(apart.shape[1], device=apart.device))
        count = min(NEAREST, apart.shape[1])
        if self.training and count > 1:
            is_hidden = (torch.rand(len(apart)) < HIDDEN).to(apart.device)
            nearest = functional.one_hot(apart.argmin(dim=1), apart.shape[1])
            apart = apart + _FARTHEST * nearest * is_hidden[:, None]
        closeness, chosen = (-apart / self.get_buffer("reach")).topk(count, dim=1)
        return closeness.softmax(dim=1), chosen
