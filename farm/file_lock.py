"""A lock that ends with its process, however that ends: what it guards is free again after a pulled plug."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: whoever runs two heads there is not stopped.
    fcntl = None


def try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock of a file (made where missing), or None where another holds it.

    Closing the descriptor, or the end of the process, gives it back; child processes do not inherit it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if fcntl is None:
        return descriptor
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
