"""Weights as safetensors with a JSON beside them in the same file: nothing in such a file can run.

A reader looks at names, shapes and dtypes in the file's header, against a network that exists without memory, before
any weight is read; then at the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, parse_json, write_atomically
from dvp_core.data.generator_header import GENERATOR_KIND, GENERATOR_VERSION, check_is_generator, crop_of
from dvp_core.generator.networks import NetworkConfig, Preset, build_network, config_type

_REMEDY = "Train the generator again, or copy the file anew"
_LIMITS = {
    "window": (1, 64),
    "resolution_px": (8, 2048),
    "width": (1, 512),
    "texture_channels": (1, 256),
    "texture_size": (1, 2048),
    "skin_size": (1, 4096),
    "head_images": (1, 64),
    "history_scale": (1, 64),
}


@dataclass(frozen=True)
class Source:
    """A take that a generator learned from."""

    take_sha256: str
    clip_sha256: str


@dataclass(frozen=True)
class Ancestor:
    """An earlier generator that training began with, and what that had seen.

    Attributes:
        generator_sha256: Hash of its file.
        clip_sha256: The movies it was trained on.
        consent_sha256: Consent record given for that training, where one was.
    """

    generator_sha256: str
    clip_sha256: tuple[str, ...]
    consent_sha256: str | None


@dataclass(frozen=True)
class GeneratorFacts:
    """What a generator's file says about itself.

    Attributes:
        preset: Which design.
        config: The network's shape.
        crop: The square of the plate it paints.
        face_model_sha256: Face model of the takes it was trained on.
        clip_sha256: The movie it was trained on, the first where there were several.
        take_sha256: The take it was trained on, likewise.
        consent_sha256: Consent record given for training, where one was.
        coverage: Statistics of what it has seen, see `coverage.py`.
        record: What happened in training.
        further_sources: Takes it was trained on besides the first.
        ancestors: Earlier generators whose weights it began with, the nearest first.
    """

    preset: Preset
    config: NetworkConfig
    crop: Crop
    face_model_sha256: str
    clip_sha256: str
    take_sha256: str
    consent_sha256: str | None
    coverage: dict[str, Any]
    record: dict[str, Any]
    further_sources: tuple[Source, ...] = ()
    ancestors: tuple[Ancestor, ...] = ()

    @property
    def clips_sha256(self) -> tuple[str, ...]:
        """Every movie it was trained on, ancestors' not counted."""
        return (self.clip_sha256, *(source.clip_sha256 for source in self.further_sources))

    @property
    def takes_sha256(self) -> tuple[str, ...]:
        """Every take it was trained on, ancestors' not counted."""
        return (self.take_sha256, *(source.take_sha256 for source in self.further_sources))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write a safetensors file in one step, with a JSON under the metadata's key `dvp`."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"dvp": canonical_json(header).decode()}
    write_atomically(path, lambda temporary: _save(temporary, contiguous, metadata))


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:  # its name for a full disk
        raise OSError(str(error)) from error


@contextmanager
def opened_tensors(path: Path | str) -> Iterator[Any]:
    """Open a safetensors file; whatever is wrong with its bytes becomes a `DataError`."""
    if not Path(path).is_file():
        raise DataError("does not exist or is no file", where=path, remedy="Check the path")
    try:
        with safe_open(str(path), framework="pt", device="cpu") as stream:
            yield stream
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"is no safetensors file, or is damaged ({error})", where=path, remedy=_REMEDY) from error


def read_header(stream: Any, path: Path | str) -> dict[str, Any]:
    """Return the JSON that `write_tensors` put into an opened file."""
    text = (stream.metadata() or {}).get("dvp")
    header = None if text is None else parse_json(text, where=path)
    if not isinstance(header, dict):
        raise DataError("carries no description of itself", where=path, remedy=_REMEDY)
    return header


