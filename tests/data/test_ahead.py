"""Working ahead in a thread: the same items in the same order, errors in their place, and nothing left running."""

import threading
from collections.abc import Generator

import pytest

from dvp_core.data.ahead import ahead

PATIENCE_S = 20.0


class Kitchen:
    """Counts what was made, where, and whether it was closed."""

    def __init__(self, fails_at: int = -1) -> None:
        self.made: list[int] = []
        self.threads: set[int] = set()
        self.is_closed = False
        self.fails_at = fails_at
        self.has_made_third = threading.Event()

    def dishes(self, count: int) -> Generator[int, None, None]:
        try:
            for number in range(count):
                self.threads.add(threading.get_ident())
                if number == self.fails_at:
                    raise ValueError("burnt")
                self.made.append(number)
                if number == 2:
                    self.has_made_third.set()
                yield number
        finally:
            self.is_closed = True


@pytest.mark.parametrize("count", [1, 2, 5])
def test_items_come_in_order_from_another_thread(count):
    kitchen = Kitchen()
    assert list(ahead(kitchen.dishes(7), count=count)) == list(range(7))
    assert threading.get_ident() not in kitchen.threads
    assert len(kitchen.threads) == 1
    assert list(ahead(Kitchen().dishes(0), count=count)) == []


def test_the_next_items_are_made_while_one_is_worked_on_and_no_more():
    kitchen = Kitchen()
    coming = ahead(kitchen.dishes(9), count=2)
    assert next(coming) == 0
    assert kitchen.has_made_third.wait(PATIENCE_S)  # without anyone asking for it
    assert kitchen.made == [0, 1, 2]
    assert list(coming) == list(range(1, 9))


def test_an_error_comes_in_its_place():
    kitchen = Kitchen(fails_at=3)
    coming = ahead(kitchen.dishes(9))
    assert [next(coming) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="burnt"):
        next(coming)
    assert kitchen.is_closed


def test_stopping_early_closes_the_source_and_leaves_no_thread():
    before = threading.active_count()
    kitchen = Kitchen()
    coming = ahead(kitchen.dishes(9))
    next(coming)
    coming.close()
    assert kitchen.is_closed
    assert len(kitchen.made) <= 3
    assert threading.active_count() == before
