"""Prepares what comes next in a thread while what is there is being worked on.

Decoding and filtering release Python's lock, so a second core takes them over. The order stays, and every number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(items: Generator[Item, None, None], *, count: int = 2) -> Generator[Item, None, None]:
    """Yield a generator's items in order, the next ones made in a thread meanwhile.

    An error of the generator is raised where its item would have come. Whoever stops early waits for the item that is
    being made; the generator is closed, and no thread is left.

    Args:
        items: Runs in the thread alone.
        count: How many items may be ready or in the making.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming: deque[Future[object]] = deque(thread.submit(next, items, _END) for _ in range(count))
        try:
            while (item := coming.popleft().result()) is not _END:
                coming.append(thread.submit(next, items, _END))
                yield item  # type: ignore[misc]
        finally:
            for future in coming:
                future.cancel()
            thread.submit(items.close).result()
