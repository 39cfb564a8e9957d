"""Being stopped between two steps: Ctrl-C, and SIGTERM as sent to a machine that is taken away, wait for the step.

A step cut in half leaves weights and their moments of two minds, from which no state can be saved.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_gently() -> Iterator[Callable[[], None]]:
    """Give a function that raises `KeyboardInterrupt` where a signal has asked to stop since it was last called.

    A second signal does at once what it did before. Outside the main thread, which alone may watch signals, nothing is
    changed.
    """
    asked = threading.Event()
    before = {}

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.set()
        _restore(before)

    def stop_if_asked() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        before.update({number: signal.signal(number, ask) for number in _SIGNALS})
    try:
        yield stop_if_asked
    finally:
        _restore(before)


def _restore(handlers: dict[int, object]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)  # pyright: ignore[reportArgumentType]