def read_tensors(stream: Any, expected: Mapping[str, Tensor], path: Path | str) -> dict[str, Tensor]:
    """Read tensors that have exactly the names, shapes and dtypes of `expected` (whose values are not used).

    Raises:
        DataError: Another set of names, another shape or dtype, or a value that is not finite.
    """
    names = set(stream.keys())
    if names != set(expected):
        odd = sorted(names ^ set(expected))
        raise DataError(f"field '{odd[0]}' is missing or superfluous", where=path, remedy=_REMEDY)
    for name, wanted in expected.items():
        part = stream.get_slice(name)
        shape, dtype = tuple(part.get_shape()), part.get_dtype()
        if shape != tuple(wanted.shape) or dtype != _DTYPE_NAMES[wanted.dtype]:
            raise DataError(
                f"field '{name}' is {dtype} {shape}, expected {_DTYPE_NAMES[wanted.dtype]} {tuple(wanted.shape)}",
                where=path,
                remedy=_REMEDY,
            )
    tensors = {name: stream.get_tensor(name) for name in expected}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DataError(f"field '{name}' holds NaN or infinity", where=path, remedy=_REMEDY)
    return tensors


_DTYPE_NAMES = {torch.float32: "F32", torch.int64: "I64"}


def save_generator(path: Path, network: nn.Module, facts: GeneratorFacts) -> None:
    """Publish a generator: weights, and all that `GeneratorFacts` tells."""
    header = asdict(facts) | {"kind": GENERATOR_KIND, "version": GENERATOR_VERSION}
    write_tensors(path, network.state_dict(), header)


def read_generator(path: Path | str) -> tuple[nn.Module, GeneratorFacts]:
    """Read and check a generator's file.

    Raises:
        DataError: Missing, damaged, of another kind or version, or with weights that do not fit its configuration.
    """
    with opened_tensors(path) as stream:
        facts = _facts_from(read_header(stream, path), path)
        with torch.device("meta"):
            network = build_network(facts.config)
        tensors = read_tensors(stream, network.state_dict(), path)
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(False), facts


def read_facts(path: Path | str) -> GeneratorFacts:
    """Read what a generator's file says about itself, without its weights.

    Raises:
        DataError: Missing, damaged, or of another kind or version.
    """
    with opened_tensors(path) as stream:
        return _facts_from(read_header(stream, path), path)


def _facts_from(header: dict[str, Any], path: Path | str) -> GeneratorFacts:
    check_is_generator(header, path)
    try:
        preset = header["preset"]
        if preset not in get_args(Preset):
            raise DataError(f"has the unknown preset '{preset}'", where=path, remedy=_REMEDY)
        config = _config_from(preset, header["config"], path)
        crop = crop_of(header)
        consent = header["consent_sha256"]
        facts = GeneratorFacts(
            preset=preset,
            config=config,
            crop=crop,
            consent_sha256=None if consent is None else str(consent),
            face_model_sha256=str(header["face_model_sha256"]),
            clip_sha256=str(header["clip_sha256"]),
            take_sha256=str(header["take_sha256"]),
            coverage=dict(header["coverage"]),
            record=dict(header["record"]),
            further_sources=tuple(_source_from(own) for own in header.get("further_sources", [])),
            ancestors=tuple(_ancestor_from(own) for own in header.get("ancestors", [])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"has a damaged description ({error!r})", where=path, remedy=_REMEDY) from error
    if crop.size_px < 1 or crop.resolution_px != config.resolution_px:
        raise DataError(f"paints {config.resolution_px} px but names {crop}", where=path, remedy=_REMEDY)
    return facts


def _source_from(values: Mapping[str, Any]) -> Source:
    return Source(str(values["take_sha256"]), str(values["clip_sha256"]))


def _ancestor_from(values: Mapping[str, Any]) -> Ancestor:
    consent = values["consent_sha256"]
    clips = tuple(str(clip) for clip in values["clip_sha256"])
    return Ancestor(str(values["generator_sha256"]), clips, None if consent is None else str(consent))


def _config_from(preset: Preset, values: Mapping[str, Any], path: Path | str) -> NetworkConfig:
    for name, value in values.items():
        low, high = _LIMITS[name]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise DataError(f"{name} is {value!r}, expected {low} to {high}", where=path, remedy=_REMEDY)
    return config_type(preset)(**values)
