"""A value belongs to the event loop that asked for it."""

import asyncio
import gc
import weakref

from roma_core.perloop import PerLoop


class Value:
    pass


async def get(values: PerLoop[Value]) -> Value:
    return values.get()


async def test_a_loop_gets_the_same_value_again() -> None:
    values = PerLoop(Value)
    assert values.get() is values.get()


def test_each_loop_gets_its_own_value() -> None:
    values = PerLoop(Value)
    assert asyncio.run(get(values)) is not asyncio.run(get(values))


def test_the_value_goes_with_its_loop() -> None:
    values = PerLoop(Value)
    gone = weakref.ref(asyncio.run(get(values)))
    gc.collect()
    assert gone() is None


async def test_a_discarded_value_is_returned_and_made_again() -> None:
    values = PerLoop(Value)
    first = values.get()
    assert values.discard() is first
    assert values.peek() is None
    assert values.get() is not first
