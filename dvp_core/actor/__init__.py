"""The built-in actor: a short clip of a person who does not exist, with its truth, so that everything runs at once.

The files are made by `tools/built_in_actor/render.py`; this package only finds and reads them.
"""

from dvp_core.actor.files import (
    ActorTruth,
    actor_clip_path,
    actor_consent_path,
    actor_landmarks_path,
    actor_truth,
    read_truth,
    write_truth,
)

__all__ = [
    "ActorTruth",
    "actor_clip_path",
    "actor_consent_path",
    "actor_landmarks_path",
    "actor_truth",
    "read_truth",
    "write_truth",
]
