"""Values that belong to one event loop: locks, semaphores, clients and tasks that another loop may not touch.

A notebook, a test or a thread may come with a loop of its own. ``PerLoop`` makes a value for each::

    self._lock = PerLoop(asyncio.Lock)
    ...
    async with self._lock.get():
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One value an event loop, made by ``make`` at first use; a loop that is gone takes it along."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """Return the value of the running loop. Raises ``RuntimeError`` outside of one."""
        loop = asyncio.get_running_loop()
        if loop not in self._values:
            self._values[loop] = self._make()
        return self._values[loop]

    def peek(self) -> T | None:
        """Return the running loop's value if it was made already."""
        return self._values.get(asyncio.get_running_loop())

    def discard(self) -> T | None:
        """Forget the running loop's value and return it, so that it can be closed."""
        return self._values.pop(asyncio.get_running_loop(), None)
