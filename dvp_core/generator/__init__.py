"""From a sliding window of conditioning passes to photoreal frames of one person.

`train` learns from one clip, `load_generator` reads what it learned, `synthesise` streams frames. The room never
learns what a face is: it sees pass stacks and plates.
"""

from dvp_core.generator.checkpoint import GeneratorFacts
from dvp_core.generator.dataset import PlateCrops
from dvp_core.generator.networks import Preset
from dvp_core.generator.options import HoldOut, TrainOptions
from dvp_core.generator.synthesise import Generator, load_generator, synthesise, synthesise_batches
from dvp_core.generator.training import train, work_folder

__all__ = [
    "Generator",
    "GeneratorFacts",
    "HoldOut",
    "PlateCrops",
    "Preset",
    "TrainOptions",
    "load_generator",
    "synthesise",
    "synthesise_batches",
    "train",
    "work_folder",
]
