"""From a sliding window of conditioning passes to photoreal frames of one person.

`train` learns from one clip (`train_on` from several takes), `load_generator` reads what it learned, `synthesise`
streams frames. The room never learns what a face is: it sees pass stacks and plates.
"""

from dvp_core.generator.checkpoint import GeneratorFacts
from dvp_core.generator.devices import default_preset
from dvp_core.generator.footage import Footage, PlateCrops
from dvp_core.generator.footage_doubts import footage_doubts
from dvp_core.generator.networks import Preset
from dvp_core.generator.options import HoldOut, TrainOptions
from dvp_core.generator.recipes import Switch
from dvp_core.generator.synthesise import Generator, load_generator, synthesise, synthesise_batches
from dvp_core.generator.training import (
    make_training_images,
    train,
    train_on,
    training_images_stand,
    work_folder,
)

__all__ = [
    "Footage",
    "Generator",
    "GeneratorFacts",
    "HoldOut",
    "PlateCrops",
    "Preset",
    "Switch",
    "TrainOptions",
    "default_preset",
    "footage_doubts",
    "load_generator",
    "make_training_images",
    "synthesise",
    "synthesise_batches",
    "train",
    "train_on",
    "training_images_stand",
    "work_folder",
]
