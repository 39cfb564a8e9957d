"""The frames' solver once more, in torch, over many frames at a time: what a graphics card runs.

`dvp_core.tracking.frames` stays the reference; every file here has its slow counterpart there, and a test that holds
the two against each other.
"""

from dvp_core.tracking.batched.options import Batches

__all__ = ["Batches"]
