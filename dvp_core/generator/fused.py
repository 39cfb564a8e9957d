"""Convolutions as painting wants them: normalisation folded into the weights, activation inside, weights packed once.

Training needs none of this, and a file of weights never holds it: a loaded network is changed in place, and gives the
same image but for rounding. On a processor, oneDNN reorders a layer's weights on every call unless they come packed;
for the deep layers of a wide network, which have millions of weights and few pixels, that takes longer than the
convolution itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["none", "relu", "leaky_relu", "tanh"]
_ACTIVATION_OF: dict[type[nn.Module], Activation] = {
    nn.ReLU: "relu",
    nn.LeakyReLU: "leaky_relu",
    nn.Tanh: "tanh",
}


@dataclass(frozen=True)
class Filter:
    """One convolution with all that is known of it.

    Attributes:
        weight: (out, in, rows, columns), of a transposed one (in, out, rows, columns).
        bias: (out,).
        stride: Pixels from one output to the next; of a transposed one, outputs a pixel.
        padding: Zero pixels around the input; of a transposed one, output pixels that are cut off.
        is_transposed: Whether it enlarges.
        activation: What follows.
        slope: Of a leaky ReLU.
    """

    weight: Tensor
    bias: Tensor
    stride: int
    padding: int
    is_transposed: bool
    activation: Activation = "none"
    slope: float = 0.0

    @property
    def output_axis(self) -> int:
        """The axis of `weight` along which the output channels lie."""
        return 1 if self.is_transposed else 0

    def scaled(self, gain: Tensor, shift: Tensor) -> Filter:
        """Return the filter followed by a gain and a shift for each channel."""
        shape = [1, 1, 1, 1]
        shape[self.output_axis] = -1
        return replace(self, weight=self.weight * gain.view(shape), bias=self.bias * gain + shift)


def filter_of(layer: nn.Conv2d | nn.ConvTranspose2d) -> Filter:
    """Return a layer's filter.

    Raises:
        ValueError: A layer of groups, dilation or other padding than equal zeros, which no network here has.
    """
    stride, padding = layer.stride[0], layer.padding[0]
    is_plain = layer.groups == 1 and set(layer.dilation) == {1} and layer.padding_mode == "zeros"
    if not is_plain or not isinstance(padding, int) or set(layer.stride) != {stride} or set(layer.padding) != {padding}:
        raise ValueError(f"{layer} cannot be fused")
    is_transposed = isinstance(layer, nn.ConvTranspose2d)
    weight = layer.weight.detach()
    bias = weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
    return Filter(weight, bias, stride, padding, is_transposed)


def folded(kernel: Filter, norm: nn.BatchNorm2d) -> Filter:
    """Return a filter with the batch normalisation that follows it, by its running statistics, inside."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a normalisation without running statistics cannot be folded")
    gain = norm.weight.detach() * torch.rsqrt(variance + norm.eps)
    return kernel.scaled(gain, norm.bias.detach() - mean * gain)


class FusedConvolution(nn.Module):
    """One filter in a chosen precision; its input's precision becomes its own."""

    def __init__(self, kernel: Filter, dtype: torch.dtype) -> None:
        super().__init__()
        self.kernel = replace(
            kernel,
            weight=kernel.weight.to(dtype).contiguous(memory_format=torch.channels_last),
            bias=kernel.bias.to(dtype),
        )
        self.packed: Tensor | None = None
        self.packed_shape: torch.Size | None = None

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, out, height, width), channels last."""
        features = features.to(self.kernel.weight.dtype).contiguous(memory_format=torch.channels_last)
        if self.packed_shape != features.shape:
            self.packed, self.packed_shape = packed_weight(self.kernel, features), features.shape
        if self.packed is None:
            return _plain(self.kernel, features)
        if self.kernel.activation == "tanh":  # torch's own is twice as fast as the one inside oneDNN's convolution
            return _with_packed(replace(self.kernel, activation="none"), self.packed, features).tanh_()
        return _with_packed(self.kernel, self.packed, features)


def packed_weight(kernel: Filter, features: Tensor) -> Tensor | None:
    """Return the weights in the order that this processor wants for such an input, None where it has no wish."""
    if features.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return None
    pack = torch.ops.mkldnn._reorder_convolution_weight
    rest: list[list[int]] = []
    if kernel.is_transposed:
        pack, rest = torch.ops.mkldnn._reorder_convolution_transpose_weight, [[0, 0]]
    paddings, strides = [kernel.padding] * 2, [kernel.stride] * 2
    try:
        return pack(kernel.weight, paddings, *rest, strides, [1, 1], 1, list(features.shape))
    except RuntimeError:  # torch's word for a precision that this processor has no instructions for
        return None


def _with_packed(kernel: Filter, packed: Tensor, features: Tensor) -> Tensor:
    paddings, strides = [kernel.padding] * 2, [kernel.stride] * 2
    scalars = [kernel.slope] if kernel.activation == "leaky_relu" else []
    tail = (strides, [1, 1], 1, kernel.activation, scalars, "")
    if kernel.is_transposed:
        run = torch.ops.mkldnn._convolution_transpose_pointwise
        return run(features, packed, kernel.bias, paddings, [0, 0], *tail)
    return torch.ops.mkldnn._convolution_pointwise(features, packed, kernel.bias, paddings, *tail)


def _plain(kernel: Filter, features: Tensor) -> Tensor:
    convolve = functional.conv_transpose2d if kernel.is_transposed else functional.conv2d
    image = convolve(features, kernel.weight, kernel.bias, kernel.stride, kernel.padding)
    if kernel.activation == "leaky_relu":
        return functional.leaky_relu(image, kernel.slope)
    return {"none": lambda x: x, "relu": torch.relu, "tanh": torch.tanh}[kernel.activation](image)


_TAPS = [[3, 1], [2, 0]]
"""Which rows of a 4 x 4 kernel reach an even and an odd output row from the two input rows beside it."""
_LANES = 16
"""Numbers that a processor's widest registers hold in float32."""


class FusedEnlargement(nn.Module):
    """A 4 x 4 transposed convolution of stride 2 to few channels, as one convolution for all four places in a pixel.

    To three channels the direct way leaves most of a processor's lanes empty: a place's outputs are a 2 x 2
    convolution, and the four places lie side by side in twelve channels (up to four zero ones more).
    """

    def __init__(self, kernel: Filter, dtype: torch.dtype) -> None:
        super().__init__()
        self.count = len(kernel.bias)
        taps = kernel.weight[:, :, _TAPS][:, :, :, :, _TAPS]  # in, out, place down, row, place across, column
        weight = taps.permute(2, 4, 1, 0, 3, 5).reshape(4 * self.count, len(kernel.weight), 2, 2)
        empty = -4 * self.count % _LANES
        weight = functional.pad(weight, [0, 0, 0, 0, 0, 0, 0, empty])
        bias = functional.pad(kernel.bias.repeat(4), [0, empty])
        places = replace(kernel, weight=weight, bias=bias, stride=1, padding=1, is_transposed=False)
        self.places = FusedConvolution(places, dtype)

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, out, 2 * height, 2 * width), channels last."""
        batch, _, height, width = features.shape
        images = self.places(features)
        enlarged = images.new_empty(batch, 2 * height, 2 * width, self.count).movedim(3, 1)
        for place in range(4):
            down, across = divmod(place, 2)
            image = images[:, place * self.count : (place + 1) * self.count]
            enlarged[:, :, down::2, across::2] = image[:, :, down : down + height, across : across + width]
        return enlarged


def is_narrow_enlargement(kernel: Filter) -> bool:
    """Say whether a filter is one for `FusedEnlargement`, and gains by it."""
    is_doubling = kernel.is_transposed and (kernel.stride, kernel.padding) == (2, 1)
    return is_doubling and kernel.weight.shape[2:] == (4, 4) and 4 * len(kernel.bias) <= _LANES


def _made(kernel: Filter, dtype: torch.dtype) -> nn.Module:
    return FusedEnlargement(kernel, dtype) if is_narrow_enlargement(kernel) else FusedConvolution(kernel, dtype)


def fused(layers: Iterable[nn.Module], dtype: torch.dtype, *, last_dtype: torch.dtype | None = None) -> nn.Sequential:
    """Return a chain of convolutions, normalisations and activations as convolutions alone; dropout falls away.

    Args:
        layers: The chain, a convolution first.
        dtype: What the convolutions compute in.
        last_dtype: What the last one does, where that differs.

    Raises:
        ValueError: A layer that cannot be folded into the convolution before it.
    """
    kernels: list[Filter] = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            kernels.append(filter_of(layer))
        elif not isinstance(layer, nn.Dropout):
            kernels[-1] = _followed_by(kernels[-1], layer)
    *before, last = kernels
    convolutions = [_made(kernel, dtype) for kernel in before]
    return nn.Sequential(*convolutions, _made(last, last_dtype or dtype))


def _followed_by(kernel: Filter, layer: nn.Module) -> Filter:
    if isinstance(layer, nn.BatchNorm2d) and kernel.activation == "none":
        return folded(kernel, layer)
    if type(layer) in _ACTIVATION_OF and kernel.activation == "none":
        slope = layer.negative_slope if isinstance(layer, nn.LeakyReLU) else 0.0
        return replace(kernel, activation=_ACTIVATION_OF[type(layer)], slope=slope)
    raise ValueError(f"{layer} cannot be folded into the convolution before it")
